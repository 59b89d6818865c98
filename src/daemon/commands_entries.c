/* SPDX-License-Identifier: BSD-2-Clause */
/* add, tempfail, allow, remove; list, show, log: the sender blocklist's entries. */

#include "daemon/commands.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "control/protocol.h"

/* --- add, tempfail, allow, remove --- */

/* entry_parse, or entry_parse_kept */
typedef int entry_reader(const char *text, struct entry *out,
                         char error[static ENTRY_ERROR_SIZE]);

/* Reads "entries". Returns an array to be freed, their number in *count, or NULL with the
 * answer. */
static struct entry *read_entries(entry_reader *parse, const json_t *request,
                                  size_t *count, json_t **answer)
{
    const json_t *texts, *text;
    char error[ENTRY_ERROR_SIZE];
    struct entry *entries;
    size_t i;

    if (request_texts(request, "entries", PROTOCOL_ENTRIES_MAX, &texts, answer) != 0)
        return NULL;
    *answer = NULL;
    *count = json_array_size(texts);
    entries = calloc(*count, sizeof *entries);
    if (entries == NULL)
        return NULL;
    json_array_foreach (texts, i, text)
        if (parse(json_string_value(text), &entries[i], error) != 0) {
            *answer = protocol_error_answer(PROTOCOL_USAGE, "%s: %s",
                                            json_string_value(text), error);
            free(entries);
            return NULL;
        }
    return entries;
}

static json_t *entries_answer(const struct entry *entries, size_t count)
{
    json_t *texts = json_array();

    for (size_t i = 0; i < count; i++)
        protocol_append(&texts, json_string(entries[i].text));
    return command_answer("entries", texts);
}

/* The entries as they are kept, and what existed beside them. */
static json_t *added_answer(const struct entry *entries,
                            const struct blocklist_beside *beside, size_t count)
{
    json_t *answer = entries_answer(entries, count), *replaced = json_array();
    bool allow = false, block = false;

    for (size_t i = 0; i < count; i++) {
        allow |= beside[i].allow;
        block |= beside[i].block;
        if (beside[i].replaced)
            protocol_append(&replaced, json_string(entries[i].text));
    }
    protocol_set(&answer, "shadowed", json_boolean(allow));
    protocol_set(&answer, "blocked", json_boolean(block));
    protocol_set(&answer, "replaced", replaced);
    return answer;
}

/* Each entry becomes a row like the one given. */
static json_t *add_rows(struct control_session *session,
                        const struct command_actor *actor,
                        const struct blocklist_row_in *row, bool force,
                        const struct entry *entries, size_t count)
{
    struct blocklist_row_in *rows = calloc(count, sizeof *rows);
    struct blocklist_beside *beside = calloc(count, sizeof *beside);
    char error[BLOCKLIST_ERROR_SIZE];
    enum blocklist_result result;
    struct command_limits limits;
    json_t *answer = NULL;

    if (rows == NULL || beside == NULL)
        goto out;
    for (size_t i = 0; i < count; i++) {
        rows[i] = *row;
        rows[i].entry = &entries[i];
    }
    command_limits_of(&limits, session);
    limits.limits.is_in_use = command_is_in_use;
    result = blocklist_add(command_daemon(session)->blocklist, rows, count,
                           force ? NULL : &limits.limits, &actor->actor, beside, error);
    command_limits_end(&limits);
    answer = result == BLOCKLIST_OK ? added_answer(entries, beside, count)
                                    : command_error(result, error);
out:
    free(beside);
    free(rows);
    return answer;
}

