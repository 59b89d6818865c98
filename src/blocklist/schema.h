/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BLOCKLIST_SCHEMA_H
#define BLOCKLIST_SCHEMA_H

/* The database file: connections with our settings, and the tables in it, brought from
 * any earlier version to the current one. */

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>

#define SCHEMA_APPLICATION_ID 0x52424c4d /* "RBLM" */
#define SCHEMA_VERSION        4

enum schema_result {
    SCHEMA_OK,
    SCHEMA_DAMAGED, /* the file is there, and is broken */
    SCHEMA_REFUSED  /* not ours, from a newer version, cannot be opened or written */
};

enum schema_mode { SCHEMA_WRITE, SCHEMA_READ };

/* Opens a connection with our settings (WAL; commits are on disk). The caller closes
 * it, also after a failure (*out may be NULL). error gets a sentence. */
enum schema_result schema_connect(const char *path, enum schema_mode mode, sqlite3 **out,
                                  char *error, size_t error_size);

/* Checks that the file is ours, and what is defined in it, by name and text: triggers, views
 * and indexes of others, and tables of ours that read otherwise, are damage; tables of others
 * are let be. Then makes the tables or migrates them, in one transaction. */
enum schema_result schema_prepare(sqlite3 *db, char *error, size_t error_size);

/* Runs steps[from] to steps[to - 1] and notes the version to. Within the caller's
 * transaction. Returns SQLite's code. */
int schema_migrate(sqlite3 *db, const char *const *steps, int from, int to);

/* Reads the whole file and checks it: as schema_prepare does, PRAGMA quick_check, and that no
 * value is out of its range. OK, DAMAGED, or REFUSED when it was interrupted. */
enum schema_result schema_check(sqlite3 *db, char *error, size_t error_size);

/* What becomes of a row that the same source has already: it is changed, and keeps its
 * since. */
#define SCHEMA_ON_CONFLICT                                                               \
    " ON CONFLICT (entry, allow, source) DO UPDATE SET tempfail = excluded.tempfail,"    \
    " reason = excluded.reason, expires = excluded.expires, at = excluded.at,"           \
    " version = excluded.version"                                                        \
    " WHERE tempfail <> excluded.tempfail OR reason <> excluded.reason"                  \
    " OR expires IS NOT excluded.expires"

#endif
