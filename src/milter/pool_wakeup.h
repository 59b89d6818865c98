/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MILTER_POOL_WAKEUP_H
#define MILTER_POOL_WAKEUP_H

/* Help for libmilter's pool of threads. It starts a new one only when it believes that
 * none is idle, and in a burst it believes wrongly: commands are left in its queue behind
 * workers that wait for DNS (docs/design.md, "Threads"). A connection to our own socket
 * that is closed at once makes it look again. The queue is first in, first out: when a
 * wakeup has come through, everything that stood before it has too. */

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "milter/endpoint.h"

struct pool_wakeup {
    pthread_mutex_t lock;
    struct endpoint endpoint;
    uint64_t sent, answered; /* answered: those that came through */
    uint64_t in_turn;        /* came through, and did not jump the queue */
    int64_t last_sent_ms;
};

/* A callback that waits. */
struct pool_wait {
    struct pool_wakeup *wakeup;
    int calls;
    uint64_t sent_before;
};

int pool_wakeup_init(struct pool_wakeup *wakeup, const struct endpoint *endpoint);

/* The hook of lookups_wait; context is a struct pool_wait. A wait that is over within a
 * millisecond costs no wakeup, unless the pool is known to be behind. Any thread. */
int pool_wakeup_on_wait(void *context);

/* Looks whether the pool still takes what comes, by a wakeup of its own, and wakes on
 * until it does: workers also wait where no callback of ours knows of it, for the rest of
 * a packet that a peer has begun. Call it every now and then, from one thread; returns
 * when a wakeup has come through in its turn. May take seconds. */
void pool_wakeup_look(struct pool_wakeup *wakeup);

/* A connection closed without having said anything: most likely a wakeup. in_turn: by a
 * thread that took it from the queue, so that nothing stands before it any more;
 * libmilter may also start one for it, which jumps the queue. Any thread. */
void pool_wakeup_arrived(struct pool_wakeup *wakeup, bool in_turn);

#endif
