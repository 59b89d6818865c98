#ifndef DNS_THREAD_H
#define DNS_THREAD_H

/* The resolver from the inside, and the thread that asks for it. */

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "dns/question.h"
#include "dns/upstream.h"

struct resolver {
    struct cache *cache;
    uint64_t secret; /* of the hash */
    pthread_t thread;
    int epoll_fd, wake_fd;

    pthread_mutex_t lock; /* of what follows; held for a few instructions only */
    struct question_list handed_over;
    struct resolver_settings settings;
    bool settings_changed;
    bool stopping;
    struct upstream_list upstreams;
    struct upstream_list graves; /* without a reference: for the thread to free */
    uint32_t last_upstream;

    struct channel_set channels; /* the thread's own, and what follows */
    struct questions questions;
    int64_t last_tick_ms;
    int64_t burst_ms; /* when the burst began that questions leave in */
    atomic_uint_fast64_t not_asked;

    /* The thread waits, or is about to: wake it. Set and looked at under the lock;
     * cleared also without, as the thread takes the work before it sleeps again. */
    atomic_bool asleep;
};

/* Starts the thread. Returns 0 or an errno. It ends by r->stopping, and leaves what it
 * has not started in the lists. */
int thread_start(struct resolver *r);

/* Has the thread look at what is under the lock. Any thread. */
void thread_wake(struct resolver *r);

#endif
