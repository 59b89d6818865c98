/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef RULES_RULES_H
#define RULES_RULES_H

/* Listing by itself: counts what senders do, finds who is over a rule's limits, proposes
 * an entry or, where rule and configuration say so, makes it. A message's way only counts
 * and leaves findings in a queue; all else is done by a thread of its own, behind the guard
 * rails (guard_rails.h). */

#include <stdbool.h>
#include <stdint.h>

#include "blocklist/admin.h"
#include "rules/findings.h"
#include "rules/usage.h"

struct rules;

struct rules_options {
    const char *folder; /* for rules.db and the counters' snapshot; ends with "/" */
    struct blocklist *blocklist; /* borrowed, as the following; must outlive the rules */
    const struct suffix_list *suffixes; /* NULL: there is none */
    struct config *config;              /* a reference is taken */
    /* Kept decisions about an entry, for a finding's evidence: a JSON array, which the
     * rules free; NULL: there are none. wait: for what is on its way to the journal. */
    char *(*decisions)(void *context, const char *entry, bool wait);
    /* As of struct entry_limits. */
    bool (*is_in_use)(void *context, const struct entry *entry,
                      char why[static ENTRY_ERROR_SIZE]);
    void *context, *in_use_context;
};

/* Reads the snapshot and what was found before. NULL: no memory. A database that cannot be
 * opened is logged, and tried again each ten seconds: meanwhile all is counted and nothing
 * found. */
struct rules *rules_new(const struct rules_options *options);

/* Starts the thread. Returns 0, or -1 with errno. */
int rules_start(struct rules *rules);

/* Another configuration is in force. Any thread. */
void rules_configure(struct rules *rules, struct config *config);

/* Saves the counters and ends the thread. What counts may go on meanwhile. NULL is fine. */
void rules_stop(struct rules *rules);
void rules_free(struct rules *rules); /* stops them first; NULL is fine */

/* Whether anything is counted. Any thread. */
bool rules_count(const struct rules *rules);

/* What a session counts with; config is the session's. Any thread. */
struct usage rules_usage(struct rules *rules, const struct config *config);

/* What another program has seen: see usage_event. Any thread. */
int rules_event(struct rules *rules, enum rule_count count, const char *entry, int n);

/* --- for rblctl; any thread but a message's --- */

struct counters *rules_counters(struct rules *rules);
struct findings *rules_findings(struct rules *rules); /* NULL: not open now */

/* Proposals of these numbers become entries, or are dismissed. REFUSED, NO_SUCH_ENTRY with
 * a sentence. */
enum blocklist_result rules_accept(struct rules *rules, int64_t no,
                                   const struct blocklist_actor *actor,
                                   char error[static BLOCKLIST_ERROR_SIZE]);
enum blocklist_result rules_dismiss(struct rules *rules, int64_t no, const char *reason,
                                    const struct blocklist_actor *actor,
                                    char error[static BLOCKLIST_ERROR_SIZE]);

/* A rule that has tripped may list again. */
enum blocklist_result rules_resume(struct rules *rules, const char *name,
                                   const struct blocklist_actor *actor,
                                   char error[static BLOCKLIST_ERROR_SIZE]);

/* The counts that a farm's hosts share (others.h), for its thread. */
json_t *rules_report_counts(struct rules *rules);
void rules_hear_counts(struct rules *rules, const char *own_node, unsigned hosts,
                       const struct farm_count *rows, size_t count);

/* What the hosts have counted of a key together: as others_add. */
unsigned rules_sum(struct rules *rules, enum rule_by by, const char *key,
                   const struct counter_reading *own, int64_t now_s,
                   struct counter_reading *sum);

/* Findings that a farm's hosts share (findings.h), for its thread: NULL, or nothing is done,
 * while the database is not open. */
json_t *rules_report_findings(struct rules *rules, size_t limit);
void rules_reported_findings(struct rules *rules, const json_t *rows);
void rules_hear_finding(struct rules *rules, const char *own_node, const json_t *row);
/* The farm begins again: all is to be reported. Returns 0, or -1. */
int rules_forget_reported(struct rules *rules);

/* Waits until what was found so far is decided, for wait_ms at the longest. */
void rules_flush(struct rules *rules, int wait_ms);

struct rules_stats {
    bool is_open;                    /* the database is */
    char error[FINDINGS_ERROR_SIZE]; /* why not */
    uint64_t found, dropped; /* findings since the start; that did not fit the queue */
    struct counters_stats counters;
};
void rules_stats(struct rules *rules, struct rules_stats *out);

/* Waits until something happens that rblctl watch shows, for wait_ms at the longest. */
void rules_wait_event(struct rules *rules, int wait_ms);

#endif
