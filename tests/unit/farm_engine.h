/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_FARM_ENGINE_H
#define TESTS_FARM_ENGINE_H

/* A farm's database that is a few arrays: the newest of each row, and every change that
 * counted. Everything here fails the test that goes wrong. */

#include "blocklist/shared.h"

#define CHANGES 4000
#define KEYS    64

#define NAME_COUNT 3
extern const char *const kept_names[NAME_COUNT], *const kept_sources[2]; /* of all rows */

/* A row, kept. */
struct kept {
    int side;
    char entry[24], source[16], action[16], who[40];
    struct version version;
    int64_t seq, stamp;
};

struct shared_row kept_row(const struct kept *kept); /* borrows */
struct kept kept_of(const struct shared_row *row);
bool kept_same_key(const struct kept *a, const struct kept *b);

/* The newest of each row, with marks. */
struct table {
    struct kept rows[KEYS];
    int count;
};

/* Returns whether it counted. */
bool table_put(struct table *table, const struct kept *row);

/* What is listed, sorted, as one text. */
#define TABLE_TEXT_SIZE 2000
void table_text(const struct table *table, char out[static TABLE_TEXT_SIZE]);

struct engine {
    struct table state;
    struct kept changes[CHANGES];
    int64_t seq, epoch;
};

/* Returns the number of the last change. */
int64_t engine_publish(struct engine *engine, const struct kept *rows, int count);

#endif
