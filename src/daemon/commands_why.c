/* SPDX-License-Identifier: BSD-2-Clause */
/* why: what the journal keeps of decisions; false: one is marked as a wrong refusal, and
 * who was refused is let in. */

#include "daemon/commands.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "control/protocol.h"
#include "daemon/decisions.h"
#include "journal/search.h"
#include "policy/verdict.h"

#define LIMIT_DEFAULT 20
#define LIMIT_MAX     1000

/* --- why --- */

struct filter {
    struct wanted wanted;
    char to[TOKEN_ADDRESS_SIZE]; /* a recipient, or "@domain"; "" any */
    int verdict;                 /* -1 any */
    const char *list;            /* that listed it; NULL any */
};

static bool is_on_list(const struct record *r, const char *lists, const char *list)
{
    char name[DECISION_LIST_SIZE];

    for (size_t i = 0; i < r->answer_count; i++)
        if (r->answers[i].state == RESULT_LISTED &&
            decision_list_name(lists, r->answers[i].list, name) &&
            strcmp(name, list) == 0)
            return true;
    return false;
}

/* A search, and what it has found. */
struct why {
    struct filter filter;
    bool show_local;
    json_t *decisions;
};

static bool wants(void *context, const struct record *record, const char *lists,
                  const uint8_t *key)
{
    const struct filter *filter = &((struct why *)context)->filter;

    return wanted_finds(&filter->wanted, record, key) &&
           (filter->verdict < 0 || record->verdict == filter->verdict) &&
           (filter->to[0] == '\0' || record_has_recipient(record, filter->to, key)) &&
           (filter->list == NULL || is_on_list(record, lists, filter->list));
}

static void found(void *context, const struct journal_found *one)
{
    struct why *why = context;

    protocol_append(&why->decisions, decision_json(one, why->show_local));
}

static int read_filter(const json_t *request, struct filter *out, json_t **answer)
{
    const char *to = NULL, *verdict = NULL;

    *out = (struct filter){.verdict = -1};
    if (request_optional_text(request, "to", &to, answer) != 0 ||
        request_optional_text(request, "list", &out->list, answer) != 0 ||
        request_optional_text(request, "verdict", &verdict, answer) != 0)
        return -1;
    for (int v = VERDICT_ACCEPT; verdict != NULL && v <= VERDICT_REJECT; v++)
        if (strcmp(verdict, verdict_name((enum verdict)v)) == 0)
            out->verdict = v;
    if (verdict != NULL && out->verdict < 0) {
        *answer = protocol_error_answer(
            PROTOCOL_USAGE, "%s: expected accept, tag, tempfail or reject", verdict);
        return -1;
    }
    if (to == NULL)
        return 0;
    if (strchr(to, '@') == NULL)
        text_sentence(out->to, sizeof out->to, "@%s", to);
    else if (to[0] == '@')
        text_sentence(out->to, sizeof out->to, "%s", to);
    else
        token_address(to, out->to, NULL);
    return 0;
}

static void add_gap(void *context, int64_t began_ms, int64_t ended_ms, uint64_t dropped)
{
    protocol_append(context,
                    json_pack("{s:I, s:I, s:I}", "began_ms", (json_int_t)began_ms,
                              "ended_ms", (json_int_t)ended_ms, "dropped",
                              (json_int_t)dropped));
}

/* The times since then in which decisions were not kept. */
static json_t *gaps_since(struct journal *journal, int64_t since)
{
    json_t *gaps = json_array();

    journal_each_gap(journal, since, add_gap, &gaps);
    return gaps;
}

static json_t *why_id(const struct control_session *session, struct why *why,
                      journal_id id)
{
    struct daemon *daemon = command_daemon(session);
    struct config *config = command_config(session);
    json_t *near = NULL, *hosts, *answer;
    unsigned node = journal_id_node(id), own = (unsigned)config->journal.node;
    journal_id ids[JOURNAL_MISREADS];
    char words[512];

    config_unref(config);
    if (!journal_find_id(daemon->journal, id, found, why)) {
        size_t count = journal_find_near(daemon->journal, id, ids);

        near = json_array(); /* what this one may be a misreading of */
        for (size_t i = 0; i < count; i++)
            protocol_append(&near, decision_id(ids[i]));
    }
    answer = json_pack("{s:b, s:o, s:o}", "ok", 1, "decisions", why->decisions, "gaps",
                       gaps_since(daemon->journal, (int64_t)journal_id_time(id)));
    if (near != NULL)
        protocol_set(&answer, "near", near);
    if (near != NULL && node != own)
        protocol_set(&answer, "node", json_integer((json_int_t)node));
    hosts = farm_hosts_of(daemon, node, words, sizeof words);
    if (near != NULL && json_array_size(hosts) > 0)
        protocol_set(&answer, "hosts", json_incref(hosts));
    json_decref(hosts);
    return answer;
}

