/* SPDX-License-Identifier: BSD-2-Clause */
#include "control/connection.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "control/protocol.h"

#define FIRST_SIZE 1024

struct connection *connection_new(int fd, const struct peer *peer,
                                  const struct command_table *table)
{
    struct connection *c = calloc(1, sizeof *c);

    if (c == NULL) {
        close(fd);
        return NULL;
    }
    c->fd = fd;
    c->session.peer = *peer;
    c->session.table = table;
    connection_enter(c, CONNECTION_READING);
    return c;
}

void connection_free(struct connection *c)
{
    c->session.table->session_end(&c->session);
    json_decref(c->request);
    close(c->fd);
    free(c->in);
    free(c->out);
    free(c);
}

void connection_enter(struct connection *c, enum connection_state state)
{
    c->state = state;
    c->state_since_ms = clock_ms();
}

/* What is said where there is no memory for an answer. */
static const char no_answer[] =
    "{\"ok\":false,\"error\":\"failed\",\"text\":\"out of memory\"}\n";

/* Leaves an answer to be written, and takes over its reference. */
static void set_answer(struct connection *c, json_t *answer)
{
    c->out = answer == NULL ? NULL : protocol_write(answer, &c->out_length);
    c->out_sent = 0;
    if (c->out == NULL) {
        c->out = strdup(no_answer);
        c->out_length = sizeof no_answer - 1;
        c->end_after_answer = c->out == NULL;
    }
    json_decref(answer);
}

static bool make_room(struct connection *c)
{
    size_t size = c->in_size == 0 ? FIRST_SIZE : c->in_size * 2;
    char *in;

    if (c->in_used < c->in_size)
        return true;
    in = realloc(c->in, size);
    if (in == NULL)
        return false;
    c->in = in;
    c->in_size = size;
    return true;
}

bool connection_read(struct connection *c)
{
    while (c->in_used < PROTOCOL_REQUEST_MAX) {
        ssize_t n;

        if (!make_room(c))
            return false;
        n = recv(c->fd, c->in + c->in_used, c->in_size - c->in_used, MSG_DONTWAIT);
        if (n > 0) {
            c->in_used += (size_t)n;
            continue;
        }
        if (n == 0) {
            c->ended = true;
            return true;
        }
        if (errno == EINTR)
            continue;
        return errno == EAGAIN || errno == EWOULDBLOCK;
    }
    return true;
}

static void answer_at_once(struct connection *c, json_t *answer)
{
    set_answer(c, answer);
    connection_enter(c, CONNECTION_WRITING);
}

/* Takes the first length bytes away. Gives a large buffer back once it is empty: a client
 * that waits holds little. */
static void drop_input(struct connection *c, size_t length)
{
    c->in_used -= length;
    memmove(c->in, c->in + length, c->in_used);
    if (c->in_used == 0 && c->in_size > FIRST_SIZE) {
        free(c->in);
        c->in = NULL;
        c->in_size = 0;
    }
}

void connection_next_request(struct connection *c)
{
    char *end = c->in_used == 0 ? NULL : memchr(c->in, '\n', c->in_used);
    json_t *answer;

    if (end == NULL) {
        if (c->in_used >= PROTOCOL_REQUEST_MAX) {
            c->end_after_answer = true;
            answer_at_once(c, protocol_error_answer(PROTOCOL_USAGE,
                                                    "a request has at most %d characters",
                                                    PROTOCOL_REQUEST_MAX));
        }
        return;
    }
    c->command =
        command_find(&c->session, c->in, (size_t)(end - c->in), &c->request, &answer);
    drop_input(c, (size_t)(end + 1 - c->in));
    if (c->command == NULL)
        answer_at_once(c, answer);
    else {
        c->slow = c->command->is_slow;
        connection_enter(c, CONNECTION_PENDING);
    }
}

void connection_execute(struct connection *c)
{
    set_answer(c, command_run(c->command, &c->session, c->request));
    json_decref(c->request);
    c->request = NULL;
    c->command = NULL;
}

bool connection_write(struct connection *c)
{
    while (c->out != NULL && c->out_sent < c->out_length) {
        ssize_t n = send(c->fd, c->out + c->out_sent, c->out_length - c->out_sent,
                         MSG_DONTWAIT | MSG_NOSIGNAL);

        if (n >= 0)
            c->out_sent += (size_t)n;
        else if (errno == EAGAIN || errno == EWOULDBLOCK)
            return true;
        else if (errno != EINTR)
            return false;
    }
    free(c->out);
    c->out = NULL;
    if (c->end_after_answer)
        return false;
    connection_enter(c, CONNECTION_READING);
    return true;
}
