/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CONTROL_LISTENER_H
#define CONTROL_LISTENER_H

/* The socket that control connections come in by. */

#include <stddef.h>
#include <sys/types.h>

struct listener {
    int fd;      /* non-blocking */
    int lock_fd; /* PATH.lock, held for as long as the place is ours */
    char *path;
};

/* Takes its place, without listening: mode 0660, owned by owner and group where we are
 * root. A socket that nobody answers at is replaced; a live one, or another kind of file,
 * is an error. Returns 0, or -1 with a sentence in error. */
int listener_open(struct listener *listener, const char *path, uid_t owner, gid_t group,
                  char *error, size_t error_size);

/* Closes and removes it. A listener that is not open is fine. */
void listener_close(struct listener *listener);

/* Who is at the other end of a control connection, by the kernel's word alone, and what
 * they may do (design.md, 7). */

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
