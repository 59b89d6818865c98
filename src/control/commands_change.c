/* SPDX-License-Identifier: BSD-2-Clause */
/* add, allow, remove. */

#include "control/commands.h"

#include <stdlib.h>

#include "control/admin_answer.h"
#include "control/protocol.h"
#include "control/request.h"

/* Reads "entries". Returns an array to be freed, their number in *count, or NULL with the
 * answer. */
static struct entry *read_entries(const json_t *request, size_t *count, json_t **answer)
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
        if (entry_parse(json_string_value(text), &entries[i], error) != 0) {
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
    return json_pack("{s:b, s:o}", "ok", 1, "entries", texts);
}

struct addition {
    const char *reason, *source;
    int64_t expires_s; /* 0: never */
    bool force;
};

static int read_addition(const json_t *request, struct addition *out, json_t **answer)
{
    *out = (struct addition){0};
    if (request_optional_text(request, "reason", &out->reason, answer) != 0 ||
        request_optional_text(request, "source", &out->source, answer) != 0 ||
        request_optional_span(request, "expires_s", &out->expires_s, answer) != 0)
        return -1;
    return request_optional_flag(request, "force", &out->force, answer);
}

/* Writes the rows; the answer says whether an allow entry still lets one pass. */
static json_t *add_rows(struct control_session *session, const struct admin_actor *actor,
                        const struct addition *addition, bool allow,
                        const struct entry *entries, size_t count)
{
    struct blocklist *blocklist = session->daemon->blocklist;
    struct blocklist_row_in *rows = calloc(count, sizeof *rows);
    char error[BLOCKLIST_ERROR_SIZE];
    enum blocklist_result result;
    struct admin_limits limits;
    bool shadowed = false;
    json_t *answer;

    if (rows == NULL)
        return NULL;
    for (size_t i = 0; i < count; i++)
        rows[i] = (struct blocklist_row_in){
            .entry = &entries[i],
            .allow = allow,
            .source = addition->source,
            .reason = addition->reason,
            .expires = addition->expires_s == 0
                           ? 0
                           : blocklist_now(blocklist) + (time_t)addition->expires_s};
    admin_limits_of(&limits, session->daemon);
    result =
        blocklist_add(blocklist, rows, count, addition->force ? NULL : &limits.limits,
                      &actor->actor, &shadowed, error);
    admin_limits_end(&limits);
    free(rows);
    if (result != BLOCKLIST_OK)
        return admin_error(result, error);
    answer = entries_answer(entries, count);
    protocol_set(&answer, "shadowed", json_boolean(shadowed));
    return answer;
}

static json_t *add(struct control_session *session, const json_t *request, bool allow)
{
    struct addition addition;
    struct admin_actor actor;
    struct entry *entries;
    size_t count;
    json_t *answer;

    if (read_addition(request, &addition, &answer) != 0 ||
        admin_actor_of(&actor, session, request, &answer) != 0)
        return answer;
    entries = read_entries(request, &count, &answer);
    if (entries == NULL)
        return answer;
    answer = add_rows(session, &actor, &addition, allow, entries, count);
    free(entries);
    return answer;
}

/* {"command":"add","entries":[…],"reason","source","expires_s","force","sudo"}
 * -> {"ok":true,"entries":[as they are kept],"shadowed":bool} */
json_t *cmd_add(struct control_session *session, const json_t *request)
{
    return add(session, request, false);
}

/* The same for an entry that wins over listings. */
json_t *cmd_allow(struct control_session *session, const json_t *request)
{
    return add(session, request, true);
}

/* Why there is nothing to remove, where another entry decides all the same. */
static json_t *no_such_entry(struct blocklist *blocklist, const struct entry *entry,
                             const char *error)
{
    struct blocklist_match match;
    enum blocklist_verdict verdict = blocklist_ask_entry(blocklist, entry, &match);

    if (verdict == BLOCKLIST_NONE)
        return protocol_error_answer(PROTOCOL_NO_ENTRY, "%s", error);
    return protocol_error_answer(PROTOCOL_NO_ENTRY, "%s; it is %s by %s", error,
                                 verdict == BLOCKLIST_ALLOW ? "allowed" : "blocked",
                                 match.key);
}

/* {"command":"remove","entries":[…],"reason","source","dry_run","sudo"}
 * -> {"ok":true,"entries":[…],"removed":rows} or "no-entry" */
json_t *cmd_remove(struct control_session *session, const json_t *request)
{
    const char *reason = NULL, *source = NULL;
    bool dry_run = false;
    char error[BLOCKLIST_ERROR_SIZE];
    enum blocklist_result result;
    struct admin_actor actor;
    struct entry *entries;
    size_t count, removed = 0;
    json_t *answer;

    if (request_optional_text(request, "reason", &reason, &answer) != 0 ||
        request_optional_text(request, "source", &source, &answer) != 0 ||
        request_optional_flag(request, "dry_run", &dry_run, &answer) != 0 ||
        admin_actor_of(&actor, session, request, &answer) != 0)
        return answer;
    entries = read_entries(request, &count, &answer);
    if (entries == NULL)
        return answer;
    result = blocklist_remove(session->daemon->blocklist, entries, count, source, reason,
                              dry_run, &actor.actor, &removed, error);
    if (result == BLOCKLIST_OK)
        answer = entries_answer(entries, count);
    else if (result == BLOCKLIST_NO_SUCH_ENTRY && count == 1 && source == NULL)
        answer = no_such_entry(session->daemon->blocklist, entries, error);
    else
        answer = admin_error(result, error);
    if (result == BLOCKLIST_OK)
        protocol_set(&answer, "removed", json_integer((json_int_t)removed));
    free(entries);
    return answer;
}
