/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FARM_PARTS_H
#define FARM_PARTS_H

/* The inside of struct farm, for this folder only. farm.c has the thread; database.c looks at
 * the database as a whole, sync.c pushes and pulls changes, reconcile.c compares all; status.c
 * knows how far each host is, counts.c what they have counted and found. */

#include <pthread.h>
#include <stdatomic.h>

#include "blocklist/shared.h"
#include "farm/connection.h"
#include "farm/farm.h"

#define FARM_SCHEMA 1

struct farm {
    struct blocklist *blocklist;
    char *database, *node, *keep_local;
    char instance[33];
    pthread_t thread;
    int wake_fd;
    atomic_int number;
    atomic_bool stopping;
    bool joined; /* the thread has ended; set by farm_stop */

    /* the thread's own */
    struct connection connection;
    struct shared_state state; /* the cursor */
    bool compare_now;
    int64_t head_seq;      /* of the last read; -1 unknown */
    bool answers;          /* keys were answered since the outbox was cleared */
    int64_t published_seq; /* the greatest that publish answered */
    int64_t next_read_ms, next_beat_ms, next_hosts_ms, next_tidy_ms;
    int64_t beaten_seq;
    int64_t fill_seq; /* how far another host has filled the database; -1 none does */
    int64_t fill_seen_ms,
        fill_began_ms; /* since when so far; since when it is waited for */
    int keep_days;
    int64_t newest_ms; /* the engine's clock at its newest change; 0 none */
    unsigned beats;
    struct farm_options hooks; /* of it, the functions and their context */
    atomic_bool alone_changed;
    int64_t next_counts_ms, next_alone_ms;
    char hits_after[ENTRY_TEXT_SIZE]; /* all hits up to there are reported */
    bool hits_walk;                   /* the others are yet to be */
    bool counts_reported;             /* there are some of ours */
    int64_t findings_seq; /* heard up to there; -1: all is to be reported again */

    pthread_mutex_t lock; /* what follows */
    pthread_cond_t news;  /* CLOCK_MONOTONIC */
    struct farm_status status;
    int64_t read_at_ms;              /* steady clock */
    int64_t applied[FARM_HOSTS_MAX]; /* of status.hosts */
    uint64_t asked;                  /* how often farm_reach was called */
    uint64_t sent_round, sent_seq; /* what was asked until then is sent, by that number */
    uint64_t failed_round;         /* …, or was not, as the farm was not reached */
    unsigned waiters;
    uint64_t compares_asked, compares_done;
    bool compare_full; /* one of those asked for is */
    struct farm_comparison comparison;
    char comparison_error[FARM_ERROR_SIZE];
    char forget[FARM_NAME_SIZE];   /* a node; "" none */
    int forgotten;                 /* as farm_forget returns; 2: not yet */
    bool hits_busy;                /* somebody is in farm_hits */
    char hits_of[ENTRY_TEXT_SIZE]; /* what is asked for there; "" nothing, or answered */
    struct farm_hits hits;
    json_t *alone; /* the others'; replaced, never changed; NULL none */
};

/* Each returns 0, or -1: then the connection has failed, or the database, and
 * farm_failed was called. All but farm_failed are for the thread alone. */
int push_changes(struct farm *farm); /* what is in the outbox */
int pull_changes(struct farm *farm); /* sets compare_now where the cursor is not there */
/* shared_merge; those refused are added. */
int merge_rows(struct farm *farm, const struct shared_row *rows, size_t count,
               const struct shared_state *state, bool quiet, int64_t *refused);
int read_note(struct farm *farm, int64_t now_ms); /* keeps the cursor, read now */
int reconcile(struct farm *farm, bool full, struct farm_comparison *out);
int database_head(struct farm *farm, struct shared_state *head, int64_t *now_ms);
/* Before a comparison: an empty database is filled by one host; the others look from time
 * to time, and compare when that is done. They go on without it where it makes no
 * progress for 30 s, or is not done after 5 minutes: it saves work only. 1: wait; 0: go
 * on, perhaps with the lock. */
int database_fill_wait(struct farm *farm);
/* Of shared_digest, the farm's. */
int database_digest(struct farm *farm, int64_t floor_ms, struct shared_digest *out);
/* Plans for all rows at once, or for all in order, some at a time: a large table is not sorted
 * before its first row is given. */
int database_plan(struct farm *farm, bool at_once);
/* Opens the cursor "rows" over the farm's rows by entry, side and source, dead ones older than
 * floor_ms left out: those of the buckets wanted (SHARED_BUCKETS of them); NULL: all. */
int database_declare(struct farm *farm, int64_t floor_ms, const bool *wanted);
int hosts_beat(struct farm *farm);
int hosts_look(struct farm *farm);
int hosts_forget(struct farm *farm);
int counts_answer(struct farm *farm);   /* who waits in farm_hits */
void counts_begin(struct farm *farm);   /* at the begin of a session */
int counts_exchange(struct farm *farm); /* what is due */

/* Notes why; logs it where it is news. NULL: the connection's error. Returns -1. */
int farm_failed(struct farm *farm, const char *why);

/* Ends the thread's wait. Any thread. */
void farm_wake(struct farm *farm);

/* Counts and names rows that were refused. */
void farm_refused(struct farm *farm, uint64_t count, const char *name, const char *why);

/* The row of a result whose columns from first on are side, entry, source, action, reason,
 * who, since, expires, at, id. Texts live as long as result. */
#define ROW_COLUMNS      "side, entry, source, action, reason, who, since, expires, at, id"
#define ROW_COLUMN_COUNT 10
struct shared_row row_of_result(const PGresult *result, int row, int first);

#endif
