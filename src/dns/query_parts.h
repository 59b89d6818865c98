/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DNS_QUERY_PARTS_H
#define DNS_QUERY_PARTS_H

/* What query.c (who waits, and in which line) and attempt.c (which packets leave, and
 * what came back) have of each other. The resolver's thread only. */

#include "dns/query.h"

/* Adds one to a counter of queries. */
static inline void count(atomic_uint_fast64_t *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

/* A query that is over lives until nobody up the stack, and no packet, holds it. */
void query_hold(struct dns_query *q);
void query_release(struct dns_query *q);

/* End it for all who wait: with an answer; with a failure, or what is known from before.
 * The caller holds it; it keeps its reference of the answer, and gives up that of the
 * failure. */
void query_close_with(struct dns_query *q, struct dns_answer *answer);
void query_close_failed(struct dns_query *q, struct dns_answer *failure);
void query_close_status(struct dns_query *q, enum dns_status status);

/* How long the first attempt's silence lasts before there is a second. */
int query_first_retry_ms(const struct dns_query *q);

/* Sends it to the server whose turn it is; may end it, so the caller holds it. */
void query_send(struct dns_query *q, int64_t now_ms);

/* The same where its time has come: a server that came back is sent what is open, one
 * that went away is replaced. */
void query_send_when_due(struct dns_query *q, int64_t now_ms);

#endif
