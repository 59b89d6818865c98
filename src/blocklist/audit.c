/* SPDX-License-Identifier: BSD-2-Clause */
#include "blocklist/audit.h"

#include <string.h>

#include "base/sql.h"
#include "base/text.h"
#include "blocklist/schema.h"

#define JSON_OF(row)                                                                     \
    "json_object('action',iif(" row ".allow,'allow',iif(" row                            \
    ".tempfail,'tempfail','block')),'reason'," row ".reason,'since'," row                \
    ".since,'expires'," row ".expires,'who'," row ".who)"
#define INTO_AUDIT                                                                       \
    "INSERT INTO audit (at, login, uid, action, entry, source, allow, tempfail, reason," \
    " before, after)"                                                                    \
    " SELECT at, login, uid, "

static const char counting[] =
    "CREATE TEMP TABLE actor (at, login, uid, action, reason);"
    "INSERT INTO temp.actor VALUES (0, '', 0, '', '');"
    "CREATE TEMP TRIGGER count_added AFTER INSERT ON main.listing BEGIN"
    "  SELECT listing_changed(1, new.kind, new.allow, new.entry); END;"
    "CREATE TEMP TRIGGER audit_changed AFTER UPDATE OF tempfail, reason, expires"
    " ON main.listing BEGIN"
    "  SELECT listing_changed(0, new.kind, new.allow, new.entry);" INTO_AUDIT
    "  iif(action IN ('add', ''), 'change', action), new.entry, new.source, new.allow,"
    "  new.tempfail, reason, " JSON_OF("old") ", " JSON_OF(
        "new") " FROM temp.actor; END;"
               "CREATE TEMP TRIGGER audit_removed AFTER DELETE ON main.listing BEGIN"
               "  SELECT listing_changed(-1, old.kind, old.allow, old.entry);" INTO_AUDIT
               "  action, old.entry, old.source, old.allow, old.tempfail, "
               "reason, " JSON_OF("old") ", NULL"
                                         "  FROM temp.actor; END;";

static const char auditing_additions[] =
    "CREATE TEMP TRIGGER audit_added AFTER INSERT ON main.listing"
    " WHEN (SELECT action <> '' FROM temp.actor) BEGIN " INTO_AUDIT
    "  action, new.entry, new.source, new.allow, new.tempfail, reason, NULL, " JSON_OF(
        "new") "  FROM temp.actor; END;";

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
    int rc = sql_bind(audit->set_actor, "ititt", now, actor->login, (int64_t)actor->uid,
                      action, reason);

    return rc == SQLITE_OK ? sql_run(audit->set_actor) : rc;
}

int audit_begin(struct audit *audit, const char *action,
                const struct blocklist_actor *actor, const char *reason, int64_t now)
{
    audit->added = audit->changed = audit->removed = 0;
    memset(audit->kinds, 0, sizeof audit->kinds);
    audit->allow = 0;
    return audit_actor(audit, action, actor, reason, now);
}
