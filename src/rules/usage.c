/* SPDX-License-Identifier: BSD-2-Clause */
#include "rules/usage.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/domain.h"
#include "base/text.h"
#include "blocklist/entry.h"
#include "known/providers.h"

/* So many sender domains within a day: a client of many users. */
#define SHARED_DOMAINS 10

/* --- who a message is counted for --- */

/* Whether one of the message's keys has such a count. */
static bool wants(const struct usage *usage, const struct usage_message *m,
                  enum rule_count count)
{
    for (int by = 0; by < RULE_BY_COUNT; by++)
        if (m->keys[by][0] != '\0' &&
            counters_want_count(usage->counters, (enum rule_by)by, count))
            return true;
    return false;
}

/* Keeps a key's text. */
static void set_key(struct usage_message *m, enum rule_by by, const char *first,
                    const char *second)
{
    size_t length = strlen(first), more = second != NULL ? strlen(second) + 1 : 0;
    char *text = m->texts + m->used;

    if (length + more >= COUNTER_KEY_SIZE || m->used + length + more >= USAGE_TEXTS_SIZE)
        return;
    memcpy(text, first, length + 1);
    if (more > 0) {
        text[length] = ' ';
        memcpy(text + length + 1, second, more);
    }
    m->keys[by] = text;
    m->used += length + more + 1;
}

static void login_key(struct usage_message *m, const char *login)
{
    struct mail_address address;
    struct entry entry;

    if (mail_address_parse(login, &address) == 0 && mail_address_is_role(&address))
        return;
    if (entry_of_user(login, &entry) == 0)
        set_key(m, RULE_BY_LOGIN, entry.text, NULL);
}

/* A stranger's sender, or domain, is a key only together with its network: anyone can write
 * one, and nobody is to be locked out by what others write. */
static void stranger_key(const struct usage *usage, struct usage_message *m,
                         enum rule_by by, const char *text)
{
    if (m->keys[RULE_BY_NETWORK][0] != '\0' && counters_want(usage->counters, by))
        set_key(m, by, text, m->keys[RULE_BY_NETWORK]);
}

/* The sender's own text takes a while, and for strangers most rules do not need it. */
static bool needs_sender(const struct usage *usage, const struct usage_message *m)
{
    return m->is_own || counters_want(usage->counters, RULE_BY_SENDER) ||
           counters_want(usage->counters, RULE_BY_SENDER_DOMAIN) ||
           wants(usage, m, COUNT_SENDERS);
}

static void sender_keys(const struct usage *usage, struct usage_message *m,
                        const struct mail_address *sender)
{
    const struct config *config = usage->config;
    struct entry entry;

    entry.text[0] = '\0';
    if (mail_address_is_null(sender) || sender->domain[0] == '\0' ||
        mail_address_is_role(sender) ||
        exempt_addresses_have(config->exempt.senders, config->exempt.sender_count,
                              sender) ||
        (needs_sender(usage, m) && entry_of_address(sender, &entry) != 0))
        return;
    if (m->is_own) {
        set_key(m, RULE_BY_SENDER, entry.text, NULL);
        set_key(m, RULE_BY_SENDER_DOMAIN, sender->domain, NULL);
        m->subject.sender = m->keys[RULE_BY_SENDER];
    } else {
        stranger_key(usage, m, RULE_BY_SENDER, entry.text);
        stranger_key(usage, m, RULE_BY_SENDER_DOMAIN, sender->domain);
    }
    if (wants(usage, m, COUNT_SENDERS))
        m->sender_hash = counters_hash(entry.text, strlen(entry.text));
    if (wants(usage, m, COUNT_DOMAINS))
        m->domain_hash = counters_hash(sender->domain, strlen(sender->domain));
}

static void text_of_network(const struct ipaddr *client, unsigned prefix,
                            char out[static NETWORK_TEXT_SIZE])
{
    struct network network;

    network_of(client, prefix, &network);
    network_text(&network, out);
}

/* Confirmed names below one registered domain are one network: a provider's relays. */
static uint64_t network_hash(const struct usage *usage, const struct usage_message *m,
                             const struct ipaddr *client, unsigned prefix)
{
    char text[NETWORK_TEXT_SIZE];
    const char *name = m->subject.client_name, *domain = NULL;

    if (usage->suffixes != NULL && name[0] != '\0')
        domain = suffix_list_registered(usage->suffixes, name);
    if (domain == NULL) {
        text_of_network(client, prefix, text);
        domain = text;
    }
    return counters_hash(domain, strlen(domain));
}

