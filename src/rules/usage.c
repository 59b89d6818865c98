/* SPDX-License-Identifier: BSD-2-Clause */
#include "rules/usage.h"

#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "base/text.h"
#include "blocklist/entry.h"
#include "known/providers.h"
#include "known/well_known.h"

#define SHARED_DOMAINS                                                                   \
    10 /* so many sender domains within a day: a client of many users */

/* --- who a message is counted for --- */

static bool is_own_network(const struct config *config, const struct ipaddr *client)
{
    for (size_t i = 0; i < config->exempt.network_count; i++)
        if (network_contains(&config->exempt.networks[i], client))
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

    if (mail_address_parse(login, &address) == 0 && role_is_everybodys(address.local))
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

static void sender_keys(const struct usage *usage, struct usage_message *m,
                        const struct mail_address *sender)
{
    const struct config *config = usage->config;
    struct entry entry;

    if (mail_address_is_null(sender) || sender->domain[0] == '\0' ||
        role_is_everybodys(sender->local) ||
        exempt_addresses_have(config->exempt.senders, config->exempt.sender_count,
                              sender) ||
        entry_of_address(sender, &entry) != 0)
        return;
    m->sender_hash = counters_hash(entry.text, strlen(entry.text));
    m->domain_hash = counters_hash(sender->domain, strlen(sender->domain));
    if (m->is_own) {
        set_key(m, RULE_BY_SENDER, entry.text, NULL);
        set_key(m, RULE_BY_SENDER_DOMAIN, sender->domain, NULL);
        m->subject.sender = m->keys[RULE_BY_SENDER];
    } else {
        stranger_key(usage, m, RULE_BY_SENDER, entry.text);
        stranger_key(usage, m, RULE_BY_SENDER_DOMAIN, sender->domain);
    }
}

/* Confirmed names below one registered domain are one network: a provider's relays. */
static uint64_t network_hash(const struct usage *usage, const char *network,
                             const char *client_name)
{
    const char *domain = usage->suffixes != NULL && client_name[0] != '\0'
                             ? suffix_list_registered(usage->suffixes, client_name)
                             : NULL;

    if (domain == NULL)
        domain = network;
    return counters_hash(domain, strlen(domain));
}

static void client_keys(const struct usage *usage, struct usage_message *m,
                        const struct ipaddr *client)
{
    char network_text_of[NETWORK_TEXT_SIZE];
    struct network network;

    network_of(client, client->family == 4 ? 24 : 48, &network);
    network_text(&network, network_text_of);
    m->network_hash = network_hash(usage, network_text_of, m->subject.client_name);
    /* who logged in may share the address with others: it is the login that counts */
    if (m->is_own || ipaddr_is_local(client))
        return;
    set_key(m, RULE_BY_NETWORK, network_text_of, NULL);
    network_of(client, client->family == 4 ? 32 : 64, &network);
    network_text(&network, network_text_of);
    set_key(m, RULE_BY_CLIENT, network_text_of, NULL);
    m->subject.client = m->keys[RULE_BY_CLIENT];
}

/* Why a client is not to be listed without a person's look. */
static void note_shared(struct usage_subject *subject,
                        const struct usage_envelope *envelope)
{
    const char *provider = provider_of_host(subject->client_name);

    if (provider != NULL)
        text_sentence(subject->shared, sizeof subject->shared, "it is a host of %s",
                      provider);
    else if (envelope->is_allow_listed)
        text_sentence(subject->shared, sizeof subject->shared,
                      "a list of good senders has it");
    subject->is_shared = subject->shared[0] != '\0';
}

void usage_begin(const struct usage *usage, struct usage_message *m,
                 const struct usage_envelope *envelope)
{
    const char *login = envelope->login != NULL ? envelope->login : "";

    if (m->begun)
        return;
    memset(m, 0, offsetof(struct usage_message, texts));
    m->begun = true;
    for (int by = 0; by < RULE_BY_COUNT; by++)
        m->keys[by] = "";
    m->subject = (struct usage_subject){"", "", "", "", false, ""};
    if (envelope->has_entry)
        return; /* what our own entries refuse is no offence, what they allow neither */
    m->is_own = login[0] != '\0' || (envelope->client != NULL &&
                                     is_own_network(usage->config, envelope->client));
    if (envelope->client_name != NULL)
        m->subject.client_name = envelope->client_name;
    if (login[0] != '\0')
        login_key(m, login);
    m->subject.login = m->keys[RULE_BY_LOGIN];
    if (envelope->client != NULL)
        client_keys(usage, m, envelope->client);
    if (envelope->sender != NULL)
        sender_keys(usage, m, envelope->sender);
    note_shared(&m->subject, envelope);
    m->subject.client_name = ""; /* it is the envelope's */
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

/* For rule_found. */
struct judged {
    const struct usage *usage;
    const struct usage_subject *subject;
};

static void pass_on(void *context, const struct finding *finding)
{
    struct judged *judged = context;

    judged->usage->found(judged->usage->context, finding, judged->subject);
}

/* A client that has sent for many domains lately has many users. */
static void note_domains(const struct counter_reading *reading,
                         struct usage_subject *subject)
{
    for (size_t i = 0; i < reading->count && !subject->is_shared; i++)
        if (reading->windows[i].count == COUNT_DOMAINS &&
            reading->values[i] >= SHARED_DOMAINS) {
            subject->is_shared = true;
            text_sentence(subject->shared, sizeof subject->shared,
                          "it has sent for %u domains within a day", reading->values[i]);
        }
}

static void count_key(const struct usage *usage, enum rule_by by, const char *key,
                      bool by_stranger, const struct usage_subject *of,
                      const struct events *events, int64_t now_s)
{
    struct counter_reading reading;
    struct usage_subject subject = *of;
    struct judged judged = {usage, &subject};

    if (!counters_add(usage->counters, by, key, by_stranger, events->all, events->count,
                      now_s, &reading))
        return;
    if (by == RULE_BY_CLIENT)
        note_domains(&reading, &subject);
    rule_set_judge(usage->config, by, key, &reading, now_s, pass_on, &judged);
}

static void count_message(const struct usage *usage, const struct usage_message *m,
                          const struct events *events, int64_t now_s)
{
    for (int by = 0; by < RULE_BY_COUNT; by++)
        if (m->keys[by][0] != '\0' && counters_want(usage->counters, (enum rule_by)by))
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
    bool is_read = mail_address_parse(recipient, &address) == 0;
    bool outside = is_read && address.domain[0] != '\0' && !is_delivered_here(mailer);

    if (is_read && outcome == USAGE_ACCEPTED && is_delivered_here(mailer) &&
        usage->own != NULL)
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
        outside = outside && !is_own_domain(usage, address.domain);
        add(&events, COUNT_RECIPIENTS, 1, 0);
        if (outside)
            add(&events, COUNT_OUTSIDE, 1, 0);
        if (is_read && entry_of_address(&address, &entry) == 0)
            add(&events, COUNT_DISTINCT, 1,
                counters_hash(entry.text, strlen(entry.text)));
        if (m->network_hash != 0)
            add(&events, COUNT_NETWORKS, 1, m->network_hash);
        if (m->sender_hash != 0)
            add(&events, COUNT_SENDERS, 1, m->sender_hash);
        m->recipients++;
        m->outside += outside;
        m->counted_s = now_s;
    }
    count_message(usage, m, &events, now_s);
}

void usage_refused(const struct usage *usage, struct usage_message *m, int64_t now_s)
{
    struct events events = {0};

    if (m->refused)
        return;
    m->refused = true;
    add(&events, COUNT_REFUSED, 1, 0);
    count_message(usage, m, &events, now_s);
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
        count_message(usage, m, &events, now_s);
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

/* --- the domains of one's own that were learnt --- */

#define OWN_DOMAINS_MAX 100000

struct own_domain {
    UT_hash_handle hh;
    char name[];
};

struct own_domains {
    pthread_rwlock_t lock;
    struct own_domain *all;
};

struct own_domains *own_domains_new(void)
{
    struct own_domains *own = calloc(1, sizeof *own);

    if (own != NULL && pthread_rwlock_init(&own->lock, NULL) != 0) {
        free(own);
        own = NULL;
    }
    return own;
}

void own_domains_free(struct own_domains *own)
{
    struct own_domain *one, *next;

    if (own == NULL)
        return;
    HASH_ITER (hh, own->all, one, next) {
        HASH_DEL(own->all, one);
        free(one);
    }
    pthread_rwlock_destroy(&own->lock);
    free(own);
}

bool own_domains_has(struct own_domains *own, const char *domain)
{
    struct own_domain *found;

    pthread_rwlock_rdlock(&own->lock);
    HASH_FIND_STR(own->all, domain, found);
    pthread_rwlock_unlock(&own->lock);
    return found != NULL;
}

void own_domains_add(struct own_domains *own, const char *domain)
{
    size_t length = strlen(domain);
    struct own_domain *one, *found;

    if (length == 0 || own_domains_has(own, domain))
        return;
    one = calloc(1, sizeof *one + length + 1);
    if (one == NULL)
        return;
    memcpy(one->name, domain, length);
    pthread_rwlock_wrlock(&own->lock);
    HASH_FIND_STR(own->all, domain, found);
    if (found == NULL && HASH_COUNT(own->all) < OWN_DOMAINS_MAX) {
        HASH_ADD_KEYPTR(hh, own->all, one->name, length, one);
        one = NULL;
    }
    pthread_rwlock_unlock(&own->lock);
    free(one);
}

int own_domains_save(struct own_domains *own, FILE *out)
{
    struct own_domain *one, *next;
    char *text = NULL;
    size_t size = 0;
    FILE *memory =
        open_memstream(&text, &size); /* no lock is held while a disk is waited for */
    int rc = -1;

    if (memory == NULL)
        return -1;
    pthread_rwlock_rdlock(&own->lock);
    HASH_ITER (hh, own->all, one, next)
        fprintf(memory, "%s\n", one->name);
    pthread_rwlock_unlock(&own->lock);
    fputc('\n', memory);
    if (fclose(memory) == 0 && fwrite(text, 1, size, out) == size)
        rc = 0;
    free(text);
    return rc;
}

int own_domains_load(struct own_domains *own, FILE *in)
{
    char line[DOMAIN_SIZE + 2], domain[DOMAIN_SIZE];

    while (fgets(line, sizeof line, in) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (line[0] == '\0')
            return 0;
        if (domain_canonical(line, domain) == 0)
            own_domains_add(own, domain);
    }
    return -1;
}
