/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef KNOWN_RISKY_ZONES_H
#define KNOWN_RISKY_ZONES_H

/* DNS lists that are alive, but dangerous when they are used in some way. docs/lists.md
 * says why. Any thread. */

#include <stddef.h>

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

#endif
