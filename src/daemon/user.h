#ifndef DAEMON_USER_H
#define DAEMON_USER_H

/* The user that the daemon runs as. At the start, one thread. */

#include <stdbool.h>
#include <sys/types.h>

struct user {
    char name[64];
    uid_t uid;
    gid_t gid;
    bool change; /* we are root, and shall not stay it */
};

/* Finds the user by name; "" is who we are. Not root, we are who we are, whatever the
 * name says. Returns 0, or -1 with the reason logged. */
int user_find(const char *name, struct user *out);

/* Gives up root for good, with all groups of the user. Returns 0, or -1 with the reason
 * logged. */
int user_become(const struct user *user);

#endif
