/* SPDX-License-Identifier: BSD-2-Clause */
#include "milter/pool_wakeup.h"

#include <string.h>
#include <time.h>

#include "base/clock.h"

#define PATIENCE_MS 1    /* most answers of a near resolver are there by then */
#define LOST_MS     1000 /* a wakeup not answered by then was lost */

#define LOOK_MS     50 /* in which a pool that is well answers */
#define LOOK_NUDGES 8  /* at a time, each for one stranded session */
#define LOOKS_MOST  4096

int pool_wakeup_init(struct pool_wakeup *wakeup, const struct endpoint *endpoint)
{
    memset(wakeup, 0, sizeof *wakeup);
    wakeup->endpoint = *endpoint;
    return pthread_mutex_init(&wakeup->lock, NULL) == 0 ? 0 : -1;
}

/* Whether a wakeup is under way; lock held. */
static bool is_behind(struct pool_wakeup *n)
{
    if (n->sent > n->answered && clock_ms() - n->last_sent_ms > LOST_MS)
        n->answered = n->sent;
    return n->sent > n->answered;
}

/* First call, before the wait: remembers the time and gives a near answer a chance.
 * Second call: wakes, unless one that was sent meanwhile has come through. */
int pool_wakeup_on_wait(void *context)
{
    struct pool_wait *wait = context;
    struct pool_wakeup *n = wait->wakeup;
    bool first = wait->calls++ == 0, send;

    pthread_mutex_lock(&n->lock);
    if (first)
        wait->sent_before = n->sent;
    send = first ? is_behind(n) : n->answered <= wait->sent_before;
    if (send) {
        n->sent++;
        n->last_sent_ms = clock_ms();
    }
    pthread_mutex_unlock(&n->lock);
    if (send && !endpoint_knock(&n->endpoint))
        pool_wakeup_arrived(n, true); /* out of descriptors: nothing to wait for */
    return first && !send ? PATIENCE_MS : -1;
}

static void send_one(struct pool_wakeup *n)
{
    pthread_mutex_lock(&n->lock);
    n->sent++;
    n->last_sent_ms = clock_ms();
    pthread_mutex_unlock(&n->lock);
    if (!endpoint_knock(&n->endpoint))
        pool_wakeup_arrived(n, true);
}

static uint64_t count_in_turn(struct pool_wakeup *n)
{
    uint64_t count;

    pthread_mutex_lock(&n->lock);
    count = n->in_turn;
    pthread_mutex_unlock(&n->lock);
    return count;
}

void pool_wakeup_look(struct pool_wakeup *n)
{
    struct timespec pause = {.tv_nsec = LOOK_MS * 1000000};
    uint64_t before = count_in_turn(n);

    for (int sent = 0; sent < LOOKS_MOST; sent += LOOK_NUDGES) {
        for (int i = 0; i < (sent == 0 ? 1 : LOOK_NUDGES); i++)
            send_one(n);
        nanosleep(&pause, NULL);
        if (count_in_turn(n) > before)
            return;
    }
}

void pool_wakeup_arrived(struct pool_wakeup *wakeup, bool in_turn)
{
    pthread_mutex_lock(&wakeup->lock);
    if (wakeup->answered < wakeup->sent)
        wakeup->answered++;
    wakeup->in_turn += in_turn;
    pthread_mutex_unlock(&wakeup->lock);
}
