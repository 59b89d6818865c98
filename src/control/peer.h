/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CONTROL_PEER_H
#define CONTROL_PEER_H

/* Who is at the other end of a control connection, by the kernel's word alone, and what
 * they may do (design.md, 7). */

#include <sys/types.h>

/* What a command needs; each includes those before it. */
enum right { RIGHT_NONE, RIGHT_READ, RIGHT_WRITE };

#define PEER_NAME_SIZE 80

struct peer {
    uid_t uid;
    enum right right;
    char name[PEER_NAME_SIZE]; /* login, or "uid 1234" */
};

/* The right of a process of user uid with these groups towards a daemon of owner and
 * group: root and the owner may write, the group's members may read, others nothing. */
enum right peer_right(uid_t uid, const gid_t *groups, size_t group_count, uid_t owner,
                      gid_t group);

/* Asks the kernel about the socket's peer (SO_PEERCRED, SO_PEERGROUPS: as they were when
 * it connected). Returns 0, or -1 with errno set; the peer then has no right. The name is
 * left empty: see peer_name. */
int peer_of(int fd, uid_t owner, gid_t group, struct peer *out);

/* Finds the login name. Apart, because it may ask a directory server: it blocks. */
void peer_name(struct peer *peer);

#endif
