/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BENCH_RULES_PEOPLE_H
#define BENCH_RULES_PEOPLE_H

/* Honest senders: mailboxes of one's own, and the servers of strangers. What they do in a
 * day is added to a world's acts. */

#include "rules_world.h"

enum habit { PERSON, TEAM, SHOP, LIST_OWNER, TOR_USER, VPN_USER, STUDENT, HABITS };
const char *habit_name(enum habit habit);

struct mailbox {
    char login[64];
    enum habit habit;
    double rate; /* mails a day of each person, or orders a day */
    int people;
    bool has_phone;
    int contacts;        /* of each person; see rules_world.h */
    double new_contacts; /* share */
    uint64_t seed;       /* of its networks */
    int moves;           /* to another provider, or office, so far */
    int members;         /* of the list */
    double dead_members; /* the share that is gone */
    int64_t first_day;   /* of a new one; -1: it has been here for long */
};

/* A mailbox by its number, first used on this day; -1: it has been here for long. */
struct mailbox mailbox_new(int number, int64_t first_day);

/* Its day, the first one is 0. */
void mailbox_day(struct world *world, struct mailbox *mailbox, int64_t day);

/* A day of a server elsewhere that sends so many mails. wrongly: a DNS list has it. */
void server_day(struct world *world, int64_t day, uint32_t network, double rate,
                bool newsletters, bool wrongly);

/* The first of n networks that nobody has yet; they begin again after 4 million. */
uint32_t network_new(unsigned n);

#endif
