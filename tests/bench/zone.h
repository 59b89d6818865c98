/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BENCH_ZONE_H
#define BENCH_ZONE_H

/* A scripted DNS list: what it lists, and after how long it answers. */

#include <stddef.h>
#include <stdint.h>

#include "range.h"

enum { DNS_MESSAGE_MAX = 512, NAME_SIZE = 256 };

/* Addresses that are treated in a way of their own. */
struct zone_rule {
    struct range range;
    uint32_t code;     /* listed with it, host order; 0: not listed */
    unsigned delay_ms; /* in place of the zone's, when not listed */
};

struct zone {
    char name[NAME_SIZE];
    size_t name_length;
    unsigned delay_ms;
    uint32_t ttl_s, negative_ttl_s;
    struct zone_rule rules[8];
    size_t rule_count;
    uint64_t queries;
};

/* Reads "bl1.test,delay=50,ttl=300,neg=300,listed=192.0.2.0/24=127.0.0.2,
 * slow=198.51.100.0/24=2000" (all but the name are optional; the last two as often as
 * eight times); anything else ends the program. */
void zone_parse(struct zone *zone, const char *text);

/* Answers a query (RFC 1035) of size bytes from zones. Returns the answer's size, 0 when
 * there is nothing to answer; delay_ms says when to send it. 127.0.0.2 and "test" are
 * listed in each zone, 127.0.0.1 and "invalid" are not (RFC 5782). A name in no zone is
 * REFUSED. */
size_t zones_answer(struct zone *zones, size_t count, const unsigned char *query,
                    size_t size, unsigned char answer[static DNS_MESSAGE_MAX],
                    unsigned *delay_ms);

#endif
