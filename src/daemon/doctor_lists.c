/* SPDX-License-Identifier: BSD-2-Clause */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/text.h"
#include "daemon/doctor_parts.h"
#include "daemon/user_queries.h"
#include "dns/resolver.h"
#include "dns/upstream.h"
#include "known/providers.h"
#include "known/zones.h"
#include "milter/milter.h"

/* After so many messages a list that was never queried has some reason for it. */
#define MESSAGES_TELLING 50
#define TWO_LOOKS_MS     1000 /* what lies between a first look and a second */

/* What is said of a list by its health: behind its name, before the reason; what else of
 * one that has a key. */
static const struct {
    enum level level;
    const char *what, *advice, *what_with_key, *advice_with_key;
} said[] = {
    [HEALTH_UNCHECKED] = {LEVEL_WARNING, ": its first test is under way",
                          "try again in a moment", NULL, NULL},
    [HEALTH_SLOW] = {LEVEL_WARNING, " is slow: ",
                     "use a resolver or a mirror that is nearer, or do without the list",
                     NULL, NULL},
    [HEALTH_EMPTY] = {LEVEL_ERROR, " is empty: ",
                      "check that the zone is right and the list still runs "
                      "(docs/lists.md); if it has no test point, set test-listed "
                      "= \"\"; where the list's server says NXDOMAIN to names with "
                      "entries below them (rbldnsd), switch the resolver's QNAME "
                      "minimisation off (unbound: qname-minimisation: no)",
                      ": its key is not accepted, it seems: ",
                      "compare the key with the one in your account there; some "
                      "lists answer a wrong key with \"not listed\""},
    [HEALTH_LYING] = {LEVEL_ERROR, " lists what it must not: ",
                      "check that the list still runs (docs/lists.md) and that the "
                      "resolver invents no answers; remove a dead list",
                      NULL, NULL},
    [HEALTH_BLOCKED] =
        {LEVEL_ERROR, " ",
         "lists refuse public and forwarding resolvers, and whoever queries "
         "too much: run a resolver of your own, or get a key",
         " ",
         "check your account there: the key, the subscription, "
         "the number of queries"},
    [HEALTH_DOWN] = {LEVEL_ERROR, " does not answer: ",
                     "if all lists are, the resolver is; else check that the list still "
                     "runs (docs/lists.md)",
                     NULL, NULL},
    [HEALTH_SUSPENDED] = {LEVEL_WARNING, " is ", "rblctl dnsbl resume NAME takes it back",
                          NULL, NULL},
};

/* Waits where a list's first test is still under way. Returns whether it is healthy. */
static bool check_health(struct doctor *doctor, const struct dnsbl *dnsbl)
{
    struct list_state *state = dnsbl->state;
    const struct list_half *half = &state->halves[0];
    char why[WHY_SIZE];
    enum health health;
    bool with_key;

    prober_wait(doctor->daemon->prober, dnsbl->watched, false,
                clock_ms() + TWO_LOOKS_MS +
                    2 * doctor->policy->config->resolver.deadline_ms);
    if (health_counts(atomic_load(&half->health)) && atomic_load(&state->ipv6_known) &&
        !health_counts(atomic_load(&state->halves[1].health)))
        half = &state->halves[1];
    pthread_mutex_lock(&state->lock);
    health = atomic_load(&half->health);
    memcpy(why, half->why, sizeof why);
    pthread_mutex_unlock(&state->lock);
    if (health == HEALTH_HEALTHY)
        return true;
    with_key = dnsbl->list->key != NULL && said[health].what_with_key != NULL;
    doctor_say(doctor, said[health].level,
               with_key ? said[health].advice_with_key : said[health].advice,
               "list %s%s%s", dnsbl->list->name,
               with_key ? said[health].what_with_key : said[health].what,
               health != HEALTH_UNCHECKED ? why : "");
    return false;
}

