/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CONTROL_CONNECTION_H
#define CONTROL_CONNECTION_H

/* One client of the control socket: its buffers and where it is. All functions are the
 * server thread's, but for connection_execute, which is a worker's while RUNNING. */

#include <stdbool.h>
#include <stdint.h>

#include "control/command.h"
#include "control/workers.h"

enum connection_state {
    CONNECTION_READING, /* waits for a whole request line */
    CONNECTION_PENDING, /* has a request that waits for its turn */
    CONNECTION_RUNNING, /* a worker's */
    CONNECTION_WRITING  /* its answer is on the way out */
};

struct connection {
    struct job job;
    void *server;
    int fd;
    enum connection_state state;
    int64_t state_since_ms; /* CLOCK_MONOTONIC */
    bool end_after_answer;
    bool ended; /* the client sends no more */
    char *in;
    size_t in_used, in_size;
    char *out;
    size_t out_length, out_sent;
    struct control_session session;
    const struct command *command; /* PENDING and RUNNING */
    json_t *request;
    bool slow; /* it is a slow command, also once it is done */
    struct connection *prev, *next;
};

/* Takes fd over, also on failure. Returns NULL without memory. */
struct connection *connection_new(int fd, const struct peer *peer,
                                  const struct command_table *table);
void connection_free(struct connection *c);

void connection_enter(struct connection *c, enum connection_state state);

/* Reads what is there; sets ended at the end. Returns false when the connection broke. */
bool connection_read(struct connection *c);

/* Takes the next whole line, if there is one: c is then PENDING, or WRITING an error. */
void connection_next_request(struct connection *c);

/* Runs the request, and leaves its answer in out. Not the server thread's: see above. */
void connection_execute(struct connection *c);

/* Sends what it can. Returns false when the connection is to be closed. Once all is sent,
 * c is READING again. */
bool connection_write(struct connection *c);

#endif
