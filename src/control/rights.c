/* SPDX-License-Identifier: BSD-2-Clause */
/* Who is at the other end of a control connection, and what they may do. */

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/text.h"
#include "control/control_parts.h"

enum right peer_right(uid_t uid, const gid_t *groups, size_t group_count, uid_t owner,
                      gid_t group)
{
    if (uid == 0 || uid == owner)
        return RIGHT_WRITE;
    for (size_t i = 0; i < group_count; i++)
        if (groups[i] == group)
            return RIGHT_READ;
    return RIGHT_NONE;
}

/* The peer's groups, its own one first. Returns an array to be freed, or NULL. */
static gid_t *peer_groups(int fd, gid_t own, size_t *count)
{
    socklen_t size = 0;
    gid_t *groups;

    /* A first call says the size: by ERANGE, unless there are none. */
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &size) != 0 && errno != ERANGE)
        return NULL;
    groups = malloc(sizeof own + size);
    if (groups == NULL)
        return NULL;
    groups[0] = own;
    if (size > 0 && getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups + 1, &size) != 0) {
        free(groups);
        return NULL;
    }
    *count = 1 + size / sizeof own;
    return groups;
}

int peer_of(int fd, uid_t owner, gid_t group, struct peer *out)
{
    struct ucred cred;
    socklen_t size = sizeof cred;
    size_t count = 0;
    gid_t *groups;

    *out = (struct peer){.uid = (uid_t)-1, .right = RIGHT_NONE};
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &size) != 0)
        return -1;
    groups = peer_groups(fd, cred.gid, &count);
    if (groups == NULL)
        return -1;
    out->uid = cred.uid;
    out->right = peer_right(cred.uid, groups, count, owner, group);
    free(groups);
    return 0;
}

void peer_name(struct peer *peer)
{
    struct passwd entry, *found = NULL;
    char buffer[4096];

    if (getpwuid_r(peer->uid, &entry, buffer, sizeof buffer, &found) == 0 &&
        found != NULL)
        text_clean(entry.pw_name, peer->name, sizeof peer->name);
    else
        snprintf(peer->name, sizeof peer->name, "uid %u", (unsigned)peer->uid);
}
