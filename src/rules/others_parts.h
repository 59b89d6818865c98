/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef RULES_OTHERS_PARTS_H
#define RULES_OTHERS_PARTS_H

/* What one host says of a key, and its form between hosts: a JSON text. Private to others.c
 * and others_text.c. */

#include "rules/others.h"
#include "rules/window.h"

#define HEARD_TEXT_MAX 16000

/* One host's word of a key. */
struct heard {
    struct heard *next;
    uint64_t turn; /* the least acts */
    int64_t first_seen_s, last_seen_s;
    size_t count;
    struct {
        enum rule_count count;
        int span_s;
        int64_t value;  /* -1: not wholly observed */
        uint64_t *bits; /* SKETCH_BITS of a distinct count; else NULL */
    } windows[];
};

/* The text for a key of this host. NULL: no memory. The caller frees. */
char *heard_write(struct counters *counters, enum rule_by by, const char *key,
                  const struct counter_reading *reading, int64_t now_s);

/* Reads one. NULL: it is not as it has to be, or no memory. */
struct heard *heard_read(const char *text);
void heard_free(struct heard *heard); /* NULL is fine */

#endif
