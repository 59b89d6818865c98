/* SPDX-License-Identifier: BSD-2-Clause */
/* check: what the blocklist and every list say of a message now, and its verdict. */

#include "daemon/commands.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "control/protocol.h"
#include "daemon/decisions.h"
#include "policy/reply.h"
#include "policy/session.h"
#include "policy/tally.h"

/* A message as it would come. NULL what is not known; texts as the MTA would hand them
 * over. */
struct message {
    const struct ipaddr *client;
    const char *client_name;
    const char *helo;
    const char *sender; /* "<>" for the null sender */
    const char *login;
};

/* What the list says now; behind it the state for which it does not count. */
static const char *state_of(const struct dnsbl_lookup *l)
{
    if (!l->counted)
        return "no-answer";
    if (l->skip != NULL)
        return l->skip;
    if (l->result.state == RESULT_FAILED)
        return dns_status_name(l->status);
    return result_state_name(l->result.state);
}

static json_t *row_of(struct session *session, const struct dnsbl_lookup *l,
                      const struct wait *wait)
{
    char code[INET_ADDRSTRLEN] = "", reason[REPLY_TEXT_SIZE] = "", url[256] = "";
    bool has_answer = l->counted && l->answer != NULL;
    int ttl_s = 0;

    if (has_answer && l->answer->expires_ms > clock_ms())
        ttl_s = (int)((l->answer->expires_ms - clock_ms()) / 1000);
    if (l->counted && l->result.code.s_addr != 0)
        inet_ntop(AF_INET, &l->result.code, code, sizeof code);
    if (l->counted && l->result.state == RESULT_LISTED) {
        /* each is looked up alone, as a person waits, not a message */
        lookups_forget(session->lookups, STAGE_EOM); /* the reason before */
        lookups_fetch_reason(session->lookups, l, wait);
        lookups_reason(session->lookups, reason, sizeof reason);
        lookups_forget(session->lookups, STAGE_EOM);
        (void)text_find_url(reason, url, sizeof url);
    }
    return json_pack(
        "{s:s, s:o, s:o, s:s, s:s, s:o, s:i, s:o, s:o, s:i, s:b, s:s, s:i, s:o}",
        "subject", check_name(l->check), "what",
        protocol_text(subject_text(l->check, l->index, &session->envelope)), "list",
        protocol_text(l->dnsbl->list->name), "state", state_of(l), "code", code, "label",
        protocol_text(l->result.label), "weight", lookup_weight(l), "reason",
        protocol_text(reason), "url", protocol_text(url), "ms", l->took_ms, "cached",
        l->cached, "source", l->cached ? "cache" : "dns", "ttl_s", ttl_s, "addresses",
        has_answer ? decision_addresses(l->answer->addresses, l->answer->address_count)
                   : json_array());
}

#define LOOK_MS 100 /* how soon a stop is seen */

/* Waiting for lists, until the daemon stops. */
struct patience {
    struct wait wait;
    const atomic_bool *stopping;
};

static int end_at_stop(void *context)
{
    struct patience *patience = context;

    if (atomic_load(patience->stopping))
        patience->wait.deadline_ms = 0;
    return LOOK_MS;
}

/* Every list about every subject, exempt or not, once all have answered. */
static json_t *rows_of(struct session *session, const atomic_bool *stopping)
{
    struct lookups *lookups = session->lookups;
    int deadline_ms = session->policy->config->resolver.deadline_ms;
    struct patience patience = {.stopping = stopping};
    struct wait *wait = &patience.wait;
    const struct dnsbl_lookup *l;
    json_t *rows = json_array();

    *wait = (struct wait){.deadline_ms = clock_ms() + deadline_ms,
                          .what = WAIT_ALL,
                          .envelope = &session->envelope,
                          .on_wait = end_at_stop,
                          .context = &patience};
    lookups_wait(lookups, wait);
    lookups_settle(lookups, wait);
    wait->deadline_ms = clock_ms() + deadline_ms;
    for (l = lookups_next(lookups, NULL); l != NULL; l = lookups_next(lookups, l))
        protocol_append(&rows, row_of(session, l, wait));
    return rows;
}

