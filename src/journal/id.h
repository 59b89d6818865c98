/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef JOURNAL_ID_H
#define JOURNAL_ID_H

/* The id of a decision: 12 letters of Crockford's base32, "7K3M-9QFT-2XWD". It says its
 * second and its node, and nobody can guess it: it is what a refused sender is given.
 * 30 bits: seconds since 2026-01-01; 6: the node; 24: random. 0 is no id. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

typedef uint64_t journal_id;

#define JOURNAL_ID_SIZE  15 /* "7K3M-9QFT-2XWD" and the end */
#define JOURNAL_NODES    64
#define JOURNAL_EPOCH    1767225600 /* 2026-01-01T00:00:00Z */
#define JOURNAL_MISREADS 12

/* What draws ids: within a second none comes twice. One thread at a time. */
struct journal_ids;

struct journal_ids *journal_ids_new(void);      /* NULL: no memory */
void journal_ids_free(struct journal_ids *ids); /* NULL is fine */

/* A new id of that moment (unix time) and node (0 to 63). Returns 0 where there is none:
 * no random numbers, or a clock before 2026. */
journal_id journal_ids_draw(struct journal_ids *ids, time_t now, unsigned node);

void journal_id_text(journal_id id, char out[static JOURNAL_ID_SIZE]);

/* Reads an id as people write it: any case, hyphens and spaces left out, "o" as 0, "i"
 * and "l" as 1. Returns 0, or -1 where the text is none. */
int journal_id_parse(const char *text, journal_id *out);

time_t journal_id_time(journal_id id); /* unix time */
unsigned journal_id_node(journal_id id);

/* Whether one may have been misread as the other: of the same second, with one letter
 * that differs, or two neighbours changed about. */
bool journal_id_is_near(journal_id a, journal_id b);

/* The smallest and the greatest id of that second. */
void journal_id_range(time_t second, journal_id *least, journal_id *most);

#endif
