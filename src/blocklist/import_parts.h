/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BLOCKLIST_IMPORT_PARTS_H
#define BLOCKLIST_IMPORT_PARTS_H

/* The inside of an import, for import.c and import_move.c only. Used by one thread at a
 * time. */

#include "blocklist/store.h"

struct blocklist_import {
    struct blocklist *blocklist;
    sqlite3 *db;
    struct audit audit;
    sqlite3_stmt *stage;
    char source[BLOCKLIST_SOURCE_SIZE], reason[BLOCKLIST_ADMIN_REASON + 1];
    char login[256];
    uid_t uid;
    bool replace;
    const struct entry_limits *limits;
    uint64_t rows;
    uint64_t ipv4;  /* addresses that block, of all rows together */
    int64_t before; /* rows of the source, before --replace */
    bool dry_run;
    uint64_t added, changed, removed; /* by the chunks so far */
};

/* Opens the connection, with its triggers. Returns 0, or -1 with a sentence in error
 * (BLOCKLIST_ERROR_SIZE). */
int import_connect(struct blocklist_import *import, char *error);
void import_free(struct blocklist_import *import); /* NULL is fine */

/* import.c: whether --replace would take away so much that the file was rather cut, or is
 * another: REFUSED, with a sentence. Notes how many rows the source has. */
enum blocklist_result import_check_replace(struct blocklist_import *import, char *error);

/* import_move.c: moves the staged rows into the listing; all of them, or none. Returns what
 * blocklist_import_commit does. */
enum blocklist_result import_sort_and_move(struct blocklist_import *import, char *error);

#endif
