/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BENCH_RANGE_H
#define BENCH_RANGE_H

/* IPv4 addresses in a row, for clients and for what a list lists. */

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

struct range {
    uint32_t first; /* host order */
    uint32_t count; /* 0: no end */
};

/* Reads "192.0.2.1" (no end), "192.0.2.1,100" or "192.0.2.0/24"; anything else ends the
 * program. */
void range_parse(struct range *range, const char *text);

/* The number of the n-th address: from the start again behind the last. */
uint32_t range_number(const struct range *range, uint32_t n);
struct in_addr range_address(const struct range *range, uint32_t number);
bool range_holds(const struct range *range, uint32_t address); /* host order */

#endif