/* What lists check, but nobody has named: a real message may meet more. */
static json_t *not_given(const struct policy *policy, const struct message *message)
{
    const void *const given[CHECK_COUNT] = {[CHECK_CLIENT] = message->client,
                                            [CHECK_CLIENT_NAME] = message->client_name,
                                            [CHECK_HELO] = message->helo,
                                            [CHECK_SENDER_DOMAIN] = message->sender,
                                            [CHECK_SENDER] = message->sender};
    json_t *names = json_array();

    for (int check = 0; check < CHECK_COUNT; check++) {
        bool asked = false;

        for (size_t i = 0; i < policy->lists.count && !asked; i++)
            asked = subject_stage(policy->lists.items[i].list, (enum check)check) >= 0;
        if (asked && given[check] == NULL)
            protocol_append(&names, json_string(check_name((enum check)check)));
    }
    return names;
}

static json_t *answer_of(struct session *session, json_t *rows)
{
    const struct config *config = session->policy->config;
    const struct decision *d = session_decide(session, NULL, NULL);
    char reply[REPLY_TEXT_SIZE + 16] = ""; /* as the client would see it */
    json_t *entries = json_array();

    if (d->listed != BLOCKLIST_NONE)
        protocol_append(&entries,
                        json_pack("{s:s, s:o, s:s, s:o, s:I}", "subject",
                                  decision_subject(d->match.subject), "entry",
                                  protocol_text(d->match.key), "action",
                                  entry_action_name(d->listed == BLOCKLIST_ALLOW,
                                                    d->listed == BLOCKLIST_TEMPFAIL),
                                  "reason", protocol_text(d->match.reason), "since",
                                  (json_int_t)d->match.since));
    if (d->verdict >= VERDICT_TEMPFAIL) {
        struct reply_code code = reply_code_of(d->verdict);

        snprintf(reply, sizeof reply, "%s %s %s", code.code, code.enhanced, d->reply);
    }
    return json_pack("{s:s, s:i, s:i, s:s, s:o, s:o, s:o}", "verdict",
                     verdict_name(d->verdict), "score", d->score, "threshold",
                     config->verdict.reject, "exempt", d->exempt != NULL ? d->exempt : "",
                     "reply", protocol_text(reply), "rows", rows, "blocklist", entries);
}

/* Returns 0, or -1 without memory. */
static int hand_over(struct session *session, const struct message *message)
{
    if (session_connect(session, message->client, message->client_name) != 0 ||
        (message->helo != NULL && session_helo(session, message->helo) != 0) ||
        ((message->sender != NULL || message->login != NULL) &&
         session_mail(session, message->sender != NULL ? message->sender : "",
                      message->login) != 0))
        return -1;
    if (message->sender == NULL)
        session->envelope.has_sender = false;
    return 0;
}

/* Whether anything speaks against it: the verdict, or a list, even where its weight alone
 * would not refuse. */
static bool is_listed(const json_t *check)
{
    const char *verdict = json_string_value(json_object_get(check, "verdict"));
    const json_t *rows = json_object_get(check, "rows");
    const json_t *row;
    size_t i;

    if (verdict == NULL || strcmp(verdict, "accept") != 0)
        return true;
    json_array_foreach (rows, i, row) {
        const char *state = json_string_value(json_object_get(row, "state"));

        if (state != NULL && strcmp(state, "listed") == 0 &&
            json_integer_value(json_object_get(row, "weight")) >= 0)
            return true;
    }
    return false;
}

