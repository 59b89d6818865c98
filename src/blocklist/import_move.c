/* SPDX-License-Identifier: BSD-2-Clause */
/* The rows of an import are sorted, which is what makes it fast, and moved into the listing.
 * A few are moved in one transaction. Many are moved in chunks, so that nobody's change waits
 * for them all: first they are put into a file beside the database, NAME.import, and from that
 * moment on the import is there. After a kill, or when the disk was full, the maintenance
 * thread moves what is missing. */

#include "blocklist/import_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/sql.h"
#include "base/text.h"
#include "blocklist/backup.h"
#include "blocklist/schema.h"
#include "blocklist/transaction.h"

#define COMMIT_WAIT_MS (60 * 1000)

#define AT_ONCE_ROWS 2000 /* are moved in one transaction */
#define CHUNK_MS     50   /* and of more so many at a time that it takes this long */
#define CHUNK_LEAST  100
#define LOCK_LOOK_MS 50

/* Rows of the source that the file does not have, of those with an id in (from, to]. */
static int remove_others(struct blocklist_import *import, int64_t from, int64_t to)
{
    static const char sql[] =
        "DELETE FROM listing WHERE source = ? AND id > ? AND id <= ? AND NOT EXISTS"
        " (SELECT 1 FROM sorted.row s WHERE s.entry = listing.entry AND"
        "  s.allow = listing.allow)";

    return sql_run_once(import->db, sql, "tii", import->source, from, to);
}

/* The rows of those numbers, (from, to]. In the order of the index: pages are then filled
 * one after the other. A row that comes twice is changed by its second one. */
static int move_rows(struct blocklist_import *import, int64_t from, int64_t to)
{
    static const char sql[] =
        "INSERT INTO listing (entry, kind, allow, tempfail, source, reason, who, since,"
        " expires, at, version) SELECT entry, kind, allow, tempfail, source, reason, ?1,"
        " coalesce(since, ?2), expires, version_at(), version_id()"
        " FROM sorted.row WHERE rowid > ?3 AND rowid <= ?4 ORDER BY "
        "rowid" SCHEMA_ON_CONFLICT;

    return sql_run_once(import->db, sql, "tiii", import->login,
                        (int64_t)blocklist_now(import->blocklist), from, to);
}

/* One line for the whole: what was added says the rest itself (who, since). */
static int note_import(struct blocklist_import *import, int64_t from, int64_t to)
{
    static const char sql[] =
        "INSERT INTO audit (at, login, uid, action, entry, source, allow, reason, after)"
        " SELECT at, login, uid, action, '', ?1, 0, reason, ?2 FROM temp.actor";
    const struct audit *audit = &import->audit; /* of this transaction */
    char counts[200];

    (void)from;
    (void)to;
    (void)snprintf(counts, sizeof counts,
                   "{\"rows\":%llu,\"added\":%llu,\"changed\":%llu,\"removed\":%llu}",
                   (unsigned long long)import->rows,
                   (unsigned long long)(import->added + audit->added),
                   (unsigned long long)(import->changed + audit->changed),
                   (unsigned long long)(import->removed + audit->removed));
    return sql_run_once(import->db, sql, "tt", import->source, counts);
}

static int all_at_once(struct blocklist_import *import, int64_t from, int64_t to)
{
    int rc = import->replace ? remove_others(import, from, to) : SQLITE_OK;

    if (rc == SQLITE_OK)
        rc = move_rows(import, from, to);
    return rc == SQLITE_OK ? note_import(import, from, to) : rc;
}

typedef int import_step(struct blocklist_import *import, int64_t from, int64_t to);

