/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BLOCKLIST_TRANSACTION_H
#define BLOCKLIST_TRANSACTION_H

/* One transaction of changes on the writing connection: begin, statements, commit. The
 * lock is held from transaction_begin to transaction_commit or transaction_cancel. */

#include "blocklist/store.h"

/* Whether a commit waits for the disk. One that does not may be lost at a power failure,
 * as a whole; never at the end of the process. */
enum transaction_sync { TRANSACTION_DURABLE, TRANSACTION_LAZY };

/* Who it is when nobody asked for it. */
extern const struct blocklist_actor blocklist_self;

/* Takes db over as the connection that writes, with its triggers and statements. Returns
 * SQLite's code; transaction_close is to be called in either case. */
int transaction_open(sqlite3 *db, struct blocklist *blocklist);
void transaction_close(struct transaction *writer);

/* Waits for the lock for wait_ms. Returns OK, BUSY, or FAILED (gone, read-only, …). */
enum blocklist_result transaction_begin(struct blocklist *blocklist,
                                        enum transaction_sync sync, const char *action,
                                        const struct blocklist_actor *actor,
                                        const char *reason, int wait_ms,
                                        char error[static BLOCKLIST_ERROR_SIZE]);

/* On disk when it returns OK; otherwise nothing of it is there. */
enum blocklist_result transaction_commit(struct blocklist *blocklist,
                                         char error[static BLOCKLIST_ERROR_SIZE]);
void transaction_cancel(struct blocklist *blocklist);

/* The sentence for what SQLite just failed with on db; notes it in the status too. */
enum blocklist_result transaction_failed(struct blocklist *blocklist, sqlite3 *db,
                                         char error[static BLOCKLIST_ERROR_SIZE]);

/* Refuses when the file is not at its path any more: what were written to it would be
 * lost at the next start. */
enum blocklist_result transaction_check_file(struct blocklist *blocklist,
                                             char error[static BLOCKLIST_ERROR_SIZE]);

/* Takes over what a committed transaction changed. */
void transaction_count(struct blocklist *blocklist, const struct audit *audit);

/* The lock alone, for an import, which has a connection of its own. */
enum blocklist_result transaction_lock(struct blocklist *blocklist, int wait_ms,
                                       char error[static BLOCKLIST_ERROR_SIZE]);
/* As transaction_lock, but lets those who wait go first, for a while. */
enum blocklist_result transaction_lock_behind(struct blocklist *blocklist, int wait_ms,
                                              char error[static BLOCKLIST_ERROR_SIZE]);
void transaction_unlock(struct blocklist *blocklist);

/* Whether source and reason may be kept. Returns false with a sentence. */
bool transaction_texts_are_fine(const char *source, const char *reason,
                                char error[static BLOCKLIST_ERROR_SIZE]);

/* Whether a row of that source and reason may be listed. Returns false with a sentence.
 * limits NULL: however many it matches. */
bool transaction_row_is_fine(struct blocklist *blocklist,
                             const struct blocklist_row_in *row, const char *source,
                             const char *reason, const struct entry_limits *limits,
                             char error[static BLOCKLIST_ERROR_SIZE]);

#endif
