/* SPDX-License-Identifier: BSD-2-Clause */
/* why: what the journal keeps of decisions. */

#include "daemon/commands.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "control/protocol.h"
#include "daemon/decision_json.h"
#include "journal/search.h"
#include "policy/verdict.h"

#define LIMIT_DEFAULT 20
#define LIMIT_MAX     1000
#define NETWORKS_MAX  256 /* of /24 or /48, in one network that is asked for */

/* --- what is looked for --- */

enum wanted_kind {
    WANTED_ADDRESS,
    WANTED_DOMAIN,
    WANTED_CLIENT, /* an address or a network */
    WANTED_LOGIN,
    WANTED_QUEUE_ID
};

/* By the form of the word that was given. */
struct wanted {
    enum wanted_kind kind;
    char value[TOKEN_ADDRESS_SIZE]; /* but for WANTED_CLIENT */
    struct network network;
    char entry[ENTRY_TEXT_SIZE]; /* as an entry of the blocklist; "" it cannot be one */
};

static void set_entry(struct wanted *wanted, const char *text)
{
    struct entry entry;
    char error[ENTRY_ERROR_SIZE];

    if (entry_parse_kept(text, &entry, error) == 0)
        (void)text_copy(entry.text, wanted->entry, sizeof wanted->entry); /* it fits */
}

static bool is_queue_id(const char *text)
{
    return text[strspn(
               text, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")] ==
           '\0';
}

/* Returns 0, or -1 with a sentence in error. */
static int read_wanted(const char *text, struct wanted *out, char *error, size_t size)
{
    char domain[DOMAIN_SIZE];

    *out = (struct wanted){.kind = WANTED_QUEUE_ID};
    set_entry(out, text);
    if (strncasecmp(text, "user:", 5) == 0) {
        out->kind = WANTED_LOGIN;
        token_address(text + 5, out->value, NULL);
    } else if (network_parse(text, &out->network) == 0) {
        out->kind = WANTED_CLIENT;
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
    } else if (!is_queue_id(text) || !text_copy(text, out->value, sizeof out->value)) {
        out->value[0] = '\0';
    }
    if (out->kind == WANTED_CLIENT || out->value[0] != '\0')
        return 0;
    text_sentence(error, size,
                  "%s: expected an id, an address, a domain, an IP address, a network, "
                  "user:LOGIN or a queue id",
                  text);
    return -1;
}

/* The values of day_find, and their texts. */
struct values {
    struct day_value value[NETWORKS_MAX + 2];
    size_t count;
    char networks[NETWORKS_MAX][NETWORK_TEXT_SIZE];
};

static void add_value(struct values *values, enum token token, const char *value)
{
    values->value[values->count++] = (struct day_value){.token = token, .value = value};
}

/* Each /24 (/48) that the network has, or the one that it is in. */
static void add_networks(struct values *values, const struct network *network)
{
    unsigned width = network->base.family == 4 ? 24 : 48;
    unsigned bits = network->prefix < width ? width - network->prefix : 0;
    struct network one;

    for (unsigned i = 0; i < 1u << bits; i++) {
        struct ipaddr base = network->base;

        base.octets[width / 8 - 1] |= (uint8_t)i;
        network_of(&base, width, &one);
        network_text(&one, values->networks[i]);
        add_value(values, TOKEN_NETWORK, values->networks[i]);
    }
}

static void fill_values(struct values *values, const struct wanted *wanted)
{
    values->count = 0;
    switch (wanted->kind) {
    case WANTED_ADDRESS:
    case WANTED_LOGIN:
        add_value(values, TOKEN_ADDRESS, wanted->value);
        break;
    case WANTED_DOMAIN:
        add_value(values, TOKEN_DOMAIN, wanted->value);
        break;
    case WANTED_CLIENT:
        if (wanted->network.prefix == ipaddr_bits(&wanted->network.base)) {
            network_text(&wanted->network, values->networks[0]);
            add_value(values, TOKEN_CLIENT, values->networks[0]);
        } else {
            add_networks(values, &wanted->network);
        }
        break;
    case WANTED_QUEUE_ID:
        add_value(values, TOKEN_QUEUE_ID, wanted->value);
        break;
    }
    if (wanted->entry[0] != '\0')
        add_value(values, TOKEN_ENTRY, wanted->entry);
}

/* --- whether a record is one of them --- */

struct filter {
    struct wanted wanted;
    char to[TOKEN_ADDRESS_SIZE]; /* a recipient, or "@domain"; "" any */
    int verdict;                 /* -1 any */
    const char *list;            /* that listed it; NULL any */
};

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

static bool has_recipient(const struct record *r, const char *address, const uint8_t *key)
{
    for (size_t i = 0; i < r->recipient_count; i++)
        if (is_address(r->recipients[i].text, address, key))
            return true;
    return false;
}

static bool is_wanted(const struct wanted *wanted, const struct record *r,
                      const uint8_t *key)
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
               has_recipient(r, wanted->value, key);
    case WANTED_DOMAIN:
        text_sentence(domain, sizeof domain, "@%s", wanted->value);
        return is_address(r->sender, domain, key) || has_recipient(r, domain, key);
    case WANTED_CLIENT:
        return r->has_client && network_contains(&wanted->network, &r->client);
    case WANTED_LOGIN:
        return is_address(r->login, wanted->value, key);
    case WANTED_QUEUE_ID:
        return strcmp(r->queue_id, wanted->value) == 0;
    }
    abort();
}

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

    return is_wanted(&filter->wanted, record, key) &&
           (filter->verdict < 0 || record->verdict == filter->verdict) &&
           (filter->to[0] == '\0' || has_recipient(record, filter->to, key)) &&
           (filter->list == NULL || is_on_list(record, lists, filter->list));
}