static void look_for_ipv6(struct doctor *doctor)
{
    const struct dnsbl_set *lists = &doctor->policy->lists;
    struct user_query *queries = calloc(lists->count + 1, sizeof *queries);

    if (queries == NULL)
        return;
    for (size_t i = 0; i < lists->count; i++) {
        queries[i].upstream = lists->items[i].upstream;
        if (!health_check_tries_ipv6(lists->items[i].list) ||
            !health_counts(atomic_load(&lists->items[i].state->halves[0].health)) ||
            health_check_point_name(lists->items[i].list, LISTED6, queries[i].name) != 0)
            queries[i].name[0] = '\0';
    }
    user_queries_all(doctor->daemon->resolver, queries, lists->count);
    for (size_t i = 0; i < lists->count; i++)
        if (queries[i].answer != NULL && queries[i].answer->status == DNS_NONE)
            doctor_say(doctor, LEVEL_WARNING,
                       "set ipv6 = false in it, unless its operator says that it knows "
                       "IPv6 and has no such test point",
                       "list %s is queried for IPv6 clients, but does not list "
                       "the test point " LISTED6,
                       lists->items[i].list->name);
    user_queries_clear(queries, lists->count);
    free(queries);
}

/* A list that changed its codes counts for nothing, and nobody notices. */
static void check_unnamed(struct doctor *doctor, const struct dnsbl *dnsbl)
{
    uint_fast64_t unnamed = atomic_load(&dnsbl->stats->unnamed);
    struct in_addr code = {(in_addr_t)atomic_load(&dnsbl->stats->unnamed_code)};
    char text[INET_ADDRSTRLEN] = "";

    if (unnamed > 0 && inet_ntop(AF_INET, &code, text, sizeof text) != NULL)
        doctor_say(doctor, LEVEL_WARNING,
                   "compare its codes sections with its operator's documentation "
                   "(docs/lists.md)",
                   "list %s gave %llu answers that no codes section names, such as %s",
                   dnsbl->list->name, (unsigned long long)unnamed, text);
}

static void find_unqueried(struct doctor *doctor, const struct dnsbl *dnsbl)
{
    const struct list *list = dnsbl->list;
    struct milter_stats stats;

    milter_stats(&stats);
    if (stats.messages >= MESSAGES_TELLING && list->when == WHEN_ANY &&
        list->after_count == 0 && atomic_load(&dnsbl->stats->lookups) == 0 &&
        atomic_load(&dnsbl->stats->skipped) == 0)
        doctor_say(
            doctor, LEVEL_WARNING,
            "see its check option (are names confirmed, do clients have IPv6?) and at "
            "the exempt section; rblctl check shows what is queried",
            "list %s was never queried in %llu messages since the start", list->name,
            (unsigned long long)stats.messages);
}

void doctor_lists(struct doctor *doctor)
{
    const struct dnsbl_set *lists = &doctor->policy->lists;
    size_t well = 0;

    if (lists->count == 0)
        doctor_say(doctor, LEVEL_WARNING,
                   "include(\"/etc/rblmilter/lists.d/NAME.conf\") takes one of those in "
                   "docs/lists.md",
                   "no DNS list is configured");
    for (size_t i = 0; i < lists->count; i++) {
        well += check_health(doctor, &lists->items[i]);
        find_unqueried(doctor, &lists->items[i]);
        check_unnamed(doctor, &lists->items[i]);
    }
    if (well > 0)
        doctor_say(doctor, LEVEL_OK, "", "%zu of %zu DNS lists answer as they must", well,
                   lists->count);
    look_for_ipv6(doctor);
}

