/* SPDX-License-Identifier: BSD-2-Clause */
#include "journal/day_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/domain.h"
#include "base/log.h"
#include "base/sql.h"
#include "base/text.h"

#define APPLICATION_ID 0x52424c4a /* "RBLJ" */
#define DAY_S          86400
#define MERGE_PAGES    "500"

static const char schema[] =
    "CREATE TABLE IF NOT EXISTS decision ("
    "  n INTEGER PRIMARY KEY,"
    "  id INTEGER NOT NULL,"
    "  parts BLOB NOT NULL"
    ") STRICT;"
    "CREATE INDEX IF NOT EXISTS decision_id ON decision (id);"
    /* rowid: decision.n / GROUP, of GROUP decisions together, so that each costs little; it
     * keeps no texts */
    "CREATE VIRTUAL TABLE IF NOT EXISTS find USING fts5 ("
    "  tokens, content = '', detail = none, columnsize = 0, tokenize = 'ascii');"
    /* Segments are merged 64 at once, not 4, so that each row is written again less often;
     * and little by little: not all at once when there are 16, as a search may wait for it. */
    "INSERT INTO find (find, rank) VALUES ('automerge', 64);"
    "INSERT INTO find (find, rank) VALUES ('crisismerge', 256);"
    "CREATE TABLE IF NOT EXISTS configuration ("
    "  number INTEGER PRIMARY KEY,"
    "  lists TEXT NOT NULL,"
    "  text TEXT NOT NULL"
    ") STRICT;"
    "CREATE TABLE IF NOT EXISTS folded ("
    "  id INTEGER PRIMARY KEY,"
    "  leader INTEGER NOT NULL"
    ") STRICT;"
    "CREATE TABLE IF NOT EXISTS gap ("
    "  began_ms INTEGER NOT NULL,"
    "  ended_ms INTEGER NOT NULL,"
    "  dropped INTEGER NOT NULL"
    ") STRICT;"
    "CREATE TABLE IF NOT EXISTS alone ("
    "  list TEXT PRIMARY KEY,"
    "  count INTEGER NOT NULL"
    ") STRICT, WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS mark ("
    "  id INTEGER PRIMARY KEY,"
    "  at INTEGER NOT NULL,"
    "  login TEXT NOT NULL,"
    "  reason TEXT NOT NULL,"
    "  alone TEXT NOT NULL" /* the list that alone refused it; "" */
    ") STRICT;"
    "CREATE TABLE IF NOT EXISTS meta ("
    "  name TEXT PRIMARY KEY,"
    "  value BLOB NOT NULL"
    ") STRICT, WITHOUT ROWID;";

#define ROW    "(?, ?, ?)"
#define ROWS_4 ROW ", " ROW ", " ROW ", " ROW /* a quarter of GROUP */

static const char *const sql[STATEMENTS] = {
    [ADD] = "INSERT INTO decision (n, id, parts) VALUES " ROW,
    /* All at once, which costs less than one by one; ROLLBACK, as SQLite would copy pages
     * to undo this statement alone, which costs more. */
    [ADD_GROUP] = "INSERT OR ROLLBACK INTO decision (n, id, parts) VALUES " ROWS_4
                  ", " ROWS_4 ", " ROWS_4 ", " ROWS_4,
    [TOKENS] = "INSERT INTO find (rowid, tokens) VALUES (?, ?)",
    [LOAD] = "SELECT parts FROM decision WHERE id = ? ORDER BY n",
    [LEADER] = "SELECT leader FROM folded WHERE id = ?",
    [FOLD] = "INSERT OR IGNORE INTO folded (id, leader) VALUES (?, ?)",
    [ALONE] = ("INSERT INTO alone (list, count) VALUES (?, 1)"
               " ON CONFLICT DO UPDATE SET count = count + 1"),
    [FIND] = "SELECT rowid FROM find WHERE find MATCH ? ORDER BY rowid DESC",
    [GROUP_ROWS] =
        "SELECT id, parts FROM decision WHERE n BETWEEN ? AND ? ORDER BY n DESC",
    [MASKED] = "SELECT 1 FROM meta WHERE name = 'masked'",
    [GAPS] = "SELECT began_ms, ended_ms, dropped FROM gap",
};

/* --- files --- */

static const char *const kind_names[] = {
    [DAY_REFUSED] = "refused", [DAY_ACCEPTED] = "accepted", [DAY_MARKED] = "marked"};

int64_t day_of(int64_t unix_time)
{
    return unix_time >= 0 ? unix_time / DAY_S : -((-unix_time + DAY_S - 1) / DAY_S);
}

