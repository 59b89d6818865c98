/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/decision_json.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/text.h"
#include "blocklist/blocklist.h"
#include "config/config.h"
#include "control/protocol.h"
#include "dnsbl/result.h"
#include "policy/verdict.h"

bool decision_list_name(const char *lists, unsigned index,
                        char out[static DECISION_LIST_SIZE])
{
    size_t length;

    for (; index > 0 && lists != NULL; index--) {
        lists = strchr(lists, '\n');
        lists = lists != NULL ? lists + 1 : NULL;
    }
    length = lists != NULL ? strcspn(lists, "\n") : 0;
    if (length == 0 || length >= DECISION_LIST_SIZE)
        return false;
    memcpy(out, lists, length);
    out[length] = '\0';
    return true;
}

/* An address or login as this reader may see it. */
static const char *shown(const char *text, bool with_local_parts,
                         char out[static DECISION_SHOWN_SIZE])
{
    const char *at = strrchr(text, '@');

    if (with_local_parts || text[0] == '\0')
        text_sentence(out, DECISION_SHOWN_SIZE, "%s", text);
    else
        text_sentence(out, DECISION_SHOWN_SIZE, "*%s", at != NULL ? at : "");
    return out;
}

const char *decision_entry(const char *entry, bool with_local_parts,
                           char out[static DECISION_SHOWN_SIZE])
{
    bool is_user = strncmp(entry, "user:", 5) == 0;

    return shown(entry, with_local_parts || (!is_user && strchr(entry, '@') == NULL),
                 out);
}

static const char *outcome_name(enum recipient_outcome outcome)
{
    static const char *const names[] = {[RECIPIENT_ACCEPTED] = "accepted",
                                        [RECIPIENT_REFUSED] = "refused",
                                        [RECIPIENT_EXEMPT] = "exempt",
                                        [RECIPIENT_BY_MTA] = "refused by the MTA"};

    return names[outcome];
}

static const char *end_name(enum message_end end)
{
    static const char *const names[] = {[END_OPEN] = "still open",
                                        [END_MESSAGE] = "end of message",
                                        [END_REFUSED] = "refused at its end",
                                        [END_ABORTED] = "given up by the client",
                                        [END_CONNECTION] = "connection closed"};

    return names[end];
}

static const char *subject_name(uint8_t check)
{
    return check < CHECK_COUNT ? check_name((enum check)check) : "unknown";
}

/* What the list was asked about. */
static const char *what(const struct record *r, const struct record_answer *a,
                        const char *client, bool with_local_parts,
                        char out[static DECISION_SHOWN_SIZE])
{
    const char *at;

    switch (a->check) {
    case CHECK_CLIENT:
        return client;
    case CHECK_CLIENT_NAME:
        return r->client_name;
    case CHECK_HELO:
        return r->helo;
    case CHECK_SENDER_DOMAIN:
        at = strrchr(r->sender, '@');
        return at != NULL ? at + 1 : r->sender;
    case CHECK_SENDER:
        return shown(r->sender, with_local_parts, out);
    case CHECK_FROM:
    case CHECK_REPLY_TO:
        return shown(a->subject, with_local_parts, out);
    default:
        return a->subject;
    }
}

static const char *state_of(const struct record_answer *a)
{
    if (a->skip[0] != '\0')
        return "skipped";
    switch ((enum result_state)a->state) {
    case RESULT_NOT_LISTED:
        return "none";
    case RESULT_LISTED:
        return "listed";
    case RESULT_ERROR:
    case RESULT_FOREIGN:
        return "error";
    case RESULT_FAILED:
        break;
    }
    return "failed";
}

/* Why the answer is what it is, or what it did. */
static void note(const struct record *r, const struct record_answer *a, char *out,
                 size_t size)
{
    if (a->skip[0] != '\0')
        text_sentence(out, size, "not queried: %s", a->skip);
    else if (a->late)
        text_sentence(out, size, "waited for, without result%s",
                      a->state != RESULT_FAILED ? "; it came later" : "");
    else if (!a->counted)
        text_sentence(out, size, "%s: it could change nothing",
                      a->state == RESULT_FAILED ? "not waited for" : "after the verdict");
    else if (a->state == RESULT_FAILED)
        text_sentence(out, size, "%s", dns_status_name((enum dns_status)a->status));
    else if (a->state == RESULT_ERROR)
        text_sentence(out, size, "refuses our queries");
    else if (a->state == RESULT_FOREIGN)
        text_sentence(out, size, "an address outside 127.0.0.0/8");
    else if (a->monitor && a->state == RESULT_LISTED)
        text_sentence(out, size, "monitor: it counts for nothing");
    else if (a->decided)
        text_sentence(out, size, "decided: without it %d", r->score - a->weight);
    else
        out[0] = '\0';
}

static json_t *addresses_json(const struct record_answer *a)
{
    json_t *texts = json_array();

    for (unsigned i = 0; i < a->address_count; i++) {
        char text[INET_ADDRSTRLEN];

        if (inet_ntop(AF_INET, &a->addresses[i], text, sizeof text) != NULL)
            protocol_append(&texts, json_string(text));
    }
    return texts;
}

