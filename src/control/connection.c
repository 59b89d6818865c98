/* SPDX-License-Identifier: BSD-2-Clause */
/* Serves one client of the control socket: its requests, their turn, the answers. */

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utlist.h>

#include "base/clock.h"
#include "control/control_parts.h"
#include "control/protocol.h"

#define RUNNING_PER_READER 4    /* of one uid that may only read */
#define FIRST_SIZE         1024 /* of a client's buffer */

/* --- lines: requests in, answers out, each whole by a deadline (clock_ms), however slowly
 * the client sends or reads --- */

enum line_result {
    LINE_READ,
    LINE_TOO_LONG, /* more than PROTOCOL_REQUEST_MAX */
    LINE_NONE      /* the client has ended, or the deadline has passed */
};

/* Waits until fd is ready for events. A receive timeout of the socket's own would begin
 * again with each byte. */
static bool wait_ready(int fd, short events, int64_t deadline_ms)
{
    struct pollfd ready = {.fd = fd, .events = events};
    int64_t left_ms = deadline_ms - clock_ms();

    return left_ms > 0 && poll(&ready, 1, (int)left_ms) != 0; /* EINTR: tried again */
}

static bool make_room(struct lines *lines)
{
    size_t size = lines->size == 0 ? FIRST_SIZE : lines->size * 2;
    char *in;

    if (lines->used < lines->size)
        return true;
    in = realloc(lines->in, size);
    if (in == NULL)
        return false;
    lines->in = in;
    lines->size = size;
    return true;
}

/* Reads what is there, and waits until there is something. */
static bool receive(struct lines *lines, int64_t deadline_ms)
{
    while (make_room(lines)) {
        ssize_t n = recv(lines->fd, lines->in + lines->used, lines->size - lines->used,
                         MSG_DONTWAIT);

        if (n > 0) {
            lines->used += (size_t)n;
            return clock_ms() < deadline_ms;
        }
        if (n == 0 || (errno != EAGAIN && errno != EINTR) ||
            !wait_ready(lines->fd, POLLIN, deadline_ms))
            return false;
    }
    return false;
}

/* Waits for the next line. It has no newline, and is good until the next call. */
static enum line_result lines_read(struct lines *lines, int64_t deadline_ms,
                                   const char **line, size_t *length)
{
    lines->used -= lines->taken;
    if (lines->used > 0)
        memmove(lines->in, lines->in + lines->taken, lines->used);
    lines->taken = lines->searched = 0;
    if (lines->used == 0 && lines->size > FIRST_SIZE) { /* who waits holds little */
        free(lines->in);
        lines->in = NULL;
        lines->size = 0;
    }
    do {
        size_t fresh = lines->used - lines->searched;
        const char *end =
            fresh == 0 ? NULL : memchr(lines->in + lines->searched, '\n', fresh);

        if (end != NULL) {
            *line = lines->in;
            *length = (size_t)(end - lines->in);
            lines->taken = *length + 1;
            return LINE_READ;
        }
        lines->searched = lines->used;
        if (lines->used >= PROTOCOL_REQUEST_MAX)
            return LINE_TOO_LONG;
    } while (receive(lines, deadline_ms));
    return LINE_NONE;
}

/* Sends all of text. Returns 0, or -1 when the client is gone or the deadline has passed.
 */
