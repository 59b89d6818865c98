/* SPDX-License-Identifier: BSD-2-Clause */
/* Findings on the hosts of a farm: each has all of them, and what was decided about one on any
 * host holds on all. Of two states the further counts, then the later. */

#include <string.h>

#include "base/text.h"
#include "blocklist/entry.h"
#include "rules/counters.h"
#include "rules/findings_parts.h"

#define SHARED_S     (90 * 86400)
#define EVIDENCE_MAX 16000
#define HEARD_MAX    100000 /* of other hosts: a database that has more is no farm's */
#define NAME_MAX_    63     /* of a rule */
#define TEXT_MAX_    1000

const char *finding_state_name(enum finding_state state)
{
    static const char *const names[] = {
        [FINDING_OPEN] = "open",       [FINDING_PENDING] = "pending",
        [FINDING_LISTED] = "listed",   [FINDING_DISMISSED] = "dismissed",
        [FINDING_EXPIRED] = "expired", [FINDING_ENDED] = "ended",
        [FINDING_REMOVED] = "removed",
    };

    return names[state];
}

int findings_forget_reported(struct findings *f, int64_t now)
{
    pthread_mutex_lock(&f->lock);
    return findings_end(f, sql_run_once(f->db, "UPDATE finding SET told = 0 WHERE at > ?",
                                        "i", now - SHARED_S));
}

/* --- what is reported --- */

static json_t *row_value(const struct finding_row *row)
{
    return json_pack(
        "{s:I, s:I, s:s, s:s, s:s, s:s, s:s, s:b, s:b, s:I, s:I, s:s, s:s, s:s, s:s, s:I,"
        " s:s?}",
        "id", (json_int_t)row->id, "at", (json_int_t)row->at, "rule", row->rule, "entry",
        row->entry, "key", row->key, "because", row->because, "state",
        finding_state_name(row->state), "by_rule", row->by_rule, "block", row->block,
        "for_s", (json_int_t)row->for_s, "expires", (json_int_t)row->expires, "held",
        row->held, "evidence",
        strlen(row->evidence) <= EVIDENCE_MAX ? row->evidence : "{}", "who", row->who,
        "reason", row->reason, "decided_at", (json_int_t)row->decided_at, "node",
        row->node[0] != '\0' ? row->node : NULL);
}

json_t *findings_unreported(struct findings *f, size_t limit, int64_t now)
{
    json_t *rows = json_array();
    sqlite3_stmt *stmt = NULL;
    int rc;

    pthread_mutex_lock(&f->lock);
    rc = sql_query(f->db, &stmt,
                   "SELECT " FINDING_COLUMNS " FROM finding"
                   " WHERE told = 0 AND state <> 1 AND at > ? ORDER BY no LIMIT ?",
                   "ii", now - SHARED_S, (int64_t)limit);
    while (rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        struct finding_row row = finding_read(stmt);

        rc = json_array_append_new(rows, row_value(&row)) == 0 ? SQLITE_OK : SQLITE_NOMEM;
    }
    sqlite3_finalize(stmt);
    if (findings_end(f, rc) == 0)
        return rows;
    json_decref(rows);
    return NULL;
}

/* --- what is heard --- */

static bool take_text(const json_t *row, const char *name, size_t most, const char **out)
{
    *out = json_string_value(json_object_get(row, name));
    return *out != NULL && strlen(*out) <= most && utf8_is_clean(*out);
}

static bool take_number(const json_t *row, const char *name, int64_t most, int64_t *out)
{
    const json_t *value = json_object_get(row, name);

    *out = json_integer_value(value);
    return json_is_integer(value) && *out >= 0 && *out <= most;
}

static bool take_state(const json_t *row, enum finding_state *out)
{
    const char *name = json_string_value(json_object_get(row, "state"));

    for (int i = 0; i <= FINDING_REMOVED; i++)
        if (name != NULL && i != FINDING_PENDING &&
            strcmp(finding_state_name((enum finding_state)i), name) == 0) {
            *out = (enum finding_state)i;
            return true;
        }
    return false;
}

