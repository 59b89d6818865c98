#ifndef BLOCKLIST_FILTER_H
#define BLOCKLIST_FILTER_H

/* A Bloom filter over hashes of entries: says at once that a subject is not listed, in
 * front of the database. 16 bits per key, eight of them set, all within one cache line
 * ("Cache-, Hash- and Space-Efficient Bloom Filters", Putze and others, 2007). It never
 * says no to what was added; to about one in a thousand others it says yes. Beside it,
 * which lengths of network prefixes occur. Any thread may add and ask at once. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct filter;

/* Room for that many keys; beyond it more and more wrong yes. NULL: no memory. */
struct filter *filter_new(uint64_t capacity);
void filter_free(struct filter *filter); /* NULL is fine */

void filter_add(struct filter *filter, uint64_t hash);
bool filter_may_contain(const struct filter *filter, uint64_t hash);

/* Networks of that family (4 or 6) and prefix length occur. */
void filter_add_prefix(struct filter *filter, unsigned family, unsigned prefix);
bool filter_has_prefix(const struct filter *filter, unsigned family, unsigned prefix);

uint64_t filter_capacity(const struct filter *filter);
uint64_t filter_keys(const struct filter *filter); /* added so far, twice counted twice */
size_t filter_bytes(const struct filter *filter);

#endif