static void network_key(struct usage_message *m, enum rule_by by,
                        const struct ipaddr *client, unsigned prefix)
{
    char text[NETWORK_TEXT_SIZE];

    text_of_network(client, prefix, text);
    set_key(m, by, text, NULL);
}

static void client_keys(const struct usage *usage, struct usage_message *m,
                        const struct ipaddr *client)
{
    /* who logged in may share the address with others: it is the login that counts */
    if (m->is_own || ipaddr_is_local(client))
        return;
    /* the network is a key of its own, and of strangers' senders */
    if (counters_want(usage->counters, RULE_BY_NETWORK) ||
        counters_want(usage->counters, RULE_BY_SENDER) ||
        counters_want(usage->counters, RULE_BY_SENDER_DOMAIN))
        network_key(m, RULE_BY_NETWORK, client, client->family == 4 ? 24 : 48);
    network_key(m, RULE_BY_CLIENT, client, client->family == 4 ? 32 : 64);
    m->subject.client = m->keys[RULE_BY_CLIENT];
}

void usage_begin(const struct usage *usage, struct usage_message *m,
                 const struct usage_envelope *envelope)
{
    const struct config *config = usage->config;
    const char *login = envelope->login != NULL ? envelope->login : "";
    bool is_4 = envelope->client != NULL && envelope->client->family == 4;

    if (m->begun)
        return;
    memset(m, 0, offsetof(struct usage_message, texts));
    m->begun = true;
    for (int by = 0; by < RULE_BY_COUNT; by++)
        m->keys[by] = "";
    m->subject = (struct usage_subject){"", "", "", "", envelope->is_allow_listed,
                                        ""}; /* see note_shared */
    if (envelope->has_entry)
        return; /* what our own entries refuse is no offence, what they allow neither */
    m->is_own = login[0] != '\0';
    for (size_t i = 0; i < config->exempt.network_count && envelope->client != NULL; i++)
        m->is_own |= network_contains(&config->exempt.networks[i], envelope->client);
    if (envelope->client_name != NULL)
        m->subject.client_name = envelope->client_name;
    if (login[0] != '\0')
        login_key(m, login);
    m->subject.login = m->keys[RULE_BY_LOGIN];
    if (envelope->client != NULL)
        client_keys(usage, m, envelope->client);
    if (envelope->sender != NULL)
        sender_keys(usage, m, envelope->sender);
    if (envelope->client != NULL && wants(usage, m, COUNT_NETWORKS))
        m->network_hash = network_hash(usage, m, envelope->client, is_4 ? 24 : 48);
    if (envelope->client != NULL && wants(usage, m, COUNT_STRANGERS))
        m->provider_hash = network_hash(usage, m, envelope->client, is_4 ? 16 : 32);
}

/* --- what is counted --- */

#define EVENTS_MAX 10

struct events {
    struct counter_event all[EVENTS_MAX];
    size_t count;
};

static void add(struct events *events, enum rule_count count, int n, uint64_t element)
{
    events->all[events->count++] =
        (struct counter_event){.count = count, .n = n, .element = element};
}

/* A recipient, as it is written: who writes to somebody again writes the same. */
static void add_stranger(struct events *events, const struct mail_address *to,
                         uint64_t network)
{
    uint64_t hash = counters_hash(to->local, strlen(to->local));

    add(events, COUNT_STRANGERS, 1, octets_hash(to->domain, strlen(to->domain), hash));
    events->all[events->count - 1].network = network;
}

/* For rule_found. */
struct judged {
    const struct usage *usage;
    const struct usage_subject *subject;
    const struct counter_reading *of_client; /* NULL: the key is another */
};

/* Why a client is not to be listed without a person's look. */
static void note_shared(const struct counter_reading *of_client,
                        struct usage_subject *subject)
{
    const char *provider = provider_of_host(subject->client_name);
    uint32_t domains = 0; /* that it has sent of within a day */

    for (size_t i = 0; of_client != NULL && i < of_client->count; i++)
        if (of_client->windows[i].count == COUNT_DOMAINS)
            domains = of_client->values[i];
    if (provider != NULL)
        text_sentence(subject->shared, sizeof subject->shared, "it is a host of %s",
                      provider);
    else if (subject->is_shared)
        text_sentence(subject->shared, sizeof subject->shared,
                      "a list of good senders has it");
    else if (domains >= SHARED_DOMAINS)
        text_sentence(subject->shared, sizeof subject->shared,
                      "it has sent for %u domains within a day", domains);
    subject->is_shared = subject->shared[0] != '\0';
}

static void pass_on(void *context, const struct finding *finding)
{
    const struct judged *judged = context;
    struct usage_subject subject = *judged->subject;

    note_shared(judged->of_client, &subject);
    judged->usage->found(judged->usage->context, finding, &subject);
}