static json_t *add(struct control_session *session, const json_t *request, bool allow,
                   bool tempfail)
{
    struct blocklist_row_in row = {.allow = allow, .tempfail = tempfail};
    int64_t expires_s = 0; /* never */
    bool force = false;
    struct command_actor actor;
    struct entry *entries;
    size_t count;
    json_t *answer;

    if (request_optional_text(request, "reason", &row.reason, &answer) != 0 ||
        request_optional_text(request, "source", &row.source, &answer) != 0 ||
        request_optional_span(request, "expires_s", &expires_s, &answer) != 0 ||
        request_optional_flag(request, "force", &force, &answer) != 0 ||
        command_actor_of(&actor, session, request, &answer) != 0)
        return answer;
    entries = read_entries(entry_parse, request, &count, &answer);
    if (entries == NULL)
        return answer;
    if (expires_s > 0)
        row.expires =
            blocklist_now(command_daemon(session)->blocklist) + (time_t)expires_s;
    answer = add_rows(session, &actor, &row, force, entries, count);
    command_farm_reach(session, request, &answer);
    free(entries);
    return answer;
}

/* {"command":"add","entries":[…],"reason","source","expires_s","force","sudo"}
 * -> {"ok":true,"entries":[as they are kept],"shadowed":an allow entry lets one pass all
 *  the same,"blocked":another source's block refuses one that is to be deferred,
 *  "replaced":[entries that the same source deferred, or blocked, before]} */
json_t *cmd_add(struct control_session *session, const json_t *request)
{
    return add(session, request, false, false);
}

/* The same for an entry that defers: 451. */
json_t *cmd_tempfail(struct control_session *session, const json_t *request)
{
    return add(session, request, false, true);
}

/* The same for an entry that wins over the others. */
json_t *cmd_allow(struct control_session *session, const json_t *request)
{
    return add(session, request, true, false);
}

/* Why there is nothing to remove, where another entry decides all the same. */
static json_t *no_such_entry(struct blocklist *blocklist, const struct entry *entry,
                             const char *error)
{
    static const char *const done[] = {[BLOCKLIST_TEMPFAIL] = "deferred",
                                       [BLOCKLIST_BLOCK] = "blocked",
                                       [BLOCKLIST_ALLOW] = "allowed"};
    struct blocklist_match match;
    enum blocklist_verdict verdict = blocklist_lookup_entry(blocklist, entry, &match);

    if (verdict == BLOCKLIST_NONE)
        return protocol_error_answer(PROTOCOL_NO_ENTRY, "%s", error);
    return protocol_error_answer(PROTOCOL_NO_ENTRY, "%s; it is %s by %s", error,
                                 done[verdict], match.key);
}

/* What a source has listed by mistake. */
static json_t *remove_since(struct blocklist *blocklist, const char *source,
                            int64_t since_s, const char *reason, bool dry_run,
                            const struct command_actor *actor)
{
    char error[BLOCKLIST_ERROR_SIZE];
    enum blocklist_result result;
    size_t removed;

    if (source == NULL)
        return protocol_error_answer(PROTOCOL_USAGE, "\"since_s\" needs a \"source\"");
    result = blocklist_remove_since(blocklist, source,
                                    blocklist_now(blocklist) - (time_t)since_s, reason,
                                    dry_run, &actor->actor, &removed, error);
    return result == BLOCKLIST_OK ? json_pack("{s:b, s:[], s:I}", "ok", 1, "entries",
                                              "removed", (json_int_t)removed)
                                  : command_error(result, error);
}

/* {"command":"remove","entries":[…],"reason","source","dry_run","sudo"}
 * -> {"ok":true,"entries":[…],"removed":rows} or "no-entry"; with "since_s" instead of
 * "entries" all that the source has listed within that time. */
