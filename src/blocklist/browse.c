/* SPDX-License-Identifier: BSD-2-Clause */
/* Browsing the entries, page by page. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/sql.h"
#include "base/text.h"
#include "blocklist/schema.h"
#include "blocklist/store.h"

#define LAST_CHARACTER "\xf4\x8f\xbf\xbf" /* sorts behind all others */
#define PATTERN_SIZE   (ENTRY_TEXT_SIZE + 64)
#define COLUMNS                                                                          \
    "SELECT listing.id, kind, listing.entry, allow, source, reason, who, since, "        \
    "expires,"                                                                           \
    " tempfail"

static const char *const sort_names[] = {[BLOCKLIST_SORT_ENTRY] = "entry",
                                         [BLOCKLIST_SORT_SINCE] = "since",
                                         [BLOCKLIST_SORT_EXPIRES] = "expires",
                                         [BLOCKLIST_SORT_HITS] = "hits"};

int blocklist_sort_parse(const char *name, enum blocklist_sort *out)
{
    for (int i = BLOCKLIST_SORT_ENTRY; i <= BLOCKLIST_SORT_HITS; i++) {
        if (strcmp(name, sort_names[i]) == 0) {
            *out = (enum blocklist_sort)i;
            return 0;
        }
    }
    return -1;
}

/* One search: what is wanted, the pattern in the canonical form, and its fixed start. */
struct search {
    const struct blocklist_criteria *criteria;
    char pattern[PATTERN_SIZE], prefix[PATTERN_SIZE];
    int64_t now;
};

/* A pattern without wildcards is taken as the entry that it spells. */
static bool read_pattern(const char *pattern, char *out, char *prefix)
{
    char error[ENTRY_ERROR_SIZE];
    struct entry entry;

    out[0] = prefix[0] = '\0';
    if (pattern == NULL)
        return true;
    if (strpbrk(pattern, "*?[") == NULL && entry_parse_kept(pattern, &entry, error) == 0)
        pattern = entry.text;
    if (!text_lower(pattern, out, PATTERN_SIZE))
        return false;
    memcpy(prefix, out, PATTERN_SIZE);
    prefix[strcspn(prefix, "*?[")] = '\0';
    return true;
}

/* Whether a text is whole, short enough to be paged by, and one that JSON can say. */
static bool fits(sqlite3_stmt *stmt, int column, const char *text, size_t size)
{
    size_t length = strlen(text);

    return length < size && length == (size_t)sqlite3_column_bytes(stmt, column) &&
           utf8_is_clean(text);
}

/* Returns false where another hand wrote what cannot be: that is damage. */
static bool read_row(sqlite3_stmt *stmt, struct blocklist_row *out)
{
    int64_t kind = sqlite3_column_int64(stmt, 1);

    memset(out, 0, sizeof *out);
    out->id = sqlite3_column_int64(stmt, 0);
    out->kind = (enum entry_kind)kind;
    out->entry = sql_text(stmt, 2);
    out->allow = sqlite3_column_int(stmt, 3) != 0;
    out->tempfail = sqlite3_column_int(stmt, 9) != 0;
    out->source = sql_text(stmt, 4);
    out->reason = sql_text(stmt, 5);
    out->who = sql_text(stmt, 6);
    out->since = (time_t)sqlite3_column_int64(stmt, 7);
    out->expires = (time_t)sqlite3_column_int64(stmt, 8);
    return kind >= 0 && kind < ENTRY_KIND_COUNT && out->since >= 0 && out->expires >= 0 &&
           fits(stmt, 2, out->entry, ENTRY_TEXT_SIZE) &&
           fits(stmt, 4, out->source, BLOCKLIST_SOURCE_SIZE);
}

static bool is_wanted(const struct search *search, const struct blocklist_row *row)
{
    const struct blocklist_criteria *want = search->criteria;

    return (row->expires == 0 || row->expires > search->now) &&
           (want->kinds == 0 || (want->kinds & 1u << row->kind) != 0) &&
           (want->source == NULL || strcmp(row->source, want->source) == 0) &&
           (want->since == 0 || row->since >= want->since) &&
           (want->expiring == 0 ||
            (row->expires != 0 && row->expires <= want->expiring)) &&
           (want->pattern == NULL || sqlite3_strglob(search->pattern, row->entry) == 0) &&
           (want->reason == NULL || strcasestr(row->reason, want->reason) != NULL);
}

