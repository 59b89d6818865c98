/* SPDX-License-Identifier: BSD-2-Clause */
#include "control/control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>
#include <utlist.h>

#include "control/server.h"

#define WORKERS         10
#define CONNECTIONS_MAX 1024

/* A quarter of the descriptors at most: the rest is for mail. */
static size_t places(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur / 4 > CONNECTIONS_MAX)
        return CONNECTIONS_MAX;
    return limit.rlim_cur / 4 < 8 ? 8 : (size_t)limit.rlim_cur / 4;
}

static int open_descriptors(struct control *s)
{
    struct epoll_event listener = {.data.ptr = &s->listener, .events = EPOLLIN};
    struct epoll_event wake = {.data.ptr = &s->wake_fd, .events = EPOLLIN};

    s->accepting = true;
    s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    s->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (s->epoll_fd == -1 || s->wake_fd == -1)
        return -1;
    if (epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, s->listener.fd, &listener) != 0)
        return -1;
    return epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, s->wake_fd, &wake);
}

struct control *control_new(const struct control_settings *settings, char *error,
                            size_t error_size)
{
    struct control *s = calloc(1, sizeof *s);

    if (s == NULL) {
        snprintf(error, error_size, "no memory");
        return NULL;
    }
    s->owner = settings->uid;
    s->group = settings->gid;
    s->epoll_fd = s->wake_fd = -1;
    s->listener = (struct listener){.fd = -1, .lock_fd = -1};
    pthread_mutex_init(&s->done_lock, NULL);
    s->connection_max = places();
    s->done = calloc(s->connection_max, sizeof(struct connection *));
    if (s->done == NULL) {
        snprintf(error, error_size, "no memory");
        goto failed;
    }
    if (listener_open(&s->listener, settings->socket, settings->uid, settings->gid, error,
                      error_size) != 0)
        goto failed;
    if (open_descriptors(s) != 0) {
        snprintf(error, error_size, "%s", strerror(errno));
        goto failed;
    }
    return s;
failed:
    control_free(s);
    return NULL;
}

int control_listen(struct control *control)
{
    return listener_listen(&control->listener);
}

int control_start(struct control *control, const struct command_table *table)
{
    int rc;

    control->table = table;
    control->workers = workers_new(WORKERS);
    if (control->workers == NULL)
        return -1;
    rc = pthread_create(&control->thread, NULL, server_main, control);
    if (rc != 0) {
        errno = rc;
        return -1;
    }
    control->started = true;
    return 0;
}

void control_stop(struct control *control)
{
    struct connection *c, *next;

    atomic_store(&control->stopping, true);
    if (control->started) {
        eventfd_write(control->wake_fd, 1);
        pthread_join(control->thread, NULL);
        control->started = false;
    }
    workers_free(control->workers);
    control->workers = NULL;
    DL_FOREACH_SAFE(control->connections, c, next)
    {
        if (c->state == CONNECTION_RUNNING || c->state == CONNECTION_WRITING)
            connection_write(c); /* an acknowledged change is told, if it still can be */
        server_close_connection(control, c);
    }
    listener_close(&control->listener);
}

void control_free(struct control *control)
{
    if (control == NULL)
        return;
    control_stop(control);
    if (control->epoll_fd != -1)
        close(control->epoll_fd);
    if (control->wake_fd != -1)
        close(control->wake_fd);
    pthread_mutex_destroy(&control->done_lock);
    free(control->done);
    free(control);
}
