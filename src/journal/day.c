/* SPDX-License-Identifier: BSD-2-Clause */
#include "journal/day.h"

#include <ctype.h>
#include <nettle/sha2.h>
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
#define HASH_LETTERS   26
#define MERGE_PAGES    "500"

static const char schema[] =
    "CREATE TABLE IF NOT EXISTS decision ("
    "  n INTEGER PRIMARY KEY,"
    "  id INTEGER NOT NULL,"
    "  parts BLOB NOT NULL"
    ") STRICT;"
    "CREATE INDEX IF NOT EXISTS decision_id ON decision (id);"
    /* rowid: decision.n. It keeps no texts, so that it costs little */
    "CREATE VIRTUAL TABLE IF NOT EXISTS find USING fts5 ("
    "  tokens, content = '', detail = none, columnsize = 0, tokenize = 'ascii');"
    /* segments are merged 16 at once, not 4: each row is written again less often */
    "INSERT INTO find (find, rank) VALUES ('automerge', 16);"
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

enum statement { ADD, TOKENS, LOAD, LEADER, FOLD, ALONE, FIND, MASKED, GAPS, STATEMENTS };

static const char *const sql[STATEMENTS] = {
    [ADD] = "INSERT INTO decision (id, parts) VALUES (?, ?)",
    [TOKENS] = "INSERT INTO find (rowid, tokens) VALUES (?, ?)",
    [LOAD] = "SELECT parts FROM decision WHERE id = ? ORDER BY n",
    [LEADER] = "SELECT leader FROM folded WHERE id = ?",
    [FOLD] = "INSERT OR IGNORE INTO folded (id, leader) VALUES (?, ?)",
    [ALONE] = ("INSERT INTO alone (list, count) VALUES (?, 1)"
               " ON CONFLICT DO UPDATE SET count = count + 1"),
    [FIND] = ("SELECT d.id FROM find f JOIN decision d ON d.n = f.rowid"
              " WHERE f.find MATCH ? ORDER BY f.rowid DESC"),
    [MASKED] = "SELECT 1 FROM meta WHERE name = 'masked'",
    [GAPS] = "SELECT began_ms, ended_ms, dropped FROM gap",
};

