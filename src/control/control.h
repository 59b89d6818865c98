/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CONTROL_CONTROL_H
#define CONTROL_CONTROL_H

/* The control socket: what rblctl talks to. Each connection has a thread; no client,
 * however slow, huge or many, holds up another, and none touches a message's way.
 * protocol.h says what is spoken.
 *
 * There are as many places as a quarter of the descriptors, 1024 at most, a quarter of
 * them for those who may write. Where all are taken, the connection that has been quiet
 * for longest (200 ms at least) is closed. Of a uid that may only read 32 connections are
 * served, and four commands run at once. */

#include <stddef.h>
#include <sys/types.h>

#include "control/command.h"

struct control_settings {
    const char *socket; /* path */
    uid_t uid;          /* the daemon's own: may write, as root may */
    gid_t gid;          /* its group: members may read */
    int patience_ms;    /* to send a request whole, and to read an answer; 0: 60 s */
    int stop_ms;        /* that a stop waits for running commands; 0: 15 s */
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

/* Ends them: running commands, which are to be told before, are waited for, those that
 * wait for their turn are refused; removes the socket. May be called without a start, and
 * twice. Returns false where commands still ran after the settings' stop_ms: they go on,
 * and use the table. */
bool control_stop(struct control *control);

/* Stops, and frees, unless commands still run. NULL is fine. */
void control_free(struct control *control);

#endif
