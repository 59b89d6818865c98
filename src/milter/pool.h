/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MILTER_POOL_H
#define MILTER_POOL_H

/* libmilter's pool of threads, helped and watched from outside: woken where it sleeps over
 * work, kept from running out of descriptors, and seen to be stuck. */

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/endpoint.h"

/* The pool starts a new thread only when it believes that none is idle, and in a burst it
 * believes wrongly: commands are left in its queue behind workers that wait for DNS
 * (docs/design.md, "Threads"). A connection to our own socket that is closed at once makes
 * it look again. The queue is first in, first out: when a wakeup has come through,
 * everything queued before it has too. */
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

/* A connection closed without having said anything: most likely a wakeup. in_turn: by a
 * thread that took it from the queue, so that nothing is queued before it any more;
 * libmilter may also start one for it, which jumps the queue. Any thread. */
void pool_wakeup_arrived(struct pool_wakeup *wakeup, bool in_turn);

/* Before the pool begins: sets how large its stacks are, and starts the threads that look
 * after it to the end of the process. One sees whether the pool still takes what comes, as
 * workers also wait where no callback of ours knows of it, for the rest of a packet that a
 * peer has begun. The other (over_tcp) keeps room for who speaks: libmilter waits for ever
 * for a connection's first word, and so any program of the host could take up all
 * descriptors. Where they run out, connections that never negotiated are closed, and where
 * that is not enough those that said nothing for longer than any MTA waits for its client.
 * (A unix socket's mode and group say who may connect.) */
void pool_start(struct pool_wakeup *wakeup, bool over_tcp);

/* Whether the callbacks of one stage still return. Each may wait, but where none returns
 * for long though some are under way, something hangs. Zero-initialise; any thread. */
struct progress {
    atomic_uint in_flight;
    _Atomic int64_t moved_ms; /* when one returned, or the first of them began */
};

/* Around each callback. */
void progress_begin(struct progress *progress);
void progress_end(struct progress *progress);

/* Whether callbacks are under way, and none has returned for longer than bound_ms. */
bool progress_is_stuck(const struct progress *progress, int64_t bound_ms);

#endif
