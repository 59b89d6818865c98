/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BLOCKLIST_BACKUP_H
#define BLOCKLIST_BACKUP_H

/* Backups beside the database, NAME.backup-YYYYMMDD, by SQLite's own backup API; and what
 * is done with a damaged file. The newest is the one that was written last; what a clock ahead
 * of ours has dated after today is the oldest. All here wait for the disk. */

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <time.h>

/* Makes a rename in path's folder last. Returns 0, or -1 with errno set. */
int backup_sync_folder(const char *path);

/* Called between the steps of a long copy: false ends it. NULL: it is not called. */
typedef bool backup_go_on(void *context);

/* Copies the whole database behind db to a file at path, in steps with rests between
 * them; other connections may write meanwhile, the copy is of the moment when it began.
 * The file appears whole or not at all. Returns 0, or -1 with a sentence. */
int backup_copy(sqlite3 *db, const char *path, backup_go_on *go_on, void *context,
                char *error, size_t error_size);

/* The path of that day's backup. Returns false if it would not fit. */
bool backup_path(const char *database, time_t day, char *out, size_t size);

/* The newest backup; false when there is none. */
bool backup_newest(const char *database, char *out, size_t size, time_t *made);

/* Removes all but the newest keep ones. */
void backup_prune(const char *database, int keep);

/* Renames the database and its -wal and -shm to NAME.damaged-TIME…; NULL or the new name
 * in *kept (size). Returns 0, or -1 with a sentence. */
int backup_set_aside(const char *database, char *kept, size_t kept_size, char *error,
                     size_t error_size);

/* Puts the newest sound backup in the place of the database (which must be out of the
 * way). Returns 0 with its path in used, or -1 with a sentence. */
int backup_restore(const char *database, char *used, size_t used_size, char *error,
                   size_t error_size);

#endif
