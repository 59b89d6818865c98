/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_BLOCKLIST_HELPER_H
#define TESTS_BLOCKLIST_HELPER_H

/* A blocklist in a folder of its own, with a clock that the test turns. For tests of one
 * thread; everything here fails the test that goes wrong. */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "blocklist/admin.h"
#include "blocklist/store.h"

#define START_TIME ((time_t)1800000000)

struct box {
    char folder[64], path[96];
    _Atomic int64_t wall_ns, steady_ns; /* the store's threads read them */
    struct blocklist_clock clock;
    bool farm;                     /* opened as of a farm */
    const char *const *keep_local; /* one source; NULL none */
    struct blocklist *blocklist;
    char error[BLOCKLIST_ERROR_SIZE];
};

void box_start(struct box *box);                 /* an empty folder; nothing opened */
void box_open(struct box *box, bool strip_tags); /* waits until the filter is built */
void box_start_farm(struct box *box);            /* opened as of a farm, joined */
void box_join(struct box *box);                  /* all rows get versions */
struct blocklist *box_try_open(struct box *box, enum blocklist_on_damage on_damage);
void box_close(struct box *box);
void box_end(struct box *box);                   /* closes and removes the folder */
void box_pass(struct box *box, int64_t seconds); /* time goes by, on both clocks */
void box_wait_filter(struct box *box);

struct entry box_entry(const char *text);

/* add, allow or remove one entry; expires_in 0: never */
enum blocklist_result box_add(struct box *box, const char *text, bool allow,
                              const char *source, int64_t expires_in);
enum blocklist_result box_tempfail(struct box *box, const char *text, const char *source,
                                   int64_t expires_in, struct blocklist_beside *beside);
enum blocklist_result box_remove(struct box *box, const char *text, const char *source);

/* An import as source feed, its rows ("!" allow, "~" put off), its end. */
extern const struct blocklist_actor box_actor;
struct blocklist_import *box_import(struct box *box, bool replace);
enum blocklist_result box_feed(struct box *box, struct blocklist_import *import,
                               const char *text, const char *source, time_t expires);
struct blocklist_import_counts box_commit(struct box *box,
                                          struct blocklist_import *import, bool dry_run);

void expect_counts(const char *label, struct blocklist_import_counts got, unsigned rows,
                   unsigned added, unsigned changed, unsigned unchanged,
                   unsigned removed);

/* Asks about one subject, by the shape of its text: an address as sender, an IP address
 * as client, host:NAME as client name, helo:NAME, user:NAME. */
enum blocklist_verdict box_ask(struct box *box, const char *subject,
                               struct blocklist_match *match);

/* All of the file's SQL, through a connection of its own. */
void box_sql(struct box *box, const char *sql);
int64_t box_number(struct box *box, const char *sql);

/* The files of the folder that a glob pattern matches. */
unsigned box_count_files(const struct box *box, const char *pattern);

/* Writes junk over the file from an offset on, or cuts it there (length 0). */
void box_spoil(const struct box *box, off_t offset, size_t length);

/* Makes a backup in the maintenance thread's place. */
void box_back_up(struct box *box, int keep);

/* A closed database with domain.xyz listed, then (with_backup) backed up, then b.example.
 */
void box_make(struct box *box, bool with_backup);

/* The audit log of an entry as "add expire add", oldest first. */
void box_audit(struct box *box, const char *text, char *out, size_t size);

#endif
