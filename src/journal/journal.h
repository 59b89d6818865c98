/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef JOURNAL_JOURNAL_H
#define JOURNAL_JOURNAL_H

/* The journal: every decision, kept for days, so that "why was this mail refused?" has an
 * answer. Callbacks hand their records over and go on; one thread writes them, a commit
 * each 250 ms or 1,000 records. What cannot be written is dropped and counted: mail never
 * waits for the journal, and never fails for it. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "journal/id.h"
#include "journal/record.h"

struct journal;

struct journal_settings {
    const char *directory;
    int64_t refused_s;  /* how long refusals, deferrals and tagged mail are kept; 0: the
                           journal is off */
    int64_t accepted_s; /* accepted mail; 0: not kept */
    int64_t max_size;   /* octets of all its files; 0: no bound */
    int64_t min_free;   /* octets that stay free on its disk; 0: no bound */
    bool local_parts;   /* false: of addresses and logins only hashes are kept */
    unsigned node;      /* 0 to 63 */
};

/* Starts the thread. A directory that cannot be used is reported, and tried again each ten
 * seconds: no reason not to start. NULL: no memory, no thread. */
struct journal *journal_new(const struct journal_settings *settings);

/* New settings; the directory stays as it was. Any thread. */
void journal_configure(struct journal *journal, const struct journal_settings *settings);

/* Writes what is queued, within two seconds, and ends the thread. NULL is fine. */
void journal_stop(struct journal *journal);
void journal_free(struct journal *journal); /* stops it first; NULL is fine */

/* The configuration that a decision was made with: counted by reference. */
struct journal_configuration;

/* lists: the names of its lists in their order, one a line; text: the file, keys masked.
 * NULL: no memory. Any thread, as the following. */
struct journal_configuration *journal_configuration_new(struct journal *journal,
                                                        const char *lists,
                                                        const char *text);
struct journal_configuration *journal_configuration_ref(
    struct journal_configuration *configuration);
void journal_configuration_unref(struct journal_configuration *configuration);
int64_t journal_configuration_number(const struct journal_configuration *configuration);

/* The id of a new decision; 0: the journal is off. */
journal_id journal_draw(struct journal *journal);

/* Whether decisions are kept: refused ones (and tagged), or accepted ones. */
bool journal_keeps(struct journal *journal, bool refused);

/* Hands parts of a decision over: a copy of octets. configuration (borrowed) is that of a
 * head. alone: the list that alone refused it, borrowed for the call; NULL none. Never
 * waits for the disk. */
void journal_put(struct journal *journal, journal_id id, bool refused,
                 const struct octets *octets, struct journal_configuration *configuration,
                 const char *alone);

/* Waits until what was put so far is on disk and can be found, or could not be written:
 * for wait_ms at the longest. */
void journal_flush(struct journal *journal, int wait_ms);

/* A time in which decisions could not be kept (unix ms). */
struct journal_gap {
    int64_t began_ms, ended_ms; /* ended_ms 0: it goes on */
    uint64_t dropped;           /* decisions */
};
#define JOURNAL_ERROR_SIZE 512

struct journal_stats {
    uint64_t written, dropped, folded; /* decisions since the start */
    size_t queued;                     /* octets */
    int64_t bytes;                     /* of its files, as of a minute ago */
    int64_t oldest_day;                /* unix time of the oldest file's; 0 none */
    bool failing;
    char error[JOURNAL_ERROR_SIZE]; /* why, while it is failing */
    struct journal_gap gap;         /* the last one since the start; began_ms 0: none */
};
void journal_stats(struct journal *journal, struct journal_stats *out);

const char *journal_directory(const struct journal *journal);

#endif
