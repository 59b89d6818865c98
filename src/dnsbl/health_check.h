/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DNSBL_HEALTH_CHECK_H
#define DNSBL_HEALTH_CHECK_H

/* One health check of a list: its test points (RFC 5782, 5) and, for "lists too much",
 * witnesses, past the cache and from every server that is needed. HEALTH_CHECK_QUERIES
 * queries at most. */

#include <stdatomic.h>
#include <stdbool.h>

#include "dns/resolver.h"
#include "dnsbl/list_state.h"
#include "dnsbl/witnesses.h"

/* --- test points: no state; any thread --- */

/* Writes the name of a test point: point is an address for lists that are queried for
 * clients (an IPv6 one as it is, also ::FFFF:7F00:2), else a name, or the label
 * itself for hashes. Returns 0; -1 without one ("") or where it would not fit. */
int health_check_point_name(const struct list *list, const char *point,
                            char out[static DOMAIN_SIZE]);

/* Whether the list has test points. */
bool health_check_has_points(const struct list *list);

/* A test point as its owner writes it, and the answer; NULL: it was not queried. */
struct test_point {
    const char *text; /* "": the list has none, and some other name was queried */
    const struct dns_answer *answer;
};

/* What the answers to both test points mean. why gets a sentence. */
enum health health_check_judge_points(const struct list *list,
                                      const struct test_point *listed,
                                      const struct test_point *unlisted, char *why,
                                      size_t size);

/* --- one health check --- */

#define HEALTH_CHECK_WITNESSES 16 /* half of them IPv6 where the list is queried for it */
#define HEALTH_CHECK_LEAST     8  /* fewer witnesses say nothing */
#define HEALTH_CHECK_QUERIES   (PROBE_WITNESS + HEALTH_CHECK_WITNESSES)

struct health_check;

/* One query of a health check. */
struct probe {
    struct dns_lookup lookup; /* must be first */
    struct health_check *check;
    /* the place of a test point among the probes; witnesses come behind them */
    enum probe_kind {
        PROBE_LISTED,
        PROBE_UNLISTED,
        PROBE_LISTED6,
        PROBE_UNLISTED6,
        PROBE_WITNESS,
        PROBE_WITNESS6
    } kind;
    bool reserved;              /* a witness that nobody is: a reserved address or name */
    char subject[WITNESS_NAME]; /* for the sentence why */
    struct dns_answer *answer;  /* a reference, once it is there; NULL: not queried */
};

/* What a health check is made of, set before each but for bell; zeroed before the
 * first. */
struct health_check {
    struct bell *bell; /* rung when the last answer is there */
    struct resolver *resolver;
    struct witnesses *witnesses;
    struct config *config; /* a reference till health_check_clear; its exempt networks are
                              witnesses */
    const struct list *list;
    struct upstream *upstream;
    bool too_much; /* whether witnesses are queried */
    bool lying[2]; /* the half was found to ([1]: IPv6): an eighth is too much */
    bool again;    /* it repeats a health check that was not well */
    bool any_name; /* a list without test points has to answer something */
    int timeout_ms;
    int retry_ms; /* when a silent server is queried again first; 0: see dns_lookup */
    /* Its own: */
    struct probe probes[HEALTH_CHECK_QUERIES];
    size_t count;
    atomic_size_t open;
    bool reserved; /* of an allow list: reserved addresses alone; kept for the next */
};

/* Sends the queries. open falls to 0 when all is answered; it may be so when this
 * returns. */
void health_check_begin(struct health_check *check);

/* What the answers mean for a half: *found, with a sentence why. Returns false where
 * nothing is known of it: no server answered, or its test points were not queried. */
bool health_check_judge(const struct health_check *check, bool ipv6, enum health *found,
                        char *why, size_t size);

/* Gives up the answers, and the configuration. */
void health_check_clear(struct health_check *check);

/* Whether the list is queried for IPv6 clients and has IPv4 test points, so that it may
 * have LISTED6 and UNLISTED6, too (RFC 5782, 5). */
#define LISTED6   "::FFFF:7F00:2"
#define UNLISTED6 "::FFFF:7F00:1"
bool health_check_tries_ipv6(const struct list *list);

#endif