bool day_path(const char *directory, int64_t day, enum day_kind kind,
              char out[static PATH_MAX])
{
    time_t at = kind != DAY_MARKED ? (time_t)(day * DAY_S) : 0; /* it is of all days */
    struct tm tm;
    int n;

    if (kind == DAY_MARKED)
        n = snprintf(out, PATH_MAX, "%s/marked.db", directory);
    else if (gmtime_r(&at, &tm) == NULL)
        return false;
    else
        n = snprintf(out, PATH_MAX, "%s/%04d-%02d-%02d.%s.db", directory,
                     tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, kind_names[kind]);
    return n > 0 && n < PATH_MAX;
}

int day_of_name(const char *name, int64_t *day, enum day_kind *kind)
{
    char path[PATH_MAX];
    struct tm tm = {0};
    size_t length = strlen(name);

    if (length < 3 || strcmp(name + length - 3, ".db") != 0) /* most are -wal and -shm */
        return -1;
    for (int k = DAY_REFUSED; k <= DAY_ACCEPTED; k++) {
        const char *rest = strptime(name, "%Y-%m-%d", &tm);

        if (rest == NULL)
            return -1;
        *day = day_of(timegm(&tm));
        *kind = (enum day_kind)k;
        /* only a name that we would give: "2026-2-3" is somebody else's */
        if (day_path("", *day, *kind, path) && strcmp(path + 1, name) == 0)
            return 0;
    }
    return -1;
}

/* rc: what SQLite answered; its own text is of the last call, which may be another. */
enum day_result day_result_of(const struct day *day, int rc,
                              char error[static DAY_ERROR_SIZE])
{
    const char *path = sqlite3_db_filename(day->db, "main");

    if (rc == SQLITE_OK)
        return DAY_OK;
    text_sentence(error, DAY_ERROR_SIZE, "%s: %s", path != NULL ? path : "journal",
                  sqlite3_errcode(day->db) == rc ? sqlite3_errmsg(day->db)
                                                 : sqlite3_errstr(rc));
    return sql_is_damage(rc) ? DAY_DAMAGED : DAY_FAILED;
}

/* The key of the file. SQLITE_NOTFOUND: it has none, so it is not ours. */
static int read_key(struct day *day)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sql_query(day->db, &stmt, "SELECT value FROM meta WHERE name = 'key'", "");

    if (rc == SQLITE_OK)
        rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW && sqlite3_column_bytes(stmt, 0) == TOKEN_KEY_SIZE) {
        memcpy(day->key, sqlite3_column_blob(stmt, 0), TOKEN_KEY_SIZE);
        rc = SQLITE_OK;
    } else if (rc == SQLITE_ROW || rc == SQLITE_DONE) {
        rc = SQLITE_NOTFOUND;
    }
    sqlite3_finalize(stmt);
    return rc;
}

static int make(struct day *day, const uint8_t *key)
{
    char text[64];
    int rc = sql_exec(day->db, "BEGIN IMMEDIATE");

    (void)snprintf(text, sizeof text, "PRAGMA application_id = %d", APPLICATION_ID);
    if (rc == SQLITE_OK)
        rc = sql_exec(day->db, schema);
    if (rc == SQLITE_OK)
        rc = sql_exec(day->db, text);
    if (rc == SQLITE_OK)
        rc = sql_run_once(day->db,
                          "INSERT OR IGNORE INTO meta (name, value) VALUES ('key', ?)",
                          "b", key, (size_t)TOKEN_KEY_SIZE);
    if (rc == SQLITE_OK)
        rc = sql_exec(day->db, "COMMIT");
    if (rc != SQLITE_OK)
        day_cancel(day);
    return rc;
}

static enum day_result open_file(struct day *day, const char *path, const uint8_t *key,
                                 char error[static DAY_ERROR_SIZE])
{
    static const char write_settings[] =
        /* no secure_delete, which Debian's SQLite has on: merges would overwrite all twice */
        "PRAGMA secure_delete = OFF; PRAGMA auto_vacuum = INCREMENTAL;"
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = "
        "-8192;"
        "PRAGMA wal_autocheckpoint = 0; PRAGMA journal_size_limit = 16777216;";
    static const char read_settings[] =
        "PRAGMA query_only = 1; PRAGMA cache_size = -256;";
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
    int64_t application = 0;
    int rc = sqlite3_open_v2(path, &day->db,
                             key != NULL ? flags | SQLITE_OPEN_CREATE : flags, NULL);

    if (rc == SQLITE_OK)
        rc = sql_harden(day->db);
    if (rc == SQLITE_OK)
        rc = sqlite3_busy_timeout(day->db, 1000);
    if (rc == SQLITE_OK)
        rc = sql_number(day->db, &application, "PRAGMA application_id", "");
    if (rc == SQLITE_OK && application != APPLICATION_ID && application != 0) {
        text_sentence(error, DAY_ERROR_SIZE, "%s: not a file of the journal", path);
        return DAY_DAMAGED;
    }
    if (rc == SQLITE_OK)
        rc = sql_exec(day->db, key != NULL ? write_settings : read_settings);
    if (rc == SQLITE_OK && key != NULL)
        rc = make(day, key);
    if (rc == SQLITE_OK)
        rc = read_key(day);
    memcpy(&day->seed, day->key, sizeof day->seed);
    for (int i = 0; i < STATEMENTS && rc == SQLITE_OK; i++)
        rc = sql_prepare(day->db, &day->statements[i], sql[i]);
    if (rc != SQLITE_NOTFOUND)
        return day_result_of(day, rc, error);
    text_sentence(error, DAY_ERROR_SIZE, "%s: not a file of the journal", path);
    return DAY_DAMAGED;
}

