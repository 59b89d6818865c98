/* SPDX-License-Identifier: BSD-2-Clause */
#include "journal/day_parts.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "journal/tokens.h"

void day_hold(struct day *day, bool hold)
{
    if (hold == (sqlite3_get_autocommit(day->db) != 0)) /* else it is as it should be */
        (void)sql_exec(day->db, hold ? "BEGIN" : "COMMIT"); /* without it, it is slower */
}

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

/* What a statement that was stepped through to its end, or to rc, says of the file. */
static enum day_result ended(struct day *day, int rc)
{
    char error[DAY_ERROR_SIZE];
    enum day_result result = DAY_OK;

    if (rc != SQLITE_OK && rc != SQLITE_ROW && rc != SQLITE_DONE) {
        result = day_result_of(day, rc, error);
        log_warning("journal: %s", error);
    }
    return result;
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

/* What is searched for: each value as it is, and as it is kept where local parts are not. */
struct day_search {
    struct token_match tokens[2 * DAY_VALUES];
    size_t count;
    struct octets match; /* the same for FTS5 */
};

static void want_token(struct day *day, enum token token, const char *value,
                       struct day_search *search)
{
    struct token_match *match = &search->tokens[search->count];
    struct octets *text = &search->match;

    if (!token_of(day->seed, token, value, match))
        return;
    for (size_t i = 0; i < search->count; i++) /* an entry is often the address itself */
        if (strcmp(search->tokens[i].text, match->text) == 0)
            return;
    if (search->count++ > 0)
        octets_add(text, " OR ", 4);
    octets_add(text, match->text, strlen(match->text));
    if (match->is_prefix)
        octets_add(text, "*", 1);
}

static void want(struct day *day, const struct day_value *value,
                 struct day_search *search)
{
    char masked[TOKEN_MASKED_SIZE] = "";

    want_token(day, value->token, value->value, search);
    if (!day->has_masked)
        return;
    if (value->token == TOKEN_ADDRESS)
        token_mask(day->key, value->value, masked);
    else if (value->token == TOKEN_ENTRY)
        token_mask_entry(day->key, value->value, masked);
    if (masked[0] != '\0' && strcmp(masked, value->value) != 0)
        want_token(day, value->token, masked, search);
}

/* Whether parts of a decision have one of the tokens that are searched for. */
static bool is_wanted(struct day *day, const void *parts, size_t size,
                      const struct day_search *search)
{
    struct octets *tokens = &day->tokens; /* a file that is searched is not written */
    struct record record;
    bool found = false;

    tokens->used = 0;
    tokens->failed = false;
    if (record_decode_envelope(parts, size, &record) != 0)
        return false;
    tokens_add(day->seed, &record, tokens);
    record_clear(&record);
    for (size_t i = 0; i < search->count && !found; i++)
        found = tokens_have(tokens, &search->tokens[i]);
    return found;
}

/* Reports which of a group it was. Returns SQLITE_ROW when that is enough. */
static int find_in_group(struct day *day, int64_t group, const struct day_search *search,
                         bool (*found)(void *context, journal_id id), void *context)
{
    sqlite3_stmt *stmt = day->statements[GROUP_ROWS];
    int rc = sql_bind(stmt, "ii", group * GROUP, group * GROUP + GROUP - 1);

    while (rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        if (is_wanted(day, sqlite3_column_blob(stmt, 1),
                      (size_t)sqlite3_column_bytes(stmt, 1), search) &&
            !found(context, (journal_id)sqlite3_column_int64(stmt, 0)))
            break;
        rc = SQLITE_OK;
    }
    sqlite3_reset(stmt); /* what failed is in rc */
    return rc;
}

enum day_result day_find(struct day *day, const struct day_value *values, size_t count,
                         bool (*found)(void *context, journal_id id), void *context)
{
    struct day_search search = {0};
    sqlite3_stmt *stmt = day->statements[FIND];
    enum day_result result;
    int rc = SQLITE_OK;

    (void)has_masked(day);
    for (size_t i = 0; i < count; i++)
        want(day, &values[i], &search);
    if (search.match.failed)
        rc = SQLITE_NOMEM;
    if (rc == SQLITE_OK && search.count > 0)
        rc = sqlite3_bind_text(stmt, 1, (const char *)search.match.bytes,
                               (int)search.match.used, SQLITE_STATIC);
    while (rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        rc = find_in_group(day, sqlite3_column_int64(stmt, 0), &search, found, context);
        if (rc == SQLITE_DONE)
            rc = SQLITE_OK;
    }
    result = ended(day, rc);
    sqlite3_reset(stmt); /* what failed is reported already */
    sqlite3_clear_bindings(stmt);
    free(search.match.bytes);
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
    enum day_result result;

    while (rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW)
        if (found(context, (journal_id)sqlite3_column_int64(stmt, 0)))
            rc = SQLITE_OK;
    result = ended(day, rc);
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
