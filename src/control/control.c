/* SPDX-License-Identifier: BSD-2-Clause */
#include "control/control.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utlist.h>

#include "base/clock.h"
#include "control/control_parts.h"
#include "control/protocol.h"

#define BACKLOG         1024
#define CONNECTIONS_MAX 1024
/* Of one uid that may only read. */
#define CONNECTIONS_PER_READER 32
/* To send a request whole, and to read an answer whole. */
#define PATIENCE_MS 60000
/* More than a change waits for an import's commit (BLOCKLIST_WAIT_S), and a check for the
 * DNS as a rule. */
#define STOP_MS 15000
/* What a client gets of it to read its answer. */
#define STOP_ANSWER_MS 1000
/* A client that has been quiet for so long is closed when all places are taken. */
#define QUIET_MS 200
/* How soon to try again where there is no place, no descriptor, no thread. */
#define RETRY_MS 100
/* jansson takes some 200 KiB to read the deepest nesting that it allows; a sanitizer as
 * much of its own. */
#define STACK_SIZE (1024 * 1024)

/* --- who is let in --- */

/* Waits for a connection to leave; lock held. */
static void wait_left(struct control *s, int64_t until_ms)
{
    struct timespec until = clock_timespec(until_ms);

    pthread_cond_timedwait(&s->left, &s->lock, &until);
}

/* Tells one who is not served why, as far as its buffer takes it. */
static void send_error(int fd, enum protocol_error error, const char *text)
{
    json_t *answer = protocol_error_answer(error, "%s", text);
    size_t length = 0;
    char *line = answer == NULL ? NULL : protocol_write(answer, &length);

    if (line != NULL)
        (void)!send(fd, line, length, MSG_DONTWAIT | MSG_NOSIGNAL);
    free(line);
    json_decref(answer);
}

/* Closes the connection that has been quiet for longest, of those of this right or less.
 * Returns false where there is none. Lock held. */
static bool show_one_out(struct control *s, enum right right)
{
    struct connection *c, *quietest = NULL;

    DL_FOREACH (s->connections, c) {
        if (c->state == CONNECTION_QUIET && !c->shown_out &&
            c->session.peer.right <= right &&
            (quietest == NULL || c->since_ms < quietest->since_ms))
            quietest = c;
    }
    if (quietest == NULL || clock_ms() - quietest->since_ms < QUIET_MS)
        return false;
    quietest->shown_out = true;
    send_error(quietest->lines.fd, PROTOCOL_BUSY,
               "all places are taken, and this one was quiet");
    shutdown(quietest->lines.fd, SHUT_RDWR); /* its thread sees the end */
    return true;
}

/* Sees that there is a place, or waits for a moment. Returns whether there is one. */
static bool make_place(struct control *s)
{
    int64_t until_ms = clock_ms() + RETRY_MS;
    bool free;

    pthread_mutex_lock(&s->lock);
    if (s->connection_count >= s->place_count && !s->stopping) {
        show_one_out(s, RIGHT_WRITE);
        wait_left(s, until_ms);
    }
    free = s->connection_count < s->place_count;
    pthread_mutex_unlock(&s->lock);
    return free;
}

/* Whether a reader may come in; some places are kept for those who write. Returns NULL,
 * or why not. Lock held. */
static const char *why_not(struct control *s, uid_t uid)
{
    const struct connection *c;
    size_t readers = 0, own = 0;

    DL_FOREACH (s->connections, c) {
        readers += c->session.peer.right < RIGHT_WRITE && !c->shown_out;
        own += c->session.peer.uid == uid;
    }
    if (own >= CONNECTIONS_PER_READER)
        return "this user has too many connections open";
    if (readers >= s->reader_place_count && !show_one_out(s, RIGHT_READ))
        return "all places for readers are taken: try again";
    return NULL;
}

/* Returns 0 or -1. Lock held: the thread begins once the connection is in the list. */
static int start_connection(struct control *s, int fd, const struct peer *peer)
{
    struct connection *c = calloc(1, sizeof *c);
    pthread_attr_t attributes;
    pthread_t thread;
    int rc;

    if (c == NULL)
        return -1;
    *c = (struct connection){
        .control = s, .lines.fd = fd, .session = {.table = s->table, .peer = *peer}};
    connection_enter(c, CONNECTION_QUIET);
    if (pthread_attr_init(&attributes) != 0) {
        free(c);
        return -1;
    }
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, STACK_SIZE);
    rc = pthread_create(&thread, &attributes, connection_main, c);
    pthread_attr_destroy(&attributes);
    if (rc != 0) {
        free(c);
        return -1;
    }
    DL_APPEND(s->connections, c);
    s->connection_count++;
    return 0;
}

static void turn_away(int fd, enum protocol_error error, const char *text)
{
    send_error(fd, error, text);
    close(fd);
}

static void let_in(struct control *s, int fd)
{
    const char *why = NULL;
    struct peer peer;

    if (peer_of(fd, s->owner, s->group, &peer) != 0 || peer.right == RIGHT_NONE) {
        turn_away(fd, PROTOCOL_DENIED,
                  "only root, the daemon's user and members of its group may read");
        return;
    }
    pthread_mutex_lock(&s->lock);
    if (peer.right < RIGHT_WRITE)
        why = why_not(s, peer.uid);
    if (why == NULL && start_connection(s, fd, &peer) != 0)
        why = "the daemon has no memory for it: try again";
    pthread_mutex_unlock(&s->lock);
    if (why != NULL)
        turn_away(fd, PROTOCOL_BUSY, why);
}

static bool is_stopping(struct control *s)
{
    bool stopping;

    pthread_mutex_lock(&s->lock);
    stopping = s->stopping;
    pthread_mutex_unlock(&s->lock);
    return stopping;
}