json_t *cmd_remove(struct control_session *session, const json_t *request)
{
    const char *reason = NULL, *source = NULL;
    int64_t since_s = -1;
    bool dry_run = false;
    char error[BLOCKLIST_ERROR_SIZE];
    enum blocklist_result result;
    struct command_actor actor;
    struct entry *entries;
    size_t count, removed = 0;
    json_t *answer;

    if (request_optional_text(request, "reason", &reason, &answer) != 0 ||
        request_optional_text(request, "source", &source, &answer) != 0 ||
        request_optional_flag(request, "dry_run", &dry_run, &answer) != 0 ||
        request_optional_span(request, "since_s", &since_s, &answer) != 0 ||
        command_actor_of(&actor, session, request, &answer) != 0)
        return answer;
    if (since_s >= 0) {
        answer = remove_since(command_daemon(session)->blocklist, source, since_s, reason,
                              dry_run, &actor);
        if (!dry_run)
            command_farm_reach(session, request, &answer);
        return answer;
    }
    entries = read_entries(entry_parse_kept, request, &count, &answer);
    if (entries == NULL)
        return answer;
    result = blocklist_remove(command_daemon(session)->blocklist, entries, count, source,
                              reason, dry_run, &actor.actor, &removed, error);
    if (result == BLOCKLIST_OK) {
        answer = entries_answer(entries, count);
        protocol_set(&answer, "removed", json_integer((json_int_t)removed));
    } else if (result == BLOCKLIST_NO_SUCH_ENTRY && count == 1 && source == NULL) {
        answer = no_such_entry(command_daemon(session)->blocklist, entries, error);
    } else {
        answer = command_error(result, error);
    }
    if (!dry_run)
        command_farm_reach(session, request, &answer);
    free(entries);
    return answer;
}

/* --- list, show, log: a page at a time --- */

/* A time for an answer: seconds, or null for 0. */
static json_t *time_value(time_t at)
{
    return at == 0 ? json_null() : json_integer((json_int_t)at);
}

/* A text that may be NULL, for an answer. */
static json_t *text_value(const char *text)
{
    return protocol_text(text == NULL ? "" : text);
}

/* Returns false without memory. */
static bool add_row(void *context, const struct blocklist_row *row)
{
    json_t **rows = context;

    protocol_append(
        rows, json_pack("{s:o, s:s, s:s, s:o, s:o, s:o, s:I, s:o, s:I, s:o}", "entry",
                        protocol_text(row->entry), "kind", entry_kind_name(row->kind),
                        "action", entry_action_name(row->allow, row->tempfail), "source",
                        protocol_text(row->source), "reason", text_value(row->reason),
                        "who", protocol_text(row->who), "since", (json_int_t)row->since,
                        "expires", time_value(row->expires), "hits",
                        (json_int_t)row->hits, "last_hit", time_value(row->last_hit)));
    return *rows != NULL;
}

/* The answer of a page, whose rows it takes; NULL: there was no memory for them. */
static json_t *page_answer(json_t *rows, const char *name, enum blocklist_result result,
                           const char *error)
{
    if (result == BLOCKLIST_OK || rows == NULL)
        return command_answer(name, rows);
    json_decref(rows);
    return command_error(result, error);
}

/* "limit", at most a page. */
static int read_limit(const json_t *request, size_t *limit, json_t **answer)
{
    int64_t number = PROTOCOL_PAGE_ROWS;

    if (request_optional_number(request, "limit", INT64_MAX, &number, answer) != 0)
        return -1;
    *limit =
        number > 0 && number < PROTOCOL_PAGE_ROWS ? (size_t)number : PROTOCOL_PAGE_ROWS;
    return 0;
}

static int read_kinds(const json_t *request, unsigned *kinds, json_t **answer)
{
    const json_t *names, *name;
    enum entry_kind kind;
    size_t i;

    if (json_object_get(request, "kinds") == NULL)
        return 0;
    if (request_texts(request, "kinds", ENTRY_KIND_COUNT, &names, answer) != 0)
        return -1;
    json_array_foreach (names, i, name) {
        if (entry_kind_parse(json_string_value(name), &kind) != 0) {
            *answer = protocol_error_answer(
                PROTOCOL_USAGE,
                "no kind \"%s\": expected address, domain, network, host or user",
                json_string_value(name));
            return -1;
        }
        *kinds |= 1u << kind;
    }
    return 0;
}

static int read_criteria(const struct control_session *session, const json_t *request,
                         struct blocklist_criteria *out, json_t **answer)
{
    time_t now = blocklist_now(command_daemon(session)->blocklist);
    int64_t since_s = 0, expiring_s = 0;
    const char *sort = NULL;

