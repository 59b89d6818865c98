#include "blocklist/index.h"

#include <stddef.h>

int index_init(struct index *index)
{
    index->current = NULL;
    index->next = NULL;
    return pthread_rwlock_init(&index->lock, NULL) == 0 ? 0 : -1;
}

void index_destroy(struct index *index)
{
    filter_free(index->current);
    filter_free(index->next);
    pthread_rwlock_destroy(&index->lock);
}

static void add(struct filter *filter, const struct entry *entry)
{
    struct network network;

    if (filter == NULL)
        return;
    if (entry_network(entry, &network) == 0)
        filter_add_prefix(filter, network.base.family, network.prefix);
    filter_add(filter, entry_hash(entry));
}

void index_add(struct index *index, const struct entry *entry)
{
    pthread_rwlock_rdlock(&index->lock);
    add(index->current, entry);
    add(index->next, entry);
    pthread_rwlock_unlock(&index->lock);
}

bool index_may_contain(struct index *index, uint64_t hash)
{
    bool may;

    pthread_rwlock_rdlock(&index->lock);
    may = index->current == NULL || filter_may_contain(index->current, hash);
    pthread_rwlock_unlock(&index->lock);
    return may;
}

struct index_prefixes index_prefixes(struct index *index, unsigned family)
{
    struct index_prefixes out = {{0}};
    unsigned bits = family == 4 ? 32 : 128;

    pthread_rwlock_rdlock(&index->lock);
    for (unsigned i = 0; i <= bits; i++)
        if (index->current == NULL || filter_has_prefix(index->current, family, i))
            out.words[i / 64] |= 1ULL << i % 64;
    pthread_rwlock_unlock(&index->lock);
    return out;
}

int index_build_start(struct index *index, uint64_t capacity)
{
    struct filter *filter = filter_new(capacity);

    if (filter == NULL)
        return -1;
    pthread_rwlock_wrlock(&index->lock);
    index->next = filter;
    pthread_rwlock_unlock(&index->lock);
    return 0;
}

void index_build_add(struct index *index, const struct entry *entry)
{
    add(index->next, entry); /* only the builder replaces it */
}

void index_build_finish(struct index *index)
{
    struct filter *old;

    pthread_rwlock_wrlock(&index->lock);
    old = index->current;
    index->current = index->next;
    index->next = NULL;
    pthread_rwlock_unlock(&index->lock);
    filter_free(old);
}

void index_build_cancel(struct index *index)
{
    struct filter *unfinished;

    pthread_rwlock_wrlock(&index->lock);
    unfinished = index->next;
    index->next = NULL;
    pthread_rwlock_unlock(&index->lock);
    filter_free(unfinished);
}

bool index_is_ready(struct index *index)
{
    bool ready;

    pthread_rwlock_rdlock(&index->lock);
    ready = index->current != NULL;
    pthread_rwlock_unlock(&index->lock);
    return ready;
}

bool index_is_full(struct index *index)
{
    bool full;

    pthread_rwlock_rdlock(&index->lock);
    full = index->current != NULL &&
           filter_keys(index->current) > filter_capacity(index->current);
    pthread_rwlock_unlock(&index->lock);
    return full;
}

void index_size(struct index *index, uint64_t *bytes, uint64_t *keys, bool *ready)
{
    pthread_rwlock_rdlock(&index->lock);
    *ready = index->current != NULL;
    *bytes = *ready ? filter_bytes(index->current) : 0;
    *keys = *ready ? filter_keys(index->current) : 0;
    pthread_rwlock_unlock(&index->lock);
}
