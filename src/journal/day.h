/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef JOURNAL_DAY_H
#define JOURNAL_DAY_H

/* One file of the journal: what was decided on one day (UTC), DIR/2026-11-25.refused.db
 * or DIR/2026-11-25.accepted.db. SQLite, WAL. A decision is found by its id, and by tokens
 * (FTS5): a letter for the kind and a few digits of a hash of the value, so that a
 * hit has to be compared with the record. One thread at a time for a handle. */

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "journal/record.h"
#include "journal/tokens.h"

/* REFUSED holds what was refused, put off or tagged; MARKED, DIR/marked.db, what was
 * marked as wrongly refused, of all days. */
enum day_kind { DAY_REFUSED, DAY_ACCEPTED, DAY_MARKED };

/* Days since 1970-01-01, UTC, of a unix time. */
int64_t day_of(int64_t unix_time);

/* DIR/2026-11-25.refused.db. Returns false where it does not fit. */
bool day_path(const char *directory, int64_t day, enum day_kind kind,
              char out[static PATH_MAX]);

/* Reads the name of a day's file. Returns 0, or -1 where it is none. */
int day_of_name(const char *name, int64_t *day, enum day_kind *kind);

enum day_result {
    DAY_OK,
    DAY_DAMAGED, /* the file is broken, or not ours */
    DAY_FAILED   /* cannot be opened, read or written: full, no rights, … */
};

struct day;

#define DAY_ERROR_SIZE 512

/* Opens a file. key: for one that may be written, and is made with that key where it is
 * not there; NULL to read. error gets a sentence. */
enum day_result day_open(const char *path, const uint8_t *key, struct day **out,
                         char error[static DAY_ERROR_SIZE]);
void day_close(struct day *day); /* NULL is fine */

/* Whether path still is the file that was opened: not removed, moved or replaced. */
bool day_is_at(const struct day *day, const char *path);

/* Adding, within day_begin and day_commit (or day_cancel). */
enum day_result day_begin(struct day *day, char error[static DAY_ERROR_SIZE]);
enum day_result day_commit(struct day *day, char error[static DAY_ERROR_SIZE]);
void day_cancel(struct day *day);

/* Adds parts of a decision; record is what they say, for the tokens. */
enum day_result day_add(struct day *day, journal_id id, const uint8_t *bytes, size_t size,
                        const struct record *record, char error[static DAY_ERROR_SIZE]);

/* Notes that the decision added next has hashes for local parts: only then are those looked
 * for. */
enum day_result day_note_masked(struct day *day, char error[static DAY_ERROR_SIZE]);

/* Adds the configuration that records name by its number, unless it is there: the names of
 * its lists, one a line, and the conf file with keys masked. */
enum day_result day_add_configuration(struct day *day, int64_t number, const char *lists,
                                      const char *text,
                                      char error[static DAY_ERROR_SIZE]);

/* Notes that so many decisions of that time (unix ms) could not be kept. */
enum day_result day_add_gap(struct day *day, int64_t began_ms, int64_t ended_ms,
                            uint64_t dropped, char error[static DAY_ERROR_SIZE]);

/* Leads from the id of a decision that was not kept for itself to the one that stands for
 * it. */
enum day_result day_add_folded(struct day *day, journal_id id, journal_id leader,
                               char error[static DAY_ERROR_SIZE]);
journal_id day_leader(struct day *day, journal_id id); /* 0: it is not folded */

/* Counts that a list alone refused a message. */
enum day_result day_add_alone(struct day *day, const char *list,
                              char error[static DAY_ERROR_SIZE]);

/* Marks a decision as wrongly refused, or (reason NULL) takes the mark back. */
enum day_result day_mark(struct day *day, journal_id id, const char *login,
                         const char *reason, const char *alone,
                         char error[static DAY_ERROR_SIZE]);

/* Merges the index of a day that has passed a little more, then gives back to the disk what
 * that has left free; false when both are done. */
bool day_merge(struct day *day);

/* Copies what the write-ahead log has into the file. */
void day_checkpoint(struct day *day);

/* Adds all parts of the decision to out. Returns how many rows there were; 0 none, or an
 * error (logged). */
unsigned day_load(struct day *day, journal_id id, struct octets *out);

bool day_has(struct day *day, journal_id id);

/* Removes a decision. */
enum day_result day_remove(struct day *day, journal_id id,
                           char error[static DAY_ERROR_SIZE]);

/* Calls found for each decision with one of the values under its token, the newest first
 * (one may come twice), until it returns false. Returns DAY_OK, or what failed. */
struct day_value {
    enum token token;
    const char *value;
};
#define DAY_VALUES 2 /* at most */
enum day_result day_find(struct day *day, const struct day_value *values, size_t count,
                         bool (*found)(void *context, journal_id id), void *context);

/* As day_find, of all decisions with ids from least to most, the newest first. */
enum day_result day_walk(struct day *day, journal_id least, journal_id most,
                         bool (*found)(void *context, journal_id id), void *context);

const uint8_t *day_key(const struct day *day); /* the file's own */

/* For a handle that reads: all that follows is of the file as it is now (hold), or of what it
 * is at each call. Held, a search costs a third less: no locks, nothing to open again. */
void day_hold(struct day *day, bool hold);

/* Reads all decisions from an id on, in the order of ids: a cursor. Parts of one may come
 * in several steps. */
struct day_cursor;
struct day_cursor *day_cursor_new(struct day *day, journal_id least); /* NULL: failed */
/* Steps on. Returns the id, with its parts in bytes and size until the next step; 0 at the
 * end. */
journal_id day_cursor_next(struct day_cursor *cursor, const uint8_t **bytes,
                           size_t *size);
void day_cursor_free(struct day_cursor *cursor); /* NULL is fine */

/* Reads a mark. Returns 0, or -1 where there is none. */
struct day_mark {
    int64_t at; /* unix time */
    char login[128], reason[256];
};
int day_mark_of(struct day *day, journal_id id, struct day_mark *out);

/* Calls each for the lists that alone refused, with how often (day_add_alone); or for each
 * mark of such a refusal, the newest first, with its id. */
void day_each_alone(struct day *day,
                    void (*each)(void *context, const char *list, uint64_t count,
                                 journal_id wrong),
                    void *context);

/* Calls each for the times in which decisions could not be kept (unix ms). */
void day_each_gap(struct day *day,
                  void (*each)(void *context, int64_t began_ms, int64_t ended_ms,
                               uint64_t dropped),
                  void *context);

/* A configuration of records: the names of its lists (one a line) and its text. The
 * caller frees both. Returns 0, or -1 where there is none. */
int day_configuration(struct day *day, int64_t number, char **lists, char **text);

#endif
