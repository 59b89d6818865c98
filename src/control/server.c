/* SPDX-License-Identifier: BSD-2-Clause */
#include "control/server.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utlist.h>

#include "base/clock.h"
#include "control/protocol.h"

#define READY_MAX 64
#define TICK_MS   1000
/* Slow commands leave some workers for the others. */
#define RUNNING_SLOW_MAX 8
/* Of one uid that may only read. */
#define CONNECTIONS_PER_READER 32
#define RUNNING_PER_READER     4
/* To send a request whole, and to read an answer whole. */
#define IDLE_MS 60000
/* A client that has been quiet for so long gives way when all places are taken. */
#define YIELD_MS 200
/* How soon that is looked at again. */
#define FULL_TICK_MS 100

/* --- which events a connection waits for --- */

static int watch(struct control *s, struct connection *c, int operation)
{
    struct epoll_event event = {.data.ptr = c, .events = EPOLLONESHOT};

    if (c->state == CONNECTION_READING)
        event.events |= EPOLLIN;
    else if (c->state == CONNECTION_WRITING)
        event.events |= EPOLLOUT;
    return epoll_ctl(s->epoll_fd, operation, c->fd, &event);
}

static void watch_listener(struct control *s, bool on)
{
    struct epoll_event event = {.data.ptr = &s->listener, .events = on ? EPOLLIN : 0};

    if (s->accepting == on)
        return;
    if (epoll_ctl(s->epoll_fd, EPOLL_CTL_MOD, s->listener.fd, &event) == 0)
        s->accepting = on;
}

void server_close_connection(struct control *s, struct connection *c)
{
    DL_DELETE(s->connections, c);
    s->connection_count--;
    connection_free(c);
    watch_listener(s, true);
}

/* --- running requests --- */

static void run_job(struct job *job)
{
    struct connection *c = (struct connection *)job; /* its first member */
    struct control *s = c->server;

    connection_execute(c);
    pthread_mutex_lock(&s->done_lock);
    s->done[s->done_count++] = c;
    pthread_mutex_unlock(&s->done_lock);
    eventfd_write(s->wake_fd, 1); /* cannot fail: the count is far from its end */
}

static unsigned running_of(const struct control *s, uid_t uid)
{
    const struct connection *c;
    unsigned count = 0;

    DL_FOREACH (s->connections, c)
        if (c->state == CONNECTION_RUNNING && c->session.peer.uid == uid)
            count++;
    return count;
}

static bool may_start(const struct control *s, const struct connection *c)
{
    if (c->slow && s->running_slow >= RUNNING_SLOW_MAX)
        return false;
    return c->session.peer.right == RIGHT_WRITE ||
           running_of(s, c->session.peer.uid) < RUNNING_PER_READER;
}

static void start_pending(struct control *s)
{
    struct connection *c, *next;

    DL_FOREACH_SAFE(s->connections, c, next)
    {
        if (c->state != CONNECTION_PENDING || !may_start(s, c))
            continue;
        if (c->slow)
            s->running_slow++;
        connection_enter(c, CONNECTION_RUNNING);
        workers_submit(s->workers, &c->job);
    }
}

/* Moves a connection on as far as it goes without waiting. */
static void advance(struct control *s, struct connection *c)
{
    bool alive = true;

    if (c->state == CONNECTION_WRITING)
        alive = connection_write(c);
    if (alive && c->state == CONNECTION_READING)
        connection_next_request(c);
    if (alive && c->state == CONNECTION_READING && c->ended)
        alive = false;
    if (alive && c->state != CONNECTION_PENDING)
        alive = watch(s, c, EPOLL_CTL_MOD) == 0;
    if (!alive)
        server_close_connection(s, c);
}

static void collect_done(struct control *s)
{
    for (;;) {
        struct connection *c = NULL;

        pthread_mutex_lock(&s->done_lock);
        if (s->done_count > 0)
            c = s->done[--s->done_count];
        pthread_mutex_unlock(&s->done_lock);
        if (c == NULL)
            return;
        if (c->slow)
            s->running_slow--;
        DL_DELETE(s->connections, c); /* the others' turn comes first now */
        DL_APPEND(s->connections, c);
        connection_enter(c, CONNECTION_WRITING);
        advance(s, c);
    }
}

/* --- who may come in --- */

