/* SPDX-License-Identifier: BSD-2-Clause */
/* What one add, tempfail, allow or remove does to the listing. */

#include <stdio.h>
#include <string.h>

#include "base/sql.h"
#include "base/text.h"
#include "blocklist/schema.h"
#include "blocklist/transaction.h"

static const char *or_default(const char *source)
{
    return source != NULL && *source != '\0' ? source : BLOCKLIST_DEFAULT_SOURCE;
}

static const char *or_empty(const char *text)
{
    return text != NULL ? text : "";
}

/* A row that has run out but was not taken yet is no part of what is listed now. The
 * actor that follows is set again. Returns SQLite's code. */
static int end_old(struct blocklist *blocklist, const struct entry *entry,
                   const struct blocklist_actor *actor, const char *action,
                   const char *reason)
{
    struct transaction *writer = &blocklist->writer;
    int64_t now = blocklist_now(blocklist);
    int rc = audit_actor(&writer->audit, "expire", &blocklist_self, "", now);

    if (rc == SQLITE_OK)
        rc = sql_run_with(writer->end_one, "ti", entry->text,
                          (int64_t)blocklist_ended(blocklist));
    if (rc == SQLITE_OK)
        rc = audit_actor(&writer->audit, action, actor, reason, now);
    return rc;
}

/* Finds out what exists of the same text, once what has run out is gone. Returns SQLite's
 * code. */
static int find_beside(struct transaction *writer, const struct blocklist_row_in *row,
                       struct blocklist_beside *out)
{
    sqlite3_stmt *standing = writer->standing;
    int rc = sql_bind(standing, "t", row->entry->text);

