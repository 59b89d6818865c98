/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BLOCKLIST_STORE_H
#define BLOCKLIST_STORE_H

/* The inside of struct blocklist, for the files of this folder only:
 *
 *   blocklist.c  starting and stopping all that follows, status
 *   lookup.c   blocklist_lookup
 *   change.c   add and remove; import.c, import_move.c an import
 *   browse.c   list and show; audit.c log
 *   flusher.c  what matched, and the thread that writes hits and ends, and does the
 *              checkpoints
 *   maintenance.c   the thread that builds the filter, checks the file, makes backups
 *   versions.c   which of two changes counts, and what waits for the farm; merge.c puts its
 *              rows into the list; shared.c and shared_read.c are what else it does here
 *   transaction.c   the connection that writes
 *   store.c    opening the file, and mending it; the connections that read; the time; and
 *              what else all of them share
 *
 * All writing goes through struct transaction, which one thread takes at a time.
 * No lock is ever taken on a message's way that is held while something is written. */

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <time.h>

/* Out of memory a hit is dropped; uthash would end the process. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "base/log.h"
#include "blocklist/admin.h"
#include "blocklist/audit.h"
#include "blocklist/blocklist.h"
#include "blocklist/bloom.h"
#include "blocklist/versions.h"

#define STORE_READERS 8

/* A connection that looks one entry up. */
struct reader {
    pthread_mutex_t lock;
    sqlite3 *db;
    sqlite3_stmt *find;
};

/* The connection that writes. Whoever writes takes it (transaction_lock) and may keep it
 * long; the lock itself is held for moments. */
struct transaction {
    pthread_mutex_t lock;
    pthread_cond_t released;
    bool taken;       /* under lock */
    unsigned waiting; /* under lock; whom an import lets go before it */
    sqlite3 *db;
    bool lazy; /* commits do not wait for the disk at present */
    struct audit audit;
    sqlite3_stmt *put, *end_one, *end_many, *remove, *remove_from, *standing, *put_hit,
        *put_meta, *touch;
};

/* The connection of the farm's thread, which writes as struct transaction's does, and by its
 * lock. It has no triggers: they took most of the time of a merge. */
#define SHARING_STATEMENTS 16
struct sharing {
    sqlite3 *db;
    sqlite3_stmt *statements[SHARING_STATEMENTS]; /* merge.c's, from its first on */
    struct audit changed; /* of the transaction: kinds and allow */
    int cache_kib;
};

/* What matched and how often, kept in memory until the flusher takes it. Any thread; the
 * lock is held for moments only. */

#define HITS_MAX 100000 /* different entries; beyond it hits are dropped and counted */

struct hit {
    UT_hash_handle hh;
    uint64_t count;
    time_t last;
    char entry[];
};

struct hits {
    pthread_mutex_t lock;
    struct hit *pending; /* uthash */
    uint64_t dropped;
};

void hits_init(struct hits *hits);
void hits_destroy(struct hits *hits);

void hits_add(struct hits *hits, const char *entry, uint64_t count, time_t last);

/* Takes all out; the caller owns them. */
struct hit *hits_take(struct hits *hits);
void hits_give_back(struct hits *hits, struct hit *taken); /* they could not be written */

void hits_count(struct hits *hits, uint64_t *pending, uint64_t *dropped);

/* The time that ends are reckoned from. It is the wall clock, but a jump of that clock
 * beyond WALLTIME_JUMP_S (a dead battery, a wrong time server) does not move it: it then
 * counts on by the steady clock, so that nobody is unlisted by mistake, until the new
 * time has held for WALLTIME_HOLD_S or walltime_trust says that it is right. Any thread
 * may read it. */

#define WALLTIME_JUMP_S (10 * 60)
#define WALLTIME_HOLD_S (24 * 3600)
/* At the start there is no steady clock to compare with, only when the database was last
 * in use: a longer rest than this counts as a jump too. */
#define WALLTIME_REST_S (30 * 24 * 3600)

/* Where the time comes from; tests bring their own. Nanoseconds. */
struct blocklist_clock {
    int64_t (*wall_ns)(void *context);
    int64_t (*steady_ns)(void *context); /* never jumps; counts while asleep */
    void *context;
};

struct walltime {
    const struct blocklist_clock *clock;
    _Atomic int64_t offset_ns;    /* our time is steady + offset */
    _Atomic int64_t jump_ns;      /* what the wall clock is ahead of us; 0: in step */
    _Atomic int64_t jumped_at_ns; /* steady */
};

