/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BLOCKLIST_ADMIN_H
#define BLOCKLIST_ADMIN_H

/* What the postmaster does with the blocklist: change, list, import, read the audit log.
 * All functions may be called by any thread but those of a message's way: they wait for
 * the disk, and changes wait for one another (at most BLOCKLIST_WAIT_S; an import of many
 * rows lets them go before it). None blocks blocklist_lookup.
 *
 * They return a blocklist_result. Unless it is BLOCKLIST_OK, error holds one sentence
 * for the postmaster. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "blocklist/blocklist.h"
#include "blocklist/entry.h"

#define BLOCKLIST_WAIT_S      10
#define BLOCKLIST_SOURCE_SIZE 65 /* letters, digits, "-", "_", ".", ":" */
#define BLOCKLIST_ADMIN_REASON                                                           \
    1000 /* bytes; longer ones and control characters are refused */
#define BLOCKLIST_DEFAULT_SOURCE "manual"
#define BLOCKLIST_ERROR_SIZE     512

enum blocklist_result {
    BLOCKLIST_OK,
    BLOCKLIST_NO_SUCH_ENTRY,
    BLOCKLIST_REFUSED, /* too wide, a bad source or reason, an expiry in the past */
    BLOCKLIST_BUSY,    /* others write: try again */
    BLOCKLIST_FAILED   /* the database: full, read-only, gone, damaged */
};

/* Who does it, for the audit log. */
struct blocklist_actor {
    const char *login;
    uid_t uid;
};

/* One row to be written. Borrowed for the call. */
struct blocklist_row_in {
    const struct entry *entry;
    bool allow, tempfail; /* not both */
    const char *source;   /* NULL or "": BLOCKLIST_DEFAULT_SOURCE */
    const char *reason;   /* NULL: none */
    time_t expires;       /* wall clock; 0 never */
    time_t since; /* of an import: when it was first listed elsewhere; 0, or in the
                             future: now */
};

/* What begins now, begins at this time, and ends of a span are reckoned from it; what has an
 * end at or before blocklist_ended is over. The same but for a jump of the clock
 * (store.h). */
time_t blocklist_now(const struct blocklist *blocklist);
time_t blocklist_ended(const struct blocklist *blocklist);

/* What existed beside a row that was just written. */
struct blocklist_beside {
    bool allow;    /* an allow entry of the same text: the sender is still let pass */
    bool block;    /* a block of another source, of a tempfail entry: it still refuses */
    bool replaced; /* the source's own row had the other one of block and tempfail */
};

/* Blocks, defers or allows entries, all or none. A row that the same source has already
 * is changed (block or tempfail, reason, end) and keeps its since. Unless limits is NULL
 * (--force), an entry that is too wide refuses the whole. On disk when it returns. beside
 * (may be NULL) has one for each row, filled where the result is OK; all false of an
 * allow entry. */
enum blocklist_result blocklist_add(struct blocklist *blocklist,
                                    const struct blocklist_row_in *rows, size_t count,
                                    const struct entry_limits *limits,
                                    const struct blocklist_actor *actor,
                                    struct blocklist_beside *beside,
                                    char error[static BLOCKLIST_ERROR_SIZE]);

/* Takes entries off, all or none: rows of all sources, or of one (source not NULL), allow
 * rows too. With dry_run nothing is changed. On disk when it returns. *removed: rows.
 * NO_SUCH_ENTRY (nothing is changed) if one of them is not there. */
enum blocklist_result blocklist_remove(struct blocklist *blocklist,
                                       const struct entry *entries, size_t count,
                                       const char *source, const char *reason,
                                       bool dry_run, const struct blocklist_actor *actor,
                                       size_t *removed,
                                       char error[static BLOCKLIST_ERROR_SIZE]);

/* Takes off what one source has listed or allowed at or after since (wall clock), as one
 * change. With dry_run nothing is changed. On disk when it returns. *removed: rows.
 * NO_SUCH_ENTRY if there is none. */
