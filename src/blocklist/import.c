/* SPDX-License-Identifier: BSD-2-Clause */
/* An import: its rows wait in a temporary table of a connection of its own; at the commit it is
 * refused where the file looks wrong, else import_move.c moves them into the listing. */

#include "blocklist/import_parts.h"

#include <stdlib.h>
#include <string.h>

#include "base/sql.h"
#include "base/text.h"
#include "blocklist/schema.h"
#include "blocklist/transaction.h"

/* A source of so many rows does not lose a third of them from one file to the next. */
#define REPLACE_GUARD_ROWS 100

/* Four /8, a 64th of all: feeds of stolen networks list less than two. */
#define MOST_IPV4 (UINT64_C(4) << 24)

void import_free(struct blocklist_import *import)
{
    if (import == NULL)
        return;
    sqlite3_finalize(import->stage);
    audit_detach(&import->audit);
    sqlite3_close(import->db);
    free(import);
}

void blocklist_import_abort(struct blocklist_import *import)
{
    import_free(import);
}

int import_connect(struct blocklist_import *import, char *error)
{
    struct blocklist *blocklist = import->blocklist;

    if (schema_connect(blocklist->path, SCHEMA_WRITE, &import->db, error,
                       BLOCKLIST_ERROR_SIZE) != SCHEMA_OK)
        return -1;
    if (audit_attach(&import->audit, import->db, &blocklist->bloom, AUDIT_NO_ADDITION) ==
            SQLITE_OK &&
        versions_attach(&blocklist->versions, import->db) == SQLITE_OK &&
        sql_exec(import->db, "PRAGMA cache_size = -32768") == SQLITE_OK)
        return 0;
    (void)transaction_failed(blocklist, import->db, error);
    return -1;
}

/* The staged rows live in SQLite's temporary file; the main file is not touched, nor
 * locked, before the commit. */
static int open_stage(struct blocklist_import *import, char *error)
{
    static const char sql[] =
        "PRAGMA temp.cache_size = -8192;"
        "CREATE TEMP TABLE staged (entry, kind, allow, tempfail, source, reason, expires,"
        "  since);"
        "BEGIN";
    struct blocklist *blocklist = import->blocklist;

    if (import_connect(import, error) != 0)
        return -1;
    if (sql_exec(import->db, sql) == SQLITE_OK &&
        sql_prepare(import->db, &import->stage,
                    "INSERT INTO temp.staged VALUES (?, ?, ?, ?, ?, ?, ?, ?)") ==
            SQLITE_OK)
        return 0;
    (void)transaction_failed(blocklist, import->db, error);
    return -1;
}

struct blocklist_import *blocklist_import_begin(
    struct blocklist *blocklist, const struct blocklist_import_options *options,
    char error[static BLOCKLIST_ERROR_SIZE])
{
    const char *source =
        options->source != NULL ? options->source : BLOCKLIST_DEFAULT_SOURCE;
    const char *reason = options->reason != NULL ? options->reason : "";
    struct blocklist_import *import;

    error[0] = '\0';
    if (!transaction_texts_are_fine(source, reason, error) ||
        transaction_check_file(blocklist, error) != BLOCKLIST_OK)
        return NULL;
    import = calloc(1, sizeof *import);
    if (import == NULL) {
        text_sentence(error, BLOCKLIST_ERROR_SIZE, "no memory");
        return NULL;
    }
    import->blocklist = blocklist;
    import->uid = options->actor->uid;
    import->replace = options->replace;
    import->limits = options->limits;
    if (!text_copy(source, import->source, sizeof import->source) ||
        !text_copy(reason, import->reason, sizeof import->reason) ||
        !text_copy(options->actor->login, import->login, sizeof import->login))
        text_sentence(error, BLOCKLIST_ERROR_SIZE, "the login is too long");
    else if (open_stage(import, error) == 0)
        return import;
    import_free(import);
    return NULL;
}