struct blocklist {
    char *path;
    int lock_fd;
    dev_t device; /* of the file that we opened: it may vanish */
    ino_t inode;
    atomic_int backups;
    atomic_uint strip; /* BLOCKLIST_STRIP_… */
    atomic_uint_fast64_t changes;
    atomic_uint_fast64_t expected; /* rows that may come soon, more than there are */
    struct walltime walltime;
    struct bloom bloom;
    struct reader readers[STORE_READERS];
    atomic_uint next_reader;
    struct reader looker; /* list and log, which may take long; find is not used */
    struct transaction writer;
    struct sharing sharing;      /* its db NULL where there is no farm */
    struct versions versions;    /* of whoever has locked the writer */
    pthread_mutex_t import_lock; /* of the file that many rows are moved from */
    struct hits hits;
    struct hits farm_hits;  /* written, but not given by shared_hits_lately yet */
    atomic_bool gives_hits; /* somebody calls it */
    struct log_limit lookup_errors;

    pthread_t flusher, maintenance;
    bool flusher_runs, maintenance_runs;
    sqlite3 *maintenance_db;
    pthread_mutex_t wake_lock;
    pthread_cond_t wake;    /* CLOCK_MONOTONIC */
    bool stopping, rebuild; /* under wake_lock */

    pthread_mutex_t state_lock; /* what follows */
    char error[BLOCKLIST_ERROR_SIZE];
    bool damaged; /* error stays */
    bool counted, checked;
    int64_t kinds[ENTRY_KIND_COUNT], allow; /* rows in force */
    time_t last_backup;
};

/* Notes in the status and in the log that something failed; NULL: it works again. What is
 * damaged stays so, and is checked whole at the next start. */
void store_trouble(struct blocklist *blocklist, const char *error, bool damage);

/* A page of list or log takes no longer; the clock is looked at every so many rows. */
#define STORE_PAGE_MS       100
#define STORE_ROWS_PER_LOOK 64

/* Notes that a lookup failed with rc: what SQLite said, or SQLITE_MISMATCH of a row that
 * cannot be, which is damage. Returns BLOCKLIST_FAILED with a sentence in error
 * (BLOCKLIST_ERROR_SIZE). */
enum blocklist_result store_look_failed(struct blocklist *blocklist, sqlite3 *db, int rc,
                                        char *error);

/* Waits for that long, or until there is a filter to rebuild (for_rebuild), or until it
 * is time to stop: returns false then. */
bool store_wait(struct blocklist *blocklist, int timeout_ms, bool for_rebuild);
bool store_is_stopping(struct blocklist *blocklist);
void store_rebuild(struct blocklist *blocklist); /* requests a new filter */

/* last_seen: wall clock of the last use, 0 unknown. clock NULL: the system's. */
void walltime_init(struct walltime *walltime, const struct blocklist_clock *clock,
                   time_t last_seen);

/* Seconds. Where the wall clock jumped, nobody knows which of the two times is right: what
 * begins now begins by the later (blocklist_now), and what has an end at or before the
 * earlier (blocklist_ended) is over. */
time_t walltime_now(const struct walltime *walltime);

/* Compares the clocks; called about once a second, by one thread. */
void walltime_tick(struct walltime *walltime);

/* Takes the wall clock's time as right. */
void walltime_trust(struct walltime *walltime);

/* Writes a sentence for `status`; "" when the clocks are in step. */
void walltime_warning(const struct walltime *walltime, char *out, size_t size);

/* Opens the file, or mends it as on_damage says, and notes which file it is. The caller
 * closes *db, also after a failure (it may be NULL then). Returns 0, or -1 with a
 * sentence in error (BLOCKLIST_OPEN_ERROR_SIZE). */
int store_open_database(struct blocklist *blocklist, enum blocklist_on_damage on_damage,
                        sqlite3 **db, char *error);

/* Bytes of the file at path with that suffix; 0 when there is none. */
uint64_t store_file_size(const char *path, const char *suffix);

/* struct sharing: opened, with a sentence in error (0 or -1), and closed. */
int shared_open(struct blocklist *blocklist, char *error, size_t size);
void shared_close(struct blocklist *blocklist);

/* Opens and prepares a connection for reading; with a sentence in error. 0 or -1. */
int reader_open(struct reader *reader, const char *path, char *error, size_t size);
void reader_close(struct reader *reader);

/* A connection of the pool, for one short lookup. */
struct reader *reader_take(struct blocklist *blocklist);
void reader_release(struct reader *reader);

/* A file beside the database that says: check all of it at the next start, however large
 * it is. Left by store_trouble when damage is found that the start did not look for. */
#define STORE_CHECK_SUFFIX ".check"

/* The threads; started by blocklist_open and joined by blocklist_close. */
void *flusher_main(void *blocklist);
void *maintenance_main(void *blocklist);

/* Writes pending hits and ends what is due. Used by the flusher, at the close, by tests.
 */
void flusher_work(struct blocklist *blocklist);

/* Moves what an import that was cut has left (NAME.import). Used by the maintenance thread,
 * by tests. */
void import_finish_left(struct blocklist *blocklist);

/* Makes today's backup if there is none and removes the oldest. Used by the maintenance
 * thread, by tests. Returns 0 or -1. */
int maintenance_backup(struct blocklist *blocklist);

#endif
