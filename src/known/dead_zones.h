/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef KNOWN_DEAD_ZONES_H
#define KNOWN_DEAD_ZONES_H

/* DNS lists that are gone: what a conf file must not ask any more. Any thread. */

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

#endif
