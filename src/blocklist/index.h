#ifndef BLOCKLIST_INDEX_H
#define BLOCKLIST_INDEX_H

/* The filter in use and, while one is being built, its successor. Whoever lists
 * something adds it before the commit is acknowledged, to both, so that no filter ever
 * says no to what stands. Any thread; the lock is held for a look or a swap only. */

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "blocklist/entry.h"
#include "blocklist/filter.h"

struct index {
    pthread_rwlock_t lock;
    struct filter *current, *next; /* current NULL: everything may be listed */
};

int index_init(struct index *index); /* 0, or -1 */
void index_destroy(struct index *index);

void index_add(struct index *index, const struct entry *entry);
bool index_may_contain(struct index *index, uint64_t hash);

/* The lengths of prefixes that may be listed: bit i % 64 of word i / 64. */
struct index_prefixes {
    uint64_t words[3];
};
struct index_prefixes index_prefixes(struct index *index, unsigned family);

/* Starts a successor. From its return on index_add fills it too; the caller then adds
 * what the database holds with index_build_add. Returns 0, or -1 (no memory). One
 * builder at a time. */
int index_build_start(struct index *index, uint64_t capacity);
void index_build_add(struct index *index, const struct entry *entry);
void index_build_finish(struct index *index); /* the successor takes over */
void index_build_cancel(struct index *index);

bool index_is_ready(struct index *index); /* there is a filter */
bool index_is_full(struct index *index);  /* it should be built anew, larger */
void index_size(struct index *index, uint64_t *bytes, uint64_t *keys, bool *ready);

#endif