    *out = (struct blocklist_beside){0};
    if (row->allow)
        return SQLITE_OK;
    while (rc == SQLITE_OK && (rc = sqlite3_step(standing)) == SQLITE_ROW) {
        bool allow = sqlite3_column_int(standing, 0) != 0;
        bool tempfail = sqlite3_column_int(standing, 1) != 0;
        bool own = strcmp(sql_text(standing, 2), or_default(row->source)) == 0;

        out->allow |= allow;
        out->block |= row->tempfail && !allow && !tempfail && !own;
        out->replaced |= !allow && own && tempfail != row->tempfail;
        rc = SQLITE_OK;
    }
    sqlite3_reset(standing);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int put(struct blocklist *blocklist, const struct blocklist_row_in *row,
               const struct blocklist_actor *actor, struct blocklist_beside *beside)
{
    struct transaction *writer = &blocklist->writer;
    int rc = end_old(blocklist, row->entry, actor, "add", or_empty(row->reason));
    uint64_t changes;

    if (rc == SQLITE_OK)
        rc = find_beside(writer, row, beside);
    changes = writer->audit.added + writer->audit.changed;
    if (rc == SQLITE_OK)
        rc = sql_run_with(writer->put, "tiiitttiz", row->entry->text,
                          (int64_t)row->entry->kind, (int64_t)row->allow,
                          (int64_t)row->tempfail, or_default(row->source),
                          or_empty(row->reason), actor->login,
                          (int64_t)blocklist_now(blocklist), (int64_t)row->expires);
    /* "already listed" must beat a removal that is on its way from another host, too */
    if (rc == SQLITE_OK && blocklist->versions.on &&
        changes == writer->audit.added + writer->audit.changed)
        rc = sql_run_with(writer->touch, "tit", row->entry->text, (int64_t)row->allow,
                          or_default(row->source));
    return rc;
}

enum blocklist_result blocklist_add(struct blocklist *blocklist,
                                    const struct blocklist_row_in *rows, size_t count,
                                    const struct entry_limits *limits,
                                    const struct blocklist_actor *actor,
                                    struct blocklist_beside *beside,
                                    char error[static BLOCKLIST_ERROR_SIZE])
{
    enum blocklist_result result;
    struct blocklist_beside unwanted;

    error[0] = '\0';
    for (size_t i = 0; i < count; i++)
        if (!transaction_row_is_fine(blocklist, &rows[i], or_default(rows[i].source),
                                     or_empty(rows[i].reason), limits, error))
            return BLOCKLIST_REFUSED;
    result = transaction_begin(blocklist, TRANSACTION_DURABLE, "add", actor, "",
                               BLOCKLIST_WAIT_S * 1000, error);
    if (result != BLOCKLIST_OK)
        return result;
    for (size_t i = 0; i < count; i++) {
        if (put(blocklist, &rows[i], actor, beside != NULL ? &beside[i] : &unwanted) !=
            SQLITE_OK) {
            result = transaction_failed(blocklist, blocklist->writer.db, error);
            transaction_cancel(blocklist);
            return result;
        }
    }
    return transaction_commit(blocklist, error);
}

/* Removes one entry. Returns OK, NO_SUCH_ENTRY or FAILED. */
static enum blocklist_result remove_entry(struct blocklist *blocklist,
                                          const struct entry *entry, const char *source,
                                          const struct blocklist_actor *actor,
                                          const char *reason, size_t *removed,
                                          char error[static BLOCKLIST_ERROR_SIZE])
{
    struct transaction *writer = &blocklist->writer;
    sqlite3_stmt *stmt = source != NULL ? writer->remove_from : writer->remove;
    int rc = end_old(blocklist, entry, actor, "remove", reason);
    uint64_t before = writer->audit.removed;

    blocklist->versions.marking = source == NULL; /* one mark for all of its rows */
    if (rc == SQLITE_OK)
        rc = sql_run_with(stmt, source != NULL ? "tt" : "t", entry->text, source);
    blocklist->versions.marking = false;
    if (rc == SQLITE_OK && source == NULL && writer->audit.removed > before)
        rc = versions_mark(&blocklist->versions, writer->db, entry->text, reason,
                           actor->login);
    if (rc != SQLITE_OK)
        return transaction_failed(blocklist, writer->db, error);
    *removed += writer->audit.removed - before;
    if (writer->audit.removed > before)
        return BLOCKLIST_OK;
    text_sentence(error, BLOCKLIST_ERROR_SIZE, "%s is not in the list%s%s", entry->text,
                  source != NULL ? " from source " : "", source != NULL ? source : "");
    return BLOCKLIST_NO_SUCH_ENTRY;
}

enum blocklist_result blocklist_remove(struct blocklist *blocklist,
                                       const struct entry *entries, size_t count,
                                       const char *source, const char *reason,
                                       bool dry_run, const struct blocklist_actor *actor,
                                       size_t *removed,
                                       char error[static BLOCKLIST_ERROR_SIZE])
{
    enum blocklist_result result;

    *removed = 0;
    error[0] = '\0';
    if (!transaction_texts_are_fine(or_default(source), or_empty(reason), error))
        return BLOCKLIST_REFUSED;
    result = transaction_begin(blocklist, TRANSACTION_DURABLE, "remove", actor, reason,
                               BLOCKLIST_WAIT_S * 1000, error);
    if (result != BLOCKLIST_OK)
        return result;
    for (size_t i = 0; i < count && result == BLOCKLIST_OK; i++)
        result = remove_entry(blocklist, &entries[i], source, actor, or_empty(reason),
                              removed, error);
    if (result != BLOCKLIST_OK || dry_run) {
        transaction_cancel(blocklist);
        return result;
    }
    return transaction_commit(blocklist, error);
}

enum blocklist_result blocklist_remove_since(struct blocklist *blocklist,
                                             const char *source, time_t since,
                                             const char *reason, bool dry_run,
                                             const struct blocklist_actor *actor,
                                             size_t *removed,
                                             char error[static BLOCKLIST_ERROR_SIZE])
{
    struct transaction *writer = &blocklist->writer;
    enum blocklist_result result;

    *removed = 0;
    error[0] = '\0';
    if (!transaction_texts_are_fine(source, or_empty(reason), error))
        return BLOCKLIST_REFUSED;
    result = transaction_begin(blocklist, TRANSACTION_DURABLE, "remove", actor, reason,
                               BLOCKLIST_WAIT_S * 1000, error);
    if (result != BLOCKLIST_OK)
        return result;
    /* what is past its end is no entry any more: the flusher records that */
    if (sql_run_once(writer->db,
                     "DELETE FROM listing WHERE source = ? AND since >= ?"
                     " AND (expires IS NULL OR expires > ?)",
                     "tii", source, (int64_t)since,
                     (int64_t)blocklist_ended(blocklist)) != SQLITE_OK) {
        result = transaction_failed(blocklist, writer->db, error);
    } else if ((*removed = writer->audit.removed) == 0) {
        text_sentence(error, BLOCKLIST_ERROR_SIZE,
                      "source %s has listed nothing since then", source);
        result = BLOCKLIST_NO_SUCH_ENTRY;
    }
    if (result != BLOCKLIST_OK || dry_run) {
        transaction_cancel(blocklist);
        return result;
    }
    return transaction_commit(blocklist, error);
}
