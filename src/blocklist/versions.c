/* SPDX-License-Identifier: BSD-2-Clause */
#include "blocklist/versions.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/sql.h"
#include "blocklist/store.h"

int version_compare(struct version a, struct version b)
{
    if (a.at != b.at)
        return a.at < b.at ? -1 : 1;
    return a.id < b.id ? -1 : a.id > b.id;
}

bool version_counts(struct version row, const struct version *stored,
                    const struct version *mark)
{
    return (stored == NULL || version_compare(row, *stored) > 0) &&
           (mark == NULL || version_compare(row, *mark) > 0);
}

int versions_init(struct versions *versions, bool farm, const char *const *keep_local,
                  size_t count)
{
    versions->on = farm;
    versions->keep_local = calloc(count + 1, sizeof *versions->keep_local);
    if (versions->keep_local == NULL)
        return -1;
    for (size_t i = 0; i < count; i++)
        if ((versions->keep_local[i] = strdup(keep_local[i])) == NULL)
            return -1;
    return 0;
}

void versions_destroy(struct versions *versions)
{
    for (size_t i = 0; versions->keep_local != NULL && versions->keep_local[i] != NULL;
         i++)
        free(versions->keep_local[i]);
    free(versions->keep_local);
    versions->keep_local = NULL;
}

/* Who left a farm may come back: what is changed meanwhile keeps its place among the
 * others' changes. */
int versions_open(struct versions *versions, sqlite3 *db,
                  const struct blocklist_clock *clock)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(db, "SELECT last_at FROM farm", -1, &stmt, NULL);

    versions->clock = clock;
    if (rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        versions->last_at = sqlite3_column_int64(stmt, 0);
        versions->on = true;
    }
    sqlite3_finalize(stmt);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

void versions_begin(struct versions *versions)
{
    versions->at = 0;
    versions->marking = false;
}

static void version_at(sqlite3_context *context, int argc, sqlite3_value **argv)
{
    struct versions *versions = sqlite3_user_data(context);
    int64_t now;

    (void)argc;
    (void)argv;
    if (!versions->on)
        return;
    /* All of a transaction is one moment: nobody sees what was between its begin and its
     * end, and an import of millions does not run ahead of the clock. */
    if (versions->at == 0) {
        now = versions->clock->wall_ns(versions->clock->context) / 1000000;
        versions->at = now > versions->last_at ? now : versions->last_at + 1;
        versions->last_at = versions->at;
        versions->noted = false;
    }
    sqlite3_result_int64(context, versions->at);
}

static void version_id(sqlite3_context *context, int argc, sqlite3_value **argv)
{
    struct versions *versions = sqlite3_user_data(context);
    uint64_t id;

    (void)argc;
    (void)argv;
    if (!versions->on)
        return;
    if (getrandom(&id, sizeof id, 0) == (ssize_t)sizeof id)
        sqlite3_result_int64(context, (int64_t)(id >> 1));
    else
        sqlite3_result_error(context, "the system gives no random numbers", -1);
}

/* version_is_made(): whether each row gets a version of its own. */
static void version_is_made(sqlite3_context *context, int argc, sqlite3_value **argv)
{
    struct versions *versions = sqlite3_user_data(context);

    (void)argc;
    (void)argv;
    sqlite3_result_int(context, !versions->marking);
}

/* version_goes_out(source) */
static void version_goes_out(sqlite3_context *context, int argc, sqlite3_value **argv)
{
    struct versions *versions = sqlite3_user_data(context);
    const char *source = (const char *)sqlite3_value_text(argv[0]);

    (void)argc;
    sqlite3_result_int(context,
                       !versions_is_local(versions, source != NULL ? source : ""));
}

bool versions_is_local(const struct versions *versions, const char *source)
{
    for (size_t i = 0; versions->keep_local[i] != NULL; i++)
        if (strcmp(versions->keep_local[i], source) == 0)
            return true;
    return false;
}

#define OUT(row)                                                                         \
    "  DELETE FROM outbox WHERE entry = " row ".entry AND allow = " row                  \
    ".allow AND source = " row ".source;"                                                \
    "  INSERT INTO outbox (entry, allow, source, person)"                                \
    "   SELECT " row ".entry, " row ".allow, " row ".source, action <> 'import'"         \
    "   FROM temp.actor WHERE version_goes_out(" row ".source);"

