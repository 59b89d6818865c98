/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef KNOWN_ZONES_H
#define KNOWN_ZONES_H

/* DNS lists that are gone: what a conf file must not query any more. Any thread. */

#include <stdbool.h>
#include <stddef.h>

enum dead_zone_action {
    DEAD_ZONE_WARN,  /* empty or silent: costs time only */
    DEAD_ZONE_REFUSE /* answers yes to all, or may do so: its domain was lost */
};

struct dead_zone {
    const char *suffix; /* canonical name; all at or below it is dead */
    const char *name;   /* as people know it */
    const char *died;   /* when, and what it does now: ends a sentence */
    enum dead_zone_action action;
};

/* The dead list that zone (canonical) is at or below; the longest suffix if several
 * are. NULL if none is known. */
const struct dead_zone *dead_zone_find(const char *zone);

/* DNS lists that are alive, but dangerous when they are used in some way. docs/lists.md
 * says why. Any thread. */

/* The way of use that is dangerous. */
enum risk {
    RISK_POSITIVE,     /* with a weight above 0 */
    RISK_NO_CODES,     /* without codes sections */
    RISK_ADDRESSES,    /* queried for addresses */
    RISK_NAMES,        /* queried for names */
    RISK_ENFORCED,     /* in any case, but for mode = "monitor" */
    RISK_EVERY_SENDER, /* not for bounces only */
};

struct risky_zone {
    const char *suffix; /* behind the key, where there is one */
    enum risk risk;
    const char *advice; /* ends a sentence */
};

/* The next row that zone (canonical) is at or below, counting on from *index, which
 * begins as 0; NULL: no more. */
const struct risky_zone *risky_zone_next(const char *zone, size_t *index);

/* DNS lists that hold the data of another one. Any thread. */

/* Whether the list under the zone whole holds what the one under the zone part lists.
 * Both are canonical names. */
bool zone_contains(const char *whole, const char *part);

#endif
