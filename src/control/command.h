/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CONTROL_COMMAND_H
#define CONTROL_COMMAND_H

/* The commands of the control socket: a table of name, right and function. Knows nothing
 * of sockets. */

#include <jansson.h>
#include <stdbool.h>

#include "control/control.h"
#include "control/peer.h"

/* What lives as long as a connection. */
struct control_session {
    const struct control_daemon *daemon;
    struct peer peer;
    struct import_session *import; /* an import under way, or NULL */
};

struct command;
struct import_session;

/* How many there are. */
size_t command_count(void);

/* Finds the command that a request line asks for, and checks that it is there and that
 * the peer may use it. Returns it, with the request (a new reference) in *request; or
 * NULL, with the answer (a new reference, NULL without memory) in *answer. */
const struct command *command_find(const struct control_session *session,
                                   const char *line, size_t length, json_t **request,
                                   json_t **answer);

/* Whether it may take long: waits for the DNS, or reads and writes much. */
bool command_is_slow(const struct command *command);

/* Runs it; blocks. Returns the answer, a new reference, or NULL without memory. */
json_t *command_run(const struct command *command, struct control_session *session,
                    const json_t *request);

/* Frees what commands left in the session. */
void command_session_end(struct control_session *session);

#endif