static json_t *answer_json(const struct journal_found *found,
                           const struct record_answer *a, const char *client,
                           bool with_local_parts)
{
    char name[DECISION_LIST_SIZE], text[DECISION_SHOWN_SIZE], noted[128];
    const struct record *r = found->record;

    if (!decision_list_name(found->lists, a->list, name))
        text_sentence(name, sizeof name, "list %u", a->list);
    note(r, a, noted, sizeof noted);
    return json_pack("{s:o, s:s, s:o, s:s, s:o, s:i, s:s, s:i, s:i, s:i, s:s}", "list",
                     protocol_text(name), "subject", subject_name(a->check), "what",
                     protocol_text(what(r, a, client, with_local_parts, text)), "state",
                     state_of(a), "addresses", addresses_json(a), "weight", a->weight,
                     "source",
                     a->stale    ? "stale"
                     : a->cached ? "cache"
                                 : "dns",
                     "ttl_s", a->ttl_s, "age_s", a->age_s, "ms", a->ms, "note", noted);
}

static json_t *recipients_json(const struct record *r, bool with_local_parts)
{
    json_t *rows = json_array();
    char text[DECISION_SHOWN_SIZE];

    for (size_t i = 0; i < r->recipient_count; i++)
        protocol_append(
            &rows,
            json_pack("{s:o, s:s, s:o}", "recipient",
                      protocol_text(shown(r->recipients[i].text, with_local_parts, text)),
                      "outcome", outcome_name(r->recipients[i].outcome), "detail",
                      protocol_text(r->recipients[i].detail)));
    return rows;
}

static void set_entry(json_t **json, const struct record *r, bool with_local_parts)
{
    static const char *const subjects[] = {"sender", "client", "client-name",
                                           "helo",   "login",  "from"};
    static const char *const actions[] = {"", "allow", "block", "tempfail"};
    size_t action_count = sizeof actions / sizeof actions[0];
    size_t count = sizeof subjects / sizeof subjects[0];
    char text[DECISION_SHOWN_SIZE];

    protocol_set(json, "entry",
                 protocol_text(decision_entry(r->entry, with_local_parts, text)));
    if (r->entry_action == BLOCKLIST_NONE)
        return;
    protocol_set(
        json, "entry_action",
        json_string(r->entry_action < action_count ? actions[r->entry_action] : ""));
    protocol_set(json, "entry_subject",
                 json_string(r->entry_subject < count ? subjects[r->entry_subject] : ""));
    protocol_set(json, "entry_reason", protocol_text(r->entry_reason));
    protocol_set(json, "entry_since", json_integer(r->entry_since));
}

static void set_envelope(json_t **json, const struct record *r, const char *client,
                         bool with_local_parts)
{
    char text[DECISION_SHOWN_SIZE];

    protocol_set(json, "client", json_string(client));
    protocol_set(json, "client_name", protocol_text(r->client_name));
    protocol_set(json, "helo", protocol_text(r->helo));
    protocol_set(json, "sender", protocol_text(shown(r->sender, with_local_parts, text)));
    protocol_set(json, "login", protocol_text(shown(r->login, with_local_parts, text)));
    protocol_set(json, "queue_id", protocol_text(r->queue_id));
    protocol_set(json, "recipients", recipients_json(r, with_local_parts));
}

static json_t *head_json(const struct record *r)
{
    char id[JOURNAL_ID_SIZE];

    journal_id_text(r->id, id);
    return json_pack("{s:s, s:I, s:i, s:s, s:s, s:i, s:i, s:i, s:i, s:s, s:s}", "id", id,
                     "at_ms", (json_int_t)r->at_ms, "node", (int)journal_id_node(r->id),
                     "verdict", verdict_name((enum verdict)r->verdict), "stage",
                     r->stage <= STAGE_EOM ? stage_name((enum stage)r->stage) : "",
                     "score", r->score, "threshold", r->reject, "missing", r->missing,
                     "took_ms", r->took_ms, "end", end_name(r->end), "exempt", r->exempt);
}

json_t *decision_json(const struct journal_found *found, bool with_local_parts)
{
    const struct record *r = found->record;
    char client[IPADDR_TEXT_SIZE] = "";
    json_t *json = head_json(r), *rows = json_array();

    if (r->has_client)
        ipaddr_text(&r->client, client);
    set_envelope(&json, r, client, with_local_parts);
    set_entry(&json, r, with_local_parts);
    for (size_t i = 0; i < r->answer_count; i++)
        protocol_append(&rows,
                        answer_json(found, &r->answers[i], client, with_local_parts));
    protocol_set(&json, "lists", rows);
    protocol_set(&json, "reason", protocol_text(r->reason));
    protocol_set(&json, "configuration", json_integer(r->configuration));
    protocol_set(&json, "folded", json_integer((json_int_t)r->folded));
    protocol_set(&json, "folded_last_ms", json_integer(r->folded_last_ms));
    protocol_set(&json, "stands_for", json_boolean(found->folded));
    protocol_set(&json, "false",
                 found->mark == NULL
                     ? json_null()
                     : json_pack("{s:I, s:o, s:o}", "at", (json_int_t)found->mark->at,
                                 "login", protocol_text(found->mark->login), "reason",
                                 protocol_text(found->mark->reason)));
    return json;
}
