/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef POLICY_POLICY_H
#define POLICY_POLICY_H

/* What a session needs to be judged: one configuration with its lists made ready, and the
 * parts of the daemon that it uses. Counted by reference: a session keeps the policy that
 * it began with, whatever is reloaded meanwhile. Immutable; any thread. */

#include <pthread.h>
#include <stdatomic.h>

#include "blocklist/blocklist.h"
#include "config/config.h"
#include "dns/resolver.h"
#include "dnsbl/dnsbl.h"
#include "journal/journal.h"
#include "policy/verdict.h"
#include "rules/rules.h"

struct policy {
    atomic_uint refs;
    struct config *config;
    struct dnsbl_set lists;
    unsigned queries_at;         /* stages at which a lookup may start: 1u << STAGE_… */
    bool judges_headers;         /* a list, or the blocklist, checks them */
    struct resolver *resolver;   /* the daemon's */
    struct blocklist *blocklist; /* the daemon's; NULL: none */
    struct prober *prober;       /* the daemon's */
    struct journal *journal;     /* the daemon's; NULL: none */
    struct rules *rules;         /* the daemon's; NULL: none */
    struct journal_configuration *configuration; /* this one, as the journal knows it */
};

/* Takes a reference to config of its own; resolver, prober and blocklist are borrowed
 * and must outlive it. Returns the caller's reference, or NULL without memory. */
struct policy *policy_new(struct config *config, struct resolver *resolver,
                          struct prober *prober, struct blocklist *blocklist);

/* Has decisions kept in journal, which is borrowed and must outlive the policy; before
 * anybody else has it. Returns 0, or -1 without memory. */
int policy_keep_journal(struct policy *policy, struct journal *journal);

struct policy *policy_ref(struct policy *policy);
void policy_unref(struct policy *policy); /* NULL is fine */

/* Whether a lookup of some list may start at this stage: for what the milter
 * negotiates. */
bool policy_queries_at(const struct policy *policy, enum stage stage);

/* Whether the verdict may be given at this stage; at each one after reject-at up to RCPT,
 * too, as new parts of the envelope have arrived. */
bool policy_is_due_at(const struct policy *policy, enum stage stage);

/* --- recent clients --- */

/* The clients that were judged lately, each once with its last verdict: what a new list
 * can be tried on (rblctl dnsbl try). Bounded: RECENT_SETS * RECENT_WAYS clients of 32
 * octets; where a set is full, its oldest goes. Any thread; a lock is held for one set only. */

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

/* Notes a verdict. Addresses that lists are never queried for are left out. */
void recent_note(struct recent *recent, const struct ipaddr *client, enum verdict verdict,
                 int64_t now_ms);

/* Copies those since since_ms, in no order, to *out, which the caller frees. Returns
 * their number; 0 without memory, too, with *out NULL. */
size_t recent_since(struct recent *recent, int64_t since_ms, struct recent_client **out);

/* --- the policy in force --- */

/* The policy in force: what a reload swaps; and what outlives it. */
struct policy_slot {
    pthread_mutex_t lock; /* held for the moment of a swap or a ref only */
    struct policy *policy;
    struct recent *recent; /* borrowed; NULL: not kept */
};

/* Takes over the caller's reference to policy; recent is NULL then. Returns 0, or -1. */
int policy_slot_init(struct policy_slot *slot, struct policy *policy);
void policy_slot_clear(struct policy_slot *slot);

/* The caller's reference to the policy in force. Any thread. */
struct policy *policy_slot_get(struct policy_slot *slot);

/* Puts another in force, taking over the caller's reference. Any thread. */
void policy_slot_set(struct policy_slot *slot, struct policy *policy);

#endif