static json_t *why_search(struct daemon *daemon, struct why *why, int64_t since_s,
                          int64_t limit)
{
    struct day_value values[DAY_VALUES];
    int64_t since = since_s > 0 ? (int64_t)time(NULL) - since_s : 0;
    struct journal_query query = {.values = values,
                                  .count = wanted_values(&why->filter.wanted, values),
                                  .since = since,
                                  .limit = (unsigned)limit,
                                  .wants = wants,
                                  .found = found,
                                  .context = why};
    bool more = false;

    (void)journal_find(daemon->journal, &query, &more);
    return json_pack("{s:b, s:o, s:b, s:o}", "ok", 1, "decisions", why->decisions, "more",
                     more, "gaps", gaps_since(daemon->journal, since));
}

/* Whether decisions are kept; if not, with the answer. */
static bool journal_is_on(struct journal *journal, json_t **answer)
{
    if (journal_keeps(journal, true))
        return true;
    *answer = protocol_error_answer(PROTOCOL_REFUSED,
                                    "there is no journal: journal.refused is 0");
    return false;
}

static bool has_decisions(const json_t *answer)
{
    return json_array_size(json_object_get(answer, "decisions")) > 0;
}

/* {"command":"why","what":ID or what it is to be found by,"to","since_s","verdict","list",
 *  "limit"}
 * -> {"ok":true,"decisions":[as decisions.h has them, the newest first],"more":bool,
 *     "gaps":[{"began_ms","ended_ms" (0: it goes on),"dropped"}, …]}; of an id that is not
 * there also "near":[ids that it may be misread for], "node" where it is another's, and
 * "hosts": the names of the farm's other hosts that it may be of. */
json_t *cmd_why(struct control_session *session, const json_t *request)
{
    struct daemon *daemon = command_daemon(session);
    struct why why = {.show_local = decisions_show_local_parts(session)};
    int64_t since_s = 0, limit = LIMIT_DEFAULT;
    char error[512];
    const char *text;
    journal_id id;
    json_t *answer, *by_queue_id;

    if (request_text(request, "what", &text, &answer) != 0 ||
        request_optional_span(request, "since_s", &since_s, &answer) != 0 ||
        request_optional_number(request, "limit", LIMIT_MAX, &limit, &answer) != 0 ||
        read_filter(request, &why.filter, &answer) != 0 ||
        !journal_is_on(daemon->journal, &answer))
        return answer;
    if (journal_id_parse(text, &id) == 0) {
        why.decisions = json_array();
        answer = why_id(session, &why, id);
        /* some queue ids of MTAs read as ids of ours */
        if (has_decisions(answer) ||
            wanted_read(text, &why.filter.wanted, error, sizeof error) != 0 ||
            why.filter.wanted.kind != WANTED_QUEUE_ID || strchr(text, '-') != NULL)
            return answer;
        why.decisions = json_array();
        by_queue_id = why_search(daemon, &why, since_s, limit);
        if (!has_decisions(by_queue_id)) {
            json_decref(by_queue_id);
            return answer;
        }
        json_decref(answer);
        return by_queue_id;
    }
    if (wanted_read(text, &why.filter.wanted, error, sizeof error) != 0)
        return protocol_error_answer(PROTOCOL_USAGE, "%s", error);
    why.decisions = json_array();
    return why_search(daemon, &why, since_s, limit);
}

json_t *command_decisions(struct daemon *daemon, const char *what, int64_t since_s,
                          int64_t limit)
{
    struct why why = {.show_local = true, .filter.verdict = -1};
    char error[512];

    if (!journal_keeps(daemon->journal, true) ||
        wanted_read(what, &why.filter.wanted, error, sizeof error) != 0)
        return NULL;
    why.decisions = json_array();
    return why_search(daemon, &why, since_s, limit);
}