enum day_result day_open(const char *path, const uint8_t *key, struct day **out,
                         char error[static DAY_ERROR_SIZE])
{
    struct day *day = calloc(1, sizeof *day);
    enum day_result result = DAY_FAILED;
    struct stat st;

    *out = NULL;
    if (day == NULL) {
        text_sentence(error, DAY_ERROR_SIZE, "out of memory");
        return result;
    }
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
        text_sentence(error, DAY_ERROR_SIZE, "%s: not a file", path);
        result = DAY_DAMAGED;
    } else {
        result = open_file(day, path, key, error);
    }
    if (result == DAY_OK && stat(path, &st) == 0) {
        day->device = st.st_dev;
        day->inode = st.st_ino;
    }
    if (result == DAY_OK)
        *out = day;
    else
        day_close(day);
    return result;
}

void day_close(struct day *day)
{
    if (day == NULL)
        return;
    for (int i = 0; i < STATEMENTS; i++)
        sqlite3_finalize(day->statements[i]);
    sqlite3_close(day->db);
    free(day->parts.bytes);
    free(day->tokens.bytes);
    free(day);
}

bool day_is_at(const struct day *day, const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && st.st_dev == day->device && st.st_ino == day->inode;
}

const uint8_t *day_key(const struct day *day)
{
    return day->key;
}

/* --- writing --- */

static void forget_group(struct day *day)
{
    day->count = 0;
    day->parts.used = day->tokens.used = 0;
    day->parts.failed = day->tokens.failed = false;
}

/* The next group begins: each transaction has its own, so that none is added to later. */
enum day_result day_begin(struct day *day, char error[static DAY_ERROR_SIZE])
{
    int64_t last = 0;
    int rc = sql_exec(day->db, "BEGIN IMMEDIATE");

    if (rc == SQLITE_OK)
        rc = sql_number(day->db, &last, "SELECT ifnull(max(n), 0) FROM decision", "");
    day->number = last / GROUP + 1;
    return day_result_of(day, rc, error);
}

static int add_rows(struct day *day)
{
    bool whole = day->count == GROUP;
    sqlite3_stmt *stmt = day->statements[whole ? ADD_GROUP : ADD];
    int rc = SQLITE_OK;

    for (int i = 0; i < day->count && rc == SQLITE_OK; i++) {
        const struct added *added = &day->added[i];

        rc = sql_bind_from(stmt, whole ? 3 * i + 1 : 1, "iib", day->number * GROUP + i,
                           (int64_t)added->id, day->parts.bytes + added->begin,
                           added->size);
        if (rc == SQLITE_OK && !whole)
            rc = sql_run(stmt);
    }
    return rc == SQLITE_OK && whole ? sql_run(stmt) : rc;
}

/* Writes the group that was gathered, and its tokens. */
static int add_group(struct day *day)
{
    struct octets *tokens = &day->tokens;
    sqlite3_stmt *stmt = day->statements[TOKENS];
    int rc = day->parts.failed || tokens->failed ? SQLITE_NOMEM : add_rows(day);

    if (rc == SQLITE_OK && tokens->used > 0) {
        rc = sqlite3_bind_int64(stmt, 1, day->number);
        if (rc == SQLITE_OK) /* with its length: it is no string of C */
            rc = sqlite3_bind_text(stmt, 2, (const char *)tokens->bytes,
                                   (int)tokens->used, SQLITE_STATIC);
        if (rc == SQLITE_OK)
            rc = sql_run(stmt);
    }
    day->number++;
    forget_group(day);
    return rc;
}

enum day_result day_commit(struct day *day, char error[static DAY_ERROR_SIZE])
{
    int rc = add_group(day);

    if (rc == SQLITE_OK)
        rc = sql_exec(day->db, "COMMIT");
    return day_result_of(day, rc, error);
}

void day_cancel(struct day *day)
{
    if (!sqlite3_get_autocommit(day->db))
        (void)sql_exec(day->db, "ROLLBACK"); /* what failed is reported already */
    day->configuration = 0;
    day->has_masked = false;
    forget_group(day);
}