static int lines_write(const struct lines *lines, const char *text, size_t length,
                       int64_t deadline_ms)
{
    while (length > 0) {
        ssize_t n = send(lines->fd, text, length, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (n >= 0) {
            text += n;
            length -= (size_t)n;
        } else if ((errno != EAGAIN && errno != EINTR) ||
                   !wait_ready(lines->fd, POLLOUT, deadline_ms)) {
            return -1;
        }
    }
    return 0;
}

/* --- turns --- */

static const unsigned lane_places[LANE_COUNT] = {
    [LANE_QUICK] = UINT32_MAX, [LANE_READERS] = 8, [LANE_READS] = 8, [LANE_WRITES] = 8};

void connection_enter(struct connection *c, enum connection_state state)
{
    c->state = state;
    c->since_ms = clock_ms();
}

static enum lane lane_of(const struct connection *c, const struct command *command)
{
    if (!command->is_slow)
        return LANE_QUICK;
    if (c->session.peer.right < RIGHT_WRITE)
        return LANE_READERS;
    return command->right < RIGHT_WRITE ? LANE_READS : LANE_WRITES;
}

static bool may_run(const struct connection *c, enum lane lane)
{
    const struct control *s = c->control;
    const struct connection *other;
    unsigned own = 0;

    if (s->running[lane] >= lane_places[lane])
        return false;
    if (c->session.peer.right == RIGHT_WRITE)
        return true;
    DL_FOREACH (s->connections, other) {
        own += other->state == CONNECTION_RUNNING &&
               other->session.peer.uid == c->session.peer.uid;
    }
    return own < RUNNING_PER_READER;
}

/* Returns false where the command is not to run any more: the server stops. */
static bool take_turn(struct connection *c, enum lane lane)
{
    struct control *s = c->control;
    bool taken;

    pthread_mutex_lock(&s->lock);
    while (!s->stopping && !may_run(c, lane))
        pthread_cond_wait(&s->turn[lane], &s->lock);
    taken = !s->stopping;
    if (taken) {
        s->running[lane]++;
        connection_enter(c, CONNECTION_RUNNING);
    } else {
        connection_enter(c, CONNECTION_ANSWERING);
    }
    pthread_mutex_unlock(&s->lock);
    return taken;
}

static void end_turn(struct connection *c, enum lane lane)
{
    struct control *s = c->control;

    pthread_mutex_lock(&s->lock);
    s->running[lane]--;
    connection_enter(c, CONNECTION_ANSWERING);
    if (c->session.peer.right == RIGHT_WRITE) {
        pthread_cond_signal(&s->turn[lane]);
    } else {
        /* not all who wait are of this user, nor wait for one of its places */
        pthread_cond_broadcast(&s->turn[LANE_READERS]);
        pthread_cond_broadcast(&s->turn[LANE_QUICK]);
    }
    pthread_mutex_unlock(&s->lock);
}

/* --- requests --- */

/* Sends an answer, and takes over its reference. */
static bool answer_with(struct connection *c, json_t *answer)
{
    static const char no_answer[] =
        "{\"ok\":false,\"error\":\"failed\",\"text\":\"out of memory\"}\n";
    int64_t deadline_ms = clock_ms() + c->control->patience_ms;
    size_t length = sizeof no_answer - 1;
    char *text = answer == NULL ? NULL : protocol_write(answer, &length);
    int rc = lines_write(&c->lines, text != NULL ? text : no_answer, length, deadline_ms);

    free(text);
    json_decref(answer);
    return rc == 0;
}

static bool serve(struct connection *c, const char *line, size_t length)
{
    json_t *request, *answer;
    const struct command *command =
        command_find(&c->session, line, length, &request, &answer);
    bool go_on = true;

    if (command != NULL) {
        enum lane lane = lane_of(c, command);

        go_on = take_turn(c, lane);
        if (go_on) {
            answer = command_run(command, &c->session, request);
            end_turn(c, lane);
        } else {
            answer = protocol_error_answer(PROTOCOL_BUSY, "the daemon stops");
        }
        json_decref(request);
    }
    return answer_with(c, answer) && go_on;
}

/* Begins to wait for a request, or to serve it. Returns false where it is not to be
 * served. */
static bool move_on(struct connection *c, enum connection_state state)
{
    struct control *s = c->control;
    bool go_on;

    pthread_mutex_lock(&s->lock);
    go_on = !c->shown_out && !s->stopping;
    connection_enter(c, state);
    pthread_mutex_unlock(&s->lock);
    return go_on;
}

static bool serve_next(struct connection *c)
{
    int64_t deadline_ms = clock_ms() + c->control->patience_ms;
    enum line_result result;
    const char *line;
    size_t length;

    if (!move_on(c, CONNECTION_QUIET))
        return false;
    result = lines_read(&c->lines, deadline_ms, &line, &length);
    if (result == LINE_NONE || !move_on(c, CONNECTION_WAITING))
        return false;
    if (result == LINE_READ)
        return serve(c, line, length);
    answer_with(c, protocol_error_answer(PROTOCOL_USAGE,
                                         "a request has at most %d characters",
                                         PROTOCOL_REQUEST_MAX));
    return false;
}

void *connection_main(void *argument)
{
    struct connection *c = argument;
    struct control *s = c->control;

    while (serve_next(c))
        ;
    s->table->session_end(&c->session);
    pthread_mutex_lock(&s->lock);
    DL_DELETE(s->connections, c);
    close(c->lines.fd);
    free(c->lines.in);
    s->connection_count--;
    pthread_cond_signal(&s->left);
    pthread_mutex_unlock(&s->lock);
    free(c);
    return NULL;
}