    *out = (struct blocklist_criteria){0};
    if (request_optional_text(request, "pattern", &out->pattern, answer) != 0 ||
        request_optional_text(request, "source", &out->source, answer) != 0 ||
        request_optional_text(request, "reason", &out->reason, answer) != 0 ||
        request_optional_text(request, "sort", &sort, answer) != 0 ||
        request_optional_span(request, "since_s", &since_s, answer) != 0 ||
        request_optional_span(request, "expiring_s", &expiring_s, answer) != 0 ||
        read_kinds(request, &out->kinds, answer) != 0)
        return -1;
    if (sort != NULL && blocklist_sort_parse(sort, &out->sort) != 0) {
        *answer = protocol_error_answer(
            PROTOCOL_USAGE,
            "cannot sort by \"%s\": expected entry, since, expires or hits", sort);
        return -1;
    }
    out->since = since_s == 0 ? 0 : now - (time_t)since_s;
    out->expiring = expiring_s == 0 ? 0 : now + (time_t)expiring_s;
    return 0;
}

/* The client hands back what it was given: where the page before ended. */
static int read_cursor(const json_t *request, struct blocklist_cursor *out,
                       json_t **answer)
{
    const json_t *cursor = json_object_get(request, "cursor");
    const char *entry, *source;

    *out = (struct blocklist_cursor){0};
    if (cursor == NULL)
        return 0;
    out->begun = true;
    if (request_optional_number(cursor, "number", INT64_MAX, &out->number, answer) != 0 ||
        request_optional_number(cursor, "id", INT64_MAX, &out->id, answer) != 0 ||
        request_text(cursor, "entry", &entry, answer) != 0 ||
        request_text(cursor, "source", &source, answer) != 0)
        return -1;
    if (text_copy(entry, out->entry, sizeof out->entry) &&
        text_copy(source, out->source, sizeof out->source))
        return 0;
    *answer = protocol_error_answer(PROTOCOL_USAGE, "\"cursor\": not one of ours");
    return -1;
}

/* {"command":"list","pattern","kinds":[…],"source","reason","since_s","expiring_s",
 *  "sort","limit","cursor"} -> {"ok":true,"rows":[…],"cursor":{…} unless done} */
json_t *cmd_list(struct control_session *session, const json_t *request)
{
    char error[BLOCKLIST_ERROR_SIZE];
    struct blocklist_criteria criteria;
    struct blocklist_cursor cursor;
    enum blocklist_result result;
    json_t *answer, *rows;
    size_t limit;

    if (read_criteria(session, request, &criteria, &answer) != 0 ||
        read_limit(request, &limit, &answer) != 0 ||
        read_cursor(request, &cursor, &answer) != 0)
        return answer;
    rows = json_array();
    result = blocklist_list(command_daemon(session)->blocklist, &criteria, &cursor, limit,
                            add_row, &rows, error);
    answer = page_answer(rows, "rows", result, error);
    if (result == BLOCKLIST_OK && !cursor.done)
        protocol_set(&answer, "cursor",
                     json_pack("{s:I, s:I, s:s, s:s}", "number",
                               (json_int_t)cursor.number, "id", (json_int_t)cursor.id,
                               "entry", cursor.entry, "source", cursor.source));
    return answer;
}

/* {"command":"show","entry":TEXT} -> {"ok":true,"entry":as kept,"kind":…,"rows":[…],
 *  "covered_by":null or {"entry","action"},"farm_hits":{"hits","last_hit","hosts"} or null,
 *  in a farm}: no rows when it is not listed now; another
 *  entry may decide all the same, a domain above or a network around it. */