enum blocklist_result blocklist_remove_since(struct blocklist *blocklist,
                                             const char *source, time_t since,
                                             const char *reason, bool dry_run,
                                             const struct blocklist_actor *actor,
                                             size_t *removed,
                                             char error[static BLOCKLIST_ERROR_SIZE]);

/* A row as it is. Texts live for the callback. */
struct blocklist_row {
    int64_t id;
    enum entry_kind kind;
    const char *entry;
    bool allow, tempfail;
    const char *source, *reason, *who; /* who: the login */
    time_t since, expires;             /* expires 0: never */
    uint64_t hits;                     /* of the entry, all its rows and times together */
    time_t last_hit;                   /* 0: never */
};

/* Returns false to stop. Called while the database is read: it must not wait, nor call
 * the blocklist. After a failure what it was shown is not all. */
typedef bool blocklist_each_row(void *context, const struct blocklist_row *row);

enum blocklist_sort {
    BLOCKLIST_SORT_ANY,     /* whatever finds the wanted rows soonest */
    BLOCKLIST_SORT_ENTRY,   /* by its text */
    BLOCKLIST_SORT_SINCE,   /* newest first */
    BLOCKLIST_SORT_EXPIRES, /* soonest first; only those with an end */
    BLOCKLIST_SORT_HITS     /* most first; only those that ever hit */
};
/* "entry", "since", "expires", "hits"; 0, or -1 */
int blocklist_sort_parse(const char *name, enum blocklist_sort *out);

/* What to list. Zero-initialised it is all rows. Borrowed for the call. */
struct blocklist_criteria {
    const char
        *pattern;       /* NULL all; glob (* ? [a-z]) over the canonical text, any case */
    unsigned kinds;     /* 1u << ENTRY_…; 0 all */
    const char *source; /* NULL all */
    const char *reason; /* NULL all; part of it, ASCII case does not matter */
    time_t since;       /* 0 all; listed at or after it */
    time_t expiring;    /* 0 all; with an end at or before it */
    enum blocklist_sort sort;
};

/* Where a page ended. Zero-initialise for the first page; then only done is for the
 * caller. */
struct blocklist_cursor {
    bool done; /* no more pages */
    bool begun;
    int64_t number, id;
    char entry[ENTRY_TEXT_SIZE + 8], source[BLOCKLIST_SOURCE_SIZE];
};

/* Gives up to limit rows from the cursor on and moves it. A page is one short read
 * transaction: it also ends, perhaps without a row, after some 100 ms of searching, so
 * call until cursor->done. Rows past their end are left out. */
enum blocklist_result blocklist_list(struct blocklist *blocklist,
                                     const struct blocklist_criteria *criteria,
                                     struct blocklist_cursor *cursor, size_t limit,
                                     blocklist_each_row *each, void *context,
                                     char error[static BLOCKLIST_ERROR_SIZE]);

/* The rows of one entry that exist now (for show; its history: blocklist_log with its
 * text). NO_SUCH_ENTRY when there is none. */
enum blocklist_result blocklist_show(struct blocklist *blocklist,
                                     const struct entry *entry, blocklist_each_row *each,
                                     void *context,
                                     char error[static BLOCKLIST_ERROR_SIZE]);

/* What a message would meet of which only this is known: an address or a domain as its
 * sender's, an IP address as its client's, a host as its client's name, a login. A
 * network of more than one address meets nothing. As blocklist_lookup. */
enum blocklist_verdict blocklist_lookup_entry(struct blocklist *blocklist,
                                              const struct entry *entry,
                                              struct blocklist_match *match);

