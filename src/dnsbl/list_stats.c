/* SPDX-License-Identifier: BSD-2-Clause */
#include "dnsbl/list_stats.h"

#include "base/clock.h"

#define FAILURES_MOST  3
#define RUN_FIRST      10 /* listed in a row: a check costs little, a liar's mails much */
#define RUN_MORE       30 /* and at the latest after so many more */
#define WINDOW         50 /* answers */
#define WINDOW_LEAST   10 /* listed ones: fewer are no jump */
#define WINDOW_MORE    10 /* than usual: a jump of a list that has many */
#define KNOWN_FROM     200   /* answers: a history to compare with */
#define MEMORY         5000  /* answers, about, that the history remembers */
#define SHARE_FLOOR    0.005 /* "ten times never" would be a single listing */
#define SLOW_MS        1000
#define SLOW_WINDOW    50
#define SLOW_MOST      5
#define QUICK_AGAIN    20 /* quick ones in a row: what was before them is forgotten */
#define P99_TIMES      3
#define RETRY_LEAST_MS 200
#define RESENT_MS      1000 /* a list has so long for a second attempt's answer */
#define TXT_FAILURES   3
#define TXT_PAUSE_MS   600000

void list_stats_init(struct list_stats *stats)
{
    pthread_mutex_init(&stats->lock, NULL);
}

void list_stats_clear(struct list_stats *stats)
{
    pthread_mutex_destroy(&stats->lock);
}

static bool window_jumps(const struct share *share, int factor)
{
    double history = share->history > SHARE_FLOOR ? share->history : SHARE_FLOOR;
    double usual = history * WINDOW;

    return factor > 0 && share->count >= KNOWN_FROM &&
           share->window_listed >= WINDOW_LEAST &&
           (share->window_listed >= factor * usual ||
            share->window_listed >= usual + WINDOW_MORE);
}

bool share_note(struct share *share, bool listed, int factor)
{
    bool jumps = false;

    share->run = listed ? share->run + 1 : 0;
    if (share->run <= 1)
        share->ask_at = RUN_FIRST;
    share->window++;
    share->window_listed += listed;
    if (share->window == WINDOW) {
        double weight;

        jumps = window_jumps(share, factor);
        /* what may be lies is learned slowly, so that checks for it go on */
        weight = jumps || share->count > MEMORY ? MEMORY : (double)share->count;
        share->history =
            (share->history * weight + share->window_listed) / (weight + WINDOW);
        share->count += WINDOW;
        share->window = share->window_listed = 0;
    }
    if (share->run < share->ask_at)
        return jumps;
    share->ask_at += share->run < RUN_MORE ? share->run : RUN_MORE;
    return true;
}

