/* SPDX-License-Identifier: BSD-2-Clause */
#include "blocklist/hits.h"

#include <stdlib.h>
#include <string.h>

void hits_init(struct hits *hits)
{
    pthread_mutex_init(&hits->lock, NULL);
    hits->pending = NULL;
    hits->dropped = 0;
}

void hits_destroy(struct hits *hits)
{
    hits_free(hits->pending);
    pthread_mutex_destroy(&hits->lock);
}

static struct hit *hit_new(const char *entry)
{
    size_t length = strlen(entry);
    struct hit *hit = calloc(1, sizeof *hit + length + 1);

    if (hit != NULL)
        memcpy(hit->entry, entry, length + 1);
    return hit;
}

/* Under the lock. Returns NULL when there is no room or no memory for another. */
static struct hit *add_hit(struct hits *hits, const char *entry)
{
    struct hit *hit = HASH_COUNT(hits->pending) < HITS_MAX ? hit_new(entry) : NULL;

    if (hit == NULL)
        return NULL;
    HASH_ADD_STR(hits->pending, entry, hit);
    if (hit->hh.tbl == NULL) {
        free(hit);
        return NULL;
    }
    return hit;
}

void hits_add(struct hits *hits, const char *entry, uint64_t count, time_t last)
{
    struct hit *hit = NULL;

    pthread_mutex_lock(&hits->lock);
    HASH_FIND_STR(hits->pending, entry, hit);
    if (hit == NULL)
        hit = add_hit(hits, entry);
    if (hit != NULL) {
        hit->count += count;
        if (hit->last < last)
            hit->last = last;
    } else {
        hits->dropped += count;
    }
    pthread_mutex_unlock(&hits->lock);
}

struct hit *hits_take(struct hits *hits)
{
    struct hit *taken;

    pthread_mutex_lock(&hits->lock);
    taken = hits->pending;
    hits->pending = NULL;
    pthread_mutex_unlock(&hits->lock);
    return taken;
}

void hits_give_back(struct hits *hits, struct hit *taken)
{
    struct hit *hit, *next;

    HASH_ITER (hh, taken, hit, next) {
        hits_add(hits, hit->entry, hit->count, hit->last);
    }
    hits_free(taken);
}

void hits_free(struct hit *taken)
{
    struct hit *hit, *next;

    HASH_ITER (hh, taken, hit, next) {
        HASH_DEL(taken, hit);
        free(hit);
    }
}

void hits_count(struct hits *hits, uint64_t *pending, uint64_t *dropped)
{
    pthread_mutex_lock(&hits->lock);
    *pending = HASH_COUNT(hits->pending);
    *dropped = hits->dropped;
    pthread_mutex_unlock(&hits->lock);
}