void doctor_twins(struct doctor *doctor)
{
    const struct dnsbl_set *lists = &doctor->policy->lists;

    for (size_t i = 0; i < lists->count; i++)
        for (size_t k = 0; k < lists->count; k++) {
            const struct list *a = lists->items[i].list, *b = lists->items[k].list;

            if (i != k && a->mode == LIST_ENFORCE && b->mode == LIST_ENFORCE &&
                (a->checks & b->checks) != 0 && zone_contains(a->zone, b->zone))
                doctor_say(doctor, LEVEL_WARNING,
                           "take one of the two out, or set mode = \"monitor\" in it",
                           "list %s holds the data of list %s: a listing counts twice",
                           a->name, b->name);
        }
}

#define OWN_RESOLVER                                                                     \
    "run a resolver of your own (unbound, without forward-zone), and set "               \
    "resolver { servers = { \"127.0.0.1\" } }"

/* The servers of resolv.conf(5), as resolver.servers would have them. */
static void read_resolv_conf(struct doctor *doctor, char *out, size_t size)
{
    char read[UPSTREAM_SERVERS][ENDPOINT_SIZE], dropped[256];
    struct buffer servers = buffer_over(out, size);
    size_t count =
        resolv_conf_servers(RESOLV_CONF, read, UPSTREAM_SERVERS, dropped, sizeof dropped);

    for (size_t i = 0; i < count; i++)
        buffer_add(&servers, "%s%s", i > 0 ? "," : "", read[i]);
    if (dropped[0] != '\0')
        doctor_say(
            doctor, LEVEL_WARNING,
            "correct or remove these lines: a server is an IP address, a link-local "
            "one with its interface (fe80::1%eth0)",
            RESOLV_CONF ": not used: %s", dropped);
}

static void check_public(struct doctor *doctor, const char *servers, const char *whose)
{
    size_t index = 0;

    for (const char *found = public_resolver_next(servers, &index); found != NULL;
         found = public_resolver_next(servers, &index))
        doctor_say(doctor, LEVEL_ERROR, OWN_RESOLVER,
                   "%s: %s is a public resolver: most lists refuse it, or answer it with "
                   "error codes",
                   whose, found);
}

static void check_servers(struct doctor *doctor)
{
    const struct config *config = doctor->policy->config;
    char servers[512] = "";

    if (config->resolver.servers == NULL) {
        read_resolv_conf(doctor, servers, sizeof servers);
        check_public(doctor, servers, RESOLV_CONF);
        if (strstr(servers, "127.0.0.53:53") != NULL)
            doctor_say(doctor, LEVEL_WARNING, OWN_RESOLVER,
                       RESOLV_CONF ": systemd-resolved forwards to other resolvers: the "
                                   "lists see those, and may refuse them");
    }
    check_public(doctor, config->resolver.servers, "resolver.servers");
    for (size_t i = 0; i < config->list_count; i++)
        if (config->lists[i].mode != LIST_OFF)
            check_public(doctor, config->lists[i].servers, config->lists[i].name);
}

/* A name that nobody has, below an end that there is, or is not. */
static void random_name(const char *end, char out[static DOMAIN_SIZE])
{
    uint64_t random = 0;

    if (getrandom(&random, sizeof random, GRND_NONBLOCK) != sizeof random)
        random = (uintptr_t)out;
    snprintf(out, DOMAIN_SIZE, "rblmilter-test-%016llx.%s", (unsigned long long)random,
             end);
}

static void check_answer(struct doctor *doctor, const struct user_query *query)
{
    char address[INET_ADDRSTRLEN] = "";

    if (query->answer->status != DNS_FOUND || query->answer->address_count == 0)
        return;
    inet_ntop(AF_INET, &query->answer->addresses[0], address, sizeof address);
    doctor_say(doctor, LEVEL_ERROR, OWN_RESOLVER,
               "the resolver invents answers: %s for %s, which does not exist. To lists "
               "that is a listing of everybody, or an answer from outside 127.0.0.0/8",
               address, query->name);
}