/* With the lock held. */
static enum blocklist_result change_locked(struct blocklist_import *import,
                                           import_step *step, int64_t from, int64_t to,
                                           char *error)
{
    const struct blocklist_actor actor = {import->login, import->uid};
    struct blocklist *blocklist = import->blocklist;
    struct audit *audit = &import->audit;

    if (transaction_check_file(blocklist, error) != BLOCKLIST_OK)
        return BLOCKLIST_FAILED;
    versions_begin(&blocklist->versions);
    if (audit_begin(audit, "import", &actor, import->reason, blocklist_now(blocklist)) !=
            SQLITE_OK ||
        sql_exec(import->db, "BEGIN IMMEDIATE") != SQLITE_OK ||
        step(import, from, to) != SQLITE_OK ||
        (!import->dry_run &&
         versions_note(&blocklist->versions, import->db) != SQLITE_OK) ||
        sql_exec(import->db, import->dry_run ? "ROLLBACK" : "COMMIT") != SQLITE_OK) {
        (void)transaction_failed(blocklist, import->db, error);
        if (!sqlite3_get_autocommit(import->db))
            (void)sql_exec(import->db, "ROLLBACK");
        return BLOCKLIST_FAILED;
    }
    import->added += audit->added;
    import->changed += audit->changed;
    import->removed += audit->removed;
    if (!import->dry_run) {
        store_trouble(blocklist, NULL, false);
        transaction_count(blocklist, audit);
    }
    return BLOCKLIST_OK;
}

/* One transaction. *took_ms: without the wait for others'. */
static enum blocklist_result change(struct blocklist_import *import, import_step *step,
                                    int64_t from, int64_t to, int64_t *took_ms,
                                    char *error)
{
    enum blocklist_result result =
        transaction_lock_behind(import->blocklist, COMMIT_WAIT_MS, error);
    int64_t began = clock_ms();

    if (result != BLOCKLIST_OK)
        return result;
    result = change_locked(import, step, from, to, error);
    transaction_unlock(import->blocklist);
    *took_ms = clock_ms() - began;
    return result;
}

/* The step over (0, end], in chunks. */
static enum blocklist_result change_in_chunks(struct blocklist_import *import,
                                              import_step *step, int64_t end, char *error)
{
    enum blocklist_result result = BLOCKLIST_OK;
    int64_t size = AT_ONCE_ROWS, from = 0, took_ms;

    while (result == BLOCKLIST_OK && from < end) {
        int64_t to = end - from > size ? from + size : end;

        if (store_is_stopping(import->blocklist)) {
            text_sentence(error, BLOCKLIST_ERROR_SIZE, "the daemon stops");
            return BLOCKLIST_BUSY;
        }
        result = change(import, step, from, to, &took_ms, error);
        from = to;
        if (took_ms > CHUNK_MS)
            size = size * CHUNK_MS / took_ms;
        else if (took_ms < CHUNK_MS / 2)
            size *= 2;
        if (size < CHUNK_LEAST)
            size = CHUNK_LEAST;
    }
    return result;
}

/* Runs out rows that the flusher has not come to yet: they are no part of what is listed. */
static enum blocklist_result end_what_is_over(struct blocklist_import *import,
                                              char *error)
{
    enum blocklist_result result =
        transaction_lock_behind(import->blocklist, COMMIT_WAIT_MS, error);

    if (result != BLOCKLIST_OK)
        return result;
    versions_begin(&import->blocklist->versions);
    if (transaction_check_file(import->blocklist, error) != BLOCKLIST_OK)
        result = BLOCKLIST_FAILED;
    else if (audit_begin(&import->audit, "expire", &blocklist_self, "",
                         blocklist_now(import->blocklist)) != SQLITE_OK ||
             sql_run_once(import->db, "DELETE FROM listing WHERE expires <= ?", "i",
                          (int64_t)blocklist_ended(import->blocklist)) != SQLITE_OK)
        result = transaction_failed(import->blocklist, import->db, error);
    else
        transaction_count(import->blocklist, &import->audit);
    transaction_unlock(import->blocklist);
    return result;
}

