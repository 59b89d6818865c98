/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef JOURNAL_RECORD_H
#define JOURNAL_RECORD_H

/* A decision as the journal keeps it, in a compact binary form: a row of parts, of which
 * the first is the head and others are added as the message goes on. A reader skips the
 * parts that it does not know. Any thread; no state. */

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ipaddr.h"
#include "journal/id.h"

/* What one list said about one subject. The enums of other folders are kept as numbers:
 * new values go to their ends. */
struct record_answer {
    unsigned list;  /* index into the configuration's lists */
    uint8_t check;  /* enum check */
    uint8_t state;  /* enum result_state */
    uint8_t status; /* enum dns_status, where it failed */
    bool counted;   /* had a result when the verdict was given; else it may have arrived
                       later, or never (state is failed then) */
    bool late;      /* waited for without result */
    bool cached, stale, monitor;
    bool decided;     /* without it the verdict would have been milder */
    int weight;       /* that it added to the score */
    int ttl_s;        /* left of the answer when it was used */
    int age_s;        /* since it arrived; 0 of one that was queried for this message */
    int ms;           /* from query to answer */
    const char *skip; /* why it was not queried; "" it was */
    const char *subject; /* of headers: the address, or domain; "" the head has it */
    unsigned address_count;
    const struct in_addr *addresses; /* all that it answered */
};

enum recipient_outcome {
    RECIPIENT_ACCEPTED,
    RECIPIENT_REFUSED, /* with the verdict's reply */
    RECIPIENT_EXEMPT,  /* accepted, whatever the verdict */
    RECIPIENT_BY_MTA   /* refused by the MTA itself: detail is its x.y.z */
};

struct record_recipient {
    const char *text;
    enum recipient_outcome outcome;
    const char *detail;
};

enum message_end {
    END_OPEN,      /* not yet */
    END_MESSAGE,   /* its end was accepted by us; the MTA has the last word */
    END_REFUSED,   /* at its end */
    END_ABORTED,   /* RSET, another MAIL, or QUIT */
    END_CONNECTION /* the connection went away */
};

struct record {
    journal_id id;
    int64_t at_ms;   /* unix time of the first verdict */
    uint8_t verdict; /* enum verdict: 0 accept, 1 tag, 2 tempfail, 3 reject */
    uint8_t stage;   /* enum stage */
    int score;
    int missing; /* what allow lists that were not heard could have taken off: 0 or less */
    int reject, tempfail, tag; /* the thresholds */
    int took_ms;               /* that the verdict was waited for */
    int64_t configuration;     /* the number of the configuration in force */
    bool has_client;
    struct ipaddr client;
    /* texts: never NULL in what was decoded; NULL is "" in what is encoded */
    const char *client_name, *helo, *sender, *login;
    const char *exempt;    /* "network", "authenticated", "sender"; "" none */
    const char *reason;    /* the deciding list's, its TXT record */
    uint8_t entry_action;  /* enum blocklist_verdict; 0 no entry */
    uint8_t entry_subject; /* enum blocklist_subject */
    const char *entry, *entry_reason;
    int64_t entry_since; /* unix time */
    size_t answer_count;
    struct record_answer *answers;
    /* of parts that follow the head: */
    size_t recipient_count;
    struct record_recipient *recipients;
    const char *queue_id;
    enum message_end end;
    uint64_t folded;        /* so many more like it were not kept each */
    int64_t folded_last_ms; /* unix time of the last of them; 0 */
};

/* Bytes that grow. Zero-initialise; the owner frees bytes. */
struct octets {
    uint8_t *bytes;
    size_t used, size;
    bool failed; /* no memory: what was added is not whole */
};

void octets_add(struct octets *out, const void *octets, size_t size);

/* Add one part each. */
void record_add_head(struct octets *out, const struct record *record);
/* What arrived after the verdict: each takes the place of the answer about the same list
 * and subject, and counted stays as it was. */
void record_add_late(struct octets *out, const struct record_answer *answers,
                     size_t count);
void record_add_recipient(struct octets *out, const struct record_recipient *recipient);
void record_add_end(struct octets *out, enum message_end end, const char *queue_id);
void record_add_folded(struct octets *out, uint64_t count, int64_t last_ms);

/* Reads parts; a later head replaces an earlier one, the later of other single values
 * counts. Texts point into bytes, which must outlive the record. Returns 0, or -1 where
 * they are damaged (*out then needs no record_clear) or without memory. */
int record_decode(const uint8_t *bytes, size_t size, struct record *out);

/* The same without the answers: for what a decision can be found by. */
int record_decode_envelope(const uint8_t *bytes, size_t size, struct record *out);

/* Frees what record_decode made. */
void record_clear(struct record *record);

/* Steps over one part: returns its size, kind and all; 0 at the end, or where it is damaged. */
size_t record_part_size(const uint8_t *bytes, size_t size);

/* Whether the bytes begin with a head. */
bool record_has_head(const uint8_t *bytes, size_t size);

#endif