/* Whether it is as this program might have written it. */
static bool read_heard(const json_t *row, int64_t now, struct finding_row *out)
{
    int64_t soon = now + 86400;
    char error[ENTRY_ERROR_SIZE];
    struct entry entry;
    json_t *evidence;

    *out = (struct finding_row){.by_rule = json_is_true(json_object_get(row, "by_rule")),
                                .block = json_is_true(json_object_get(row, "block"))};
    if (!take_number(row, "id", INT64_MAX, &out->id) || out->id == 0 ||
        !take_number(row, "at", soon, &out->at) ||
        !take_number(row, "for_s", INT32_MAX, &out->for_s) ||
        !take_number(row, "expires", soon + INT32_MAX, &out->expires) ||
        !take_number(row, "decided_at", soon, &out->decided_at) ||
        !take_text(row, "node", 255, &out->node) ||
        !take_text(row, "rule", NAME_MAX_, &out->rule) ||
        !take_text(row, "entry", ENTRY_TEXT_SIZE - 1, &out->entry) ||
        !take_text(row, "key", COUNTER_KEY_SIZE - 1, &out->key) ||
        !take_text(row, "because", 255, &out->because) ||
        !take_text(row, "held", TEXT_MAX_, &out->held) ||
        !take_text(row, "who", 320, &out->who) ||
        !take_text(row, "reason", TEXT_MAX_, &out->reason) ||
        !take_state(row, &out->state))
        return false;
    out->evidence = json_string_value(json_object_get(row, "evidence"));
    if (out->evidence == NULL || strlen(out->evidence) > EVIDENCE_MAX ||
        out->at < now - SHARED_S)
        return false;
    evidence = json_loads(out->evidence, 0, NULL);
    json_decref(evidence);
    return evidence != NULL && entry_parse(out->entry, &entry, error) == 0 &&
           strcmp(entry.text, out->entry) == 0;
}

/* Under the lock, as all below: what is known of it. state -1: nothing. */
static int read_own(struct findings *f, int64_t id, int *state, int64_t *decided_at)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sql_query(f->db, &stmt, "SELECT state, decided_at FROM finding WHERE id = ?",
                       "i", id);

    *state = -1;
    if (rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        *state = sqlite3_column_int(stmt, 0) % (FINDING_REMOVED + 1);
        *decided_at = sqlite3_column_int64(stmt, 1);
        rc = SQLITE_OK;
    }
    sqlite3_finalize(stmt);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* How far a finding has come, as etc/farm.sql has it. */
static int progress(enum finding_state state)
{
    static const int of[] = {
        [FINDING_OPEN] = 0,      [FINDING_PENDING] = 0, [FINDING_EXPIRED] = 1,
        [FINDING_DISMISSED] = 2, [FINDING_LISTED] = 3,  [FINDING_ENDED] = 4,
        [FINDING_REMOVED] = 5,
    };

    return of[state];
}

/* One that is not known here. An open one of that entry and rule is the same: the farm's
 * counts, which was there first. */
static int add_heard(struct findings *f, const struct finding_row *h,
                     const char *own_node)
{
    const char *node = strcmp(h->node, own_node) == 0 ? "" : h->node;
    int rc = SQLITE_OK;

    if (h->state == FINDING_OPEN) {
        rc = sql_run_once(f->db,
                          "UPDATE finding SET at = ?, key = ?, because = ?, block = ?,"
                          " for_s = ?, held = ?, evidence = ?, id = ?, node = ?, told = 1"
                          " WHERE rule = ? AND entry = ? AND state = 0",
                          "ittiittittt", h->at, h->key, h->because, (int64_t)h->block,
                          h->for_s, h->held, h->evidence, h->id, node, h->rule, h->entry);
        if (rc == SQLITE_OK && sqlite3_changes(f->db) > 0)
            return rc;
    }
    if (rc == SQLITE_OK && f->heard < 0)
        rc = sql_number(f->db, &f->heard, "SELECT count(*) FROM finding WHERE node <> ''",
                        "");
    if (rc == SQLITE_OK && f->heard < HEARD_MAX) {
        f->heard++;
        rc = sql_run_once(
            f->db,
            "INSERT OR IGNORE INTO finding (at, rule, entry, key, because, state, "
            "by_rule,"
            " block, for_s, expires, held, evidence, who, reason, decided_at, id, node,"
            " told) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1)",
            "ittttiiiiittttiit", h->at, h->rule, h->entry, h->key, h->because,
            (int64_t)h->state, (int64_t)h->by_rule, (int64_t)h->block, h->for_s,
            h->expires, h->held, h->evidence, h->who, h->reason, h->decided_at, h->id,
            node);
    }
    return rc;
}

