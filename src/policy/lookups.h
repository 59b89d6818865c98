/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef POLICY_LOOKUPS_H
#define POLICY_LOOKUPS_H

/* All lookups of a session: those that are open and those that have a result. They are
 * made in batches, one a stage; the answers arrive on the resolver's thread while the
 * session's own goes on. The session may end with lookups open: what they need lives
 * until the last was answered. Functions are for the session's thread, one at a time. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dnsbl/dnsbl.h"
#include "policy/envelope.h"
#include "policy/policy.h"

struct lookups;
struct batch;

/* One list queried about one subject. What is not const to the resolver's thread (all
 * from open on) is read under the lookups' lock, or when open is false permanently: after
 * lookups_settle. */
struct dnsbl_lookup {
    struct dns_lookup dns; /* must be first */
    struct batch *batch;
    struct dnsbl *dnsbl;
    enum check check;
    unsigned index; /* of headers: which address */
    bool ipv6;      /* about an IPv6 client */
    bool open;      /* sent, not answered */
    bool counted;   /* had a result when the verdict was given: it is fixed */
    bool late;      /* waited for without result: it could have changed the verdict */
    bool cached, stale;
    const char *skip; /* why the list was not queried; or NULL */
    int weight;       /* once counted: what it adds to the score */
    enum dns_status status;
    int took_ms;     /* from query to answer; 0 from the cache */
    int64_t came_ms; /* when the answer came, perhaps for another session; 0: failed */
    struct dnsbl_result result;
    struct dns_answer *answer; /* a reference; NULL while there is none */
};

/* is_dry_run: rblctl check, no mail. It queries lists whatever their state, past cache,
 * statistics and quota, and changes nothing. NULL: no memory. */
struct lookups *lookups_new(struct policy *policy, bool is_dry_run);

/* Forgets all; open lookups end by themselves. NULL is fine. */
void lookups_free(struct lookups *lookups);

/* Queries every list that checks a subject of this stage. Returns 0, or -1 without
 * memory (nothing of this stage is queried then). STAGE_RCPT queries the lists that wait
 * for others (after) whose turn has come. */
int lookups_start(struct lookups *lookups, enum stage stage,
                  const struct envelope *envelope);

/* Forgets the lookups of that stage and of later ones: another HELO, the next message. */
void lookups_forget(struct lookups *lookups, enum stage from);

/* The reason, cleaned of control characters and of the list's key; "" while there is
 * none. */
void lookups_reason(struct lookups *lookups, char *out, size_t size);

/* What to wait for. */
enum wait_for {
    WAIT_VERDICT,     /* until no open answer can change it */
    WAIT_ALLOW_LISTS, /* until the allow lists have answered */
    WAIT_ALL
};

/* How to wait for answers. */
struct wait {
    int64_t deadline_ms; /* CLOCK_MONOTONIC */
    enum wait_for what;
    const struct envelope *envelope; /* for what is looked up while waiting */
    /* Called before the first wait, and again each time that as many ms have passed as
     * the last call returned; -1: no more. May be NULL. */
    int (*on_wait)(void *context);
    void *context;
};

/* Looks up a list's reason (TXT) for what a lookup found, and waits until it is answered:
 * half a second at most. */
void lookups_fetch_reason(struct lookups *lookups, const struct dnsbl_lookup *listed,
                          const struct wait *wait);

/* Whether a lookup is answered now, also after the verdict. */
bool lookups_is_answered(struct lookups *lookups, const struct dnsbl_lookup *lookup);

/* Walks the lookups in their order, TXT lookups left out: NULL begins, NULL ends. */
const struct dnsbl_lookup *lookups_next(const struct lookups *lookups,
                                        const struct dnsbl_lookup *previous);

#endif