/* For rule_found, of what the hosts of a farm have counted together. */
static void pass_on_in_turn(void *context, const struct finding *finding)
{
    const struct judged *judged = context;

    if (others_is_turn(judged->usage->others, finding->rule->by, finding->key,
                       finding->at_s))
        pass_on(context, finding);
}

/* Whether a rule has a limit that one of the events may reach. */
static bool rules_have_limit(const struct config *config, enum rule_by by,
                             const struct events *events)
{
    unsigned counts = 0, limits = 0;

    for (size_t i = 0; i < events->count; i++)
        counts |= (unsigned)(events->all[i].n > 0) << events->all[i].count;
    for (size_t r = 0; r < config->rule_count; r++)
        for (size_t i = 0; i < config->rules[r].over_count; i++)
            if (config->rules[r].by == by)
                limits |= 1u << config->rules[r].over[i].count;
    return (counts & limits) != 0;
}

/* This host's count of a key beside the farm's. */
static void judge_sum(const struct usage *usage, enum rule_by by, const char *key,
                      const struct counter_reading *own, struct judged *judged,
                      int64_t now_s)
{
    struct counter_reading sum;
    unsigned hosts;

    others_note(usage->others, usage->config, by, key, own, now_s);
    hosts = others_add(usage->others, usage->counters, by, key, own, now_s, &sum);
    if (hosts == 0)
        return;
    if (judged->of_client != NULL)
        judged->of_client = &sum;
    rule_set_judge_sum(usage->config, by, key, &sum, own, hosts, now_s, pass_on_in_turn,
                       judged);
}

static void count_key(const struct usage *usage, enum rule_by by, const char *key,
                      bool by_stranger, const struct usage_subject *subject,
                      const struct events *events, int64_t now_s)
{
    struct counter_reading reading;
    struct judged judged = {usage, subject, by == RULE_BY_CLIENT ? &reading : NULL};
    bool judge = rules_have_limit(usage->config, by, events);

    if (!counters_add(usage->counters, by, key, by_stranger, events->all, events->count,
                      now_s, judge ? &reading : NULL) ||
        !judge)
        return;
    rule_set_judge(usage->config, by, key, &reading, now_s, pass_on, &judged);
    if (usage->others != NULL)
        judge_sum(usage, by, key, &reading, &judged, now_s);
}

/* Whether keys of this kind count one of the events. */
static bool want_any(const struct usage *usage, enum rule_by by,
                     const struct events *events)
{
    for (size_t i = 0; i < events->count; i++)
        if (counters_want_count(usage->counters, by, events->all[i].count))
            return true;
    return false;
}

/* at_end: the keys are known from the message's recipients. */
static void count_message(const struct usage *usage, const struct usage_message *m,
                          const struct events *events, bool at_end, int64_t now_s)
{
    for (int by = 0; by < RULE_BY_COUNT; by++)
        if (m->keys[by][0] != '\0' && counters_want(usage->counters, (enum rule_by)by) &&
            (!at_end || want_any(usage, (enum rule_by)by, events)))
            count_key(usage, (enum rule_by)by, m->keys[by],
                      by != RULE_BY_LOGIN && !m->is_own, &m->subject, events, now_s);
}

/* Codes of RFC 3463, as Postfix and sendmail give them. */
enum usage_outcome usage_outcome_of(const char *status, const char *text)
{
    static const char *const unknown[] = {"5.1.1", "5.1.6", "5.1.10", "5.2.1"};

    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++)
        if (strcmp(status, unknown[i]) == 0)
            return USAGE_UNKNOWN;
    if (strcmp(status, "5.7.1") == 0 && strcasestr(text, "relay") != NULL)
        return USAGE_RELAYING;
    return USAGE_OTHER;
}

static bool is_own_domain(const struct usage *usage, const char *domain)
{
    for (size_t i = 0; i < usage->config->automatic.own_domain_count; i++)
        if (strcmp(usage->config->automatic.own_domains[i], domain) == 0)
            return true;
    return usage->own != NULL && own_domains_has(usage->own, domain);
}

/* Whether the MTA delivers it itself. Postfix's "relay" is for domains that are one's own,
 * sendmail's for a smart host: the domain decides. */
static bool is_delivered_here(const char *mailer)
{
    return strcmp(mailer, "local") == 0 || strcmp(mailer, "virtual") == 0 ||
           strcmp(mailer, "lmtp") == 0;
}