/* The ways through the table. Each is one index walked from the cursor on; what it does
 * not select is_wanted does, so that a page knows how far it came when its time is up. */
enum path { PATH_ENTRY, PATH_KIND, PATH_SOURCE, PATH_SINCE, PATH_EXPIRES, PATH_HITS };

static const char *const path_sql[] = {
    [PATH_ENTRY] = COLUMNS " FROM listing WHERE (entry, allow, source) > (?, ?, ?)"
                           " AND entry < ? ORDER BY entry, allow, source",
    [PATH_KIND] = COLUMNS " FROM listing INDEXED BY listing_kind WHERE kind = ?"
                          " AND (entry, allow, source) > (?, ?, ?)"
                          " ORDER BY entry, allow, source",
    [PATH_SOURCE] = COLUMNS " FROM listing INDEXED BY listing_source"
                            " WHERE source = ? AND id > ? ORDER BY id",
    [PATH_SINCE] = COLUMNS " FROM listing INDEXED BY listing_since"
                           " WHERE (since, id) < (?, ?) AND since >= ?"
                           " ORDER BY since DESC, id DESC",
    [PATH_EXPIRES] = COLUMNS " FROM listing INDEXED BY listing_expires"
                             " WHERE expires IS NOT NULL AND (expires, id) > (?, ?)"
                             " AND expires <= ? ORDER BY expires, id",
    [PATH_HITS] =
        COLUMNS ", hits FROM hit CROSS JOIN listing ON listing.entry = hit.entry"
                " WHERE (hits, hit.entry) <= (?1, ?2)"
                " AND NOT (hits = ?1 AND hit.entry = ?2 AND listing.id >= ?3)"
                " ORDER BY hits DESC, hit.entry DESC, listing.id DESC",
};

/* The one kind that is wanted, or -1. */
static int only_kind(const struct search *search)
{
    unsigned kinds = search->criteria->kinds;

    return kinds != 0 && (kinds & (kinds - 1)) == 0 ? __builtin_ctz(kinds) : -1;
}

static enum path by_entry(const struct search *search)
{
    return search->prefix[0] == '\0' && only_kind(search) >= 0 ? PATH_KIND : PATH_ENTRY;
}

static enum path choose_path(const struct search *search)
{
    switch (search->criteria->sort) {
    case BLOCKLIST_SORT_ENTRY:
        return by_entry(search);
    case BLOCKLIST_SORT_SINCE:
        return PATH_SINCE;
    case BLOCKLIST_SORT_EXPIRES:
        return PATH_EXPIRES;
    case BLOCKLIST_SORT_HITS:
        return PATH_HITS;
    case BLOCKLIST_SORT_ANY:
        break;
    }
    if (search->prefix[0] != '\0')
        return PATH_ENTRY;
    if (search->criteria->expiring != 0)
        return PATH_EXPIRES;
    if (search->criteria->source != NULL)
        return PATH_SOURCE;
    return search->criteria->since != 0 ? PATH_SINCE : by_entry(search);
}

/* Puts the cursor before the first row of a path. */
static void begin(struct blocklist_cursor *cursor, enum path path, const char *prefix)
{
    cursor->begun = true;
    cursor->number = cursor->id = 0;
    cursor->entry[0] = cursor->source[0] = '\0';
    switch (path) {
    case PATH_ENTRY:
    case PATH_KIND:
        cursor->number = -1;
        (void)text_copy(prefix, cursor->entry,
                        sizeof cursor->entry); /* else from start */
        break;
    case PATH_SINCE:
        cursor->number = cursor->id = INT64_MAX;
        break;
    case PATH_HITS:
        cursor->number = cursor->id = INT64_MAX;
        (void)text_copy(LAST_CHARACTER, cursor->entry, sizeof cursor->entry);
        break;
    case PATH_SOURCE:
    case PATH_EXPIRES:
        break;
    }
}

