/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/doctor_parts.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/text.h"
#include "daemon/asking.h"
#include "dns/resolv_conf.h"
#include "dns/resolver.h"
#include "known/public_resolvers.h"

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

static void look_for_public(struct doctor *doctor, const char *servers, const char *whose)
{
    size_t index = 0;

    for (const char *found = public_resolver_next(servers, &index); found != NULL;
         found = public_resolver_next(servers, &index))
        doctor_say(doctor, LEVEL_ERROR, OWN_RESOLVER,
                   "%s: %s is a public resolver: most lists refuse it, or answer it with "
                   "error codes",
                   whose, found);
}

static void look_at_servers(struct doctor *doctor)
{
    const struct config *config = doctor->policy->config;
    char servers[512] = "";

    if (config->resolver.servers == NULL) {
        read_resolv_conf(doctor, servers, sizeof servers);
        look_for_public(doctor, servers, RESOLV_CONF);
        if (strstr(servers, "127.0.0.53:53") != NULL)
            doctor_say(doctor, LEVEL_WARNING, OWN_RESOLVER,
                       RESOLV_CONF ": systemd-resolved forwards to other resolvers: the "
                                   "lists see those, and may refuse them");
    }
    look_for_public(doctor, config->resolver.servers, "resolver.servers");
    for (size_t i = 0; i < config->list_count; i++)
        if (config->lists[i].mode != LIST_OFF)
            look_for_public(doctor, config->lists[i].servers, config->lists[i].name);
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

static void look_at_answer(struct doctor *doctor, const struct asking *asking)
{
    char address[INET_ADDRSTRLEN] = "";

    if (asking->answer->status != DNS_FOUND || asking->answer->address_count == 0)
        return;
    inet_ntop(AF_INET, &asking->answer->addresses[0], address, sizeof address);
    doctor_say(doctor, LEVEL_ERROR, OWN_RESOLVER,
               "the resolver invents answers: %s for %s, which does not exist. To lists "
               "that is a listing of everybody, or an answer from outside 127.0.0.0/8",
               address, asking->name);
}

static bool is_answered(const struct asking *asking)
{
    return asking->answer->status == DNS_FOUND || asking->answer->status == DNS_NONE;
}

/* Asks the resolver and each list's own for names that do not exist. */
static void look_for_rewriting(struct doctor *doctor)
{
    static const char *const ends[] = {"invalid", "com", "org"};
    const size_t end_count = sizeof ends / sizeof ends[0];
    const struct dnsbl_set *lists = &doctor->policy->lists;
    struct resolver *resolver = doctor->daemon->resolver;
    struct upstream *own =
        resolver_upstream(resolver, doctor->policy->config->resolver.servers);
    size_t count = (lists->count + 1) * end_count;
    struct asking *askings = calloc(count, sizeof *askings);
    bool answered = false;

    if (own == NULL || askings == NULL)
        goto out;
    for (size_t i = 0; i < count; i++) {
        size_t list = i / end_count;

        askings[i].upstream = list == 0 ? own : lists->items[list - 1].upstream;
        if (list == 0 || lists->items[list - 1].list->servers != NULL)
            random_name(ends[i % end_count], askings[i].name);
    }
    asking_all(resolver, askings, count);
    for (size_t i = 0; i < count; i++) {
        if (askings[i].answer != NULL)
            look_at_answer(doctor, &askings[i]);
        answered |= i < end_count && is_answered(&askings[i]);
    }
    if (!answered)
        doctor_say(doctor, LEVEL_ERROR,
                   "look whether it runs, and whether a firewall stands between "
                   "(dig @SERVER example.com)",
                   "the resolver does not answer: %s",
                   dns_status_name(askings[0].answer->status));
    asking_clear(askings, count);
out:
    free(askings);
}

static void look_at_load(struct doctor *doctor)
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
}

#define STRAYS_MANY 20 /* one or two may be an old answer to a port that is used again */

/* Others may send packets in the name of the servers, or the servers send rubbish. */
static void look_at_strays(struct doctor *doctor)
{
    struct resolver_stats stats;

    resolver_stats(doctor->daemon->resolver, &stats);
    if (stats.strays[STRAY_WRONG_ID] >= STRAYS_MANY)
        doctor_say(doctor, LEVEL_WARNING,
                   "none of them was believed; ask a resolver on this machine "
                   "(127.0.0.1), whose answers nobody else can forge",
                   "%llu answers since the start had an id that was never sent: somebody "
                   "may be forging answers",
                   (unsigned long long)stats.strays[STRAY_WRONG_ID]);
    if (stats.strays[STRAY_GARBAGE] >= STRAYS_MANY)
        doctor_say(doctor, LEVEL_WARNING,
                   "look what answers there (tcpdump -n port 53): a firewall or a proxy "
                   "may stand between",
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

    look_at_servers(doctor);
    look_for_rewriting(doctor);
    resolver_servers(doctor->daemon->resolver, add_server, &servers);
    if (doctor_wrong(doctor) == before)
        doctor_say(
            doctor, LEVEL_OK, "",
            "the resolver answers, and invents no names that do not exist; servers "
            "in use: %s",
            text);
    look_at_load(doctor);
    look_at_strays(doctor);
}
