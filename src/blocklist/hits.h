/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BLOCKLIST_HITS_H
#define BLOCKLIST_HITS_H

/* What matched and how often, kept in memory until the flusher takes it. Any thread; the
 * lock is held for moments only. */

#include <pthread.h>
#include <stdint.h>
#include <time.h>

/* Out of memory a hit is dropped; uthash would end the process. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#define HITS_MAX 100000 /* different entries; beyond it hits are dropped and counted */

struct hit {
    UT_hash_handle hh;
    uint64_t count;
    time_t last;
    char entry[];
};

struct hits {
    pthread_mutex_t lock;
    struct hit *pending; /* uthash */
    uint64_t dropped;
};

void hits_init(struct hits *hits);
void hits_destroy(struct hits *hits);

void hits_add(struct hits *hits, const char *entry, uint64_t count, time_t last);

/* Takes all out; the caller owns them (hits_free). */
struct hit *hits_take(struct hits *hits);
void hits_give_back(struct hits *hits, struct hit *taken); /* they could not be written */
void hits_free(struct hit *taken);

void hits_count(struct hits *hits, uint64_t *pending, uint64_t *dropped);

#endif
