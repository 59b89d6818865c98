/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DNS_ANSWER_H
#define DNS_ANSWER_H

/* What the DNS said to one question: immutable, counted by reference, shared by the
 * cache and all who asked. Any thread. */

#include <netinet/in.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum dns_type { DNS_A, DNS_TXT };

enum dns_status {
    DNS_FOUND,       /* records of the type asked for */
    DNS_NONE,        /* NXDOMAIN, or no record of that type */
    DNS_TIMEOUT,     /* no answer within the time, from servers that answer others */
    DNS_SERVFAIL,    /* the server could not */
    DNS_FORMERR,     /* the server did not understand the query */
    DNS_NOTIMP,      /* the server knows no such query */
    DNS_REFUSED,     /* the server would not: for a DNS list, it refuses our queries */
    DNS_INVALID,     /* an answer that could not be read, or a name that is none */
    DNS_UNREACHABLE, /* no server answers anything: it says nothing of the name */
    DNS_NOT_ASKED    /* not sent: no place in time, no memory, no budget, stopping */
};
#define DNS_STATUS_COUNT 10

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

/* What tells one question from another, for the cache and for the questions under way:
 * upstream, type and name in one row of octets, with their hash. Any thread. */

#define DNS_NAME_MAX   253 /* RFC 1035: 255 octets on the wire */
#define DNS_LABEL_MAX  63
#define DNS_KEY_PREFIX 5 /* upstream and type */

struct dns_key {
    uint32_t hash;
    uint16_t size; /* of octets in use; the name's end is beyond it */
    uint64_t secret;
    uint8_t octets[DNS_KEY_PREFIX + DNS_NAME_MAX + 1];
};

/* Makes the key. secret goes into the hash, so that no stranger can choose names that
 * all fall together. Returns false for a name that must not be asked: anything but
 * letters, digits, "-" and "_" in labels of 1 to 63, or too long (a backslash would be
 * an escape to c-ares, no name at all the root). */
bool dns_key_make(struct dns_key *key, uint64_t secret, uint32_t upstream,
                  enum dns_type type, const char *name);

const char *dns_key_name(const struct dns_key *key);
enum dns_type dns_key_type(const struct dns_key *key);

#endif
