/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DAEMON_USER_H
#define DAEMON_USER_H

/* The user that the daemon runs as. At the start, by the main thread. */

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

/* Becomes the user, with all its groups, so that all that is made from now on is the
 * user's; the way back stays open to user_run_as_root. Returns 0, or -1 with the reason
 * logged. */
int user_enter(const struct user *user);

/* Runs function(context) as root, in this thread alone: what other threads make meanwhile
 * is still the user's. Returns what it returns, or -1 with the reason logged. */
int user_run_as_root(const struct user *user, int (*function)(void *context),
                     void *context);

/* Gives up root permanently, in all threads; after user_enter. Returns 0, or -1 with the
 * reason logged. */
int user_become(const struct user *user);

#endif