static int bind_cursor(sqlite3_stmt *stmt, enum path path, const struct search *search,
                       const struct blocklist_cursor *cursor, const char *behind)
{
    const struct blocklist_criteria *want = search->criteria;

    switch (path) {
    case PATH_ENTRY:
        return sql_bind(stmt, "titt", cursor->entry, cursor->number, cursor->source,
                        behind);
    case PATH_KIND:
        return sql_bind(stmt, "itit", (int64_t)only_kind(search), cursor->entry,
                        cursor->number, cursor->source);
    case PATH_SOURCE:
        return sql_bind(stmt, "ti", want->source, cursor->id);
    case PATH_SINCE:
        return sql_bind(stmt, "iii", cursor->number, cursor->id, (int64_t)want->since);
    case PATH_EXPIRES:
        return sql_bind(stmt, "iii", cursor->number, cursor->id,
                        want->expiring != 0 ? (int64_t)want->expiring : INT64_MAX);
    case PATH_HITS:
        return sql_bind(stmt, "iti", cursor->number, cursor->entry, cursor->id);
    }
    abort();
}

static void move_cursor(struct blocklist_cursor *cursor, enum path path,
                        sqlite3_stmt *stmt, const struct blocklist_row *row)
{
    cursor->id = row->id;
    switch (path) {
    case PATH_ENTRY:
    case PATH_KIND:
        cursor->number = row->allow;
        break;
    case PATH_SINCE:
        cursor->number = row->since;
        break;
    case PATH_EXPIRES:
        cursor->number = row->expires;
        break;
    case PATH_HITS:
        cursor->number = sqlite3_column_int64(stmt, 10);
        break;
    case PATH_SOURCE:
        break;
    }
    (void)text_copy(row->entry, cursor->entry, sizeof cursor->entry);
    (void)text_copy(row->source, cursor->source, sizeof cursor->source);
}

/* Who is shown the rows of a page. */
struct audience {
    blocklist_each_row *each;
    void *context;
    size_t shown;
    bool stopped; /* it wants no more */
};

/* Shows a row with its hits. Returns SQLite's code. */
static int show_row(sqlite3_stmt *hits, struct blocklist_row *row,
                    struct audience *audience)
{
    int rc = sql_bind(hits, "t", row->entry);

    if (rc == SQLITE_OK)
        rc = sqlite3_step(hits);
    if (rc == SQLITE_ROW) {
        row->hits = (uint64_t)sqlite3_column_int64(hits, 0);
        row->last_hit = (time_t)sqlite3_column_int64(hits, 1);
    }
    sqlite3_reset(hits);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        return rc;
    audience->shown++;
    audience->stopped = !audience->each(audience->context, row);
    return SQLITE_OK;
}

/* Steps through stmt until the page is full, its time is up, or there is no more. Returns
 * SQLITE_OK, or the code as for store_look_failed. */
static int fill(const struct search *search, enum path path, sqlite3_stmt *stmt,
                sqlite3_stmt *hits, struct blocklist_cursor *cursor, size_t limit,
                struct audience *audience)
{
    int64_t deadline = clock_ms() + STORE_PAGE_MS;
    struct blocklist_row row;
    int rc;

    for (unsigned looked = 1; audience->shown < limit; looked++) {
        rc = sqlite3_step(stmt);
        cursor->done = rc == SQLITE_DONE;
        if (rc != SQLITE_ROW)
            return rc == SQLITE_DONE ? SQLITE_OK : rc;
        if (!read_row(stmt, &row))
            return SQLITE_MISMATCH;
        rc = is_wanted(search, &row) ? show_row(hits, &row, audience) : SQLITE_OK;
        if (rc != SQLITE_OK)
            return rc;
        if (audience->stopped) {
            cursor->done = true;
            return SQLITE_OK;
        }
        if (audience->shown == limit ||
            (looked % STORE_ROWS_PER_LOOK == 0 && clock_ms() >= deadline)) {
            move_cursor(cursor, path, stmt, &row);
            return SQLITE_OK;
        }
    }
    return SQLITE_OK;
}

#define HITS_SQL "SELECT hits, last FROM hit WHERE entry = ?"

static enum blocklist_result read_page(struct blocklist *blocklist,
                                       const struct search *search,
                                       struct blocklist_cursor *cursor, size_t limit,
                                       struct audience *audience, char *error)
{
    enum path path = choose_path(search);
    sqlite3_stmt *stmt = NULL, *hits = NULL;
    char behind[PATTERN_SIZE + sizeof LAST_CHARACTER];
    enum blocklist_result result = BLOCKLIST_OK;
    sqlite3 *db = blocklist->looker.db;
    int rc;