/* Puts the staged rows into a file in their order. */
static int sort_rows(struct blocklist_import *import, const char *path)
{
    static const char rows[] =
        "CREATE TABLE sorted.row AS SELECT entry, kind, allow, tempfail, source, reason,"
        " expires, since FROM temp.staged ORDER BY entry, allow, source, rowid;"
        "CREATE INDEX sorted.row_entry ON row (entry, allow);";
    static const char about[] =
        "CREATE TABLE sorted.about AS SELECT ?1 AS source, ?2 AS reason, ?3 AS login,"
        " ?4 AS uid, ?5 AS replace, ?6 AS rows";
    int rc = sql_run_once(import->db, "ATTACH ? AS sorted", "t", path);

    if (rc == SQLITE_OK)
        rc = sql_exec(import->db, "PRAGMA sorted.journal_mode = OFF;"
                                  "PRAGMA sorted.synchronous = FULL; BEGIN");
    if (rc == SQLITE_OK)
        rc = sql_exec(import->db, rows);
    if (rc == SQLITE_OK)
        rc = sql_run_once(import->db, about, "tttiii", import->source, import->reason,
                          import->login, (int64_t)import->uid, (int64_t)import->replace,
                          (int64_t)import->rows);
    return rc == SQLITE_OK ? sql_exec(import->db, "COMMIT; DROP TABLE temp.staged") : rc;
}

static enum blocklist_result file_failed(const char *path, char *error)
{
    text_sentence(error, BLOCKLIST_ERROR_SIZE, "%s: %s", path, strerror(errno));
    return BLOCKLIST_FAILED;
}

/* From here on the import is there, also after a kill: whoever finds the file moves what is
 * missing. */
static enum blocklist_result decide(struct blocklist_import *import, const char *part,
                                    const char *path, char *error)
{
    if (sql_exec(import->db, "DETACH sorted") != SQLITE_OK)
        return transaction_failed(import->blocklist, import->db, error);
    if (rename(part, path) != 0)
        return file_failed(path, error);
    if (backup_sync_folder(path) != 0) {
        enum blocklist_result result = file_failed(path, error);

        (void)unlink(path); /* nothing is changed yet */
        return result;
    }
    return sql_run_once(import->db, "ATTACH ? AS sorted", "t", path) == SQLITE_OK
               ? BLOCKLIST_OK
               : transaction_failed(import->blocklist, import->db, error);
}

/* What is said twice, of a start in the middle, is changed once. */
static enum blocklist_result move_many(struct blocklist_import *import, const char *path,
                                       char *error)
{
    struct blocklist *blocklist = import->blocklist;
    enum blocklist_result result;
    int64_t last_id = 0, took_ms;

    if (sql_number(import->db, &last_id, "SELECT max(id) FROM listing WHERE source = ?",
                   "t", import->source) != SQLITE_OK ||
        sql_exec(import->db, "PRAGMA main.synchronous = NORMAL") != SQLITE_OK)
        return transaction_failed(blocklist, import->db, error);
    result = change_in_chunks(import, move_rows, (int64_t)import->rows, error);
    if (result == BLOCKLIST_OK && import->replace)
        result = change_in_chunks(import, remove_others, last_id, error);
    if (result != BLOCKLIST_OK)
        return result;
    if (sql_exec(import->db, "PRAGMA main.synchronous = FULL") != SQLITE_OK)
        return transaction_failed(blocklist, import->db, error);
    result = change(import, note_import, 0, 0, &took_ms, error);
    if (result == BLOCKLIST_OK && !import->dry_run && unlink(path) != 0)
        log_warning("blocklist: %s: %s", path, strerror(errno));
    return result;
}

static enum blocklist_result move(struct blocklist_import *import, const char *part,
                                  const char *path, char *error)
{
    enum blocklist_result result = import_check_replace(import, error);
    bool many = import->rows > AT_ONCE_ROWS || import->before > AT_ONCE_ROWS;
    int64_t took_ms;

    if (result == BLOCKLIST_OK)
        result = end_what_is_over(import, error);
    if (result != BLOCKLIST_OK)
        return result;
    if (!many)
        return change(import, all_at_once, 0, INT64_MAX, &took_ms, error);
    if (!import->dry_run)
        result = decide(import, part, path, error);
    if (result != BLOCKLIST_OK)
        return result;
    result = move_many(import, path, error);
    if (result != BLOCKLIST_OK && !import->dry_run)
        text_sentence(error + strlen(error), BLOCKLIST_ERROR_SIZE - strlen(error),
                      ": the rest of the import follows when that is over");
    return result;
}