/* Queries the resolver and each list's own for names that do not exist. */
static void check_rewriting(struct doctor *doctor)
{
    static const char *const ends[] = {"invalid", "com", "org"};
    const size_t end_count = sizeof ends / sizeof ends[0];
    const struct dnsbl_set *lists = &doctor->policy->lists;
    struct resolver *resolver = doctor->daemon->resolver;
    struct upstream *own =
        resolver_upstream(resolver, doctor->policy->config->resolver.servers);
    size_t count = (lists->count + 1) * end_count;
    struct user_query *queries = calloc(count, sizeof *queries);
    bool answered = false;

    if (own == NULL || queries == NULL)
        goto out;
    for (size_t i = 0; i < count; i++) {
        size_t list = i / end_count;

        queries[i].upstream = list == 0 ? own : lists->items[list - 1].upstream;
        if (list == 0 || lists->items[list - 1].list->servers != NULL)
            random_name(ends[i % end_count], queries[i].name);
    }
    user_queries_all(resolver, queries, count);
    for (size_t i = 0; i < count; i++) {
        if (queries[i].answer != NULL)
            check_answer(doctor, &queries[i]);
        if (i < end_count)
            answered |= queries[i].answer->status == DNS_FOUND ||
                        queries[i].answer->status == DNS_NONE;
    }
    if (!answered)
        doctor_say(doctor, LEVEL_ERROR,
                   "see whether it runs, and whether a firewall is between "
                   "(dig @SERVER example.com)",
                   "the resolver does not answer: %s",
                   dns_status_name(queries[0].answer->status));
    user_queries_clear(queries, count);
out:
    free(queries);
}

#define STRAYS_MANY 20 /* one or two may be an old answer to a port that is used again */

/* Too many lookups; and others may send packets in the name of the servers, or the servers
 * send rubbish. */
static void check_counters(struct doctor *doctor)
{
    struct resolver_stats stats;

    resolver_stats(doctor->daemon->resolver, &stats);
    if (stats.not_asked > 0)
        doctor_say(doctor, LEVEL_WARNING,
                   "raise resolver.max-queries, or look for a flood (log lines with "
                   "not-asked) and for a resolver that is slow (rblctl dnsbl)",
                   "%llu lookups waited for a place until their deadline since the "
                   "start: resolver.max-queries = %d",
                   (unsigned long long)stats.not_asked,
                   doctor->policy->config->resolver.max_queries);
    if (stats.strays[STRAY_WRONG_ID] >= STRAYS_MANY)
        doctor_say(doctor, LEVEL_WARNING,
                   "none of them was believed; query a resolver on this machine "
                   "(127.0.0.1), whose answers nobody else can forge",
                   "%llu answers since the start had an id that was never sent: somebody "
                   "may be forging answers",
                   (unsigned long long)stats.strays[STRAY_WRONG_ID]);
    if (stats.strays[STRAY_GARBAGE] >= STRAYS_MANY)
        doctor_say(
            doctor, LEVEL_WARNING,
            "find out what answers there (tcpdump -n port 53): a firewall or a proxy "
            "may be between",
            "%llu packets since the start came from the resolver's address and "
            "were no answers at all",
            (unsigned long long)stats.strays[STRAY_GARBAGE]);
}

static void add_server(void *context, const char *address, int64_t away_ms)
{
    struct buffer *servers = context;

    buffer_add(servers, "%s%s%s", servers->used > 0 ? ", " : "", address,
               away_ms != 0 ? " (away)" : "");
}

void doctor_resolver(struct doctor *doctor)
{
    size_t before = doctor_wrong(doctor);
    char text[512];
    struct buffer servers = buffer_over(text, sizeof text);

    check_servers(doctor);
    check_rewriting(doctor);
    resolver_servers(doctor->daemon->resolver, add_server, &servers);
    if (doctor_wrong(doctor) == before)
        doctor_say(
            doctor, LEVEL_OK, "",
            "the resolver answers, and invents no names that do not exist; servers "
            "in use: %s",
            text);
    check_counters(doctor);
}
