/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DNS_STRAY_H
#define DNS_STRAY_H

/* Packets that came over UDP and answer nothing that we asked. c-ares drops them without
 * a word, and all that is left to see is a question that waits; so a channel looks at
 * each packet before c-ares does, and counts. */

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

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

/* What one channel has sent, and what it reads now; zeroed at its begin. All that follows
 * belongs to the resolver's thread. */
struct stray_watch {
    uint16_t ids[STRAY_IDS_MAX]; /* the latest ones that were sent, in a ring */
    unsigned sent;
    unsigned fitting; /* of this reading: packets that c-ares should take */
    unsigned taken;   /* and questions that ended */
};

/* A question leaves over UDP, for the first time or again. */
void stray_sent(struct stray_watch *watch, const uint8_t *packet, size_t size);

/* A reading from a socket begins, and ends. */
void stray_reading(struct stray_watch *watch);
void stray_read(struct stray_watch *watch, struct stray_counters *counters);

/* Within it: a packet came over UDP; c-ares ended a question. */
void stray_came(struct stray_watch *watch, const uint8_t *packet, size_t size,
                struct stray_counters *counters);
void stray_taken(struct stray_watch *watch);

#endif