/* Reads what the file says of itself. */
static int read_about(struct blocklist_import *import)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sql_query(
        import->db, &stmt,
        "SELECT source, reason, login, uid, replace, rows FROM sorted.about", "");

    if (rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW)
        rc =
            text_copy(sql_text(stmt, 0), import->source, sizeof import->source) &&
                    text_copy(sql_text(stmt, 1), import->reason, sizeof import->reason) &&
                    text_copy(sql_text(stmt, 2), import->login, sizeof import->login)
                ? SQLITE_OK
                : SQLITE_MISMATCH;
    import->uid = (uid_t)sqlite3_column_int64(stmt, 3);
    import->replace = sqlite3_column_int(stmt, 4) != 0;
    import->rows = (uint64_t)sqlite3_column_int64(stmt, 5);
    sqlite3_finalize(stmt);
    return rc;
}

/* Of an import that a kill, or a full disk, has cut. With import_lock held. */
static void finish_left(struct blocklist *blocklist, const char *path)
{
    struct blocklist_import *import;
    char error[BLOCKLIST_ERROR_SIZE];

    if (access(path, F_OK) != 0 || (import = calloc(1, sizeof *import)) == NULL)
        return;
    import->blocklist = blocklist;
    if (import_connect(import, error) == 0) {
        if (sql_run_once(import->db, "ATTACH ? AS sorted", "t", path) != SQLITE_OK ||
            read_about(import) != SQLITE_OK) {
            log_error("blocklist: %s is no import, and is removed: %s", path,
                      sqlite3_errmsg(import->db));
            (void)unlink(path);
        } else if (move_many(import, path, error) == BLOCKLIST_OK) {
            log_notice("blocklist: import=finished source=%s rows=%llu", import->source,
                       (unsigned long long)import->rows);
        }
    }
    import_free(import);
}

/* One at a time has the files' names. */
static bool lock_paths(struct blocklist *blocklist, int wait_ms,
                       char part[static PATH_MAX], char path[static PATH_MAX])
{
    int64_t until_ms = clock_ms() + wait_ms;
    int n = snprintf(part, PATH_MAX, "%s.import-part", blocklist->path);

    if (n < 0 || n >= PATH_MAX)
        return false;
    (void)snprintf(path, PATH_MAX, "%s.import", blocklist->path); /* shorter */
    while (pthread_mutex_trylock(&blocklist->import_lock) != 0)
        if (clock_ms() >= until_ms || !store_wait(blocklist, LOCK_LOOK_MS, false))
            return false;
    return true;
}

void import_finish_left(struct blocklist *blocklist)
{
    char part[PATH_MAX], path[PATH_MAX];

    if (!lock_paths(blocklist, 0, part, path))
        return;
    finish_left(blocklist, path);
    pthread_mutex_unlock(&blocklist->import_lock);
}

enum blocklist_result import_sort_and_move(struct blocklist_import *import, char *error)
{
    char part[PATH_MAX], path[PATH_MAX];
    enum blocklist_result result;
    int fd;

    if (!lock_paths(import->blocklist, COMMIT_WAIT_MS, part, path)) {
        text_sentence(error, BLOCKLIST_ERROR_SIZE,
                      "another import is being written: try again");
        return BLOCKLIST_BUSY;
    }
    finish_left(import->blocklist, path);
    /* SQLite would let everybody read it: reasons may name people */
    fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd >= 0)
        close(fd);
    if (fd < 0)
        result = file_failed(part, error);
    else if (sort_rows(import, part) != SQLITE_OK)
        result = transaction_failed(import->blocklist, import->db, error);
    else
        result = move(import, part, path, error);
    (void)unlink(part); /* it may have become the other */
    pthread_mutex_unlock(&import->blocklist->import_lock);
    return result;
}
