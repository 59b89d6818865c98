/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DNSBL_LIST_STATS_H
#define DNSBL_LIST_STATS_H

/* What the answers to mail's lookups say about a list: counters, latency, and whether
 * something raises a suspicion that a health check has to settle (prober.h). Nothing here
 * changes a list's state. Any thread. */

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "dns/answer.h"
#include "dnsbl/result.h"

/* How long a list takes to answer: a histogram that forgets slowly, and the deadline that
 * follows from it. Plain values; the owner locks. */

#define LATENCY_BUCKETS 30

struct latency {
    uint32_t counts[LATENCY_BUCKETS];
    uint32_t total;
};

/* Notes an answer that took ms. */
void latency_note(struct latency *latency, int ms);

/* The time within which so many per cent of the answers came, ms; 0 without any. Right to
 * the width of a bucket: half as much again at most. */
int latency_percentile(const struct latency *latency, int percent);

/* The share of clients (or names) that a list has, of fresh answers. */
struct share {
    uint32_t run;    /* listed ones in a row */
    uint32_t ask_at; /* the run that raises the next suspicion */
    uint32_t window, window_listed;
    double history; /* the share of listed ones over a long time */
    uint64_t count; /* answers that it rests on */
};

/* Notes one answer. factor is health.surge: how many times its own history is a jump; 0:
 * only runs. Returns whether the list should be checked. Not thread-safe. */
bool share_note(struct share *share, bool listed, int factor);

enum list_event {
    EVENT_NONE,
    EVENT_FAILED,  /* three lookups in a row without an answer, or with an error */
    EVENT_FOREIGN, /* an answer outside 127.0.0.0/8 */
    EVENT_SHARE    /* it suddenly lists many, perhaps everybody */
};

struct list_stats {
    /* since the start, of mail's lookups */
    atomic_uint_fast64_t lookups, cached;
    atomic_uint_fast64_t by_state[RESULT_FAILED + 1];
    atomic_uint_fast64_t skipped; /* not queried: disabled, or over its limit */
    atomic_uint_fast64_t alone;   /* hits that no other list had */
    atomic_uint_fast64_t decided; /* refusals that would not have been without it */
    atomic_uint_fast64_t unnamed; /* answers that no codes section names */
    atomic_int unnamed_code;      /* the last of them: an in_addr_t */

    atomic_int failures;             /* in a row */
    atomic_int_fast64_t answered_ms; /* CLOCK_MONOTONIC: its last answer */
    atomic_int p99_ms;               /* 0: of fewer than 50 answers, not known */
    atomic_uint_fast64_t slow;       /* a bit for each of the last 50 answers: over 1 s */
    atomic_int txt_failures;         /* in a row */
    atomic_int_fast64_t txt_again_ms; /* no TXT lookups before */

    pthread_mutex_t lock; /* of what follows, and of changes to slow */
    int64_t slow_from_ms; /* CLOCK_MONOTONIC: what was sent before does not count */
    struct latency latency;
    struct share shares[2]; /* of IPv6 clients, and of all else: [0] */
};

void list_stats_init(struct list_stats *stats);
void list_stats_clear(struct list_stats *stats);

/* One lookup's outcome. */
struct heard {
    const struct dns_answer *answer;
    const struct dnsbl_result *result;
    bool cached;
    bool ipv6; /* about an IPv6 client */
    bool
        servers_failed; /* so that a failure and the time taken say nothing of the list */
    int took_ms;        /* of one that is not cached */
    int surge;          /* health.surge */
};
enum list_event list_stats_heard(struct list_stats *stats, const struct heard *heard);

/* Whether the list makes too many mails wait, so that it is queried but not waited for:
 * more than a tenth of its last 50 answers took over a second, and one of the last 20. */
bool list_stats_is_too_slow(const struct list_stats *stats);

/* The list is back from where it was disabled: how slow it was then says nothing. */
void list_stats_forget_slow(struct list_stats *stats);

/* Whether a failure was the name's own: the list has answered others meanwhile. */
bool list_stats_answers_others(const struct list_stats *stats, int took_ms);

/* How long the list's silence is listened to: three times its p99, but long enough for
 * what was lost and sent again, and no longer than the resolver's deadline. */
int list_stats_patience_ms(const struct list_stats *stats, const struct config *config);

/* When a silent server is queried again: its p99, bounded; 0: not known. */
int list_stats_retry_ms(const struct list_stats *stats);

/* TXT lookups: whether one makes sense now, and what became of one. */
bool list_stats_wants_txt(const struct list_stats *stats);
void list_stats_txt(struct list_stats *stats, bool answered);

#endif
