/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef POLICY_TALLY_H
#define POLICY_TALLY_H

/* What the answers to a session's lookups add up to, list by list, with what is still open
 * and what may never be heard; and the wait until nothing open can change the verdict. For
 * the session's thread, as lookups.h. */

#include "policy/lookups.h"
#include "policy/verdict.h"

/* Waits until what was wanted is there, all is answered, or the deadline has passed. */
void lookups_wait(struct lookups *lookups, const struct wait *wait);

/* Fixes what has a result now, and marks as late what was waited for without one; what is
 * not answered takes what is cached of it. Returns the tally of just those. */
struct tally lookups_settle(struct lookups *lookups, const struct wait *wait);

/* What a lookup adds to the score: 0 unless listed, in monitor, and where the list's
 * state does not let it count. */
int lookup_weight(const struct dnsbl_lookup *lookup);

/* After lookups_settle: counts for each list what it alone decided, and, once the message
 * is forgotten, what it alone had. */
void lookups_account(struct lookups *lookups, const struct tally *tally);

/* The bits (witnesses_list_bit) of the lists that have the client, or a name of the
 * sender's domain. */
uint64_t lookups_listed_bits(const struct lookups *lookups);

#endif
