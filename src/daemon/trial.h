/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DAEMON_TRIAL_H
#define DAEMON_TRIAL_H

/* The clients that were judged lately, each once with its last verdict: what a new list
 * can be tried on (rblctl dnsbl try). Bounded: RECENT_SETS * RECENT_WAYS clients of 32
 * octets; where a set is full, its oldest goes. Any thread; a lock is held for a look
 * through one set only. */

#include <stddef.h>
#include <stdint.h>

#include "base/ipaddr.h"
#include "policy/verdict.h"

#define RECENT_SETS 1024 /* a power of 2 */
#define RECENT_WAYS 10

struct recent;

struct recent_client {
    int64_t at_ms; /* CLOCK_MONOTONIC */
    struct ipaddr ip;
    uint8_t verdict; /* enum verdict */
};

struct recent *recent_new(void);         /* NULL: no memory */
void recent_free(struct recent *recent); /* NULL is fine */

/* Notes a verdict. Addresses that lists are never asked about are left out. */
void recent_note(struct recent *recent, const struct ipaddr *client, enum verdict verdict,
                 int64_t now_ms);

/* Copies those since since_ms, in no order, to *out, which the caller frees. Returns
 * their number; 0 without memory, too, with *out NULL. */
size_t recent_since(struct recent *recent, int64_t since_ms, struct recent_client **out);

#endif
