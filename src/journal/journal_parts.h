/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef JOURNAL_JOURNAL_PARTS_H
#define JOURNAL_JOURNAL_PARTS_H

/* What the files of the journal share: journal.c (its life, and the queue), writer.c (the
 * thread that writes), open_days.c (the files it writes to), floods.c, retention.c (what
 * goes, and what has to stay free). Private to them. */

#include <pthread.h>
#include <stdatomic.h>

#include "journal/day.h"
#include "journal/journal.h"

#define QUEUE_BYTES (16u << 20) /* beyond it decisions are dropped */
#define BATCH       1000        /* decisions; so many wake the writer */
#define COMMIT_MS   250
#define RETRY_MS    10000
#define FOLD_FROM   60 /* of one flood in a minute, so many are kept each */

struct journal_configuration {
    atomic_uint refs;
    int64_t number; /* the unix time at which it came into force, made unique */
    char *lists, *text;
};

/* One handed over. In the queue its octets follow it, and what fills them up to a whole
 * number of its alignment: so there is no memory for each one to pass between threads. */
struct queued {
    journal_id id;
    struct journal_configuration *configuration; /* a reference; NULL without a head */
    char *alone;                                 /* its own; NULL none */
    struct queued *next;                         /* the writer's: of the same decision */
    size_t size;                                 /* of its octets */
    bool refused;
};

/* A file that is written. */
struct open_day {
    struct day *day;
    int64_t number;
    enum day_kind kind;
    bool in_transaction;
    bool merged; /* of a day that has passed: its index is whole */
};
#define OPEN_DAYS 4 /* today and yesterday, refused and accepted */

struct fold;           /* floods.c */
struct journal_reader; /* reader.c */

struct journal {
    char *directory;
    pthread_t thread;
    bool has_thread;
    time_t started; /* unix time */
    atomic_bool on, keeps_accepted;
    /* under lock: */
    pthread_mutex_t lock;
    pthread_cond_t wake;              /* of the writer; CLOCK_MONOTONIC */
    pthread_cond_t written;           /* of those in journal_flush; CLOCK_MONOTONIC */
    struct journal_settings settings; /* without directory */
    struct journal_ids *ids;
    int64_t last_configuration;
    struct octets queue; /* struct queued, each with its octets */
    size_t queued_count;
    uint64_t put, taken;    /* how many were put, and how many of them are dealt with */
    uint64_t wanted;        /* so many are waited for in journal_flush */
    int64_t oldest_written; /* the oldest day written since the last search; INT64_MAX */
    bool stopping;
    bool ended; /* the thread has done all */
    struct journal_stats stats;
    pthread_mutex_t reader_lock; /* of reader: one search at a time */
    struct journal_reader *reader;
    /* the writer's own: */
    struct octets batch;  /* the queue that was taken, or memory for the next one */
    struct octets joined; /* the parts of a decision, where there are several */
    int lock_fd;          /* of DIR/lock; -1 */
    uint8_t key[TOKEN_KEY_SIZE];
    bool has_key;
    struct open_day days[OPEN_DAYS];
    struct open_day *damaged; /* what writing has just found to be broken; NULL */
    bool full;                /* today's files alone pass max-size */
    int64_t believed;         /* unix time that ages are reckoned from, at believed_at */
    int64_t believed_at,
        jumped_at; /* seconds of CLOCK_MONOTONIC; jumped_at 0: it did not */
    struct fold *folds;
    int64_t fold_minute;
    bool has_folded;       /* some of them have folded ones that are not written yet */
    int64_t retry_ms;      /* CLOCK_MONOTONIC: not before; 0 */
    int64_t checkpoint_ms; /* CLOCK_MONOTONIC: the next one */
};

/* journal.c: counts decisions that are dropped, with its lock held; error says why, NULL: it
 * is known. */
void journal_note_dropped(struct journal *journal, uint64_t decisions, const char *error);
int64_t journal_now_ms(void); /* unix time in ms */

/* journal.c: the first of a queue (at NULL), or the next one; NULL at its end. */
struct queued *queued_next(const struct octets *queue, const struct queued *at);