static void count(atomic_uint_fast64_t *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

/* Lock held. */
static void note_slow(struct list_stats *stats, int took_ms)
{
    uint_fast64_t window = (UINT64_C(1) << SLOW_WINDOW) - 1;
    uint_fast64_t newest = (UINT64_C(1) << QUICK_AGAIN) - 1;
    /* not if it was sent before the list came back */
    bool slow = took_ms > SLOW_MS && clock_ms() - took_ms >= stats->slow_from_ms;
    uint_fast64_t after = (atomic_load(&stats->slow) << 1 | slow) & window;

    atomic_store(&stats->slow, (after & newest) != 0 ? after : 0);
}

void list_stats_forget_slow(struct list_stats *stats)
{
    pthread_mutex_lock(&stats->lock);
    stats->slow_from_ms = clock_ms();
    atomic_store(&stats->slow, 0);
    pthread_mutex_unlock(&stats->lock);
}

bool list_stats_is_too_slow(const struct list_stats *stats)
{
    return __builtin_popcountll(
               atomic_load_explicit(&stats->slow, memory_order_relaxed)) > SLOW_MOST;
}

/* A failure is a lost packet, or the name's own; several in a row, with no answer to
 * others since they were sent, make it suspect. */
static enum list_event note_failure(struct list_stats *stats, const struct heard *h)
{
    if (h->servers_failed || h->answer->status == DNS_UNREACHABLE ||
        h->answer->status == DNS_NOT_ASKED)
        return EVENT_NONE; /* it says nothing of the list */
    pthread_mutex_lock(&stats->lock);
    note_slow(stats, h->took_ms);
    pthread_mutex_unlock(&stats->lock);
    if (list_stats_answers_others(stats, h->took_ms))
        return EVENT_NONE;
    if (atomic_fetch_add(&stats->failures, 1) + 1 < FAILURES_MOST)
        return EVENT_NONE;
    atomic_store(&stats->failures, 0);
    return EVENT_FAILED;
}

static enum list_event note_fresh(struct list_stats *stats, const struct heard *h)
{
    bool asks;

    atomic_store(&stats->failures, 0);
    atomic_store(&stats->answered_ms, clock_ms());
    pthread_mutex_lock(&stats->lock);
    if (!h->servers_failed) {
        note_slow(stats, h->took_ms);
        latency_note(&stats->latency, h->took_ms);
        if (stats->latency.total % 64 == 50) /* it counts through the histogram */
            atomic_store(&stats->p99_ms, latency_percentile(&stats->latency, 99));
    }
    asks =
        share_note(&stats->shares[h->ipv6], h->result->state == RESULT_LISTED, h->surge);
    pthread_mutex_unlock(&stats->lock);
    return asks ? EVENT_SHARE : EVENT_NONE;
}

enum list_event list_stats_heard(struct list_stats *stats, const struct heard *h)
{
    count(&stats->lookups);
    count(&stats->by_state[h->result->state]);
    if (h->result->state == RESULT_NOT_LISTED && h->answer->address_count > 0) {
        count(&stats->unnamed);
        atomic_store_explicit(&stats->unnamed_code, (int)h->answer->addresses[0].s_addr,
                              memory_order_relaxed);
    }
    if (h->cached) {
        count(&stats->cached);
        return EVENT_NONE;
    }
    if (h->result->state == RESULT_FOREIGN)
        return h->servers_failed ? EVENT_NONE : EVENT_FOREIGN;
    if (h->answer->stale || h->result->state == RESULT_ERROR ||
        h->result->state == RESULT_FAILED)
        return note_failure(stats, h);
    return note_fresh(stats, h);
}

bool list_stats_answers_others(const struct list_stats *stats, int took_ms)
{
    return atomic_load(&stats->answered_ms) > clock_ms() - took_ms;
}

int list_stats_patience_ms(const struct list_stats *stats, const struct config *config)
{
    int p99_ms = atomic_load_explicit(&stats->p99_ms, memory_order_relaxed);
    int most_ms = config->resolver.deadline_ms;
    int least_ms = config->resolver.timeout_ms + RESENT_MS;
    int ms = P99_TIMES * p99_ms;

    if (ms < least_ms) /* one lost packet is no reason to lose a listing */
        ms = least_ms;
    return p99_ms != 0 && ms < most_ms ? ms : most_ms;
}

int list_stats_retry_ms(const struct list_stats *stats)
{
    int p99_ms = atomic_load_explicit(&stats->p99_ms, memory_order_relaxed);

    return p99_ms == 0 || p99_ms > RETRY_LEAST_MS ? p99_ms : RETRY_LEAST_MS;
}

bool list_stats_wants_txt(const struct list_stats *stats)
{
    return atomic_load(&stats->txt_again_ms) <= clock_ms();
}

void list_stats_txt(struct list_stats *stats, bool answered)
{
    if (answered) {
        atomic_store(&stats->txt_failures, 0);
    } else if (atomic_fetch_add(&stats->txt_failures, 1) + 1 >= TXT_FAILURES) {
        atomic_store(&stats->txt_failures, 0);
        atomic_store(&stats->txt_again_ms, clock_ms() + TXT_PAUSE_MS);
    }
}

#define FORGET_AT 8192 /* answers: then all counts are halved */

/* The upper ends of the buckets, ms: two to a power of two. */
static int bucket_end(int bucket)
{
    if (bucket < 2)
        return bucket + 1;
    int power = 1 << (bucket / 2);

    return bucket % 2 == 0 ? power : power + power / 2;
}

void latency_note(struct latency *latency, int ms)
{
    int bucket = 0;

    while (bucket < LATENCY_BUCKETS - 1 && ms > bucket_end(bucket))
        bucket++;
    latency->counts[bucket]++;
    if (++latency->total < FORGET_AT)
        return;
    latency->total = 0;
    for (int i = 0; i < LATENCY_BUCKETS; i++) {
        latency->counts[i] /= 2;
        latency->total += latency->counts[i];
    }
}

int latency_percentile(const struct latency *latency, int percent)
{
    uint64_t wanted = ((uint64_t)latency->total * (unsigned)percent + 99) / 100, seen = 0;

    if (latency->total == 0)
        return 0;
    for (int i = 0; i < LATENCY_BUCKETS; i++) {
        seen += latency->counts[i];
        if (seen >= wanted)
            return bucket_end(i);
    }
    return bucket_end(LATENCY_BUCKETS - 1);
}
