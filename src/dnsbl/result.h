/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DNSBL_RESULT_H
#define DNSBL_RESULT_H

/* What a list's answer means: its code table applied to the addresses that came.
 * Any thread; no allocation. */

#include <netinet/in.h>
#include <stdbool.h>

#include "config/config.h"
#include "dns/answer.h"
#include "dns/resolver.h"

enum result_state {
    RESULT_NOT_LISTED, /* not listed, or not by a code that counts */
    RESULT_LISTED,     /* listed: code, label and weight say how */
    RESULT_ERROR,      /* the list refuses our queries: an error code, or REFUSED */
    RESULT_FOREIGN, /* an address outside 127.0.0.0/8: a parked zone, a lying resolver */
    RESULT_FAILED   /* no answer: timeout, SERVFAIL, unreadable, not asked */
};

struct dnsbl_result {
    enum result_state state;
    struct in_addr code; /* what decided: of LISTED the heaviest, of ERROR and FOREIGN the
                            first such; else 0 */
    const char *label;   /* of the codes section, "" without one; the list's */
    int weight;          /* of LISTED; monitor or not is the caller's affair */
};

/* Judges an answer. One error code or foreign address spoils the whole answer: a list
 * that refuses, or that is not itself, flags nobody. Of several codes the largest weight
 * counts (where all are negative, the smallest); bits of one code add up (lists.md, 1).
 */
struct dnsbl_result result_judge(const struct list *list,
                                 const struct dns_answer *answer);

/* The same of the addresses of an answer that had some. */
struct dnsbl_result result_of_addresses(const struct list *list,
                                        const struct in_addr *addresses, unsigned count);

/* The is_refusal of a lookup whose context is the struct list: an error code or a foreign
 * address is no answer. */
bool result_is_refusal(const struct dns_lookup *lookup, const struct dns_answer *answer);

/* Of two weights the one that counts: the larger positive one, else the most negative. */
int result_heavier(int a, int b);

/* The least and the most that an answer of this list can add. */
void result_bounds(const struct list *list, int *least, int *most);

/* "listed", "none", "error", "foreign", "failed". */
const char *result_state_name(enum result_state state);

#endif
