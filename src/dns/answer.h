/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DNS_ANSWER_H
#define DNS_ANSWER_H

/* What name servers send: their packets, read; and what the DNS said to one query:
 * immutable, counted by reference, shared by the cache and all who queried. Any thread, except
 * where said. */

#include <netinet/in.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum dns_type { DNS_A, DNS_TXT };

enum dns_status {
    DNS_FOUND,       /* records of the type queried */
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
    int64_t came_ms;    /* likewise; 0 of a failure that is not cached */
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

/* --- packets from name servers (RFC 1035, negative answers RFC 2308) ---
 *
 * They are written by strangers: what does not fit the question is DNS_INVALID, never an
 * answer. */

/* A negative answer without an SOA says nothing of its time (rbldnsd without $SOA). */
#define REPLY_NO_SOA_TTL_S 60

struct reply {
    enum dns_status status;
    uint32_t ttl_s; /* found: the smallest of the records and of the CNAMEs before them;
                       none: the SOA's, or REPLY_NO_SOA_TTL_S; else 0 */
    unsigned cname_count; /* that were followed */
    unsigned address_count;
    struct in_addr addresses[DNS_ADDRESSES_MAX];
    char text[DNS_TEXT_MAX + 1]; /* DNS_TXT, found */
};

/* Reads the packet as the answer to (type, name). CNAMEs are followed within it. */
void reply_parse(const uint8_t *packet, size_t size, enum dns_type type, const char *name,
                 struct reply *out);

/* Packets that came over UDP and answer no query of ours. c-ares drops them without
 * a word, and all that is left to see is a query that waits; so a channel looks at each
 * packet before c-ares does, and counts. */
enum stray {
    STRAY_GARBAGE,   /* no DNS response with one question that can be read */
    STRAY_WRONG_ID,  /* the answer to an id that was never sent: a forger guesses */
    STRAY_UNEXPECTED /* an id that was sent, but another question, or it was answered
                        before: a late or second copy */
};
#define STRAY_COUNT 3

/* "garbage", "wrong id", "unexpected", for statistics. Any thread. */
const char *stray_name(enum stray stray);

/* Counted since the start; the resolver's thread adds, any thread reads. */
struct stray_counters {
    atomic_uint_fast64_t by_kind[STRAY_COUNT];
};

/* As many ids as a channel sends in its life (UPSTREAM_CHANNEL_ASKS), and some more. */
#define STRAY_IDS_MAX 128

/* What one channel has sent, and what it reads now; zeroed at its begin. It and all that
 * follows belong to the resolver's thread. */
struct stray_watch {
    uint16_t ids[STRAY_IDS_MAX]; /* the latest ones that were sent, in a ring */
    unsigned sent;
    unsigned fitting; /* of this reading: packets that c-ares should take */
    unsigned taken;   /* and queries that ended */
};

/* A query leaves over UDP, for the first time or again. */
void stray_sent(struct stray_watch *watch, const uint8_t *packet, size_t size);

/* A reading from a socket begins, and ends. */
void stray_reading(struct stray_watch *watch);
void stray_read(struct stray_watch *watch, struct stray_counters *counters);

/* Within it: a packet came over UDP; c-ares ended a query. */
void stray_came(struct stray_watch *watch, const uint8_t *packet, size_t size,
                struct stray_counters *counters);
void stray_taken(struct stray_watch *watch);

#endif
