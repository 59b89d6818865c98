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

#endif
