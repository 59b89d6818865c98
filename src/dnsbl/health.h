/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DNSBL_HEALTH_H
#define DNSBL_HEALTH_H

/* The states of a list's health, and what its test points say (RFC 5782, 5). No state of
 * its own; any thread. */

#include <stdbool.h>
#include <stddef.h>

#include "base/domain.h"
#include "config/config.h"
#include "dns/answer.h"

enum health {
    HEALTH_UNCHECKED, /* since the start: its first test is under way; does not count yet
                       */
    HEALTH_HEALTHY,
    HEALTH_SLOW,     /* counts, but takes long */
    HEALTH_EMPTY,    /* the test point that must be listed is not */
    HEALTH_LYING,    /* lists what must not be, or everybody */
    HEALTH_BLOCKED,  /* refuses our queries: an error code, or REFUSED */
    HEALTH_DOWN,     /* no answer */
    HEALTH_SUSPENDED /* by an admin */
};
#define HEALTH_COUNT (HEALTH_SUSPENDED + 1)

const char *health_name(enum health health);
int health_parse(const char *name, enum health *out); /* 0, or -1 */

/* Whether new answers of a list in that state count. */
bool health_counts(enum health health);

/* Writes the name of a test point: point is an address for lists that are asked about
 * clients (an IPv6 one as it stands, also ::FFFF:7F00:2), else a name, or the label
 * itself for hashes. Returns 0; -1 without one ("") or where it would not fit. */
int health_test_name(const struct list *list, const char *point,
                     char out[static DOMAIN_SIZE]);

/* Whether the list has test points, and the name to ask instead when one that has none is
 * set aside: its answer says nothing but that there is one. */
bool health_has_points(const struct list *list);
const char *health_stand_in(const struct list *list);

/* What the answers to both test points mean; NULL where a point was not asked. why gets a
 * sentence. */
enum health health_judge(const struct list *list, const struct dns_answer *listed,
                         const struct dns_answer *unlisted, char *why, size_t why_size);

#endif