/* Tells one who is not served why, as far as its buffer takes it. */
static void tell(int fd, enum protocol_error error, const char *text)
{
    json_t *answer = protocol_error_answer(error, "%s", text);
    size_t length = 0;
    char *line = answer == NULL ? NULL : protocol_write(answer, &length);

    if (line != NULL)
        (void)!send(fd, line, length, MSG_DONTWAIT | MSG_NOSIGNAL);
    free(line);
    json_decref(answer);
}

static void turn_away(int fd, enum protocol_error error, const char *text)
{
    tell(fd, error, text);
    close(fd);
}

static unsigned connections_of(const struct control *s, uid_t uid)
{
    const struct connection *c;
    unsigned count = 0;

    DL_FOREACH (s->connections, c)
        if (c->session.peer.uid == uid)
            count++;
    return count;
}

static void welcome(struct control *s, int fd)
{
    struct connection *c;
    struct peer peer;

    if (peer_of(fd, s->owner, s->group, &peer) != 0 || peer.right == RIGHT_NONE) {
        turn_away(fd, PROTOCOL_DENIED,
                  "only root, the daemon's user and members of its group may read");
        return;
    }
    if (peer.right == RIGHT_READ &&
        connections_of(s, peer.uid) >= CONNECTIONS_PER_READER) {
        turn_away(fd, PROTOCOL_BUSY, "this user has too many connections open");
        return;
    }
    c = connection_new(fd, &peer, s->table);
    if (c == NULL)
        return;
    c->server = s;
    c->job.run = run_job;
    DL_APPEND(s->connections, c);
    s->connection_count++;
    if (watch(s, c, EPOLL_CTL_ADD) != 0)
        server_close_connection(s, c);
}

/* Makes a place by closing who has been quiet for longest. Returns false when there is
 * nobody: the others wait in the listener's queue then. */
static bool make_place(struct control *s)
{
    struct connection *c, *quietest = NULL;

    if (s->connection_count < s->connection_max)
        return true;
    DL_FOREACH (s->connections, c)
        if (c->state == CONNECTION_READING &&
            (quietest == NULL || c->state_since_ms < quietest->state_since_ms))
            quietest = c;
    if (quietest == NULL || clock_ms() - quietest->state_since_ms < YIELD_MS)
        return false;
    tell(quietest->fd, PROTOCOL_BUSY, "all places are taken, and this one was quiet");
    server_close_connection(s, quietest);
    return true;
}

static void accept_clients(struct control *s)
{
    for (int i = 0; i < READY_MAX; i++) {
        int fd;

        if (!make_place(s)) {
            watch_listener(s, false); /* until a place is free, or the next tick */
            return;
        }
        fd = accept4(s->listener.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd == -1) {
            if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
                watch_listener(s, false); /* out of descriptors or memory: later */
            return;
        }
        welcome(s, fd);
    }
}

/* --- the life of the thread --- */

static void close_idle(struct control *s)
{
    int64_t now = clock_ms();
    struct connection *c, *next;

    DL_FOREACH_SAFE(s->connections, c, next)
    if ((c->state == CONNECTION_READING || c->state == CONNECTION_WRITING) &&
        now - c->state_since_ms > IDLE_MS)
        server_close_connection(s, c);
}

static void connection_ready(struct control *s, struct connection *c)
{
    if (c->state == CONNECTION_READING && !connection_read(c))
        server_close_connection(s, c);
    else
        advance(s, c);
}

void *server_main(void *argument)
{
    struct control *s = argument;
    int64_t next_tick_ms = clock_ms() + TICK_MS;

    while (!atomic_load(&s->stopping)) {
        struct epoll_event ready[READY_MAX];
        int n = epoll_wait(s->epoll_fd, ready, READY_MAX,
                           s->accepting ? TICK_MS : FULL_TICK_MS);
        bool clients = false;
        eventfd_t count;

        for (int i = 0; i < n; i++) {
            if (ready[i].data.ptr == &s->listener)
                clients = true;
            else if (ready[i].data.ptr == &s->wake_fd)
                eventfd_read(s->wake_fd, &count);
            else
                connection_ready(s, ready[i].data.ptr);
        }
        collect_done(s);
        start_pending(s);
        if (clients) /* last: it may close one that is in ready */
            accept_clients(s);
        else
            watch_listener(s, true);
        if (clock_ms() >= next_tick_ms) {
            next_tick_ms = clock_ms() + TICK_MS;
            close_idle(s);
        }
    }
    return NULL;
}
