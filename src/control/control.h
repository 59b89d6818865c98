/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CONTROL_CONTROL_H
#define CONTROL_CONTROL_H

/* The control socket: what rblctl talks to. One thread serves all connections, a few
 * workers run the commands; no client, however slow, huge or many, holds up another, and
 * none touches a message's way. protocol.h says what is spoken. */

#include <stddef.h>
#include <sys/types.h>

#include "control/command.h"

struct control_settings {
    const char *socket; /* path */
    uid_t uid;          /* the daemon's own: may write, as root may */
    gid_t gid;          /* its group: members may read */
};

struct control;

/* Takes the socket's place in the file system, which no other daemon gets from now on:
 * mode 0660, owned by uid and gid (where we are root). A stale socket is replaced; a live
 * one, or a file that is no socket, never. Copies settings. Returns NULL with a sentence
 * in error. */
struct control *control_new(const struct control_settings *settings, char *error,
                            size_t error_size);

/* Clients can connect from now on, and are answered after the start; before it. Returns
 * 0, or -1 with errno set. */
int control_listen(struct control *control);

/* Starts the threads. Borrows the table until the stop. Returns 0, or -1 with errno
 * set. */
int control_start(struct control *control, const struct command_table *table);

/* Ends them: running commands are waited for, waiting ones are dropped; removes the
 * socket. May be called without a start, and twice. */
void control_stop(struct control *control);

/* Stops, and frees. NULL is fine. */
void control_free(struct control *control);

#endif
