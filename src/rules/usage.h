/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef RULES_USAGE_H
#define RULES_USAGE_H

/* From what happens to messages to counts: who a message is counted for, and what. The same
 * for mail as it comes, for the journal's (whatif) and for a simulator's. Any thread. */

#include "base/domain.h"
#include "base/ipaddr.h"
#include "rules/others.h"
#include "rules/own_domains.h"

/* What is counted, and by which rules it is judged. */
struct usage {
    struct counters *counters;
    const struct config *config;
    const struct suffix_list *suffixes; /* NULL: there is none */
    struct own_domains *own; /* learnt; NULL: only those of the configuration */
    /* A key is over a limit; what of the subject may be listed is in it. */
    void (*found)(void *context, const struct finding *finding,
                  const struct usage_subject *subject);
    void *context;
    struct others *others; /* hosts of a farm; NULL: this host is alone */
};

#define USAGE_TEXTS_SIZE 700

/* A message whose recipients are counted. Owned by its session; all that is to be set
 * before usage_begin is begun: false. Not to be moved. Small, as each connection has one:
 * a key that does not fit, which only a sender of hundreds of characters is too long for,
 * is not counted by. */
struct usage_message {
    bool begun;                      /* the keys are of this message */
    bool is_own;                     /* logged in, or from a network of one's own */
    bool refused;                    /* counted as refused */
    const char *keys[RULE_BY_COUNT]; /* in texts; "": not counted by it */
    uint64_t sender_hash, network_hash, provider_hash, domain_hash;
    struct usage_subject subject; /* its texts are those of keys */
    int recipients, outside;      /* counted so far, to be taken back at an abort */
    int64_t counted_s;            /* when the last of them was */
    size_t used;                  /* of texts */
    char texts[USAGE_TEXTS_SIZE];
};

/* The message's envelope. NULL or "" what is not known. Borrowed for the call, but client_name
 * until usage_end. */
struct usage_envelope {
    const struct ipaddr *client;
    const char *client_name; /* confirmed */
    const struct mail_address *sender;
    const char *login;
    bool has_entry;       /* of the sender blocklist, which decides about it */
    bool is_allow_listed; /* a DNS list of good senders has the client */
};

/* Begins a message, at its first recipient or refusal; does nothing where it has begun. */
void usage_begin(const struct usage *usage, struct usage_message *message,
                 const struct usage_envelope *envelope);

/* What became of a recipient. */
enum usage_outcome {
    USAGE_ACCEPTED,
    USAGE_UNKNOWN,  /* there is no such recipient */
    USAGE_RELAYING, /* the MTA does not relay to it */
    USAGE_OTHER     /* refused for another reason, or put off */
};
/* From the MTA's x.y.z (RFC 3463) and its text, borrowed, "" where it said none. */
enum usage_outcome usage_outcome_of(const char *status, const char *text);

/* recipient: as in RCPT TO. mailer: {rcpt_mailer}, "" unknown. */
void usage_recipient(const struct usage *usage, struct usage_message *message,
                     const char *recipient, const char *mailer,
                     enum usage_outcome outcome, int64_t now_s);

/* The message was refused, or put off, because of DNS lists; counted once. */
void usage_refused(const struct usage *usage, struct usage_message *message,
                   int64_t now_s);

/* It is over. accepted: as a whole; else what was counted as sent is taken back. */
void usage_end(const struct usage *usage, struct usage_message *message, bool accepted,
               int64_t now_s);

/* What another program has seen: n bounces, complaints, … of a key that is an entry's text:
 * user:LOGIN, an address, a client. Returns 0, or -1: nothing counts it. */
int usage_event(const struct usage *usage, enum rule_count count, const char *entry,
                int n, int64_t now_s);

/* What an entry's text is counted by. Returns 0, or -1: by nothing. */
int usage_by_of(const char *entry, enum rule_by *by);

#endif
