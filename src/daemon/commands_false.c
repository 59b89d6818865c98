/* SPDX-License-Identifier: BSD-2-Clause */
/* false: a decision is marked as a wrong refusal, and who was refused is let in. */

#include "daemon/commands.h"

#include <string.h>

#include "base/text.h"
#include "control/protocol.h"
#include "daemon/decision_json.h"
#include "journal/search.h"
#include "policy/verdict.h"

/* What a decision that is to be marked says of itself. */
struct marked {
    bool refused;
    char alone[DECISION_LIST_SIZE];
    char entry[ENTRY_TEXT_SIZE]; /* what lets the client, or the login, in; "" nothing */
};

/* The list that alone refused: it is enough, the others are not. */
static void find_alone(const struct journal_found *one,
                       char out[static DECISION_LIST_SIZE])
{
    const struct record *r = one->record;

    out[0] = '\0';
    for (size_t i = 0; i < r->answer_count; i++)
        if (r->verdict == VERDICT_REJECT && r->answers[i].weight >= r->reject &&
            r->score - r->answers[i].weight < r->reject &&
            decision_list_name(one->lists, r->answers[i].list, out))
            return;
    out[0] = '\0';
}

static void take_marked(void *context, const struct journal_found *one)
{
    struct marked *marked = context;
    const struct record *r = one->record;

    marked->refused = r->verdict >= VERDICT_TEMPFAIL;
    find_alone(one, marked->alone);
    if (r->login[0] != '\0')
        text_sentence(marked->entry, sizeof marked->entry, "user:%s", r->login);
    else if (r->has_client)
        ipaddr_text(&r->client, marked->entry);
}

/* Marks one, or takes its mark back. Returns 0, or -1 with the answer. */
static int mark(struct daemon *daemon, const char *text, const char *login,
                const char *reason, struct marked *marked, json_t **answer)
{
    char error[DAY_ERROR_SIZE], hosts[512];
    journal_id id;

    *marked = (struct marked){0};
    if (journal_id_parse(text, &id) != 0) {
        *answer = protocol_error_answer(PROTOCOL_USAGE,
                                        "%s: expected the id of a decision", text);
        return -1;
    }
    if (!journal_find_id(daemon->journal, id, take_marked, marked)) {
        json_decref(farm_hosts_of(daemon, journal_id_node(id), hosts, sizeof hosts));
        *answer = hosts[0] == '\0'
                      ? protocol_error_answer(PROTOCOL_NO_ENTRY,
                                              "%s: there is no such decision", text)
                      : protocol_error_answer(PROTOCOL_NO_ENTRY,
                                              "%s: this id is of %s: mark it there", text,
                                              hosts);
        return -1;
    }
    if (!marked->refused) {
        *answer = protocol_error_answer(PROTOCOL_REFUSED, "%s: it was not refused", text);
        return -1;
    }
    if (journal_mark(daemon->journal, id, login, reason, marked->alone, error) == 0)
        return 0;
    *answer = protocol_error_answer(PROTOCOL_FAILED, "%s: %s", text, error);
    return -1;
}

/* Lets in who was refused wrongly, for a time. Returns 0, or -1 with the answer. */
static int let_in(struct control_session *session, const struct command_actor *actor,
                  const char *text, int64_t allow_s, json_t **answer)
{
    struct blocklist *blocklist = command_daemon(session)->blocklist;
    struct blocklist_row_in row = {
        .allow = true, .source = "false", .reason = "wrong refusal"};
    char error[ENTRY_ERROR_SIZE], why[BLOCKLIST_ERROR_SIZE];
    struct entry entry;
    enum blocklist_result result;

    if (text[0] == '\0' || entry_parse_kept(text, &entry, error) != 0) {
        *answer = protocol_error_answer(PROTOCOL_REFUSED,
                                        "marked; but there is nobody to let in: it has "
                                        "neither a client's address nor a login");
        return -1;
    }
    row.entry = &entry;
    row.expires = blocklist_now(blocklist) + (time_t)allow_s;
    result = blocklist_add(blocklist, &row, 1, NULL, &actor->actor, NULL, why);
    if (result == BLOCKLIST_OK)
        return 0;
    *answer = command_error(result, why);
    return -1;
}

/* {"command":"false","ids":[…],"reason","allow_s","undo","sudo"}
 * -> {"ok":true,"marked":number,"entries":[what lets them in]}: the decisions were wrong
 * refusals; their records stay beyond their time. */
json_t *cmd_false(struct control_session *session, const json_t *request)
{
    struct daemon *daemon = command_daemon(session);
    const char *reason = "";
    const json_t *ids, *id;
    struct command_actor actor;
    int64_t allow_s = 0;
    bool undo = false;
    json_t *answer, *entries;
    size_t i;

    if (request_texts(request, "ids", PROTOCOL_ENTRIES_MAX, &ids, &answer) != 0 ||
        request_optional_text(request, "reason", &reason, &answer) != 0 ||
        request_optional_span(request, "allow_s", &allow_s, &answer) != 0 ||
        request_optional_flag(request, "undo", &undo, &answer) != 0 ||
        command_actor_of(&actor, session, request, &answer) != 0 ||
        !command_journal_is_on(daemon->journal, &answer))
        return answer;
    entries = json_array();
    json_array_foreach (ids, i, id) {
        struct marked marked;

        if (mark(daemon, json_string_value(id), actor.login, undo ? NULL : reason,
                 &marked, &answer) != 0 ||
            (allow_s > 0 && !undo &&
             let_in(session, &actor, marked.entry, allow_s, &answer) != 0)) {
            json_decref(entries);
            return answer;
        }
        if (allow_s > 0 && !undo)
            protocol_append(&entries, protocol_text(marked.entry));
    }
    if (daemon->farm != NULL)
        farm_alone_changed(daemon->farm);
    return json_pack("{s:b, s:I, s:o}", "ok", 1, "marked",
                     (json_int_t)json_array_size(ids), "entries", entries);
}
