#ifndef DNS_QUESTION_H
#define DNS_QUESTION_H

/* The questions under way: who waits for each, when it ends, what became of it. The
 * resolver's thread alone, but for question_new, question_free and the counters. */

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

/* Without memory uthash would end the process: it leaves the entry out instead. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "dns/cache.h"
#include "dns/channel.h"
#include "dns/key.h"
#include "dns/resolver.h"

struct questions;

struct question {
    struct channel_query query; /* must be first */
    struct questions *qs;
    UT_hash_handle hh;          /* in the table of those that can be joined */
    TAILQ_ENTRY(question) link; /* first in the asker's hand-over, then by deadline */
    struct upstream *upstream;  /* our reference */
    struct dns_lookup *waiters;
    int64_t deadline_ms;
    int64_t sent_ms;
    bool closed;          /* the waiters have their answer; c-ares may still hold it */
    bool anew;            /* not from the cache */
    bool second_try;      /* at the other servers, as the first one failed: */
    enum dns_status said; /* what the first one said */
    struct dns_key key;
};
TAILQ_HEAD(question_list, question);

#define QUESTIONS_NEAR 64

struct questions {
    struct question *table;         /* uthash, by key: those that can be joined */
    struct question_list deadlines; /* the same ones, the earliest first */
    struct channel_set *channels;
    struct cache *cache;
    struct resolver_settings settings;
    int credit;  /* questions that may leave now: one each that was answered */
    int near;    /* 0 to QUESTIONS_NEAR: of the last answers, how many came quickly */
    size_t held; /* started and not freed: c-ares may hold them past their end */
    atomic_size_t open; /* handed over or under way: somebody waits */
    atomic_uint_fast64_t asked, joined, stale, cnames, by_status[DNS_STATUS_COUNT];
};

void questions_init(struct questions *qs, struct channel_set *channels,
                    struct cache *cache);

/* One asker's question, with a reference on upstream; counts as open. Its deadline_ms is
 * to be set. Returns NULL
 * without memory. Any thread. */
struct question *question_new(struct questions *qs, struct upstream *upstream,
                              const struct dns_key *key, struct dns_lookup *lookup);

/* One that was never started. NULL is fine. Any thread. */
void question_free(struct questions *qs, struct question *question);

/* Joins it to an equal one, answers it from the cache, or sends it. Takes it over. */
void questions_start(struct questions *qs, struct question *question, int64_t now_ms);

/* Ends those whose time is over. */
void questions_expire(struct questions *qs, int64_t now_ms);

/* The time to the next deadline, 0 if it is past; -1 without any question. */
int questions_next_ms(const struct questions *qs, int64_t now_ms);

/* Ends one that was never started with DNS_NOT_ASKED. */
void question_leave_out(struct questions *qs, struct question *question);

/* What is given in place of an answer: one that has ended but may serve still, or the
 * failure. The caller's reference. Any thread. */
struct dns_answer *questions_failed_answer(struct questions *qs,
                                           const struct dns_key *key, int stale_ttl_s,
                                           enum dns_status failure);

#endif
