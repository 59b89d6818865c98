/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef RULES_HABITS_H
#define RULES_HABITS_H

/* A login's habits: the networks that it is used from and the people it writes to; and
 * `strangers`, the count of what differs from them: recipients it never wrote to, from a network
 * it was never used from. That is what a hijacked mailbox does, and its owner does not.
 *
 * Zero-initialised: nothing is known. Times are unix seconds. One thread at a time for each. */

#include "rules/window.h"

#define HABIT_LEARN_DAYS  7  /* known for so long, habits mean something */
#define HABIT_SETTLE_DAYS 3  /* a network is new for so long */
#define HABIT_FORGET_DAYS 60 /* and is forgotten so long after it was used last */
#define HABIT_HOUR_MOST   40 /* strangers that count in an hour */

#define HABIT_NETWORKS      16
#define HABIT_CONTACTS      100 /* of each of two filters */
#define HABIT_CONTACTS_BITS 512

struct habits {
    struct ring strangers; /* the first, as in windows of other counts */
    struct habit_network {
        uint16_t hash, first_day, last_day; /* days since 1970; last_day 0: none */
    } networks[HABIT_NETWORKS];
    /* Whom it has written to: 100 to 200 different ones, the latest. */
    uint8_t contacts[2][HABIT_CONTACTS_BITS / 8];
    uint8_t filling, filled; /* which of them is being filled, with how many */
};

/* A recipient, by hashes of address and network. From a network that is new for a login whose
 * habits are known, who is no contact counts, up to HABIT_HOUR_MOST in an hour (a mail merge
 * is no more than that), and a contact takes one off; from all others who is no contact
 * becomes one. */
void habits_add(struct habits *habits, int span_s, int64_t now_s, uint64_t recipient,
                uint64_t network);

#endif