static void found(void *context, const struct journal_found *one)
{
    struct why *why = context;

    protocol_append(&why->decisions, decision_json(one, why->show_local));
}

/* --- the command --- */

static int read_verdict(const json_t *request, int *verdict, json_t **answer)
{
    const char *name = NULL;

    if (request_optional_text(request, "verdict", &name, answer) != 0)
        return -1;
    *verdict = -1;
    if (name == NULL)
        return 0;
    for (int v = VERDICT_ACCEPT; v <= VERDICT_REJECT; v++)
        if (strcmp(name, verdict_name((enum verdict)v)) == 0)
            *verdict = v;
    if (*verdict >= 0)
        return 0;
    *answer = protocol_error_answer(PROTOCOL_USAGE,
                                    "%s: expected accept, tag, tempfail or reject", name);
    return -1;
}

static int read_filter(const json_t *request, struct filter *out, json_t **answer)
{
    const char *to = NULL;

    *out = (struct filter){0};
    if (request_optional_text(request, "to", &to, answer) != 0 ||
        request_optional_text(request, "list", &out->list, answer) != 0 ||
        read_verdict(request, &out->verdict, answer) != 0)
        return -1;
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

bool command_shows_local_parts(const struct control_session *session)
{
    struct policy *policy = policy_slot_get(&command_daemon(session)->slot);
    bool all = policy->config->control.local_parts == LOCAL_PARTS_ALL;

    policy_unref(policy);
    return all || session->peer.right == RIGHT_WRITE;
}

/* The ids that this one may be a misreading of, as texts. */
static json_t *near_ids(struct journal *journal, journal_id id)
{
    journal_id ids[JOURNAL_MISREADS];
    size_t count = journal_find_near(journal, id, ids);
    json_t *texts = json_array();

    for (size_t i = 0; i < count; i++) {
        char text[JOURNAL_ID_SIZE];

        journal_id_text(ids[i], text);
        protocol_append(&texts, json_string(text));
    }
    return texts;
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

static json_t *why_id(struct daemon *daemon, struct why *why, journal_id id)
{
    json_t *near = NULL, *hosts, *answer;
    unsigned node = journal_id_node(id);
    char words[512];
    struct policy *policy = policy_slot_get(&daemon->slot);
    unsigned own = (unsigned)policy->config->journal.node;

    policy_unref(policy);
    if (!journal_find_id(daemon->journal, id, found, why))
        near = near_ids(daemon->journal, id);
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
    struct values *values = calloc(1, sizeof *values);
    int64_t since = since_s > 0 ? (int64_t)time(NULL) - since_s : 0;
    struct journal_query query = {.since = since,
                                  .limit = (unsigned)limit,
                                  .wants = wants,
                                  .found = found,
                                  .context = why};
    bool more = false;

    if (values == NULL)
        return NULL;
    fill_values(values, &why->filter.wanted);
    query.values = values->value;
    query.count = values->count;
    (void)journal_find(daemon->journal, &query, &more);
    free(values);
    return json_pack("{s:b, s:o, s:b, s:o}", "ok", 1, "decisions", why->decisions, "more",
                     more, "gaps", gaps_since(daemon->journal, since));
}

bool command_journal_is_on(struct journal *journal, json_t **answer)
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
 * -> {"ok":true,"decisions":[as decision_json.h has them, the newest first],"more":bool,
 *     "gaps":[{"began_ms","ended_ms" (0: it goes on),"dropped"}, …]}; of an id that is not
 * there also "near":[ids that it may be misread for], "node" where it is another's, and
 * "hosts": the names of the farm's other hosts that it may be of. */
json_t *cmd_why(struct control_session *session, const json_t *request)
{
    struct daemon *daemon = command_daemon(session);
    struct why why = {.show_local = command_shows_local_parts(session)};
    int64_t since_s = 0, limit = LIMIT_DEFAULT;
    char error[512];
    const char *text;
    journal_id id;
    json_t *answer, *by_queue_id;

    if (request_text(request, "what", &text, &answer) != 0 ||
        request_optional_span(request, "since_s", &since_s, &answer) != 0 ||
        request_optional_number(request, "limit", LIMIT_MAX, &limit, &answer) != 0 ||
        read_filter(request, &why.filter, &answer) != 0 ||
        !command_journal_is_on(daemon->journal, &answer))
        return answer;
    if (journal_id_parse(text, &id) == 0) {
        why.decisions = json_array();
        answer = why_id(daemon, &why, id);
        /* some queue ids of MTAs read as ids of ours */
        if (has_decisions(answer) ||
            read_wanted(text, &why.filter.wanted, error, sizeof error) != 0 ||
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
    if (read_wanted(text, &why.filter.wanted, error, sizeof error) != 0)
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
        read_wanted(what, &why.filter.wanted, error, sizeof error) != 0)
        return NULL;
    why.decisions = json_array();
    return why_search(daemon, &why, since_s, limit);
}
