/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BLOCKLIST_BLOCKLIST_H
#define BLOCKLIST_BLOCKLIST_H

/* The sender blocklist: what the postmaster listed or allowed. This header is what the
 * daemon's main and a message's way need of it; admin.h is the postmaster's side. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "base/domain.h"
#include "base/ipaddr.h"

struct blocklist;

/* What to do with a database that is damaged, or gone while its backups are there. The
 * damaged file is always kept, as NAME.damaged-TIME. */
enum blocklist_on_damage {
    BLOCKLIST_DAMAGE_STOP,    /* do not start */
    BLOCKLIST_DAMAGE_RESTORE, /* take the newest sound backup; without one do not start */
    BLOCKLIST_DAMAGE_EMPTY    /* start over */
};

/* What a sender is looked up without, too, where it is not found as it is. */
#define BLOCKLIST_STRIP_TAGS 1u /* anna+news@: anna@ */
#define BLOCKLIST_STRIP_VERP 2u /* bounces-anna=example.org@: bounces@ */

struct blocklist_options {
    const char *database; /* path; made if it is not there */
    enum blocklist_on_damage on_damage;
    int backups;    /* daily ones kept beside it, NAME.backup-YYYYMMDD; 0 none */
    unsigned strip; /* BLOCKLIST_STRIP_… */
    bool farm;      /* other hosts share the list: changes get versions (shared.h) */
    const char *const *keep_local; /* sources that are not shared */
    size_t keep_local_count;
    const struct blocklist_clock *clock; /* NULL: the system's; others for tests */
};

#define BLOCKLIST_OPEN_ERROR_SIZE 512

/* Opens the database, brings its schema up to date and starts the threads that write
 * hits and ends, build the filter, check the file and make backups. Answers at once:
 * until the filter is built, lookups go to the database. The file must be opened by one
 * process only. Returns the blocklist, or NULL with a sentence in error. Borrows options
 * for the call (but clock, which must live on). */
struct blocklist *blocklist_open(const struct blocklist_options *options,
                                 char error[static BLOCKLIST_OPEN_ERROR_SIZE]);

/* Writes what is pending and stops the threads. Lookups and hits may go on meanwhile
 * and after it, for a daemon that ends while they do; new hits are not written any more.
 * NULL is fine. */
void blocklist_stop(struct blocklist *blocklist);

/* Does the same where it is not done yet, and frees. Nobody may use it any more. NULL
 * is fine. */
void blocklist_close(struct blocklist *blocklist);

/* The SQLite version in use. */
const char *blocklist_library_version(void);

/* What a reload may change. Any thread. */
void blocklist_configure(struct blocklist *blocklist, int backups, unsigned strip);

#define BLOCKLIST_KEY_SIZE    (ADDRESS_SIZE + 8)
#define BLOCKLIST_REASON_SIZE 512

/* What is known of a session; NULL (or an empty text) what is not. All borrowed. */
struct blocklist_subjects {
    const struct ipaddr *client;
    const char *client_name; /* canonical, forward-confirmed */
    const char *helo;        /* canonical */
    const struct mail_address *sender;
    const char *login;
};

/* The journal keeps these numbers. */
enum blocklist_verdict {
    BLOCKLIST_NONE,
    BLOCKLIST_ALLOW,
    BLOCKLIST_BLOCK,
    BLOCKLIST_TEMPFAIL /* defer it: 451 */
};

/* What a subject matched. */
enum blocklist_subject {
    BLOCKLIST_BY_SENDER, /* an address or a domain */
    BLOCKLIST_BY_CLIENT, /* a network */
    BLOCKLIST_BY_CLIENT_NAME,
    BLOCKLIST_BY_HELO,
    BLOCKLIST_BY_LOGIN,
    BLOCKLIST_BY_FROM /* as a sender: the caller's word for an address of the headers */
};

struct blocklist_match {
    enum blocklist_subject subject;
    char key[BLOCKLIST_KEY_SIZE];       /* ENTRY as rblctl writes it */
    char reason[BLOCKLIST_REASON_SIZE]; /* cut where longer; not cleaned */
    time_t since;
};

/* Looks up all subjects at once. Within the sender, the client, each name and the login
 * the most specific entry decides (of one text allow wins, then block); over them an
 * allow wins, then a block. Returns the verdict, with the deciding entry in *match unless
 * NONE. An error of the database is logged and counts as NONE. Any thread; waits for no
 * writer. */
enum blocklist_verdict blocklist_lookup(struct blocklist *blocklist,
                                        const struct blocklist_subjects *subjects,
                                        struct blocklist_match *match);

/* How many changes were made since the start: where it is the same as before, so is what
 * blocklist_lookup says, but for ends. Any thread. */
uint64_t blocklist_changes(const struct blocklist *blocklist);

/* Notes that an entry decided a message: counted and written later, in batches. Any
 * thread; never blocks. */
void blocklist_hit(struct blocklist *blocklist, const struct blocklist_match *match);

/* Whether an allow entry may win over a block: there are some, or they are not counted
 * yet. Any thread. */
bool blocklist_has_allow_entries(struct blocklist *blocklist);

#endif
