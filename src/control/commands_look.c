/* SPDX-License-Identifier: BSD-2-Clause */
/* list, show, log: a page at a time. */

#include "control/commands.h"

#include <string.h>

#include "base/text.h"
#include "control/admin_answer.h"
#include "control/protocol.h"
#include "control/request.h"

/* Rows being gathered for an answer. */
struct page {
    json_t *rows;
    bool failed; /* no memory */
};

static bool page_add(struct page *page, json_t *row)
{
    if (json_array_append_new(page->rows, row) == 0)
        return true;
    page->failed = true;
    return false;
}

static bool add_row(void *context, const struct blocklist_row *row)
{
    return page_add(context, admin_row(row));
}

/* The answer of a page (whose rows it takes). */
static json_t *page_answer(struct page *page, const char *name,
                           enum blocklist_result result, const char *error)
{
    if (result == BLOCKLIST_OK && !page->failed)
        return json_pack("{s:b, s:o}", "ok", 1, name, page->rows);
    json_decref(page->rows);
    return page->failed ? NULL : admin_error(result, error);
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

static int read_filter(const struct control_session *session, const json_t *request,
                       struct blocklist_filter *out, json_t **answer)
{
    time_t now = blocklist_now(session->daemon->blocklist);
    int64_t since_s = 0, expiring_s = 0;
    const char *sort = NULL;

    *out = (struct blocklist_filter){0};
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

static json_t *cursor_value(const struct blocklist_cursor *cursor)
{
    return json_pack("{s:I, s:I, s:s, s:s}", "number", (json_int_t)cursor->number, "id",
                     (json_int_t)cursor->id, "entry", cursor->entry, "source",
                     cursor->source);
}

/* {"command":"list","pattern","kinds":[…],"source","reason","since_s","expiring_s",
 *  "sort","limit","cursor"} -> {"ok":true,"rows":[…],"cursor":{…} unless done} */
json_t *cmd_list(struct control_session *session, const json_t *request)
{
    char error[BLOCKLIST_ERROR_SIZE];
    struct blocklist_filter filter;
    struct blocklist_cursor cursor;
    enum blocklist_result result;
    struct page page = {0};
    json_t *answer;
    size_t limit;

    if (read_filter(session, request, &filter, &answer) != 0 ||
        read_limit(request, &limit, &answer) != 0 ||
        read_cursor(request, &cursor, &answer) != 0)
        return answer;
    page.rows = json_array();
    result = blocklist_list(session->daemon->blocklist, &filter, &cursor, limit, add_row,
                            &page, error);
    answer = page_answer(&page, "rows", result, error);
    if (result == BLOCKLIST_OK && !cursor.done)
        protocol_set(&answer, "cursor", cursor_value(&cursor));
    return answer;
}

/* The entry that decides where this one is not listed itself, or null. */
static json_t *covering(struct blocklist *blocklist, const struct entry *entry)
{
    struct blocklist_match match;
    enum blocklist_verdict verdict = blocklist_ask_entry(blocklist, entry, &match);

    if (verdict == BLOCKLIST_NONE)
        return json_null();
    return json_pack("{s:o, s:s}", "entry", protocol_text(match.key), "action",
                     verdict == BLOCKLIST_ALLOW ? "allow" : "block");
}

/* {"command":"show","entry":TEXT} -> {"ok":true,"entry":as kept,"kind":…,"rows":[…],
 *  "covered_by":null or {"entry","action"}}: no rows when it is not listed now; another
 *  entry may decide all the same, a domain above or a network around it. */
json_t *cmd_show(struct control_session *session, const json_t *request)
{
    char error[BLOCKLIST_ERROR_SIZE];
    enum blocklist_result result;
    struct page page = {0};
    struct entry entry;
    const char *text;
    json_t *answer;

    if (request_text(request, "entry", &text, &answer) != 0)
        return answer;
    if (entry_parse(text, &entry, error) != 0)
        return protocol_error_answer(PROTOCOL_USAGE, "%s: %s", text, error);
    page.rows = json_array();
    result = blocklist_show(session->daemon->blocklist, &entry, add_row, &page, error);
    if (result == BLOCKLIST_NO_SUCH_ENTRY)
        result = BLOCKLIST_OK;
    answer = page_answer(&page, "rows", result, error);
    if (result == BLOCKLIST_OK) {
        protocol_set(&answer, "entry", json_string(entry.text));
        protocol_set(&answer, "kind", json_string(entry_kind_name(entry.kind)));
        protocol_set(&answer, "covered_by",
                     json_array_size(json_object_get(answer, "rows")) == 0
                         ? covering(session->daemon->blocklist, &entry)
                         : json_null());
    }
    return answer;
}

/* JSON kept in the trail, as a value. */
static json_t *kept_json(const char *text)
{
    json_t *value = text == NULL ? NULL : json_loads(text, JSON_DECODE_ANY, NULL);

    return value == NULL ? json_null() : value;
}

static json_t *event_text(const char *text)
{
    return protocol_text(text == NULL ? "" : text);
}

static bool add_event(void *context, const struct blocklist_event *event)
{
    return page_add(
        context,
        json_pack("{s:I, s:o, s:I, s:s, s:o, s:s, s:o, s:o, s:o, s:o}", "at",
                  (json_int_t)event->at, "who", event_text(event->login), "uid",
                  (json_int_t)event->uid, "change", event->action, "entry",
                  event_text(event->entry), "action", event->allow ? "allow" : "block",
                  "source", event_text(event->source), "reason",
                  event_text(event->reason), "before", kept_json(event->before), "after",
                  kept_json(event->after)));
}

/* {"command":"log","pattern","since_s","before_id","limit"}, newest first
 * -> {"ok":true,"events":[…],"before_id":N unless done} */
json_t *cmd_log(struct control_session *session, const json_t *request)
{
    struct blocklist *blocklist = session->daemon->blocklist;
    char error[BLOCKLIST_ERROR_SIZE];
    int64_t since_s = 0, before_id = 0;
    enum blocklist_result result;
    const char *pattern = NULL;
    struct page page = {0};
    json_t *answer;
    size_t limit;

    if (request_optional_text(request, "pattern", &pattern, &answer) != 0 ||
        request_optional_span(request, "since_s", &since_s, &answer) != 0 ||
        request_optional_number(request, "before_id", INT64_MAX, &before_id, &answer) !=
            0 ||
        read_limit(request, &limit, &answer) != 0)
        return answer;
    page.rows = json_array();
    result = blocklist_log(blocklist, pattern,
                           since_s == 0 ? 0 : blocklist_now(blocklist) - (time_t)since_s,
                           &before_id, limit, add_event, &page, error);
    answer = page_answer(&page, "events", result, error);
    if (result == BLOCKLIST_OK && before_id != -1)
        protocol_set(&answer, "before_id", json_integer((json_int_t)before_id));
    return answer;
}
