/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DNS_ANSWER_H
#define DNS_ANSWER_H

/* What the DNS said to one question: immutable, counted by reference, shared by the
 * cache and all who asked. Any thread. */

#include <netinet/in.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum dns_type { DNS_A, DNS_TXT };

enum dns_status {
    DNS_FOUND,       /* records of the type asked for */
    DNS_NONE,        /* NXDOMAIN, or no record of that type */
    DNS_TIMEOUT,     /* no answer within the time, from servers that answer others */
    DNS_SERVFAIL,    /* the server could not */
    DNS_REFUSED,     /* the server would not: for a DNS list, it refuses our queries */
    DNS_INVALID,     /* an answer that could not be read, or a name that is none */
    DNS_UNREACHABLE, /* no server answers anything: it says nothing of the name */
    DNS_NOT_ASKED    /* not sent: no place in time, no memory, no budget, stopping */
};
#define DNS_STATUS_COUNT 8

struct dns_answer {
    atomic_uint refs;
    enum dns_status status;
    bool stale;         /* served past its end, because a new query failed */
    int64_t expires_ms; /* CLOCK_MONOTONIC */
    int64_t came_ms;    /* likewise; 0 of a failure that is not remembered */
    char *text; /* DNS_TXT, found: the first record, its strings joined, as it came
                   (to be cleaned before it is shown), without NUL, cut to DNS_TEXT_MAX;
                   else NULL */
    unsigned address_count;     /* at most DNS_ADDRESSES_MAX */
    struct in_addr addresses[]; /* DNS_A, found; network order */
};

/* What is kept of an answer: no list needs more, and a cache of huge ones would be a way
 * to take all memory. */
#define DNS_TEXT_MAX      1000
#define DNS_ADDRESSES_MAX 64

/* A new answer with room for count addresses, and a copy of text (NULL is fine). Returns
 * NULL without memory. The caller owns a reference. */
struct dns_answer *dns_answer_new(enum dns_status status, unsigned count,
                                  const char *text);

/* An answer for a failure, that needs no memory: a static one per status. ref/unref take
 * it as any other. */
struct dns_answer *dns_answer_failure(enum dns_status status);

/* A copy that says it is past its end. Returns NULL without memory. */
struct dns_answer *dns_answer_stale(const struct dns_answer *answer);

struct dns_answer *dns_answer_ref(struct dns_answer *answer);
void dns_answer_unref(struct dns_answer *answer); /* NULL is fine */

/* "found", "none", "timeout", … for logs and statistics. */
const char *dns_status_name(enum dns_status status);

#endif