    if (!cursor->begun)
        begin(cursor, path, search->prefix);
    (void)snprintf(behind, sizeof behind, "%s%s", search->prefix, LAST_CHARACTER);
    pthread_mutex_lock(&blocklist->looker.lock);
    rc = sql_query(db, &stmt, path_sql[path], "");
    if (rc == SQLITE_OK)
        rc = sql_query(db, &hits, HITS_SQL, "");
    if (rc == SQLITE_OK)
        rc = bind_cursor(stmt, path, search, cursor, behind);
    if (rc == SQLITE_OK)
        rc = fill(search, path, stmt, hits, cursor, limit, audience);
    if (rc != SQLITE_OK)
        result = store_look_failed(blocklist, db, rc, error);
    sqlite3_finalize(stmt);
    sqlite3_finalize(hits);
    pthread_mutex_unlock(&blocklist->looker.lock);
    return result;
}

enum blocklist_result blocklist_list(struct blocklist *blocklist,
                                     const struct blocklist_criteria *criteria,
                                     struct blocklist_cursor *cursor, size_t limit,
                                     blocklist_each_row *each, void *context,
                                     char error[static BLOCKLIST_ERROR_SIZE])
{
    struct search search = {.criteria = criteria, .now = blocklist_ended(blocklist)};
    struct audience audience = {.each = each, .context = context};

    error[0] = '\0';
    if (!read_pattern(criteria->pattern, search.pattern, search.prefix)) {
        text_sentence(error, BLOCKLIST_ERROR_SIZE, "the pattern is too long");
        return BLOCKLIST_REFUSED;
    }
    /* hosts and logins are in one column, distinguished by their prefix */
    if (search.prefix[0] == '\0' && criteria->kinds == 1u << ENTRY_HOST)
        (void)text_copy("host:", search.prefix, PATTERN_SIZE); /* fits */
    else if (search.prefix[0] == '\0' && criteria->kinds == 1u << ENTRY_USER)
        (void)text_copy("user:", search.prefix, PATTERN_SIZE);
    return read_page(blocklist, &search, cursor, limit > 0 ? limit : 1, &audience, error);
}

static enum blocklist_result read_entry(struct blocklist *blocklist,
                                        const struct entry *entry,
                                        struct audience *audience, char *error)
{
    static const char sql[] = COLUMNS " FROM listing WHERE entry = ? AND"
                                      " (expires IS NULL OR expires > ?)"
                                      " ORDER BY allow DESC, tempfail, since, id";
    struct reader *reader = reader_take(blocklist);
    sqlite3 *db = reader->db;
    sqlite3_stmt *stmt = NULL, *hits = NULL;
    enum blocklist_result result = BLOCKLIST_OK;
    struct blocklist_row row;
    int rc;

    rc =
        sql_query(db, &stmt, sql, "ti", entry->text, (int64_t)blocklist_ended(blocklist));
    if (rc == SQLITE_OK)
        rc = sql_query(db, &hits, HITS_SQL, "");
    while (rc == SQLITE_OK && !audience->stopped &&
           (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        rc = read_row(stmt, &row) ? show_row(hits, &row, audience) : SQLITE_MISMATCH;
    }
    if (rc != SQLITE_DONE && !audience->stopped)
        result = store_look_failed(blocklist, db, rc, error);
    sqlite3_finalize(stmt);
    sqlite3_finalize(hits);
    reader_release(reader);
    return result;
}

enum blocklist_result blocklist_show(struct blocklist *blocklist,
                                     const struct entry *entry, blocklist_each_row *each,
                                     void *context,
                                     char error[static BLOCKLIST_ERROR_SIZE])
{
    struct audience audience = {.each = each, .context = context};
    enum blocklist_result result;

    error[0] = '\0';
    result = read_entry(blocklist, entry, &audience, error);
    if (result == BLOCKLIST_OK && audience.shown == 0) {
        text_sentence(error, BLOCKLIST_ERROR_SIZE, "%s is not in the list", entry->text);
        result = BLOCKLIST_NO_SUCH_ENTRY;
    }
    return result;
}