enum day_result day_add(struct day *day, journal_id id, const uint8_t *bytes, size_t size,
                        const struct record *record, char error[static DAY_ERROR_SIZE])
{
    int rc = SQLITE_OK;

    day->added[day->count++] =
        (struct added){.id = id, .begin = day->parts.used, .size = size};
    octets_add(&day->parts, bytes, size);
    tokens_add(day->seed, record, &day->tokens);
    if (day->count == GROUP)
        rc = add_group(day);
    return day_result_of(day, rc, error);
}

enum day_result day_note_masked(struct day *day, char error[static DAY_ERROR_SIZE])
{
    int rc;

    if (day->has_masked)
        return DAY_OK;
    rc = sql_run_once(
        day->db, "INSERT OR IGNORE INTO meta (name, value) VALUES ('masked', x'')", "");
    day->has_masked = rc == SQLITE_OK;
    return day_result_of(day, rc, error);
}

enum day_result day_add_configuration(struct day *day, int64_t number, const char *lists,
                                      const char *text, char error[static DAY_ERROR_SIZE])
{
    int rc;

    if (number == day->configuration)
        return DAY_OK;
    rc = sql_run_once(day->db,
                      "INSERT OR IGNORE INTO configuration (number, lists, text)"
                      " VALUES (?, ?, ?)",
                      "itt", number, lists, text);
    if (rc == SQLITE_OK)
        day->configuration = number;
    return day_result_of(day, rc, error);
}

enum day_result day_add_gap(struct day *day, int64_t began_ms, int64_t ended_ms,
                            uint64_t dropped, char error[static DAY_ERROR_SIZE])
{
    return day_result_of(day,
                         sql_run_once(day->db,
                                      "INSERT INTO gap (began_ms, ended_ms, dropped)"
                                      " VALUES (?, ?, ?)",
                                      "iii", began_ms, ended_ms, (int64_t)dropped),
                         error);
}

enum day_result day_add_folded(struct day *day, journal_id id, journal_id leader,
                               char error[static DAY_ERROR_SIZE])
{
    sqlite3_stmt *stmt = day->statements[FOLD];
    int rc = sql_bind(stmt, "ii", (int64_t)id, (int64_t)leader);

    return day_result_of(day, rc == SQLITE_OK ? sql_run(stmt) : rc, error);
}

enum day_result day_add_alone(struct day *day, const char *list,
                              char error[static DAY_ERROR_SIZE])
{
    sqlite3_stmt *stmt = day->statements[ALONE];
    int rc = sql_bind(stmt, "t", list);

    return day_result_of(day, rc == SQLITE_OK ? sql_run(stmt) : rc, error);
}

enum day_result day_mark(struct day *day, journal_id id, const char *login,
                         const char *reason, const char *alone,
                         char error[static DAY_ERROR_SIZE])
{
    int rc;

    if (reason == NULL)
        rc = sql_run_once(day->db, "DELETE FROM mark WHERE id = ?", "i", (int64_t)id);
    else
        rc =
            sql_run_once(day->db,
                         "INSERT OR REPLACE INTO mark (id, at, login, reason, alone)"
                         " VALUES (?, ?, ?, ?, ?)",
                         "iittt", (int64_t)id, (int64_t)time(NULL), login, reason, alone);
    return day_result_of(day, rc, error);
}

enum day_result day_remove(struct day *day, journal_id id,
                           char error[static DAY_ERROR_SIZE])
{
    return day_result_of(
        day, sql_run_once(day->db, "DELETE FROM decision WHERE id = ?", "i", (int64_t)id),
        error);
}

/* Gives pages that the merges have left free back to the disk; false when it can do no more. */
static bool shrink(struct day *day)
{
    int64_t before = 0, after = 0;
    int rc = sql_number(day->db, &before, "PRAGMA freelist_count", "");

    if (rc == SQLITE_OK && before > 0)
        rc = sql_exec(day->db, "PRAGMA incremental_vacuum(" MERGE_PAGES ")");
    if (rc == SQLITE_OK && before > 0)
        rc = sql_number(day->db, &after, "PRAGMA freelist_count", "");
    return rc == SQLITE_OK && after > 0 && after < before;
}

bool day_merge(struct day *day)
{
    int before = sqlite3_total_changes(day->db);
    int rc = sql_exec(day->db,
                      "INSERT INTO find (find, rank) VALUES ('merge', -" MERGE_PAGES ")");

    /* as SQLite's manual of FTS5 has it: less than two changes, nothing was left to do */
    return (rc == SQLITE_OK && sqlite3_total_changes(day->db) - before >= 2) ||
           shrink(day);
}

void day_checkpoint(struct day *day)
{
    int rc =
        sqlite3_wal_checkpoint_v2(day->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);

    if (rc != SQLITE_OK && rc != SQLITE_BUSY)
        log_warning("journal: checkpoint: %s", sqlite3_errmsg(day->db));
}