struct day {
    sqlite3 *db;
    sqlite3_stmt *statements[STATEMENTS];
    uint8_t key[DAY_KEY_SIZE];
    int64_t configuration; /* the last one that was added; 0 none */
    bool has_masked;       /* some of its local parts are hashes */
    dev_t device;
    ino_t inode;
    struct octets tokens; /* of the decision that is added: memory that is used again */
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
static enum day_result result_of(const struct day *day, int rc,
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
    if (rc == SQLITE_ROW && sqlite3_column_bytes(stmt, 0) == DAY_KEY_SIZE) {
        memcpy(day->key, sqlite3_column_blob(stmt, 0), DAY_KEY_SIZE);
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
                          "b", key, (size_t)DAY_KEY_SIZE);
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
        "PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL; PRAGMA synchronous "
        "= "
        "NORMAL; PRAGMA cache_size = -8192;"
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
    for (int i = 0; i < STATEMENTS && rc == SQLITE_OK; i++)
        rc = sql_prepare(day->db, &day->statements[i], sql[i]);
    if (rc != SQLITE_NOTFOUND)
        return result_of(day, rc, error);
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

/* --- hashes and tokens --- */

static void base32(const uint8_t *in, int letters, char *out)
{
    static const char digits[] = "abcdefghijklmnopqrstuvwxyz234567";
    unsigned bits = 0, have = 0;

    for (int i = 0; i < letters; i++) {
        if (have < 5) {
            bits = bits << 8 | *in++;
            have += 8;
        }
        have -= 5;
        *out++ = digits[bits >> have & 31];
    }
    *out = '\0';
}

static void hash(const uint8_t key[static DAY_KEY_SIZE], char kind, const void *value,
                 size_t size, int letters, char *out)
{
    uint8_t digest[SHA256_DIGEST_SIZE];
    struct sha256_ctx sha256;

    sha256_init(&sha256);
    sha256_update(&sha256, DAY_KEY_SIZE, key);
    sha256_update(&sha256, 1, (const uint8_t *)&kind);
    sha256_update(&sha256, size, value);
    sha256_digest(&sha256, sizeof digest, digest);
    base32(digest, letters, out);
}

void day_hash(const uint8_t key[static DAY_KEY_SIZE], const char *value,
              char out[static DAY_HASH_SIZE])
{
    out[0] = '~';
    hash(key, '~', value, strlen(value), HASH_LETTERS, out + 1);
}

void day_address(const char *text, char out[static DAY_ADDRESS_SIZE], const char **domain)
{
    struct mail_address address;
    size_t used;

    if (mail_address_parse(text, &address) != 0 || address.local[0] == '\0') {
        if (!text_lower(text, out, DAY_ADDRESS_SIZE))
            out[0] = '\0';
        if (domain != NULL)
            *domain = out + strlen(out);
        return;
    }
    (void)text_lower(address.local, out, DAY_ADDRESS_SIZE); /* it fits */
    used = strlen(out);
    if (address.domain[0] != '\0') {
        out[used] = '@';
        memcpy(out + used + 1, address.domain, strlen(address.domain) + 1);
    }
    if (domain != NULL)
        *domain = out + used + (address.domain[0] != '\0');
}

void day_mask(const uint8_t key[static DAY_KEY_SIZE], const char *text,
              char out[static DAY_MASKED_SIZE])
{
    char address[DAY_ADDRESS_SIZE], hashed[DAY_HASH_SIZE];
    const char *domain;

    out[0] = '\0';
    if (text[0] == '\0')
        return;
    day_address(text, address, &domain);
    day_hash(key, address, hashed);
    text_sentence(out, DAY_MASKED_SIZE, "%s%s%s", hashed, domain[0] != '\0' ? "@" : "",
                  domain);
}

void day_mask_entry(const uint8_t key[static DAY_KEY_SIZE], const char *entry,
                    char out[static DAY_MASKED_SIZE])
{
    bool is_login = strncmp(entry, "user:", 5) == 0;
    char masked[DAY_MASKED_SIZE];

    if (!is_login && strchr(entry, '@') == NULL) {
        text_sentence(out, DAY_MASKED_SIZE, "%s", entry);
        return;
    }
    day_mask(key, is_login ? entry + 5 : entry, masked);
    text_sentence(out, DAY_MASKED_SIZE, "%s%s", is_login ? "user:" : "", masked);
}

#define TOKEN_LETTERS 6
#define TOKEN_SIZE    (TOKEN_LETTERS + 2)

static void token_text(const struct day *day, enum day_token token, const void *value,
                       size_t size, char out[static TOKEN_SIZE])
{
    static const char letters[] = {
        [TOKEN_CLIENT] = 'c',    [TOKEN_NETWORK] = 'n',
        [TOKEN_SENDER] = 's',    [TOKEN_SENDER_DOMAIN] = 'd',
        [TOKEN_RECIPIENT] = 'r', [TOKEN_RECIPIENT_DOMAIN] = 'e',
        [TOKEN_LOGIN] = 'u',     [TOKEN_QUEUE_ID] = 'q',
        [TOKEN_ENTRY] = 'b',
    };

    out[0] = letters[token];
    hash(day->key, letters[token], value, size, TOKEN_LETTERS, out + 1);
}

static void add_token(const struct day *day, struct octets *tokens, enum day_token token,
                      const void *value, size_t size)
{
    char text[TOKEN_SIZE];

    if (size == 0)
        return;
    token_text(day, token, value, size, text);
    text[TOKEN_SIZE - 1] = ' ';
    octets_add(tokens, text, TOKEN_SIZE);
}

/* An address's own token and its domain's. A hashed one has its token as it is. */
static void add_address(const struct day *day, struct octets *tokens,
                        enum day_token token, enum day_token domain_token,
                        const char *text)
{
    char address[DAY_ADDRESS_SIZE];
    const char *domain;

    if (text[0] == '\0')
        return;
    day_address(text, address, &domain);
    add_token(day, tokens, token, address, strlen(address));
    add_token(day, tokens, domain_token, domain, strlen(domain));
}

static size_t address_size(const struct ipaddr *address)
{
    return address->family == 4 ? 4 : 16;
}

static void add_client(const struct day *day, struct octets *tokens,
                       const struct ipaddr *client)
{
    struct network network;

    add_token(day, tokens, TOKEN_CLIENT, client->octets, address_size(client));
    network_of(client, client->family == 4 ? 24 : 48, &network);
    add_token(day, tokens, TOKEN_NETWORK, network.base.octets,
              address_size(&network.base));
}

static void tokens_of(const struct day *day, const struct record *r,
                      struct octets *tokens)
{
    if (r->has_client)
        add_client(day, tokens, &r->client);
    add_address(day, tokens, TOKEN_SENDER, TOKEN_SENDER_DOMAIN, r->sender);
    for (size_t i = 0; i < r->recipient_count; i++)
        add_address(day, tokens, TOKEN_RECIPIENT, TOKEN_RECIPIENT_DOMAIN,
                    r->recipients[i].text);
    add_address(day, tokens, TOKEN_LOGIN, TOKEN_LOGIN, r->login);
    add_token(day, tokens, TOKEN_QUEUE_ID, r->queue_id, strlen(r->queue_id));
    add_token(day, tokens, TOKEN_ENTRY, r->entry, strlen(r->entry));
}

/* --- writing --- */

enum day_result day_begin(struct day *day, char error[static DAY_ERROR_SIZE])
{
    return result_of(day, sql_exec(day->db, "BEGIN IMMEDIATE"), error);
}

enum day_result day_commit(struct day *day, char error[static DAY_ERROR_SIZE])
{
    return result_of(day, sql_exec(day->db, "COMMIT"), error);
}

void day_cancel(struct day *day)
{
    if (!sqlite3_get_autocommit(day->db))
        (void)sql_exec(day->db, "ROLLBACK"); /* what failed is reported already */
    day->configuration = 0;
    day->has_masked = false;
}

static int run_tokens(struct day *day, const struct record *record)
{
    struct octets *tokens = &day->tokens;
    sqlite3_stmt *stmt = day->statements[TOKENS];
    int rc;

    tokens->used = 0;
    tokens->failed = false;
    tokens_of(day, record, tokens);
    if (tokens->failed)
        return SQLITE_NOMEM;
    if (tokens->used == 0)
        return SQLITE_OK;
    rc = sqlite3_bind_int64(stmt, 1, sqlite3_last_insert_rowid(day->db));
    if (rc == SQLITE_OK) /* with its length: it is no string of C */
        rc = sqlite3_bind_text(stmt, 2, (const char *)tokens->bytes, (int)tokens->used,
                               SQLITE_STATIC);
    return rc == SQLITE_OK ? sql_run(stmt) : rc;
}

enum day_result day_add(struct day *day, journal_id id, const uint8_t *bytes, size_t size,
                        const struct record *record, char error[static DAY_ERROR_SIZE])
{
    sqlite3_stmt *stmt = day->statements[ADD];
    int rc = sql_bind(stmt, "ib", (int64_t)id, bytes, size);

    if (rc == SQLITE_OK)
        rc = sql_run(stmt);
    if (rc == SQLITE_OK)
        rc = run_tokens(day, record);
    return result_of(day, rc, error);
}

enum day_result day_note_masked(struct day *day, char error[static DAY_ERROR_SIZE])
{
    int rc;

    if (day->has_masked)
        return DAY_OK;
    rc = sql_run_once(
        day->db, "INSERT OR IGNORE INTO meta (name, value) VALUES ('masked', x'')", "");
    day->has_masked = rc == SQLITE_OK;
    return result_of(day, rc, error);
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
    return result_of(day, rc, error);
}

enum day_result day_add_gap(struct day *day, int64_t began_ms, int64_t ended_ms,
                            uint64_t dropped, char error[static DAY_ERROR_SIZE])
{
    return result_of(day,
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

    return result_of(day, rc == SQLITE_OK ? sql_run(stmt) : rc, error);
}

enum day_result day_add_alone(struct day *day, const char *list,
                              char error[static DAY_ERROR_SIZE])
{
    sqlite3_stmt *stmt = day->statements[ALONE];
    int rc = sql_bind(stmt, "t", list);

    return result_of(day, rc == SQLITE_OK ? sql_run(stmt) : rc, error);
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
    return result_of(day, rc, error);
}

enum day_result day_remove(struct day *day, journal_id id,
                           char error[static DAY_ERROR_SIZE])
{
    return result_of(
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

/* --- reading --- */

unsigned day_load(struct day *day, journal_id id, struct octets *out)
{
    sqlite3_stmt *stmt = day->statements[LOAD];
    unsigned rows = 0;
    int rc = sqlite3_bind_int64(stmt, 1, (sqlite3_int64)id);

    while (rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        const void *bytes = sqlite3_column_blob(stmt, 0);

        octets_add(out, bytes, (size_t)sqlite3_column_bytes(stmt, 0));
        rows++;
        rc = SQLITE_OK;
    }
    if (rc != SQLITE_DONE)
        log_warning("journal: %s", sqlite3_errmsg(day->db));
    sqlite3_reset(stmt);
    return rows;
}

bool day_has(struct day *day, journal_id id)
{
    sqlite3_stmt *stmt = day->statements[LOAD];
    bool has = sqlite3_bind_int64(stmt, 1, (sqlite3_int64)id) == SQLITE_OK &&
               sqlite3_step(stmt) == SQLITE_ROW;

    sqlite3_reset(stmt);
    return has;
}

journal_id day_leader(struct day *day, journal_id id)
{
    sqlite3_stmt *stmt = day->statements[LEADER];
    journal_id leader = 0;

    if (sqlite3_bind_int64(stmt, 1, (sqlite3_int64)id) == SQLITE_OK &&
        sqlite3_step(stmt) == SQLITE_ROW)
        leader = (journal_id)sqlite3_column_int64(stmt, 0);
    sqlite3_reset(stmt);
    return leader;
}

static enum day_result each_id(struct day *day, sqlite3_stmt *stmt, int rc,
                               bool (*found)(void *context, journal_id id), void *context)
{
    char error[DAY_ERROR_SIZE];
    enum day_result result = DAY_OK;

    while (rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        rc = SQLITE_OK;
        if (!found(context, (journal_id)sqlite3_column_int64(stmt, 0)))
            break;
    }
    if (rc != SQLITE_OK && rc != SQLITE_DONE) {
        result = result_of(day, rc, error);
        log_warning("journal: %s", error);
    }
    return result;
}

static void add_match_of(struct day *day, enum day_token token, const char *value,
                         struct octets *match)
{
    bool is_client = token == TOKEN_CLIENT || token == TOKEN_NETWORK;
    char text[TOKEN_SIZE];
    struct network network;

    if (!is_client)
        token_text(day, token, value, strlen(value), text);
    else if (network_parse(value, &network) == 0)
        token_text(day, token, network.base.octets, address_size(&network.base), text);
    else
        return; /* nothing has come from there */
    if (match->used > 0)
        octets_add(match, " OR ", 4);
    octets_add(match, text, strlen(text));
}

/* Once a file has one masked decision, it has. What cannot be read may have some. */
static bool has_masked(struct day *day)
{
    sqlite3_stmt *stmt = day->statements[MASKED];

    if (!day->has_masked)
        day->has_masked = sqlite3_step(stmt) != SQLITE_DONE;
    sqlite3_reset(stmt); /* what failed fails again, and is reported then */
    return day->has_masked;
}

/* A value as it is, and as it is kept where local parts are not. */
static void add_match(struct day *day, const struct day_value *value,
                      struct octets *match)
{
    char masked[DAY_MASKED_SIZE] = "";

    add_match_of(day, value->token, value->value, match);
    if (!day->has_masked)
        return;
    if (value->token == TOKEN_SENDER || value->token == TOKEN_RECIPIENT ||
        value->token == TOKEN_LOGIN)
        day_mask(day->key, value->value, masked);
    else if (value->token == TOKEN_ENTRY)
        day_mask_entry(day->key, value->value, masked);
    if (masked[0] != '\0' && strcmp(masked, value->value) != 0)
        add_match_of(day, value->token, masked, match);
}

enum day_result day_find(struct day *day, const struct day_value *values, size_t count,
                         bool (*found)(void *context, journal_id id), void *context)
{
    struct octets match = {0};
    sqlite3_stmt *stmt = day->statements[FIND];
    enum day_result result;
    int rc = SQLITE_OK;

    (void)has_masked(day);
    for (size_t i = 0; i < count; i++)
        add_match(day, &values[i], &match);
    if (match.failed)
        rc = SQLITE_NOMEM;
    if (rc == SQLITE_OK && match.used > 0)
        rc = sqlite3_bind_text(stmt, 1, (const char *)match.bytes, (int)match.used,
                               SQLITE_STATIC);
    result = each_id(day, stmt, rc, found, context);
    sqlite3_reset(stmt); /* what failed is reported already */
    sqlite3_clear_bindings(stmt);
    free(match.bytes);
    return result;
}

enum day_result day_walk(struct day *day, journal_id least, journal_id most,
                         bool (*found)(void *context, journal_id id), void *context)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sql_query(day->db, &stmt,
                       "SELECT DISTINCT id FROM decision WHERE id BETWEEN ? AND ?"
                       " ORDER BY id DESC",
                       "ii", (int64_t)least, (int64_t)most);
    enum day_result result = each_id(day, stmt, rc, found, context);

    sqlite3_finalize(stmt);
    return result;
}

struct day_cursor *day_cursor_new(struct day *day, journal_id least)
{
    sqlite3_stmt *stmt = NULL;

    if (sql_query(day->db, &stmt,
                  "SELECT id, parts FROM decision WHERE id >= ? ORDER BY id, n", "i",
                  (int64_t)least) != SQLITE_OK) {
        sqlite3_finalize(stmt);
        return NULL;
    }
    return (struct day_cursor *)stmt;
}

journal_id day_cursor_next(struct day_cursor *cursor, const uint8_t **bytes, size_t *size)
{
    sqlite3_stmt *stmt = (sqlite3_stmt *)cursor;
    int rc = sqlite3_step(stmt);

    if (rc != SQLITE_ROW) {
        if (rc != SQLITE_DONE)
            log_warning("journal: %s", sqlite3_errstr(rc));
        return 0;
    }
    *bytes = sqlite3_column_blob(stmt, 1);
    *size = (size_t)sqlite3_column_bytes(stmt, 1);
    return (journal_id)sqlite3_column_int64(stmt, 0);
}

void day_cursor_free(struct day_cursor *cursor)
{
    sqlite3_finalize((sqlite3_stmt *)cursor);
}

int day_mark_of(struct day *day, journal_id id, struct day_mark *out)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sql_query(day->db, &stmt, "SELECT at, login, reason FROM mark WHERE id = ?",
                       "i", (int64_t)id);

    if (rc == SQLITE_OK)
        rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW) {
        out->at = sqlite3_column_int64(stmt, 0);
        text_sentence(out->login, sizeof out->login, "%s", sql_text(stmt, 1));
        text_sentence(out->reason, sizeof out->reason, "%s", sql_text(stmt, 2));
    }
    sqlite3_finalize(stmt);
    return rc == SQLITE_ROW ? 0 : -1;
}

void day_each_alone(struct day *day,
                    void (*each)(void *context, const char *list, uint64_t count,
                                 journal_id wrong),
                    void *context)
{
    sqlite3_stmt *stmt = NULL;
    int rc =
        sql_query(day->db, &stmt,
                  "SELECT list, count, 0 FROM alone UNION ALL SELECT * FROM"
                  " (SELECT alone, 0, id FROM mark WHERE alone <> '' ORDER BY id DESC)",
                  "");

    while (rc == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW)
        each(context, sql_text(stmt, 0), (uint64_t)sqlite3_column_int64(stmt, 1),
             (journal_id)sqlite3_column_int64(stmt, 2));
    sqlite3_finalize(stmt);
}

void day_each_gap(struct day *day,
                  void (*each)(void *context, int64_t began_ms, int64_t ended_ms,
                               uint64_t dropped),
                  void *context)
{
    sqlite3_stmt *stmt = day->statements[GAPS];

    while (sqlite3_step(stmt) == SQLITE_ROW)
        each(context, sqlite3_column_int64(stmt, 0), sqlite3_column_int64(stmt, 1),
             (uint64_t)sqlite3_column_int64(stmt, 2));
    sqlite3_reset(stmt);
}

int day_configuration(struct day *day, int64_t number, char **lists, char **text)
{
    sqlite3_stmt *stmt = NULL;

    *lists = *text = NULL;
    if (sql_query(day->db, &stmt,
                  "SELECT lists, text FROM configuration WHERE number = ?", "i",
                  number) == SQLITE_OK &&
        sqlite3_step(stmt) == SQLITE_ROW) {
        *lists = strdup(sql_text(stmt, 0));
        *text = strdup(sql_text(stmt, 1));
    }
    sqlite3_finalize(stmt);
    if (*lists != NULL && *text != NULL)
        return 0;
    free(*lists);
    free(*text);
    *lists = *text = NULL;
    return -1;
}
