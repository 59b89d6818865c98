/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef JOURNAL_SEARCH_H
#define JOURNAL_SEARCH_H

/* Finding decisions in the journal. Any thread but the writer's; one search at a time, the
 * others wait. The files stay open between searches. */

#include "journal/day.h"
#include "journal/journal.h"

/* One decision that was found; borrowed for the call. */
struct journal_found {
    const struct record *record;
    const char
        *lists; /* the names of the configuration's lists, one a line; "" unknown */
    const char *configuration;   /* its text; "" unknown */
    const struct day_mark *mark; /* of a wrong refusal; NULL none */
    bool folded;                 /* asked for was one that this stands for */
};

struct journal_query {
    const struct day_value *values; /* any of them */
    size_t count;
    int64_t since; /* unix time */
    unsigned limit;
    /* Whether a record, which has one of the values by its tokens, is one that is wanted;
     * hashes collide. lists as in journal_found. */
    bool (*wants)(void *context, const struct record *record, const char *lists,
                  const uint8_t *key);
    void (*found)(void *context, const struct journal_found *found);
    void *context;
};

/* Calls found for each, the newest first. Returns how many; more is set where there may be
 * more. */
unsigned journal_find(struct journal *journal, const struct journal_query *query,
                      bool *more);

/* Calls found for the decision with that id, or the one that stands for it. Returns whether
 * there is one. */
bool journal_find_id(struct journal *journal, journal_id id,
                     void (*found)(void *context, const struct journal_found *found),
                     void *context);

/* The ids that may have been misread as id, JOURNAL_MISREADS at most. Returns how many. */
size_t journal_find_near(struct journal *journal, journal_id id,
                         journal_id out[static JOURNAL_MISREADS]);

/* Marks a decision as wrongly refused, which keeps it beyond its time; reason NULL takes
 * the mark back. alone: the list that alone refused it, "" none. Returns 0, or -1 with
 * error filled in. */
int journal_mark(struct journal *journal, journal_id id, const char *login,
                 const char *reason, const char *alone,
                 char error[static DAY_ERROR_SIZE]);

/* How often lists alone refused a message that is kept (wrong 0; once for each day), and
 * the ids of such refusals that are marked as wrong, the newest first (count 0). */
void journal_alone(struct journal *journal,
                   void (*each)(void *context, const char *list, uint64_t count,
                                journal_id wrong),
                   void *context);

/* The times since then (unix time) in which decisions were not kept; the one that goes on
 * has an ended_ms of 0. */
void journal_each_gap(struct journal *journal, int64_t since,
                      void (*each)(void *context, int64_t began_ms, int64_t ended_ms,
                                   uint64_t dropped),
                      void *context);

/* All decisions from that time on, each once, in no order: with handles of its own, so that
 * searches go on meanwhile. Until each returns false. Returns 0, or -1 with error filled
 * in. */
int journal_walk(struct journal *journal, int64_t since,
                 bool (*each)(void *context, const struct journal_found *found),
                 void *context, char error[static DAY_ERROR_SIZE]);

#endif
