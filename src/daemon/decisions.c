/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/decisions.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "blocklist/blocklist.h"
#include "config/config.h"
#include "control/protocol.h"
#include "daemon/commands.h"
#include "dnsbl/result.h"
#include "policy/verdict.h"

/* --- which decisions a word finds --- */

#define LETTERS_AND_DIGITS                                                               \
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

int wanted_read(const char *text, struct wanted *out, char *error, size_t size)
{
    char domain[DOMAIN_SIZE], why[ENTRY_ERROR_SIZE];
    struct entry entry;

    *out = (struct wanted){.kind = WANTED_QUEUE_ID};
    if (entry_parse_kept(text, &entry, why) == 0)
        (void)text_copy(entry.text, out->entry, sizeof out->entry); /* it fits */
    if (strncasecmp(text, "user:", 5) == 0) {
        out->kind = WANTED_LOGIN;
        token_address(text + 5, out->value, NULL);
    } else if (network_parse(text, &out->network) == 0) {
        out->kind = WANTED_CLIENT;
        network_text(&out->network, out->value);
        if (out->network.prefix < (out->network.base.family == 4 ? 16 : 40)) {
            text_sentence(error, size,
                          "%s: expected a network of /16 (IPv6: /40) at most", text);
            return -1;
        }
    } else if (strchr(text, '@') != NULL && text[0] != '@') {
        out->kind = WANTED_ADDRESS;
        token_address(text, out->value, NULL);
    } else if (domain_canonical(text[0] == '@' ? text + 1 : text, domain) == 0 &&
               strchr(domain, '.') != NULL) {
        out->kind = WANTED_DOMAIN;
        (void)text_copy(domain, out->value, sizeof out->value); /* it fits */
    } else if (text[strspn(text, LETTERS_AND_DIGITS)] != '\0' ||
               !text_copy(text, out->value, sizeof out->value)) {
        out->value[0] = '\0';
    }
    if (out->value[0] != '\0')
        return 0;
    text_sentence(error, size,
                  "%s: expected an id, an address, a domain, an IP address, a network, "
                  "user:LOGIN or a queue id",
                  text);
    return -1;
}

size_t wanted_values(const struct wanted *wanted, struct day_value out[static DAY_VALUES])
{
    static const enum token tokens[] = {
        [WANTED_ADDRESS] = TOKEN_ADDRESS,   [WANTED_DOMAIN] = TOKEN_DOMAIN,
        [WANTED_CLIENT] = TOKEN_CLIENT,     [WANTED_LOGIN] = TOKEN_ADDRESS,
        [WANTED_QUEUE_ID] = TOKEN_QUEUE_ID,
    };

    out[0] = (struct day_value){.token = tokens[wanted->kind], .value = wanted->value};
    out[1] = (struct day_value){.token = TOKEN_ENTRY, .value = wanted->entry};
    return wanted->entry[0] != '\0' ? 2 : 1;
}

/* Whether a text of a record is that address, or one of "@domain". */
static bool is_address(const char *text, const char *address, const uint8_t *key)
{
    char canonical[TOKEN_ADDRESS_SIZE], hash[TOKEN_HASH_SIZE];
    const char *domain;

    if (text[0] == '\0')
        return false;
    token_address(text, canonical, &domain);
    if (address[0] == '@')
        return strcmp(domain, address + 1) == 0;
    if (text[0] != '~' || strcmp(canonical, address) == 0)
        return strcmp(canonical, address) == 0;
    token_hash(key, address, hash);
    return strncmp(text, hash, strlen(hash)) == 0;
}

bool record_has_recipient(const struct record *r, const char *address, const uint8_t *key)
{
    for (size_t i = 0; i < r->recipient_count; i++)
        if (is_address(r->recipients[i].text, address, key))
            return true;
    return false;
}

bool wanted_finds(const struct wanted *wanted, const struct record *r, const uint8_t *key)
{
    char domain[TOKEN_ADDRESS_SIZE + 1], masked[TOKEN_MASKED_SIZE];

    token_mask_entry(key, wanted->entry, masked);
    if (wanted->entry[0] != '\0' &&
        (strcmp(r->entry, wanted->entry) == 0 || strcmp(r->entry, masked) == 0))
        return true;
    switch (wanted->kind) {
    case WANTED_ADDRESS:
        return is_address(r->sender, wanted->value, key) ||
               is_address(r->login, wanted->value, key) ||
               record_has_recipient(r, wanted->value, key);
    case WANTED_DOMAIN:
        text_sentence(domain, sizeof domain, "@%s", wanted->value);
        return is_address(r->sender, domain, key) || record_has_recipient(r, domain, key);
    case WANTED_CLIENT:
        return r->has_client && network_contains(&wanted->network, &r->client);
    case WANTED_LOGIN:
        return is_address(r->login, wanted->value, key);
    case WANTED_QUEUE_ID:
        return strcmp(r->queue_id, wanted->value) == 0;
    }
    abort();
}

/* --- a decision as JSON --- */

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

