/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef RULES_RULE_SET_H
#define RULES_RULE_SET_H

/* The rules of a configuration: which windows they look at, and what of a key's counts is
 * over a limit. Immutable; any thread. */

#include "rules/counters.h"

/* Whose doings are counted. Texts are borrowed, and never NULL. */
struct usage_subject {
    const char *login;  /* as the MTA has it; "" not logged in */
    const char *sender; /* the address; "" of the null sender, and of what is none */
    const char
        *client; /* as an entry: an address, or an IPv6 /64; "" none, or one's own */
    const char *client_name; /* confirmed; "" none */
    bool
        is_shared; /* the client has many users who have nothing to do with one another */
    char shared[80]; /* why */
};

#define FINDING_TEXT_SIZE 256
#define FINDING_KEY_SIZE  COUNTER_KEY_SIZE

/* A key over a rule's limits. */
struct finding {
    const struct rule *rule;
    char key[FINDING_KEY_SIZE];
    char because[FINDING_TEXT_SIZE]; /* "500 recipients in 1h: 612, 71 unknown" */
    int times; /* how many times its limits it has reached, rounded down; 1 at least */
    int64_t at_s;
};

/* The windows that the rules of a configuration want. */
void rule_set_layouts(const struct config *config,
                      struct counter_layout layouts[static RULE_BY_COUNT]);

/* Calls found for each rule of that kind of key which finds something in the reading of a
 * key. A window that was not wholly observed finds nothing. The finding lives for the
 * call. */
typedef void rule_found(void *context, const struct finding *finding);
void rule_set_judge(const struct config *config, enum rule_by by, const char *key,
                    const struct counter_reading *reading, int64_t now_s,
                    rule_found *found, void *context);

/* The same of what several hosts of a farm have counted together. It finds nothing of a limit
 * of which this host's own count is not one in RULE_SUPPORT at least: what the others say is
 * what a database says. */
#define RULE_SUPPORT 16
void rule_set_judge_sum(const struct config *config, enum rule_by by, const char *key,
                        const struct counter_reading *sum,
                        const struct counter_reading *own, unsigned hosts, int64_t now_s,
                        rule_found *found, void *context);

/* The value of a window in a reading, with list mail taken off what are recipients; -1
 * where there is none, or it was not wholly observed. */
int64_t rule_value(const struct counter_reading *reading, enum rule_count count,
                   int span_s, int64_t now_s);

/* The texts that a rule lists of a subject, borrowed from it: RULE_ENTRIES at most. Of a
 * stranger's sender it is the client: anyone can write a sender. Returns how many. */
#define RULE_ENTRIES 3
size_t rule_entries(const struct rule *rule, const struct usage_subject *subject,
                    const char *out[static RULE_ENTRIES]);

/* What is done, and for how many seconds (0: forever), the first time (0), the second … */
enum rule_action rule_action_of(const struct rule *rule, int step);
int rule_span_of(const struct rule *rule, int step);

/* For how many seconds all must have been counted before the rule can find anything. */
int rule_blind_s(const struct rule *rule);

/* A rule but its mode, as a text: where it is another one, the rule was changed. NULL: no
 * memory. The caller frees. */
char *rule_set_text(const struct rule *rule);

#endif