/* One line of the audit log. Texts live for the callback. */
struct blocklist_event {
    int64_t id;
    time_t at;
    const char *login;
    uid_t uid;
    const char *action; /* add, change, remove, expire, import */
    const char *entry;  /* "" for import, which has counts in after */
    const char *source;
    bool allow, tempfail;
    const char *reason; /* that the change was given */
    const char *before,
        *after; /* JSON: {"action":…,"reason":…,"since":…,"expires":…,"who":…}; NULL */
};
typedef bool blocklist_each_event(void *context, const struct blocklist_event *event);

/* The audit log, newest first, from *before_id (0: the newest) on; moves *before_id,
 * which is -1 when there is no more. pattern: a glob, or an entry's canonical text, or
 * NULL. */
enum blocklist_result blocklist_log(struct blocklist *blocklist, const char *pattern,
                                    time_t since, int64_t *before_id, size_t limit,
                                    blocklist_each_event *each, void *context,
                                    char error[static BLOCKLIST_ERROR_SIZE]);

/* An import: one change, there or not, also over a kill. rblctl reads the file
 * (formats/format.h, so that errors carry its line numbers) and sends rows; they are
 * staged in a file of their own until the commit, so a slow sender holds up nobody. Used
 * by one thread at a time. */
struct blocklist_import;

struct blocklist_import_options {
    const char *source; /* for rows without one; NULL: BLOCKLIST_DEFAULT_SOURCE */
    const char *reason; /* for rows without one, and for the audit log; NULL none */
    bool replace;       /* what source had beyond the file is removed */
    const struct entry_limits *limits; /* NULL: --force; must live until the end */
    const struct blocklist_actor *actor;
};

struct blocklist_import_counts {
    uint64_t rows, added, changed, unchanged, removed;
};

struct blocklist_import *blocklist_import_begin(
    struct blocklist *blocklist, const struct blocklist_import_options *options,
    char error[static BLOCKLIST_ERROR_SIZE]);

/* REFUSED concerns this row alone (too wide, a bad reason, a foreign source with
 * replace): go on with the next. FAILED ends the import. A row that comes twice counts
 * as the last says. */
enum blocklist_result blocklist_import_row(struct blocklist_import *import,
                                           const struct blocklist_row_in *row,
                                           char error[static BLOCKLIST_ERROR_SIZE]);

/* Makes it so (or with dry_run only counts). REFUSED, with nothing changed, where limits
 * are given and replace would remove more than a third of a source of 100 rows or more:
 * the file was cut, or is another; or where all rows together list more than a 64th of
 * IPv4. Of many rows some are in force before the others; after FAILED or BUSY they may
 * be, and then the rest follows as soon as it can: error says so. It frees the import,
 * whatever it returns. */
enum blocklist_result blocklist_import_commit(struct blocklist_import *import,
                                              bool dry_run,
                                              struct blocklist_import_counts *counts,
                                              char error[static BLOCKLIST_ERROR_SIZE]);
void blocklist_import_abort(struct blocklist_import *import); /* frees; NULL is fine */

/* For `status`. */
struct blocklist_status {
    uint64_t entries[ENTRY_KIND_COUNT]; /* rows by kind; as counted at last_count */
    uint64_t allow;                     /* of them, allow rows */
    bool counted;                       /* false: the first count is still under way */
    uint64_t database_bytes, wal_bytes;
    bool bloom_ready; /* false: lookups go to the database */
    uint64_t bloom_bytes, bloom_keys;
    uint64_t hits_pending, hits_dropped;
    time_t last_backup;               /* 0: none */
    bool checked;                     /* the whole file was read and found sound */
    char database[256];               /* path */
    char error[BLOCKLIST_ERROR_SIZE]; /* "" or why changes fail, or what is damaged */
    char clock[BLOCKLIST_ERROR_SIZE]; /* "" or that the clock jumped, and what holds */
};
void blocklist_status(struct blocklist *blocklist, struct blocklist_status *out);

/* Believes the wall clock from now on, after a jump (`rblctl reload` does it). */
void blocklist_trust_clock(struct blocklist *blocklist);

#endif