static void *accept_main(void *argument)
{
    struct control *s = argument;

    while (!is_stopping(s)) {
        struct pollfd ready = {.fd = s->listener.fd, .events = POLLIN};
        int fd;

        (void)poll(&ready, 1, -1); /* the stop shuts it down */
        if (!make_place(s))
            continue;
        fd = accept4(s->listener.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd != -1) {
            let_in(s, fd);
        } else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
            /* out of descriptors or memory: those who wait stay in the queue */
            pthread_mutex_lock(&s->lock);
            if (!s->stopping)
                wait_left(s, clock_ms() + RETRY_MS);
            pthread_mutex_unlock(&s->lock);
        }
    }
    return NULL;
}

/* --- start and stop --- */

struct control *control_new(const struct control_settings *settings, char *error,
                            size_t error_size)
{
    struct control *s = calloc(1, sizeof *s);
    struct rlimit limit;

    if (s == NULL) {
        snprintf(error, error_size, "no memory");
        return NULL;
    }
    s->owner = settings->uid;
    s->group = settings->gid;
    s->patience_ms = settings->patience_ms != 0 ? settings->patience_ms : PATIENCE_MS;
    s->stop_ms = settings->stop_ms != 0 ? settings->stop_ms : STOP_MS;
    s->place_count = CONNECTIONS_MAX;
    /* a quarter of the descriptors at most: the rest is for mail */
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur / 4 < CONNECTIONS_MAX)
        s->place_count = limit.rlim_cur / 4 < 8 ? 8 : (size_t)limit.rlim_cur / 4;
    s->reader_place_count = s->place_count - s->place_count / 4;
    pthread_mutex_init(&s->lock, NULL);
    clock_cond_init(&s->left);
    for (int i = 0; i < LANE_COUNT; i++)
        pthread_cond_init(&s->turn[i], NULL);
    if (listener_open(&s->listener, settings->socket, settings->uid, settings->gid, error,
                      error_size) != 0) {
        control_free(s);
        return NULL;
    }
    return s;
}

int control_listen(struct control *control)
{
    return listen(control->listener.fd, BACKLOG);
}

int control_start(struct control *control, const struct command_table *table)
{
    int rc;

    control->table = table;
    rc = pthread_create(&control->accepting, NULL, accept_main, control);
    if (rc != 0) {
        errno = rc;
        return -1;
    }
    control->started = true;
    return 0;
}

/* Ends those that wait for a request, and those whose client does not take its answer;
 * lock held. */
static void hurry(struct control *s)
{
    struct connection *c;

    DL_FOREACH (s->connections, c) {
        if (c->state == CONNECTION_QUIET)
            shutdown(c->lines.fd, SHUT_RD);
        else if (c->state == CONNECTION_ANSWERING &&
                 clock_ms() - c->since_ms > STOP_ANSWER_MS)
            shutdown(c->lines.fd, SHUT_RDWR);
    }
}

bool control_stop(struct control *control)
{
    struct control *s = control;
    int64_t now_ms = clock_ms(), end_ms = now_ms + s->stop_ms;
    bool ended;

    pthread_mutex_lock(&s->lock);
    s->stopping = true;
    pthread_cond_broadcast(&s->left);
    for (int i = 0; i < LANE_COUNT; i++)
        pthread_cond_broadcast(&s->turn[i]);
    pthread_mutex_unlock(&s->lock);
    if (s->started) {
        shutdown(s->listener.fd, SHUT_RDWR);
        pthread_join(s->accepting, NULL);
        s->started = false;
    }
    pthread_mutex_lock(&s->lock);
    for (; s->connection_count > 0 && now_ms < end_ms; now_ms = clock_ms()) {
        hurry(s);
        wait_left(s, now_ms + RETRY_MS);
    }
    ended = s->connection_count == 0;
    pthread_mutex_unlock(&s->lock);
    listener_close(&s->listener);
    return ended;
}

void control_free(struct control *control)
{
    if (control == NULL || !control_stop(control))
        return; /* what still runs uses it */
    for (int i = 0; i < LANE_COUNT; i++)
        pthread_cond_destroy(&control->turn[i]);
    pthread_cond_destroy(&control->left);
    pthread_mutex_destroy(&control->lock);
    free(control);
}

const struct command *command_find(const struct control_session *session,
                                   const char *line, size_t length, json_t **request,
                                   json_t **answer)
{
    const struct command *command = NULL;
    const char *name;
    char error[256];
    json_t *read = protocol_read(line, length, error, sizeof error);

    *answer = NULL;
    *request = NULL;
    if (read == NULL) {
        *answer = protocol_error_answer(PROTOCOL_USAGE, "%s", error);
        return NULL;
    }
    name = json_string_value(json_object_get(read, "command"));
    for (size_t i = 0; name != NULL && i < session->table->count; i++)
        if (strcmp(name, session->table->rows[i].name) == 0)
            command = &session->table->rows[i];
    if (name == NULL)
        *answer = protocol_error_answer(PROTOCOL_USAGE, "\"command\": expected a text");
    else if (command == NULL)
        *answer = protocol_error_answer(PROTOCOL_USAGE, "no command \"%s\"", name);
    else if (session->peer.right < command->right) {
        *answer = protocol_error_answer(
            PROTOCOL_DENIED, "%s is for root and the daemon's own user only", name);
        command = NULL;
    }
    if (command == NULL)
        json_decref(read);
    else
        *request = read;
    return command;
}

json_t *command_run(const struct command *command, struct control_session *session,
                    const json_t *request)
{
    if (session->peer.name[0] == '\0')
        peer_name(&session->peer);
    return command->run(session, request);
}
