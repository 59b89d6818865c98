/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DNSBL_LOOK_H
#define DNSBL_LOOK_H

/* One look at a list: its test points (RFC 5782, 5) and, for "lists too much", witnesses,
 * past the cache and from every server that is needed. LOOK_QUERIES queries at most. */

#include <stdatomic.h>
#include <stdbool.h>

#include "dns/resolver.h"
#include "dnsbl/list_state.h"
#include "dnsbl/witnesses.h"

#define LOOK_QUERIES   24
#define LOOK_WITNESSES 16 /* half of them IPv6 where the list is asked about it */
#define LOOK_LEAST     8  /* fewer witnesses say nothing */

struct look;

/* One query of a look. */
struct probe {
    struct dns_lookup lookup; /* must be first */
    struct look *look;
    enum probe_kind {
        PROBE_LISTED,
        PROBE_UNLISTED,
        PROBE_LISTED6,
        PROBE_UNLISTED6,
        PROBE_WITNESS,
        PROBE_WITNESS6
    } kind;
    bool reserved;             /* a witness that nobody is: a reserved address or name */
    char subject[DOMAIN_SIZE]; /* for the sentence why */
    char name[DOMAIN_SIZE];    /* what is queried */
    struct dns_answer *answer; /* a reference, once it is there */
};

struct look {
    struct probe probes[LOOK_QUERIES];
    size_t count;
    atomic_size_t open;
    bool lying[2];     /* look_at's */
    bool reserved;     /* of an allow list: reserved addresses alone; kept for the next */
    struct bell *bell; /* rung when the last answer is there */
};

/* What a look is made of. */
struct look_at {
    struct resolver *resolver;
    struct upstream *upstream;
    const struct list *list;
    const struct config *config; /* its exempt networks are witnesses */
    struct witnesses *witnesses;
    bool too_much; /* whether witnesses are asked */
    bool lying[2]; /* the half was found to ([1]: IPv6): an eighth is too much */
    bool again;    /* it repeats a look that was not well */
    bool any_name; /* a list without test points has to answer something */
    int timeout_ms;
    int retry_ms; /* when a silent server is queried again first; 0: see dns_lookup */
};

/* Sends the queries; look is zeroed but for bell, and what look_clear keeps. open falls to 0 when all is answered;
 * it may be so when this returns. */
void look_begin(struct look *look, const struct look_at *at);

/* What the answers mean for a half: *found, with a sentence why. Returns false where no
 * server answered, which says nothing of the list. ipv6_known: in, whether the list has
 * been found to have IPv6 test points; for the IPv6 half it returns false too where it
 * has none and lists nothing that it must not. */
bool look_judge(const struct look *look, const struct list *list, bool ipv6,
                bool ipv6_known, enum health *found, char *why, size_t why_size);

/* Gives up the answers. */
void look_clear(struct look *look);

#endif
