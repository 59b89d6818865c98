/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CONTROL_COMMAND_H
#define CONTROL_COMMAND_H

/* The commands of the control socket, as the server sees them: rows of a table that it is
 * handed (src/daemon/commands.c). Knows nothing of sockets. */

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "control/peer.h"

struct command_table;

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

#endif
