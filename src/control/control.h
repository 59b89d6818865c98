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

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* The commands of the control socket, as the server sees them: rows of a table that it is
 * handed (src/daemon/commands.c). Knows nothing of sockets. */

struct command_table;

/* What a command needs; each includes those before it. */
enum right { RIGHT_NONE, RIGHT_READ, RIGHT_WRITE };

#define PEER_NAME_SIZE 80

struct peer {
    uid_t uid;
    enum right right;
    char name[PEER_NAME_SIZE]; /* login, or "uid 1234" */
};

/* What lives as long as a connection. One thread. */
struct control_session {
    const struct command_table *table;
    struct peer peer;
    void *kept; /* by the commands, from one request to the next; NULL: nothing */
};

struct command {
    const char *name;
    enum right right; /* that the peer needs: checked before run */
    bool is_slow;     /* waits for the disk or the DNS, reads or writes much */
    /* Returns the answer, a new reference, or NULL without memory. Blocks; called by many
     * threads at once, but by one for a session. */
    json_t *(*run)(struct control_session *session, const json_t *request);
};

struct command_table {
    const struct command *rows;
    size_t count;
    void *context;                                        /* for run */
    void (*session_end)(struct control_session *session); /* frees what is kept */
};

/* Finds the command that a request line asks for, and checks that it exists and that the
 * peer may use it. Returns it, with the request (a new reference) in *request; or NULL,
 * with the answer (a new reference, NULL without memory) in *answer. */
const struct command *command_find(const struct control_session *session,
                                   const char *line, size_t length, json_t **request,
                                   json_t **answer);

/* Runs it, for a peer whose name is known from then on. */
json_t *command_run(const struct command *command, struct control_session *session,
                    const json_t *request);

/* The server. */

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

/* Ends them: running commands, which are to be notified before, are waited for, those that
 * wait for their turn are refused; removes the socket. May be called without a start, and
 * twice. Returns false where commands still ran after the settings' stop_ms: they go on,
 * and use the table. */
bool control_stop(struct control *control);

/* Stops, and frees, unless commands still run. NULL is fine. */
void control_free(struct control *control);

#endif