/* --- false --- */

/* What a decision that is to be marked says of itself. */
struct marked {
    journal_id id;
    bool refused;
    char alone[DECISION_LIST_SIZE];
    char entry[ENTRY_TEXT_SIZE]; /* what lets the client, or the login, in; "" nothing */
};

static void take_marked(void *context, const struct journal_found *one)
{
    struct marked *marked = context;
    const struct record *r = one->record;

    marked->refused = r->verdict >= VERDICT_TEMPFAIL;
    /* a list that alone refused it: it is enough, the others are not */
    for (size_t i = 0; i < r->answer_count && marked->alone[0] == '\0'; i++)
        if (r->verdict == VERDICT_REJECT && r->answers[i].weight >= r->reject &&
            r->score - r->answers[i].weight < r->reject)
            (void)decision_list_name(one->lists, r->answers[i].list, marked->alone);
    if (r->login[0] != '\0')
        text_sentence(marked->entry, sizeof marked->entry, "user:%s", r->login);
    else if (r->has_client)
        ipaddr_text(&r->client, marked->entry);
}

/* Finds one that can be marked. Returns 0, or -1 with the answer. */
static int find_refusal(struct daemon *daemon, const char *text, struct marked *marked,
                        json_t **answer)
{
    char hosts[512];

    *marked = (struct marked){0};
    if (journal_id_parse(text, &marked->id) != 0) {
        *answer = protocol_error_answer(PROTOCOL_USAGE,
                                        "%s: expected the id of a decision", text);
        return -1;
    }
    if (!journal_find_id(daemon->journal, marked->id, take_marked, marked)) {
        json_decref(
            farm_hosts_of(daemon, journal_id_node(marked->id), hosts, sizeof hosts));
        *answer = hosts[0] == '\0'
                      ? protocol_error_answer(PROTOCOL_NO_ENTRY,
                                              "%s: there is no such decision", text)
                      : protocol_error_answer(PROTOCOL_NO_ENTRY,
                                              "%s: this id is of %s: mark it there", text,
                                              hosts);
        return -1;
    }
    if (!marked->refused)
        *answer = protocol_error_answer(PROTOCOL_REFUSED, "%s: it was not refused", text);
    return marked->refused ? 0 : -1;
}

/* Marks it, or (reason NULL) takes its mark back. Returns 0, or -1 with the answer. */
static int mark(struct daemon *daemon, const char *text, const char *login,
                const char *reason, const struct marked *marked, json_t **answer)
{
    char error[DAY_ERROR_SIZE];

    if (journal_mark(daemon->journal, marked->id, login, reason, marked->alone, error) ==
        0)
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
    struct marked marked;
    int64_t allow_s = 0;
    bool undo = false;
    json_t *answer, *entries;
    size_t i;

    if (request_texts(request, "ids", PROTOCOL_ENTRIES_MAX, &ids, &answer) != 0 ||
        request_optional_text(request, "reason", &reason, &answer) != 0 ||
        request_optional_span(request, "allow_s", &allow_s, &answer) != 0 ||
        request_optional_flag(request, "undo", &undo, &answer) != 0 ||
        command_actor_of(&actor, session, request, &answer) != 0 ||
        !journal_is_on(daemon->journal, &answer))
        return answer;
    json_array_foreach (ids, i, id) /* none is marked where one cannot be */
        if (find_refusal(daemon, json_string_value(id), &marked, &answer) != 0)
            return answer;
    answer = NULL;
    entries = json_array();
    json_array_foreach (ids, i, id) {
        const char *text = json_string_value(id);

        if (find_refusal(daemon, text, &marked, &answer) != 0 ||
            mark(daemon, text, actor.login, undo ? NULL : reason, &marked, &answer) != 0)
            break;
        if (allow_s == 0 || undo)
            continue;
        if (let_in(session, &actor, marked.entry, allow_s, &answer) != 0)
            break;
        protocol_append(&entries, protocol_text(marked.entry));
    }
    if (daemon->farm != NULL)
        farm_alone_changed(daemon->farm);
    if (answer != NULL) {
        json_decref(entries);
        return answer;
    }
    return json_pack("{s:b, s:I, s:o}", "ok", 1, "marked",
                     (json_int_t)json_array_size(ids), "entries", entries);
}
