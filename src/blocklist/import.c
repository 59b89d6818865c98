/* SPDX-License-Identifier: BSD-2-Clause */
/* An import: rows are staged in a temporary table of a connection of its own, then
 * moved into the listing in one transaction, sorted, which is what makes it fast. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "blocklist/schema.h"
#include "blocklist/transaction.h"

#define COMMIT_WAIT_MS (60 * 1000)

/* A source of so many rows does not lose a third of them from one file to the next. */
#define REPLACE_GUARD_ROWS 100

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
    uint64_t before; /* rows of the source, before --replace */
};

static void import_free(struct blocklist_import *import)
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

/* The set-aside rows live in SQLite's temporary file; the main file is not touched, nor
 * locked, before the commit. */
static int open_stage(struct blocklist_import *import, char *error)
{
    static const char sql[] =
        "PRAGMA cache_size = -32768; PRAGMA temp.cache_size = -8192;"
        "CREATE TEMP TABLE staged (entry, kind, allow, source, reason, expires, since);"
        "BEGIN";
    struct blocklist *blocklist = import->blocklist;

    if (schema_connect(blocklist->path, SCHEMA_WRITE, &import->db, error,
                       BLOCKLIST_ERROR_SIZE) != SCHEMA_OK)
        return -1;
    if (audit_attach(&import->audit, import->db, &blocklist->bloom, AUDIT_NO_ADDITION) ==
            SQLITE_OK &&
        schema_exec(import->db, sql) == SQLITE_OK &&
        sqlite3_prepare_v2(import->db,
                           "INSERT INTO temp.staged VALUES (?, ?, ?, ?, ?, ?, ?)", -1,
                           &import->stage, NULL) == SQLITE_OK)
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
    char why[ENTRY_ERROR_SIZE];

    if (!transaction_texts_are_fine(source, reason, error))
        return false;
    if (import->replace && strcmp(source, import->source) != 0) {
        text_sentence(error, BLOCKLIST_ERROR_SIZE,
                      "the row is of source %s: --replace takes rows of %s only", source,
                      import->source);
        return false;
    }
    if (import->limits != NULL &&
        entry_too_wide(row->entry, row->allow, import->limits, why)) {
        text_sentence(error, BLOCKLIST_ERROR_SIZE, "%s (--force does it all the same)",
                      why);
        return false;
    }
    if (row->expires != 0 && row->expires <= blocklist_ended(import->blocklist)) {
        text_sentence(error, BLOCKLIST_ERROR_SIZE, "%s: its end is past",
                      row->entry->text);
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
    /* of the future: by a clock ahead of ours, here or where it comes from */
    int64_t since = row->since <= blocklist_now(import->blocklist) ? row->since : 0;

    error[0] = '\0';
    if (!row_is_fine(import, row, source, reason, error))
        return BLOCKLIST_REFUSED;
    if (sql_bind(import->stage, "tiittzz", row->entry->text, (int64_t)row->entry->kind,
                 (int64_t)row->allow, source, reason, (int64_t)row->expires,
                 since) != SQLITE_OK ||
        sql_run(import->stage) != SQLITE_OK)
        return transaction_failed(import->blocklist, import->db, error);
    import->rows++;
    return BLOCKLIST_OK;
}

static int end_old(struct blocklist_import *import, int64_t now)
{
    int64_t ended = blocklist_ended(import->blocklist);
    int rc = audit_begin(&import->audit, "expire", &blocklist_self, "", now);

    return rc == SQLITE_OK
               ? sql_run_once(import->db, "DELETE FROM listing WHERE expires <= ?", "i",
                              ended)
               : rc;
}

/* Rows of the source that the file does not have. */
static int remove_others(struct blocklist_import *import)
{
    static const char sql[] =
        "DELETE FROM listing WHERE source = ? AND NOT EXISTS"
        " (SELECT 1 FROM temp.staged s WHERE s.entry = listing.entry AND"
        "  s.allow = listing.allow)";

    return import->replace ? sql_run_once(import->db, sql, "t", import->source)
                           : SQLITE_OK;
}

static int move_rows(struct blocklist_import *import, int64_t now)
{
    /* In the order of the index: pages are then filled one after the other. A row that
     * comes twice is changed by its second one. */
    static const char sql[] =
        "INSERT INTO listing (entry, kind, allow, source, reason, who, since, expires)"
        " SELECT entry, kind, allow, source, reason, ?1, coalesce(since, ?2), expires"
        " FROM temp.staged"
        " WHERE true ORDER BY entry, allow, source, rowid"
        " ON CONFLICT (entry, allow, source)"
        " DO UPDATE SET reason = excluded.reason, expires = excluded.expires"
        " WHERE reason <> excluded.reason OR expires IS NOT excluded.expires";

    return sql_run_once(import->db, sql, "ti", import->login, now);
}

/* One line for the whole: what was added says the rest itself (who, since). */
static int note_import(struct blocklist_import *import)
{
    static const char sql[] =
        "INSERT INTO audit (at, login, uid, action, entry, source, allow, reason, after)"
        " SELECT at, login, uid, action, '', ?1, 0, reason, ?2 FROM temp.actor";
    char counts[200];

    (void)snprintf(counts, sizeof counts,
                   "{\"rows\":%llu,\"added\":%llu,\"changed\":%llu,\"removed\":%llu}",
                   (unsigned long long)import->rows,
                   (unsigned long long)import->audit.added,
                   (unsigned long long)import->audit.changed,
                   (unsigned long long)import->audit.removed);
    return sql_run_once(import->db, sql, "tt", import->source, counts);
}

/* Whether --replace would take away so much that the file was rather cut, or is another.
 * Says so in error. */
static bool empties_source(const struct blocklist_import *import, uint64_t removed,
                           char *error)
{
    if (!import->replace || import->limits == NULL ||
        import->before < REPLACE_GUARD_ROWS || removed * 3 <= import->before)
        return false;
    text_sentence(
        error, BLOCKLIST_ERROR_SIZE,
        "%llu of the %llu rows of %s would be removed, more than a third: is the "
        "file whole? Nothing was changed (--force does it all the same)",
        (unsigned long long)removed, (unsigned long long)import->before, import->source);
    return true;
}

/* How many rows the source has. */
static int count_source(struct blocklist_import *import)
{
    sqlite3_stmt *count = NULL;
    int rc = sqlite3_prepare_v2(
        import->db, "SELECT count(*) FROM listing WHERE source = ?", -1, &count, NULL);

    if (rc == SQLITE_OK)
        rc = sql_bind(count, "t", import->source);
    if (rc == SQLITE_OK && (rc = sqlite3_step(count)) == SQLITE_ROW) {
        import->before = (uint64_t)sqlite3_column_int64(count, 0);
        rc = SQLITE_OK;
    }
    sqlite3_finalize(count);
    return rc;
}

static int change_all(struct blocklist_import *import,
                      struct blocklist_import_counts *counts)
{
    const struct blocklist_actor actor = {import->login, import->uid};
    int64_t now = blocklist_now(import->blocklist);
    struct audit *audit = &import->audit;
    int rc = end_old(import, now);
    uint64_t ended = audit->removed;

    if (rc == SQLITE_OK)
        rc = audit_actor(audit, "import", &actor, import->reason, now);
    if (rc == SQLITE_OK && import->replace)
        rc = count_source(import);
    if (rc == SQLITE_OK)
        rc = remove_others(import);
    if (rc == SQLITE_OK)
        rc = move_rows(import, now);
    if (rc == SQLITE_OK)
        rc = note_import(import);
    counts->rows = import->rows;
    counts->added = audit->added;
    counts->changed = audit->changed;
    counts->removed = audit->removed - ended;
    counts->unchanged = import->rows - audit->added - audit->changed;
    return rc;
}

static enum blocklist_result commit_locked(struct blocklist_import *import, bool dry_run,
                                           struct blocklist_import_counts *counts,
                                           char *error)
{
    struct blocklist *blocklist = import->blocklist;
    enum blocklist_result result = transaction_check_file(blocklist, error);

    if (result != BLOCKLIST_OK)
        return result;
    if (schema_exec(import->db, "BEGIN IMMEDIATE") != SQLITE_OK ||
        change_all(import, counts) != SQLITE_OK)
        result = BLOCKLIST_FAILED;
    else if (empties_source(import, counts->removed, error)) {
        (void)schema_exec(import->db, "ROLLBACK");
        return BLOCKLIST_REFUSED;
    }
    if (result != BLOCKLIST_OK ||
        schema_exec(import->db, dry_run ? "ROLLBACK" : "COMMIT") != SQLITE_OK) {
        result = transaction_failed(blocklist, import->db, error);
        if (!sqlite3_get_autocommit(import->db))
            (void)schema_exec(import->db, "ROLLBACK");
        return result;
    }
    if (!dry_run) {
        store_trouble(blocklist, NULL, false);
        transaction_count(blocklist, &import->audit);
    }
    return BLOCKLIST_OK;
}

enum blocklist_result blocklist_import_commit(struct blocklist_import *import,
                                              bool dry_run,
                                              struct blocklist_import_counts *counts,
                                              char error[static BLOCKLIST_ERROR_SIZE])
{
    static const char index[] = "CREATE INDEX temp.staged_entry ON staged (entry, allow)";
    enum blocklist_result result;

    error[0] = '\0';
    memset(counts, 0, sizeof *counts);
    if (schema_exec(import->db, "COMMIT") != SQLITE_OK ||
        (import->replace && schema_exec(import->db, index) != SQLITE_OK)) {
        result = transaction_failed(import->blocklist, import->db, error);
        goto out;
    }
    result = transaction_lock(import->blocklist, COMMIT_WAIT_MS, error);
    if (result != BLOCKLIST_OK)
        goto out;
    result = commit_locked(import, dry_run, counts, error);
    transaction_unlock(import->blocklist);
out:
    import_free(import);
    return result;
}