static json_t *check_message(struct daemon *daemon, const struct message *message,
                             const char *subject)
{
    struct policy *policy = policy_slot_get(&daemon->slot);
    struct session *session = session_new(policy, true);
    json_t *rows, *out = NULL;

    /* what cannot be queried for lack of memory shows as missing rows */
    if (session == NULL || hand_over(session, message) != 0)
        goto out;
    rows = rows_of(session, &daemon->stopping);
    if (atomic_load(&daemon->stopping)) { /* nor is a verdict waited for */
        json_decref(rows);
        goto out;
    }
    out = answer_of(session, rows);
    protocol_set(&out, "not_given", not_given(policy, message));
    protocol_set(&out, "subject", json_string(subject));
    protocol_set(&out, "listed", json_boolean(is_listed(out)));
out:
    session_free(session);
    policy_unref(policy);
    return out;
}

/* What a subject may turn into; lives as long as the message. */
struct subject {
    struct entry entry;
    struct network network;
    char sender[ENTRY_TEXT_SIZE + 16];
};

/* Makes the subject a part of the message: an address is its sender, and so on. Returns
 * 0, or -1 with the answer. */
static int add_subject(struct message *message, const char *text, struct subject *subject,
                       json_t **answer)
{
    const struct entry *entry = &subject->entry;
    char why[ENTRY_ERROR_SIZE];

    if (entry_parse_kept(text, &subject->entry, why) != 0) {
        *answer = protocol_error_answer(PROTOCOL_USAGE, "%s: %s", text, why);
        return -1;
    }
    switch (entry->kind) {
    case ENTRY_ADDRESS:
        message->sender = entry->text;
        return 0;
    case ENTRY_DOMAIN:
        snprintf(subject->sender, sizeof subject->sender, "postmaster@%s", entry->text);
        message->sender = subject->sender;
        return 0;
    case ENTRY_NETWORK:
        if (entry_network(entry, &subject->network) != 0 ||
            subject->network.prefix != ipaddr_bits(&subject->network.base)) {
            *answer = protocol_error_answer(
                PROTOCOL_USAGE, "%s: expected one address, not a network", entry->text);
            return -1;
        }
        message->client = &subject->network.base;
        return 0;
    case ENTRY_HOST:
        message->client_name = entry->text + strlen("host:");
        message->helo = entry->text + strlen("host:");
        return 0;
    case ENTRY_USER:
        message->login = entry->text + strlen("user:");
        return 0;
    }
    abort();
}

/* {"command":"check","subject":ENTRY,"sender","helo","name"} -> {"ok":true,"check":
 *   {"subject":as kept,"listed":true,
 *    "verdict":"reject","score":12,"threshold":8,"exempt":"","reply":"554 5.7.1 …",
 *    "rows":[{"subject":"client","what":"192.0.2.1","list":"zen","state":"listed",
 *             "code":"127.0.0.2","label":"SBL","weight":8,"reason":"…","url":"…",
 *             "ms":12,"cached":false}, …],
 *    "blocklist":[{"subject":"sender","entry":"domain.xyz","action":"block",
 *                  "reason":"…","since":1732430000}, …],
 *    "not_given":["helo", …]}}: what lists check, but is not known here */
json_t *cmd_check(struct control_session *session, const json_t *request)
{
    struct daemon *daemon = command_daemon(session);
    struct message message = {0};
    struct subject subject;
    const char *text;
    json_t *answer;

    if (request_text(request, "subject", &text, &answer) != 0 ||
        request_optional_text(request, "sender", &message.sender, &answer) != 0 ||
        request_optional_text(request, "helo", &message.helo, &answer) != 0 ||
        request_optional_text(request, "name", &message.client_name, &answer) != 0 ||
        add_subject(&message, text, &subject, &answer) != 0 ||
        command_dns_budget(session, 1, &answer) != 0)
        return answer;
    answer = command_answer("check", check_message(daemon, &message, subject.entry.text));
    if (answer == NULL && atomic_load(&daemon->stopping))
        return protocol_error_answer(PROTOCOL_BUSY, "the daemon stops");
    return answer;
}
