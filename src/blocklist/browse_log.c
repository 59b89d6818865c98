/* SPDX-License-Identifier: BSD-2-Clause */
/* Browsing the audit log, page by page, newest first. */

#include <string.h>

#include "base/clock.h"
#include "base/sql.h"
#include "base/text.h"
#include "blocklist/schema.h"
#include "blocklist/store.h"

#define EVENT_COLUMNS                                                                    \
    "SELECT id, at, login, uid, action, entry, source, allow, reason, before, after,"    \
    " tempfail FROM audit"

/* An entry's own lines come by their index; with wildcards all lines are looked at. */
static const char events_of_entry[] =
    EVENT_COLUMNS " WHERE id < ? AND entry = ? ORDER BY id DESC";
static const char events_of_all[] = EVENT_COLUMNS " WHERE id < ? ORDER BY id DESC";

static void read_event(sqlite3_stmt *stmt, struct blocklist_event *out)
{
    out->id = sqlite3_column_int64(stmt, 0);
    out->at = (time_t)sqlite3_column_int64(stmt, 1);
    out->login = sql_text(stmt, 2);
    out->uid = (uid_t)sqlite3_column_int64(stmt, 3);
    out->action = sql_text(stmt, 4);
    out->entry = sql_text(stmt, 5);
    out->source = sql_text(stmt, 6);
    out->allow = sqlite3_column_int(stmt, 7) != 0;
    out->tempfail = sqlite3_column_int(stmt, 11) != 0;
    out->reason = sql_text(stmt, 8);
    out->before = (const char *)sqlite3_column_text(stmt, 9);
    out->after = (const char *)sqlite3_column_text(stmt, 10);
}

/* Steps until the page is full, its time is up, or there is no more that is new enough.
 */
static int show_events(sqlite3_stmt *stmt, const char *glob, time_t since,
                       int64_t *before_id, size_t limit, blocklist_each_event *each,
                       void *context)
{
    size_t shown = 0;
    int64_t deadline = clock_ms() + STORE_PAGE_MS;
    struct blocklist_event event;
    int rc = SQLITE_ROW;

    for (unsigned looked = 1; shown < limit; looked++) {
        rc = sqlite3_step(stmt);
        if (rc != SQLITE_ROW)
            break;
        read_event(stmt, &event);
        if (event.id < 1 || event.at < 0)
            return SQLITE_MISMATCH;
        *before_id = event.id;
        if (event.at < since) {
            rc = SQLITE_DONE;
            break;
        }
        if (glob == NULL || sqlite3_strglob(glob, event.entry) == 0) {
            shown++;
            if (!each(context, &event)) {
                rc = SQLITE_DONE;
                break;
            }
        }
        if (looked % STORE_ROWS_PER_LOOK == 0 && clock_ms() >= deadline)
            break;
    }
    if (rc == SQLITE_DONE)
        *before_id = -1;
    return rc == SQLITE_DONE || rc == SQLITE_ROW ? SQLITE_OK : rc;
}

enum blocklist_result blocklist_log(struct blocklist *blocklist, const char *pattern,
                                    time_t since, int64_t *before_id, size_t limit,
                                    blocklist_each_event *each, void *context,
                                    char error[static BLOCKLIST_ERROR_SIZE])
{
    char lower[ENTRY_TEXT_SIZE + 64], why[ENTRY_ERROR_SIZE];
    bool exact = pattern != NULL && strpbrk(pattern, "*?[") == NULL;
    struct entry entry;
    sqlite3_stmt *stmt = NULL;
    int rc;

    error[0] = '\0';
    if (exact && entry_parse_kept(pattern, &entry, why) == 0)
        pattern = entry.text;
    if (pattern != NULL && !text_lower(pattern, lower, sizeof lower)) {
        text_sentence(error, BLOCKLIST_ERROR_SIZE, "the pattern is too long");
        return BLOCKLIST_REFUSED;
    }
    pthread_mutex_lock(&blocklist->looker.lock);
    rc = sql_query(blocklist->looker.db, &stmt, exact ? events_of_entry : events_of_all,
                   exact ? "it" : "i", *before_id == 0 ? INT64_MAX : *before_id, lower);
    if (rc == SQLITE_OK)
        rc = show_events(stmt, pattern != NULL && !exact ? lower : NULL, since, before_id,
                         limit > 0 ? limit : 1, each, context);
    if (rc != SQLITE_OK)
        (void)store_look_failed(blocklist, blocklist->looker.db, rc, error);
    sqlite3_finalize(stmt);
    pthread_mutex_unlock(&blocklist->looker.lock);
    return rc == SQLITE_OK ? BLOCKLIST_OK : BLOCKLIST_FAILED;
}
