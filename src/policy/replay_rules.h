/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef POLICY_REPLAY_RULES_H
#define POLICY_REPLAY_RULES_H

/* What rules would have found in the mail that the journal keeps: its decisions are counted
 * as mail is when it comes (session.h), with their own time as the clock, and what is
 * found is listed at once. Every rule that is not off is taken as one in enforce that is
 * not new. One thread. */

#include "journal/record.h"
#include "rules/guard_rails.h"
#include "rules/usage.h"

#define REPLAY_IDS 3

struct replay_finding {
    size_t rule;          /* index into the configuration's */
    int64_t at_s;         /* unix time */
    enum guard_word word; /* what becomes of it */
    char entry[ENTRY_TEXT_SIZE], because[FINDING_TEXT_SIZE];
    char why[GUARD_WHY_SIZE]; /* it is not listed; "" it is */
    enum rule_action action;
    int for_s;                     /* 0: forever */
    int64_t until_s;               /* before then it is not found again */
    uint64_t messages, recipients; /* accepted then, which it would not have been */
    journal_id ids[REPLAY_IDS];    /* where it was found, and the first of those */
    size_t id_count;
    size_t previous; /* the last of the same rule and entry: its index + 1; 0 none */
};

struct replay_held;
struct replay_waiting;

struct replay_rules {
    /* By the caller, borrowed: */
    const struct config *config;
    const struct suffix_list *suffixes; /* NULL: there is none */
    struct own_domains *own;            /* learnt; NULL: none. Left as they are */
    struct entry_limits limits;
    struct blocklist *blocklist; /* for its allow entries; NULL: none */
    /* What came of it: */
    int64_t begun_s;    /* from which on all is counted; 0: nothing was accepted */
    uint64_t decisions; /* since then */
    struct replay_finding *findings; /* in the order of their time */
    size_t count;
    int64_t *tripped_s; /* of each rule; 0: it has not */
    /* Its own: */
    size_t room;
    struct counters *counters;
    struct usage_message message;
    struct replay_held *by_rule, *by_entry; /* the last finding; of by_entry: listed */
    journal_id id;                          /* the current one */
    struct replay_waiting *waiting; /* those of a second, whose ids have no order */
    size_t waiting_count, waiting_room;
    int64_t now_s;
    bool failed;
};

/* Returns 0, or -1 without memory. */
int replay_rules_begin(struct replay_rules *replay);
void replay_rules_clear(struct replay_rules *replay);

/* One decision after the other, by their ids; those of one second are counted in the order of
 * their verdicts, once the next second, or the end, comes. Those before the first that is
 * accepted are passed over: where accepted mail is not kept, counts are too low, and shares
 * too high. Returns 0, or -1: no memory, or more findings than make sense. */
int replay_rules_take(struct replay_rules *replay, const struct record *record);
int replay_rules_end(struct replay_rules *replay);

/* Up to then decisions were not kept: no window that reaches there finds anything. */
void replay_rules_gap(struct replay_rules *replay, int64_t ended_s);

#endif
