/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BENCH_MTA_H
#define BENCH_MTA_H

/* One connection to a milter, as Postfix 3.7 makes it for an SMTP session: negotiation,
 * macros, events, and what each answer leads to. Does no I/O itself: it writes into out
 * and is handed the packets that came. */

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "buf.h"
#include "tally.h"

/* The steps of a session, in their order. */
enum step {
    STEP_NEGOTIATE,
    STEP_CONNECT,
    STEP_HELO,
    STEP_MAIL,
    STEP_RCPT,
    STEP_DATA,
    STEP_HEADER,
    STEP_EOH,
    STEP_BODY,
    STEP_EOM,
    STEP_DONE
};

/* What all sessions have in common. */
struct mta_settings {
    unsigned messages;   /* a connection */
    unsigned headers;    /* a message */
    unsigned body_bytes; /* a message */
    enum step last;      /* the client leaves after it */
    bool hold;           /* the client stays after it, and says nothing */
};

struct mta {
    const struct mta_settings *settings;
    struct buf out, in;
    enum step step; /* under way: its answer is awaited */
    uint32_t protocol;
    char *symbols[7]; /* the macros that the filter wants, by stage; NULL: Postfix's */
    unsigned message, header;
    bool in_message;
    struct in_addr client;
    unsigned client_number;
    char *sender; /* without <> */
    enum outcome outcome;
    char *reply; /* of a refusal with a text, else NULL */
};

/* A new session, its negotiation in out. The sender is copied. */
void mta_begin(struct mta *mta, const struct mta_settings *settings,
               struct in_addr client, unsigned client_number, const char *sender);

/* Takes one whole packet from in. Returns 1 for the step that it answered, with that step
 * in answered; 0 when there is no whole packet, or it ends no step. A packet that Postfix
 * would not take ends the program. */
int mta_answer(struct mta *mta, enum step *answered);

/* Goes on after an answer: writes events until one wants an answer. When nothing is left
 * to say, QUIT is in out and step is STEP_DONE. */
void mta_go_on(struct mta *mta);

void mta_end(struct mta *mta); /* frees what it holds */

#endif