json_t *cmd_show(struct control_session *session, const json_t *request)
{
    struct daemon *daemon = command_daemon(session);
    enum blocklist_verdict verdict = BLOCKLIST_NONE;
    char error[BLOCKLIST_ERROR_SIZE];
    enum blocklist_result result;
    struct blocklist_match match;
    struct entry entry;
    const char *text;
    const json_t *row;
    json_t *answer, *rows, *farm_hits = NULL;

    if (request_text(request, "entry", &text, &answer) != 0)
        return answer;
    if (entry_parse_kept(text, &entry, error) != 0)
        return protocol_error_answer(PROTOCOL_USAGE, "%s: %s", text, error);
    rows = json_array();
    result = blocklist_show(daemon->blocklist, &entry, add_row, &rows, error);
    if (result != BLOCKLIST_OK && result != BLOCKLIST_NO_SUCH_ENTRY)
        return page_answer(rows, "rows", result, error);
    row = json_array_get(rows, 0);
    if (row != NULL)
        farm_hits = farm_hits_value(daemon, entry.text,
                                    json_integer_value(json_object_get(row, "hits")),
                                    json_integer_value(json_object_get(row, "last_hit")));
    else
        verdict = blocklist_lookup_entry(daemon->blocklist, &entry, &match);
    answer = command_answer("rows", rows);
    protocol_set(&answer, "entry", json_string(entry.text));
    protocol_set(&answer, "kind", json_string(entry_kind_name(entry.kind)));
    protocol_set(&answer, "findings", command_findings(daemon, entry.text));
    if (farm_hits != NULL)
        protocol_set(&answer, "farm_hits", farm_hits);
    protocol_set(&answer, "covered_by",
                 verdict == BLOCKLIST_NONE
                     ? json_null()
                     : json_pack("{s:o, s:s}", "entry", protocol_text(match.key),
                                 "action",
                                 entry_action_name(verdict == BLOCKLIST_ALLOW,
                                                   verdict == BLOCKLIST_TEMPFAIL)));
    return answer;
}

/* JSON kept in the audit log, as a value. */
static json_t *kept_json(const char *text)
{
    json_t *value = text == NULL ? NULL : json_loads(text, JSON_DECODE_ANY, NULL);

    return value == NULL ? json_null() : value;
}

static bool add_event(void *context, const struct blocklist_event *event)
{
    json_t **rows = context;

    protocol_append(
        rows,
        json_pack("{s:I, s:o, s:I, s:s, s:o, s:s, s:o, s:o, s:o, s:o}", "at",
                  (json_int_t)event->at, "who", text_value(event->login), "uid",
                  (json_int_t)event->uid, "change", event->action, "entry",
                  text_value(event->entry), "action",
                  entry_action_name(event->allow, event->tempfail), "source",
                  text_value(event->source), "reason", text_value(event->reason),
                  "before", kept_json(event->before), "after", kept_json(event->after)));
    return *rows != NULL;
}

/* {"command":"log","pattern","since_s","before_id","limit"}, newest first
 * -> {"ok":true,"events":[…],"before_id":N unless done} */
json_t *cmd_log(struct control_session *session, const json_t *request)
{
    struct blocklist *blocklist = command_daemon(session)->blocklist;
    char error[BLOCKLIST_ERROR_SIZE];
    int64_t since_s = 0, before_id = 0;
    enum blocklist_result result;
    const char *pattern = NULL;
    json_t *answer, *rows;
    size_t limit;

    if (request_optional_text(request, "pattern", &pattern, &answer) != 0 ||
        request_optional_span(request, "since_s", &since_s, &answer) != 0 ||
        request_optional_number(request, "before_id", INT64_MAX, &before_id, &answer) !=
            0 ||
        read_limit(request, &limit, &answer) != 0)
        return answer;
    rows = json_array();
    result = blocklist_log(blocklist, pattern,
                           since_s == 0 ? 0 : blocklist_now(blocklist) - (time_t)since_s,
                           &before_id, limit, add_event, &rows, error);
    answer = page_answer(rows, "events", result, error);
    if (result == BLOCKLIST_OK && before_id != -1)
        protocol_set(&answer, "before_id", json_integer((json_int_t)before_id));
    return answer;
}
