/* SPDX-License-Identifier: BSD-2-Clause */
#include "blocklist/audit.h"

#include <string.h>

#include "base/clock.h"
#include "base/sql.h"
#include "base/text.h"
#include "blocklist/schema.h"
#include "blocklist/store.h"

#define INTO_AUDIT "INSERT INTO " AUDIT_COLUMNS " SELECT at, login, uid, "

static const char counting[] =
    "CREATE TEMP TABLE actor (at, login, uid, action, reason);"
    "INSERT INTO temp.actor VALUES (0, '', 0, '', '');"
    "CREATE TEMP TRIGGER count_added AFTER INSERT ON main.listing BEGIN"
    "  SELECT listing_changed(1, new.kind, new.allow, new.entry); END;"
    "CREATE TEMP TRIGGER audit_changed AFTER UPDATE OF tempfail, reason, expires"
    " ON main.listing BEGIN"
    "  SELECT listing_changed(0, new.kind, new.allow, new.entry);" INTO_AUDIT
    "  iif(action IN ('add', ''), 'change', action), new.entry, new.source, new.allow,"
    "  new.tempfail, reason, " AUDIT_JSON_OF("old") ", " AUDIT_JSON_OF(
        "new") " FROM temp.actor; END;"
               "CREATE TEMP TRIGGER audit_removed AFTER DELETE ON main.listing BEGIN"
               "  SELECT listing_changed(-1, old.kind, old.allow, old.entry);" INTO_AUDIT
               "  action, old.entry, old.source, old.allow, old.tempfail, "
               "reason, " AUDIT_JSON_OF("old") ", NULL"
                                               "  FROM temp.actor; END;";

static const char auditing_additions[] =
    "CREATE TEMP TRIGGER audit_added AFTER INSERT ON main.listing"
    " WHEN (SELECT action <> '' FROM temp.actor) BEGIN " INTO_AUDIT
    "  action, new.entry, new.source, new.allow, new.tempfail, reason, "
    "NULL, " AUDIT_JSON_OF("new") "  FROM temp.actor; END;";

/* listing_changed(by, kind, allow, entry), called by the triggers for each row. */
static void listing_changed(sqlite3_context *context, int argc, sqlite3_value **argv)
{
    struct audit *audit = sqlite3_user_data(context);
    int by = sqlite3_value_int(argv[0]), kind = sqlite3_value_int(argv[1]);
    const char *text = (const char *)sqlite3_value_text(argv[3]);
    struct entry entry;

    (void)argc;
    if (text == NULL || kind < 0 || kind >= ENTRY_KIND_COUNT ||
        !text_copy(text, entry.text, sizeof entry.text)) {
        sqlite3_result_error(context, "no such entry can be listed", -1);
        return;
    }
    entry.kind = (enum entry_kind)kind;
    audit->kinds[kind] += by;
    audit->allow += sqlite3_value_int(argv[2]) ? by : 0;
    if (by > 0) {
        audit->added++;
        bloom_add(audit->bloom, &entry);
    } else if (by == 0) {
        audit->changed++;
    } else {
        audit->removed++;
    }
}

int audit_attach(struct audit *audit, sqlite3 *db, struct bloom *bloom,
                 enum audit_mode mode)
{
    int rc;

    memset(audit, 0, sizeof *audit);
    audit->db = db;
    audit->bloom = bloom;
    rc = sqlite3_create_function(db, "listing_changed", 4, SQLITE_UTF8, audit,
                                 listing_changed, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = sql_exec(db, counting);
    if (rc == SQLITE_OK && mode == AUDIT_ALL)
        rc = sql_exec(db, auditing_additions);
    if (rc == SQLITE_OK)
        rc = sql_prepare(
            db, &audit->set_actor,
            "UPDATE temp.actor SET at = ?, login = ?, uid = ?, action = ?, reason = ?");
    return rc;
}

void audit_detach(struct audit *audit)
{
    sqlite3_finalize(audit->set_actor);
    audit->set_actor = NULL;
}

int audit_actor(struct audit *audit, const char *action,
                const struct blocklist_actor *actor, const char *reason, int64_t now)
{
    return sql_run_with(audit->set_actor, "ititt", now, actor->login, (int64_t)actor->uid,
                        action, reason);
}

int audit_begin(struct audit *audit, const char *action,
                const struct blocklist_actor *actor, const char *reason, int64_t now)
{
    audit->added = audit->changed = audit->removed = 0;
    memset(audit->kinds, 0, sizeof audit->kinds);
    audit->allow = 0;
    return audit_actor(audit, action, actor, reason, now);
}

/* --- browsing the log, page by page, newest first --- */

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
