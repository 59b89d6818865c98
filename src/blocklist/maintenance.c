/* SPDX-License-Identifier: BSD-2-Clause */
/* The maintenance thread does what takes long and only reads: it builds the filter, reads
 * the whole file to see that it is sound, and makes the daily backup. */

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/sql.h"
#include "base/text.h"
#include "blocklist/backup.h"
#include "blocklist/schema.h"
#include "blocklist/transaction.h"

#define TICK_MS      60000
#define LOCK_WAIT_MS 60000

struct counts {
    int64_t kinds[ENTRY_KIND_COUNT], allow;
};

/* Begins the successor and a snapshot, with no change under way: what was committed
 * before is in the snapshot, what comes later adds itself to the successor. */
static bool start_build(struct blocklist *blocklist, struct counts *before)
{
    sqlite3 *db = blocklist->maintenance_db;
    int64_t rows;
    char error[BLOCKLIST_ERROR_SIZE];
    bool ok;

    /* a wrong number makes the filter too small, not wrong */
    (void)sql_number(db, &rows, "SELECT count(*) FROM listing", "");
    rows += (int64_t)atomic_exchange(&blocklist->expected, 0);
    if (bloom_build_start(&blocklist->bloom, (uint64_t)(rows + rows / 4)) != 0)
        return false;
    if (transaction_lock(blocklist, LOCK_WAIT_MS, error) != BLOCKLIST_OK)
        return false;
    pthread_mutex_lock(&blocklist->state_lock);
    memcpy(before->kinds, blocklist->kinds, sizeof before->kinds);
    before->allow = blocklist->allow;
    pthread_mutex_unlock(&blocklist->state_lock);
    ok = sql_exec(db, "BEGIN; SELECT 1 FROM listing LIMIT 1") == SQLITE_OK;
    transaction_unlock(blocklist);
    return ok;
}

/* Returns SQLITE_DONE when all rows were read. */
static int scan(struct blocklist *blocklist, struct counts *scanned)
{
    sqlite3_stmt *stmt = NULL;
    struct entry entry;
    int rc = sql_query(blocklist->maintenance_db, &stmt,
                       "SELECT entry, kind, allow FROM listing", "");

    while (rc == SQLITE_OK || rc == SQLITE_ROW) {
        rc = sqlite3_step(stmt);
        if (rc != SQLITE_ROW)
            break;
        if (!text_copy(sql_text(stmt, 0), entry.text, sizeof entry.text) ||
            sqlite3_column_int(stmt, 1) < 0 ||
            sqlite3_column_int(stmt, 1) >= ENTRY_KIND_COUNT)
            continue; /* somebody else's hand: it can match nothing */
        entry.kind = (enum entry_kind)sqlite3_column_int(stmt, 1);
        bloom_build_add(&blocklist->bloom, &entry);
        scanned->kinds[entry.kind]++;
        scanned->allow += sqlite3_column_int(stmt, 2) != 0;
        if (scanned->kinds[entry.kind] % 65536 == 0 && store_is_stopping(blocklist))
            rc = SQLITE_INTERRUPT;
    }
    sqlite3_finalize(stmt);
    return rc;
}

static void build_filter(struct blocklist *blocklist)
{
    struct counts before = {{0}, 0}, scanned = {{0}, 0};
    bool ok = start_build(blocklist, &before) && scan(blocklist, &scanned) == SQLITE_DONE;

    if (!sqlite3_get_autocommit(blocklist->maintenance_db))
        (void)sql_exec(blocklist->maintenance_db, "COMMIT"); /* it only read */
    if (ok) {
        /* what was counted in the snapshot, and what came since it began */
        pthread_mutex_lock(&blocklist->state_lock);
        for (int i = 0; i < ENTRY_KIND_COUNT; i++)
            blocklist->kinds[i] += scanned.kinds[i] - before.kinds[i];
        blocklist->allow += scanned.allow - before.allow;
        blocklist->counted = true;
        pthread_mutex_unlock(&blocklist->state_lock);
        bloom_build_finish(&blocklist->bloom);
        return;
    }
    bloom_build_cancel(&blocklist->bloom);
    if (!store_is_stopping(blocklist))
        log_error("blocklist: filter=not-built: %s: lookups go to the database",
                  sqlite3_errmsg(blocklist->maintenance_db));
}

static bool check_file(struct blocklist *blocklist)
{
    enum schema_result result;
    char error[BLOCKLIST_ERROR_SIZE];

    result = schema_check(blocklist->maintenance_db, error, sizeof error);
    if (result != SCHEMA_OK) {
        if (result == SCHEMA_DAMAGED || !store_is_stopping(blocklist))
            store_trouble(blocklist, error, result == SCHEMA_DAMAGED);
        return false;
    }
    pthread_mutex_lock(&blocklist->state_lock);
    blocklist->checked = true;
    pthread_mutex_unlock(&blocklist->state_lock);
    return true;
}

static bool go_on(void *context)
{
    return !store_is_stopping(context);
}

/* Makes the backup at path, unless it is there already. */
static int make_backup(struct blocklist *blocklist, const char *path)
{
    char error[BLOCKLIST_ERROR_SIZE];
    struct stat st;

    if (stat(path, &st) != 0) {
        /* A copy of a broken file must not push out the last good one. */
        if (!check_file(blocklist))
            return -1;
        if (backup_copy(blocklist->maintenance_db, path, go_on, blocklist, error,
                        sizeof error) != 0) {
            if (!store_is_stopping(blocklist))
                log_error("blocklist: backup: %s", error);
            return -1;
        }
        log_info("blocklist: backup=%s", path);
    }
    return 0;
}

int maintenance_backup(struct blocklist *blocklist)
{
    int keep = atomic_load(&blocklist->backups), rc;
    char path[PATH_MAX];

    if (keep <= 0 || !backup_path(blocklist->path, time(NULL), path, sizeof path))
        return 0;
    rc = make_backup(blocklist, path);
    if (rc == 0)
        backup_prune(blocklist->path, keep);
    pthread_mutex_lock(&blocklist->state_lock);
    (void)backup_newest(blocklist->path, path, sizeof path, &blocklist->last_backup);
    pthread_mutex_unlock(&blocklist->state_lock);
    return rc;
}

void *maintenance_main(void *context)
{
    struct blocklist *blocklist = context;
    bool checked, rebuild;

    build_filter(blocklist);
    pthread_mutex_lock(&blocklist->state_lock);
    checked = blocklist->checked;
    pthread_mutex_unlock(&blocklist->state_lock);
    if (!checked)
        (void)check_file(blocklist);
    do {
        pthread_mutex_lock(&blocklist->wake_lock);
        rebuild = blocklist->rebuild;
        blocklist->rebuild = false;
        pthread_mutex_unlock(&blocklist->wake_lock);
        if (rebuild || !bloom_is_ready(&blocklist->bloom))
            build_filter(blocklist);
        import_finish_left(blocklist);
        (void)maintenance_backup(blocklist); /* logged; tried again in a minute */
    } while (store_wait(blocklist, TICK_MS, true));
    return NULL;
}