bool decisions_show_local_parts(const struct control_session *session)
{
    struct config *config = command_config(session);
    bool all = config->control.local_parts == LOCAL_PARTS_ALL;

    config_unref(config);
    return all || session->peer.right == RIGHT_WRITE;
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

/* What the list was queried for. */
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

json_t *decision_id(journal_id id)
{
    char text[JOURNAL_ID_SIZE];

    journal_id_text(id, text);
    return json_string(text);
}

const char *decision_subject(unsigned subject)
{
    static const char *const names[] = {"sender", "client", "client-name",
                                        "helo",   "login",  "from"};

    return subject < sizeof names / sizeof names[0] ? names[subject] : "";
}

json_t *decision_addresses(const struct in_addr *addresses, size_t count)
{
    json_t *texts = json_array();

    for (size_t i = 0; i < count; i++) {
        char text[INET_ADDRSTRLEN];

        if (inet_ntop(AF_INET, &addresses[i], text, sizeof text) != NULL)
            protocol_append(&texts, json_string(text));
    }
    return texts;
}

static json_t *answer_json(const struct journal_found *found,
                           const struct record_answer *a, const char *client,
                           bool with_local_parts)
{
    static const char *const states[RESULT_FAILED] = {[RESULT_NOT_LISTED] = "none",
                                                      [RESULT_LISTED] = "listed",
                                                      [RESULT_ERROR] = "error",
                                                      [RESULT_FOREIGN] = "error"};
    char name[DECISION_LIST_SIZE], text[DECISION_SHOWN_SIZE], noted[128];
    const struct record *r = found->record;

    if (!decision_list_name(found->lists, a->list, name))
        text_sentence(name, sizeof name, "list %u", a->list);
    note(r, a, noted, sizeof noted);
    return json_pack(
        "{s:o, s:s, s:o, s:s, s:o, s:i, s:s, s:i, s:i, s:i, s:s}", "list",
        protocol_text(name), "subject",
        a->check < CHECK_COUNT ? check_name((enum check)a->check) : "unknown", "what",
        protocol_text(what(r, a, client, with_local_parts, text)), "state",
        a->skip[0] != '\0'         ? "skipped"
        : a->state < RESULT_FAILED ? states[a->state]
                                   : "failed",
        "addresses", decision_addresses(a->addresses, a->address_count), "weight",
        a->weight, "source",
        a->stale    ? "stale"
        : a->cached ? "cache"
                    : "dns",
        "ttl_s", a->ttl_s, "age_s", a->age_s, "ms", a->ms, "note", noted);
}

static json_t *recipients_json(const struct record *r, bool with_local_parts)
{
    static const char *const outcomes[] = {[RECIPIENT_ACCEPTED] = "accepted",
                                           [RECIPIENT_REFUSED] = "refused",
                                           [RECIPIENT_EXEMPT] = "exempt",
                                           [RECIPIENT_BY_MTA] = "refused by the MTA"};
    json_t *rows = json_array();
    char text[DECISION_SHOWN_SIZE];

    for (size_t i = 0; i < r->recipient_count; i++)
        protocol_append(
            &rows,
            json_pack("{s:o, s:s, s:o}", "recipient",
                      protocol_text(shown(r->recipients[i].text, with_local_parts, text)),
                      "outcome", outcomes[r->recipients[i].outcome], "detail",
                      protocol_text(r->recipients[i].detail)));
    return rows;
}

static void set_entry(json_t **json, const struct record *r, bool with_local_parts)
{
    static const char *const actions[] = {"", "allow", "block", "tempfail"};
    size_t action_count = sizeof actions / sizeof actions[0];
    char text[DECISION_SHOWN_SIZE];

    protocol_set(json, "entry",
                 protocol_text(decision_entry(r->entry, with_local_parts, text)));
    if (r->entry_action == BLOCKLIST_NONE)
        return;
    protocol_set(
        json, "entry_action",
        json_string(r->entry_action < action_count ? actions[r->entry_action] : ""));
    protocol_set(json, "entry_subject", json_string(decision_subject(r->entry_subject)));
    protocol_set(json, "entry_reason", protocol_text(r->entry_reason));
    protocol_set(json, "entry_since", json_integer(r->entry_since));
}

static json_t *head_json(const struct record *r)
{
    static const char *const ends[] = {[END_OPEN] = "still open",
                                       [END_MESSAGE] = "end of message",
                                       [END_REFUSED] = "refused at its end",
                                       [END_ABORTED] = "given up by the client",
                                       [END_CONNECTION] = "connection closed"};

    return json_pack("{s:o, s:I, s:i, s:s, s:s, s:i, s:i, s:i, s:i, s:s, s:s}", "id",
                     decision_id(r->id), "at_ms", (json_int_t)r->at_ms, "node",
                     (int)journal_id_node(r->id), "verdict",
                     verdict_name((enum verdict)r->verdict), "stage",
                     r->stage <= STAGE_EOM ? stage_name((enum stage)r->stage) : "",
                     "score", r->score, "threshold", r->reject, "missing", r->missing,
                     "took_ms", r->took_ms, "end", ends[r->end], "exempt", r->exempt);
}

json_t *decision_json(const struct journal_found *found, bool with_local_parts)
{
    const struct record *r = found->record;
    char client[IPADDR_TEXT_SIZE] = "", text[DECISION_SHOWN_SIZE];
    json_t *json = head_json(r), *rows = json_array();

    if (r->has_client)
        ipaddr_text(&r->client, client);
    protocol_set(&json, "client", json_string(client));
    protocol_set(&json, "client_name", protocol_text(r->client_name));
    protocol_set(&json, "helo", protocol_text(r->helo));
    protocol_set(&json, "sender",
                 protocol_text(shown(r->sender, with_local_parts, text)));
    protocol_set(&json, "login", protocol_text(shown(r->login, with_local_parts, text)));
    protocol_set(&json, "queue_id", protocol_text(r->queue_id));
    protocol_set(&json, "recipients", recipients_json(r, with_local_parts));
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