static int take_heard(struct findings *f, const struct finding_row *h,
                      const char *own_node, bool *news)
{
    int64_t decided_at = 0;
    int state, further, rc = read_own(f, h->id, &state, &decided_at);

    if (rc != SQLITE_OK || state == FINDING_PENDING)
        return rc;
    further = state < 0 ? 1 : progress(h->state) - progress((enum finding_state)state);
    *news = further > 0 || (further == 0 && h->decided_at > decided_at);
    if (state < 0)
        rc = add_heard(f, h, own_node);
    else if (*news)
        rc =
            sql_run_once(f->db,
                         "UPDATE finding SET state = ?, who = ?, reason = ?, expires = ?,"
                         " decided_at = ?, told = 1 WHERE id = ?",
                         "ittiii", (int64_t)h->state, h->who, h->reason, h->expires,
                         h->decided_at, h->id);
    else if ((int)h->state == state && h->decided_at == decided_at)
        rc = sql_run_once(f->db,
                          "UPDATE finding SET told = ?1 <> '{}' OR evidence = '{}',"
                          " evidence = iif(evidence = '{}', ?1, evidence) WHERE id = ?2",
                          "ti", h->evidence, h->id);
    /* what another host has listed needs nobody's word any more */
    if (rc == SQLITE_OK && *news && h->state == FINDING_LISTED)
        rc = sql_run_once(f->db,
                          "UPDATE finding SET state = 2, who = ?, expires = ?,"
                          " decided_at = ?, told = 0 WHERE rule = ? AND entry = ?"
                          " AND state = 0",
                          "tiitt", h->who, h->expires, h->decided_at, h->rule, h->entry);
    return rc;
}

int findings_hear(struct findings *f, const json_t *row, const char *own_node,
                  int64_t now, const char **rule, const char **key)
{
    struct finding_row heard;
    bool news = false;
    int rc;

    if (!read_heard(row, now, &heard))
        return 0;
    pthread_mutex_lock(&f->lock);
    rc = findings_end(f, take_heard(f, &heard, own_node, &news));
    *rule = heard.rule;
    *key = heard.key;
    return rc != 0 ? rc : news && heard.state == FINDING_LISTED;
}

int findings_reported(struct findings *f, const json_t *rows)
{
    const json_t *row;
    int rc = SQLITE_OK;
    size_t i;

    pthread_mutex_lock(&f->lock);
    json_array_foreach (rows, i, row) {
        const char *evidence = json_string_value(json_object_get(row, "evidence"));
        enum finding_state state = FINDING_OPEN;

        (void)take_state(row, &state);
        if (rc == SQLITE_OK)
            rc = sql_run_once(
                f->db,
                "UPDATE finding SET told = 1 WHERE id = ? AND state = ? AND decided_at = "
                "?"
                " AND (evidence = ? OR length(CAST(evidence AS BLOB)) > 16000)",
                "iiit", (int64_t)json_integer_value(json_object_get(row, "id")),
                (int64_t)state,
                (int64_t)json_integer_value(json_object_get(row, "decided_at")),
                evidence);
    }
    return findings_end(f, rc);
}
