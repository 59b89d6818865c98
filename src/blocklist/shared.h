/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BLOCKLIST_SHARED_H
#define BLOCKLIST_SHARED_H

/* The blocklist as a farm sees it: rows with versions, taken and given. Which of two rows
 * counts is in versions.h. For one thread, the farm's, and never for a message's way; all
 * functions return a blocklist_result with a sentence in error, as in admin.h. */

#include "blocklist/admin.h"
#include "blocklist/versions.h"

/* A row as it travels. Borrowed. */
struct shared_row {
    int side; /* 0: the mark that all of the entry was removed, 1 block or tempfail, 2 allow */
    const char *entry, *source; /* source "" of a mark */
    const char *action;         /* block, tempfail, allow, removed */
    const char *reason, *who; /* who: "anna", or "anna@mx3" where it is another host's */
    int64_t since, expires;   /* unix time; expires 0: never */
    struct version version;
};
#define SHARED_WHO_MAX 320

/* How far this host is. */
struct shared_state {
    bool joined;                       /* all rows have versions */
    char epoch[40];                    /* "" never of a farm */
    int64_t seq, stamp;                /* the last change read */
    int64_t read_at;                   /* the engine's clock then, ms */
    char keep_local[512], program[64]; /* as they were then */
};
enum blocklist_result shared_state(struct blocklist *blocklist, struct shared_state *out,
                                   char error[static BLOCKLIST_ERROR_SIZE]);
/* Keeps all but joined. */
enum blocklist_result shared_state_set(struct blocklist *blocklist,
                                       const struct shared_state *state,
                                       char error[static BLOCKLIST_ERROR_SIZE]);

/* Gives rows without a version theirs, by when they were listed, some thousand at a call.
 * *done: all have one. */
enum blocklist_result shared_join(struct blocklist *blocklist, bool *done,
                                  char error[static BLOCKLIST_ERROR_SIZE]);

/* So many rows more may come soon: the filter is made large enough at once, not again and again
 * as it fills. The farm may claim any number: more than some million are not believed. */
void shared_expect(struct blocklist *blocklist, int64_t more);

struct shared_counts {
    uint64_t applied;               /* rows that changed something here */
    uint64_t refused;               /* rows that no admin could have typed */
    char why[BLOCKLIST_ERROR_SIZE]; /* of the last refused one */
};

/* Merges rows in their order, as one change, and keeps seq, stamp and read_at of state with
 * them (NULL: not). Each row is checked as if an admin had typed it; one that fails is
 * noted in the table refused and does nothing else. A key of the outbox whose row is met,
 * or a newer one, goes. quiet: what is new gets no line in the audit log. counts are added
 * to. May be lost at a power failure, then with its cursor. */
enum blocklist_result shared_merge(struct blocklist *blocklist,
                                   const struct shared_row *rows, size_t count,
                                   const struct shared_state *state, bool quiet,
                                   struct shared_counts *counts,
                                   char error[static BLOCKLIST_ERROR_SIZE]);

/* The outbox. id names a key as it is now: a row that is changed again has a new one. */

/* Returns false to stop. row is NULL where nothing is left to send under that key. */
typedef bool shared_each_key(void *context, int64_t id, bool person,
                             const struct shared_row *row);
/* Up to limit unsent keys, of persons first. */
enum blocklist_result shared_outbox(struct blocklist *blocklist, size_t limit,
                                    shared_each_key *each, void *context,
                                    char error[static BLOCKLIST_ERROR_SIZE]);
/* seq above 0: they are answered by it; 0: they go. */
enum blocklist_result shared_outbox_sent(struct blocklist *blocklist, const int64_t *ids,
                                         size_t count, int64_t seq,
                                         char error[static BLOCKLIST_ERROR_SIZE]);
/* All answered keys that are left count as unsent. */
enum blocklist_result shared_outbox_again(struct blocklist *blocklist,
                                          char error[static BLOCKLIST_ERROR_SIZE]);
/* Waiting rows get new versions from the clock given; what is dated later than it by a
 * day would be refused by the engine. */
enum blocklist_result shared_outbox_redate(struct blocklist *blocklist, int64_t now_ms,
                                           char error[static BLOCKLIST_ERROR_SIZE]);
/* Keys of those rows are put into the outbox. */
enum blocklist_result shared_outbox_add(struct blocklist *blocklist,
                                        const struct shared_row *rows, size_t count,
                                        char error[static BLOCKLIST_ERROR_SIZE]);
/* Keys in the outbox, and of them the unsent ones of persons. */
enum blocklist_result shared_waiting(struct blocklist *blocklist, int64_t *all,
                                     char error[static BLOCKLIST_ERROR_SIZE]);

/* Takes off rows, without a trace for the farm: it has forgotten that they were removed. */
enum blocklist_result shared_drop(struct blocklist *blocklist,
                                  const struct shared_row *rows, size_t count,
                                  char error[static BLOCKLIST_ERROR_SIZE]);

/* Forgets removed and ended rows older than that, some thousand at a call. *done: there
 * are no more. */
enum blocklist_result shared_forget(struct blocklist *blocklist, int64_t before_ms,
                                    bool *done, char error[static BLOCKLIST_ERROR_SIZE]);

/* All rows that are shared, removed and ended ones and marks too, by entry, side and source
 * (in bytes): those after *place, whose entry is "" for the first; up to limit. Dead ones
 * older than floor_ms are left out. place moves with the rows; each returns false for one
 * that it does not take, which ends the call. *done: there are no more. */
struct shared_place {
    char entry[ENTRY_TEXT_SIZE], source[BLOCKLIST_SOURCE_SIZE];
    int side;
};
typedef bool shared_each_row(void *context, const struct shared_row *row);
enum blocklist_result shared_rows(struct blocklist *blocklist, struct shared_place *place,
                                  int64_t floor_ms, size_t limit, shared_each_row *each,
                                  void *context, bool *done,
                                  char error[static BLOCKLIST_ERROR_SIZE]);

/* The same rows in short, with those refused: by bucket (the low bits of a version's id)
 * how many they are, and all ids put together by XOR. */
#define SHARED_BUCKETS 4096
struct shared_digest {
    int64_t count[SHARED_BUCKETS], ids[SHARED_BUCKETS];
    int64_t refused;
};
enum blocklist_result shared_digest(struct blocklist *blocklist, int64_t floor_ms,
                                    struct shared_digest *out,
                                    char error[static BLOCKLIST_ERROR_SIZE]);

/* How often shared entries have matched here, all in all. Each call gives some of those that
 * have matched since they were last given: up to limit, each once; *more: there are others. */
struct shared_hit {
    const char *entry;
    int64_t hits, last;
};
typedef void shared_each_hit(void *context, const struct shared_hit *hit);
enum blocklist_result shared_hits_lately(struct blocklist *blocklist, size_t limit,
                                         shared_each_hit *each, void *context, bool *more,
                                         char error[static BLOCKLIST_ERROR_SIZE]);
/* All of them, by entry: those after the entry in after, which moves with them; "" the first.
 * *more: there are others. */
enum blocklist_result shared_hits_all(struct blocklist *blocklist,
                                      char after[static ENTRY_TEXT_SIZE], size_t limit,
                                      shared_each_hit *each, void *context, bool *more,
                                      char error[static BLOCKLIST_ERROR_SIZE]);

/* Rows that were refused are looked at again from now on. */
enum blocklist_result shared_refused_clear(struct blocklist *blocklist,
                                           char error[static BLOCKLIST_ERROR_SIZE]);

#endif