void usage_recipient(const struct usage *usage, struct usage_message *m,
                     const char *recipient, const char *mailer,
                     enum usage_outcome outcome, int64_t now_s)
{
    const struct config *config = usage->config;
    struct events events = {0};
    struct mail_address address;
    struct entry entry;
    bool is_read = mail_address_parse(recipient, &address) == 0, outside;
    bool is_here = is_delivered_here(mailer);

    if (is_read && outcome == USAGE_ACCEPTED && is_here && usage->own != NULL)
        own_domains_add(usage->own, address.domain);
    add(&events, COUNT_TRIED, 1, 0);
    if (is_read && exempt_addresses_have(config->automatic.trap_addresses,
                                         config->automatic.trap_address_count, &address))
        add(&events, COUNT_TRAPS, 1, 0);
    if (outcome == USAGE_UNKNOWN)
        add(&events, COUNT_UNKNOWN, 1, 0);
    else if (outcome == USAGE_RELAYING)
        add(&events, COUNT_RELAYING, 1, 0);
    if (outcome == USAGE_ACCEPTED) {
        outside = is_read && address.domain[0] != '\0' && !is_here &&
                  wants(usage, m, COUNT_OUTSIDE) && !is_own_domain(usage, address.domain);
        add(&events, COUNT_RECIPIENTS, 1, 0);
        if (outside)
            add(&events, COUNT_OUTSIDE, 1, 0);
        if (is_read && wants(usage, m, COUNT_DISTINCT) &&
            entry_of_address(&address, &entry) == 0)
            add(&events, COUNT_DISTINCT, 1,
                counters_hash(entry.text, strlen(entry.text)));
        if (is_read && m->provider_hash != 0)
            add_stranger(&events, &address, m->provider_hash);
        if (m->network_hash != 0)
            add(&events, COUNT_NETWORKS, 1, m->network_hash);
        if (m->sender_hash != 0)
            add(&events, COUNT_SENDERS, 1, m->sender_hash);
        m->recipients++;
        m->outside += outside;
        m->counted_s = now_s;
    }
    count_message(usage, m, &events, false, now_s);
}

void usage_refused(const struct usage *usage, struct usage_message *m, int64_t now_s)
{
    struct events events = {0};

    if (m->refused)
        return;
    m->refused = true;
    add(&events, COUNT_REFUSED, 1, 0);
    count_message(usage, m, &events, false, now_s);
}

void usage_end(const struct usage *usage, struct usage_message *m, bool accepted,
               int64_t now_s)
{
    struct events events = {0};

    if (m->begun && accepted && m->recipients > 0) {
        add(&events, COUNT_MESSAGES, 1, 0);
        if (m->domain_hash != 0)
            add(&events, COUNT_DOMAINS, 1, m->domain_hash);
    } else if (m->begun && m->recipients > 0) {
        add(&events, COUNT_RECIPIENTS, -m->recipients, 0);
        events.all[0].at_s = m->counted_s;
        if (m->outside > 0) {
            add(&events, COUNT_OUTSIDE, -m->outside, 0);
            events.all[1].at_s = m->counted_s;
        }
    }
    if (events.count > 0)
        count_message(usage, m, &events, true, now_s);
    m->begun = false;
}

/* --- what other programs have seen --- */

int usage_by_of(const char *text, enum rule_by *by)
{
    char error[ENTRY_ERROR_SIZE];
    struct entry entry;

    if (entry_parse_kept(text, &entry, error) != 0)
        return -1;
    switch (entry.kind) {
    case ENTRY_USER:
        *by = RULE_BY_LOGIN;
        return 0;
    case ENTRY_ADDRESS:
        *by = RULE_BY_SENDER;
        return 0;
    case ENTRY_NETWORK:
        *by = strchr(entry.text, '/') == NULL || strstr(entry.text, "/64") != NULL
                  ? RULE_BY_CLIENT
                  : RULE_BY_NETWORK;
        return 0;
    case ENTRY_DOMAIN:
        *by = RULE_BY_SENDER_DOMAIN;
        return 0;
    case ENTRY_HOST:
        break;
    }
    return -1;
}

int usage_event(const struct usage *usage, enum rule_count count, const char *entry,
                int n, int64_t now_s)
{
    struct usage_subject subject = {"", "", "", "", false, ""};
    struct events events = {0};
    enum rule_by by;

    if (usage_by_of(entry, &by) != 0 || !counters_want_count(usage->counters, by, count))
        return -1;
    if (by == RULE_BY_LOGIN)
        subject.login = entry;
    else if (by == RULE_BY_SENDER)
        subject.sender = entry;
    else if (by == RULE_BY_CLIENT)
        subject.client = entry;
    add(&events, count, n, 0);
    count_key(usage, by, entry, false, &subject, &events, now_s);
    return 0;
}