/* journal.c: lets go of what those in a queue hold, and empties it. Memory of more than is
 * usual is freed. */
void queue_clear(struct octets *queue);

/* writer.c: takes the directory, or notes why it cannot; before the thread. */
void writer_start(struct journal *journal);

/* The thread. */
void *writer_main(void *journal);

/* open_days.c: the file of that day, open for writing. NULL with error filled in. */
struct open_day *open_day_get(struct journal *journal, int64_t number, enum day_kind kind,
                              char error[static DAY_ERROR_SIZE]);
void open_day_close(struct open_day *day);
void open_days_close(struct journal *journal);

/* The file for a decision, within a transaction. NULL with error filled in; damaged is set
 * where it is broken. */
struct open_day *open_day_for(struct journal *journal, journal_id id, bool refused,
                              char error[static DAY_ERROR_SIZE]);

/* Whether the file for a decision can be written beside those that are being written. */
bool open_days_have_place(const struct journal *journal, journal_id id, bool refused);

/* Closes files that somebody has removed, to begin them again: what is written to them is
 * lost. */
void open_days_close_removed(struct journal *journal);

/* Puts aside the file that writing has found to be broken; false: none is. Closes all. */
bool open_days_replace_damaged(struct journal *journal, const char *error);

/* floods.c: whether the decision, which has a head, is one of a flood that another one stands
 * for. Accepted mail never is. *out: the flood it may belong to, or NULL. */
bool flood_has(struct journal *journal, journal_id id, const struct record *record,
               struct fold **out);

/* Writes that the flood has one more, to lead from its id to the one that stands for it. */
enum day_result flood_add(struct journal *journal, struct day *day, journal_id id,
                          struct fold *fold, int64_t at_ms,
                          char error[static DAY_ERROR_SIZE]);

/* Writes how many more there were to those that stand for them. */
enum day_result floods_write(struct journal *journal, char error[static DAY_ERROR_SIZE]);

void floods_new_minute(struct journal *journal); /* forgets those of the last one */
void floods_forget(struct journal *journal);

/* reader.c: files open for reading, the newest day first, and the configuration used last. */
struct reader_file {
    int64_t number;
    enum day_kind kind;
    struct day *day;
    bool seen; /* in the directory, when it was last read */
};

struct journal_reader {
    const char *directory; /* borrowed; NULL before the first search */
    struct reader_file *files;
    size_t count;
    struct timespec changed; /* the directory, when it was read last; 0: read it again */
    int64_t number;          /* of lists and text; 0 none */
    char *lists, *text;
};

struct journal_reader *journal_reader_new(void);         /* NULL: no memory */
void journal_reader_free(struct journal_reader *reader); /* NULL is fine */

/* Between them one search goes on, of what is in the directory now. The newest files stay
 * open. */
void reader_begin(struct journal *journal);
void reader_end(struct journal *journal);

/* A file, opened when it is first needed; NULL: it is not there, or cannot be read. */
struct day *reader_day(struct journal_reader *reader, int64_t number, enum day_kind kind);
struct day *reader_day_of(struct journal_reader *reader, struct reader_file *file);

/* Closes what is not there any more, unless a search goes on: the disk has its room back. */
void journal_reader_close_removed(struct journal *journal);

/* retention.c: makes the directory where it is not there, and takes its lock. Returns 0,
 * or -1 with error filled in. */
int retention_lock(struct journal *journal, char error[static DAY_ERROR_SIZE]);

/* Whether it is held, on what is the directory now. */
bool retention_has_lock(struct journal *journal);

/* Whether the disk has room. Returns 0, or -1 with error filled in. */
int retention_check_free(const char *directory, int64_t min_free,
                         char error[static DAY_ERROR_SIZE]);

/* Removes the files of days that are over, by their age and by max-size, accepted ones of
 * the oldest days first; notes in full whether today's alone pass it. */
void retention_prune(struct journal *journal);

/* The key of the newest file, or random octets where there is none. */
int retention_key(struct journal *journal);

#endif