/* What has ended goes by itself, on each host: it keeps its version and nothing is sent. */
static const char triggers[] =
    "CREATE TEMP TRIGGER version_added AFTER INSERT ON main.listing"
    " WHEN version_is_made() BEGIN"
    "  DELETE FROM gone WHERE entry = new.entry AND allow = new.allow"
    "   AND source = new.source;" OUT(
        "new") " END;"
               "CREATE TEMP TRIGGER version_changed AFTER UPDATE OF at ON main.listing"
               " WHEN version_is_made() BEGIN" OUT(
                   "new") " END;"
                          "CREATE TEMP TRIGGER version_ended AFTER DELETE ON main.listing"
                          " WHEN version_is_made() AND (SELECT action = 'expire' FROM "
                          "temp.actor) BEGIN"
                          "  REPLACE INTO gone SELECT old.entry, old.allow, old.source, "
                          "at, version,"
                          "   max(at, coalesce(old.expires, 0) * 1000), old.reason, "
                          "old.who FROM"
                          "   (SELECT coalesce(old.at, old.since * 1000) AS at,"
                          "    coalesce(old.version, version_id()) AS version); END;"
                          "CREATE TEMP TRIGGER version_removed AFTER DELETE ON "
                          "main.listing"
                          " WHEN version_is_made() AND (SELECT action <> 'expire' FROM "
                          "temp.actor) BEGIN"
                          "  REPLACE INTO gone SELECT old.entry, old.allow, old.source, "
                          "version_at(),"
                          "   version_id(), version_at(), reason, login FROM "
                          "temp.actor;" OUT("old") " END;";

int versions_functions(struct versions *versions, sqlite3 *db)
{
    static const struct {
        const char *name;
        int arguments;
        void (*function)(sqlite3_context *, int, sqlite3_value **);
    } functions[] = {
        {"version_at", 0, version_at},
        {"version_id", 0, version_id},
        {"version_is_made", 0, version_is_made},
        {"version_goes_out", 1, version_goes_out},
    };
    int rc = SQLITE_OK;

    for (size_t i = 0; rc == SQLITE_OK && i < sizeof functions / sizeof functions[0]; i++)
        rc = sqlite3_create_function(db, functions[i].name, functions[i].arguments,
                                     SQLITE_UTF8, versions, functions[i].function, NULL,
                                     NULL);
    return rc;
}

int versions_attach(struct versions *versions, sqlite3 *db)
{
    int rc = versions_functions(versions, db);

    return rc == SQLITE_OK && versions->on ? sql_exec(db, triggers) : rc;
}

int versions_note(struct versions *versions, sqlite3 *db)
{
    int rc;

    if (!versions->on || versions->noted)
        return SQLITE_OK;
    rc = sql_run_once(db,
                      "INSERT INTO farm VALUES (1, ?, 0, '', 0, 0, 0, '', '')"
                      " ON CONFLICT (one) DO UPDATE SET last_at = excluded.last_at",
                      "i", versions->last_at);
    versions->noted = rc == SQLITE_OK;
    return rc;
}

int versions_mark(struct versions *versions, sqlite3 *db, const char *entry,
                  const char *reason, const char *who)
{
    int rc;

    if (!versions->on)
        return SQLITE_OK;
    rc = sql_run_once(db, "DELETE FROM outbox WHERE entry = ?", "t", entry);
    if (rc == SQLITE_OK)
        rc = sql_run_once(db, "DELETE FROM gone WHERE entry = ?", "t", entry);
    if (rc == SQLITE_OK)
        rc =
            sql_run_once(db,
                         "INSERT INTO gone VALUES (?, -1, '', version_at(), version_id(),"
                         " version_at(), ?, ?)",
                         "ttt", entry, reason, who);
    if (rc == SQLITE_OK)
        rc = sql_run_once(
            db, "INSERT INTO outbox (entry, allow, source, person) VALUES (?, -1, '', 1)",
            "t", entry);
    return rc;
}

/* FNV-1a: a stranger who finds two rows of one key hides one refusal behind another. */
int64_t versions_key(const char *entry, int allow, const char *source)
{
    uint64_t hash = UINT64_C(14695981039346656037);

    for (const char *p = entry; *p != '\0'; p++)
        hash = (hash ^ (unsigned char)*p) * UINT64_C(1099511628211);
    hash = (hash ^ (uint64_t)(allow + 0x101)) * UINT64_C(1099511628211);
    for (const char *p = source; *p != '\0'; p++)
        hash = (hash ^ (unsigned char)*p) * UINT64_C(1099511628211);
    return (int64_t)(hash >> 1);
}
