/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CONTROL_SERVER_H
#define CONTROL_SERVER_H

/* The thread of the control socket. It alone touches connections, but for those that a
 * worker runs. */

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "control/connection.h"
#include "control/control.h"
#include "control/listener.h"
#include "control/workers.h"

struct control {
    const struct command_table *table;
    uid_t owner;
    gid_t group;
    struct listener listener;
    bool accepting; /* the listener is in the epoll set's interest */
    int epoll_fd;
    int wake_fd; /* a worker is done, or we are to stop */
    atomic_bool stopping;
    pthread_t thread;
    bool started;
    struct workers *workers;
    struct connection *connections; /* oldest turn first */
    size_t connection_count, connection_max;
    unsigned running_slow;

    pthread_mutex_t done_lock;
    struct connection **done; /* connection_max places */
    size_t done_count;
};

/* Serves until stopping is set. argument is the struct control. */
void *server_main(void *argument);

/* Takes a connection out and frees it. */
void server_close_connection(struct control *s, struct connection *c);

#endif