static bool row_is_fine(struct blocklist_import *import,
                        const struct blocklist_row_in *row, const char *source,
                        const char *reason, char *error)
{
    if (!transaction_row_is_fine(import->blocklist, row, source, reason, import->limits,
                                 error))
        return false;
    if (import->replace && strcmp(source, import->source) != 0) {
        text_sentence(error, BLOCKLIST_ERROR_SIZE,
                      "the row is of source %s: --replace takes rows of %s only", source,
                      import->source);
        return false;
    }
    if (row->since < 0) {
        text_sentence(error, BLOCKLIST_ERROR_SIZE, "%s: it was listed before 1970",
                      row->entry->text);
        return false;
    }
    return true;
}

enum blocklist_result blocklist_import_row(struct blocklist_import *import,
                                           const struct blocklist_row_in *row,
                                           char error[static BLOCKLIST_ERROR_SIZE])
{
    const char *source =
        row->source != NULL && *row->source != '\0' ? row->source : import->source;
    const char *reason = row->reason != NULL ? row->reason : import->reason;
    struct network network;
    /* of the future: by a clock ahead of ours, here or where it comes from */
    int64_t since = row->since <= blocklist_now(import->blocklist) ? row->since : 0;

    error[0] = '\0';
    if (!row_is_fine(import, row, source, reason, error))
        return BLOCKLIST_REFUSED;
    if (sql_run_with(import->stage, "tiiittzz", row->entry->text,
                     (int64_t)row->entry->kind, (int64_t)row->allow,
                     (int64_t)row->tempfail, source, reason, (int64_t)row->expires,
                     since) != SQLITE_OK)
        return transaction_failed(import->blocklist, import->db, error);
    import->rows++;
    if (!row->allow && entry_network(row->entry, &network) == 0 &&
        network.base.family == 4)
        import->ipv4 += UINT64_C(1) << (32 - network.prefix);
    return BLOCKLIST_OK;
}

enum blocklist_result import_check_replace(struct blocklist_import *import, char *error)
{
    static const char others[] =
        "SELECT count(*) FROM listing WHERE source = ? AND NOT EXISTS"
        " (SELECT 1 FROM sorted.row s WHERE s.entry = listing.entry AND"
        "  s.allow = listing.allow)";
    int64_t removed = 0;

    if (!import->replace)
        return BLOCKLIST_OK;
    if (sql_number(import->db, &import->before,
                   "SELECT count(*) FROM listing WHERE source = ?", "t",
                   import->source) != SQLITE_OK ||
        sql_number(import->db, &removed, others, "t", import->source) != SQLITE_OK)
        return transaction_failed(import->blocklist, import->db, error);
    if (import->limits == NULL || import->before < REPLACE_GUARD_ROWS ||
        removed * 3 <= import->before)
        return BLOCKLIST_OK;
    text_sentence(
        error, BLOCKLIST_ERROR_SIZE,
        "%lld of the %lld rows of %s would be removed, more than a third: is the "
        "file whole? Nothing was changed (--force does it all the same)",
        (long long)removed, (long long)import->before, import->source);
    return BLOCKLIST_REFUSED;
}

enum blocklist_result blocklist_import_commit(struct blocklist_import *import,
                                              bool dry_run,
                                              struct blocklist_import_counts *counts,
                                              char error[static BLOCKLIST_ERROR_SIZE])
{
    enum blocklist_result result;

    error[0] = '\0';
    memset(counts, 0, sizeof *counts);
    import->dry_run = dry_run;
    sqlite3_finalize(import->stage);
    import->stage = NULL;
    if (import->limits != NULL && import->ipv4 > MOST_IPV4) {
        text_sentence(
            error, BLOCKLIST_ERROR_SIZE,
            "the file lists %llu million IPv4 addresses in all, more than 67 million, a "
            "64th of the world: nothing was changed (--force does it all the same)",
            (unsigned long long)(import->ipv4 / 1000000));
        result = BLOCKLIST_REFUSED;
    } else if (sql_exec(import->db, "COMMIT") != SQLITE_OK)
        result = transaction_failed(import->blocklist, import->db, error);
    else
        result = import_sort_and_move(import, error);
    counts->rows = import->rows;
    counts->added = import->added;
    counts->changed = import->changed;
    counts->removed = import->removed;
    counts->unchanged = import->rows - import->added - import->changed;
    import_free(import);
    return result;
}
