/* SPDX-License-Identifier: BSD-2-Clause */
#include "dnsbl/look.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/text.h"
#include "dnsbl/query_name.h"

#define LISTED6   "::FFFF:7F00:2" /* RFC 5782, 5 */
#define UNLISTED6 "::FFFF:7F00:1"
#define DAY_S     86400

static void on_answer(struct dns_lookup *lookup, struct dns_answer *answer)
{
    struct probe *probe = (struct probe *)lookup;
    struct look *look = probe->look;
    struct bell *bell = look->bell;

    probe->answer = dns_answer_ref(answer);
    if (atomic_fetch_sub(&look->open, 1) == 1)
        bell_ring(bell);
}

/* The next probe, if there is room. */
static struct probe *add(struct look *look, enum probe_kind kind, const char *subject)
{
    struct probe *probe;

    if (look->count == LOOK_QUERIES)
        return NULL;
    probe = &look->probes[look->count];
    probe->look = look;
    probe->kind = kind;
    text_clean(subject, probe->subject, sizeof probe->subject);
    return probe;
}

static void add_point(struct look *look, const struct list *list, enum probe_kind kind,
                      const char *point)
{
    struct probe *probe = add(look, kind, point);

    if (probe != NULL && health_test_name(list, point, probe->name) == 0)
        look->count++;
}

/* Whether it is asked about IPv6 clients and has IPv4 test points, so that it may have
 * the others, too. */
static bool may_have_ipv6_points(const struct list *list)
{
    struct ipaddr point;

    return list->ipv6 && (list->checks & 1u << CHECK_CLIENT) != 0 &&
           strchr(list->test_listed, ':') == NULL &&
           ipaddr_parse(list->test_listed, &point) == 0;
}

static void add_client(struct look *look, const struct list *list,
                       const struct ipaddr *ip, bool reserved)
{
    char text[IPADDR_TEXT_SIZE];
    struct probe *probe;

    ipaddr_text(ip, text);
    probe = add(look, ip->family == 4 ? PROBE_WITNESS : PROBE_WITNESS6, text);
    if (probe == NULL || query_name_address(ip, list->zone, probe->name) != 0)
        return;
    probe->reserved = reserved;
    look->count++;
}

/* 240.0.0.0/4 (RFC 1112) and 2001:db8::/32 (RFC 3849): nobody sends from there. */
static struct ipaddr reserved_address(int family)
{
    struct ipaddr ip = {.family = (uint8_t)family};
    size_t from = family == 4 ? 1 : 4;

    ip.octets[0] = family == 4 ? (uint8_t)(240 + random() % 15) : 0x20;
    if (family == 6)
        memcpy(ip.octets + 1, (const uint8_t[]){0x01, 0x0d, 0xb8}, 3);
    for (size_t i = from; i < (family == 4 ? 4u : 16u); i++)
        ip.octets[i] = (uint8_t)random();
    return ip;
}

static bool is_allow_list(const struct list *list)
{
    int least, most;

    result_bounds(list, &least, &most);
    return least < 0 && most <= 0;
}

static size_t draw_exempt(const struct config *config, int family, struct ipaddr *out,
                          size_t most)
{
    size_t count = 0;

    for (size_t i = 0; i < config->exempt.network_count && count < most; i++) {
        const struct ipaddr *base = &config->exempt.networks[i].base;

        if (base->family == family && !ipaddr_is_local(base))
            out[count++] = *base;
    }
    return count;
}

static void add_clients(struct look *look, const struct look_at *at, int family,
                        size_t most)
{
    struct ipaddr drawn[LOOK_WITNESSES];
    size_t count;

    if (look->reserved)
        count = 0;
    else if (is_allow_list(at->list))
        count = witnesses_draw_named(at->witnesses, family, drawn, most);
    else
        count = witnesses_draw_clients(at->witnesses, family,
                                       witnesses_list_bit(at->list->name),
                                       (int)(time(NULL) / DAY_S), drawn, most);
    if (!is_allow_list(at->list) && count < most)
        count += draw_exempt(at->config, family, drawn + count, most - count);
    for (size_t i = 0; i < count; i++)
        add_client(look, at->list, &drawn[i], false);
    for (; count < LOOK_LEAST && at->list->test_reserved; count++) {
        struct ipaddr ip = reserved_address(family);

        add_client(look, at->list, &ip, true);
    }
}

/* What a list of names, or of hashed addresses, is queried for a domain. */
static int name_of_domain(const struct list *list, const char *domain,
                          char out[static DOMAIN_SIZE])
{
    struct mail_address address = {.local = "postmaster"};

    if (list->hash == HASH_NONE)
        return query_name_domain(domain, list->zone, out);
    if (!text_copy(domain, address.domain, sizeof address.domain))
        return -1;
    return query_name_sender(&address, list->hash, list->zone, out);
}

static void add_domains(struct look *look, const struct look_at *at)
{
    char drawn[LOOK_WITNESSES][DOMAIN_SIZE];
    size_t count = 0, real;

    if (!is_allow_list(at->list))
        count = witnesses_draw_domains(at->witnesses, witnesses_list_bit(at->list->name),
                                       (int)(time(NULL) / DAY_S), drawn, LOOK_WITNESSES);
    real = count;
    for (; count < LOOK_LEAST && at->list->test_reserved; count++)
        snprintf(drawn[count], DOMAIN_SIZE, "x%08lx.invalid",
                 (unsigned long)random() & 0xffffffff); /* RFC 6761 */
    for (size_t i = 0; i < count; i++) {
        struct probe *probe = add(look, PROBE_WITNESS, drawn[i]);

        if (probe == NULL || name_of_domain(at->list, drawn[i], probe->name) != 0)
            continue;
        probe->reserved = i >= real;
        look->count++;
    }
}

void look_begin(struct look *look, const struct look_at *at)
{
    const struct list *list = at->list;
    bool ipv6 = may_have_ipv6_points(list);

    look->count = 0;
    /* Who is named was not on the allow list: of one that lists half of the world those
     * are the other half. What it was found lying with it has to be cleared with. */
    if (!at->again && !at->lying[0] && !at->lying[1])
        look->reserved = is_allow_list(list) && list->test_reserved && random() % 2;
    memcpy(look->lying, at->lying, sizeof look->lying);
    add_point(look, list, PROBE_LISTED,
              at->any_name && !health_has_points(list) ? health_stand_in(list)
                                                       : list->test_listed);
    add_point(look, list, PROBE_UNLISTED, list->test_unlisted);
    if (ipv6) {
        add_point(look, list, PROBE_LISTED6, LISTED6);
        add_point(look, list, PROBE_UNLISTED6, UNLISTED6);
    }
    if (at->too_much && list->checks & 1u << CHECK_CLIENT) {
        add_clients(look, at, 4, ipv6 ? LOOK_LEAST : LOOK_WITNESSES);
        if (ipv6)
            add_clients(look, at, 6, LOOK_LEAST);
    } else if (at->too_much) {
        add_domains(look, at);
    }
    atomic_store(&look->open, look->count + 1);
    for (size_t i = 0; i < look->count; i++) {
        struct probe *probe = &look->probes[i];
        struct dns_answer *answer;

        probe->lookup = (struct dns_lookup){.done = on_answer,
                                            .is_refusal = result_is_refusal,
                                            .timeout_ms = at->timeout_ms,
                                            .retry_ms = at->retry_ms,
                                            .context = list};
        answer = resolver_query(at->resolver, at->upstream, DNS_A, probe->name,
                                DNS_PRIVATE | DNS_ONCE, &probe->lookup);
        if (answer == NULL)
            continue;
        on_answer(&probe->lookup, answer);
        dns_answer_unref(answer);
    }
    if (atomic_fetch_sub(&look->open, 1) == 1)
        bell_ring(look->bell);
}

static const struct probe *find(const struct look *look, enum probe_kind kind)
{
    for (size_t i = 0; i < look->count; i++)
        if (look->probes[i].kind == kind)
            return &look->probes[i];
    return NULL;
}

/* Whether the query says nothing of the list: no server answered it. */
static bool is_servers_fault(const struct probe *probe)
{
    const struct dns_answer *answer = probe != NULL ? probe->answer : NULL;

    return answer != NULL &&
           (answer->status == DNS_UNREACHABLE || answer->status == DNS_NOT_ASKED ||
            (probe->lookup.servers_failed && answer->status == DNS_TIMEOUT));
}

/* Whether half of eight or more witnesses are listed; more than an eighth of a list that
 * is lying: one that lists about half would come and go. */
static bool lists_witnesses(const struct look *look, const struct list *list,
                            enum probe_kind kind, char *why, size_t why_size)
{
    bool lying = look->lying[kind == PROBE_WITNESS6];
    size_t asked = 0, listed = 0, reserved = 0;
    const char *example = "";

    for (size_t i = 0; i < look->count; i++) {
        const struct probe *probe = &look->probes[i];
        struct dnsbl_result result;

        if (probe->kind != kind || probe->answer == NULL)
            continue;
        result = result_judge(list, probe->answer);
        if (result.state != RESULT_LISTED && result.state != RESULT_NOT_LISTED)
            continue;
        asked++;
        reserved += probe->reserved;
        if (result.state == RESULT_LISTED && listed++ == 0)
            example = probe->subject;
    }
    if (asked < LOOK_LEAST || (lying ? listed * 8 <= asked : listed * 2 < asked))
        return false;
    snprintf(why, why_size, "lists %zu of %zu %s, such as %s", listed, asked,
             reserved * 2 > asked                ? "reserved addresses and names"
             : is_allow_list(list)               ? "clients that block lists name"
             : list->checks & 1u << CHECK_CLIENT ? "regular clients"
                                                 : "regular sender domains",
             example);
    return true;
}

bool look_judge(const struct look *look, const struct list *list, bool ipv6,
                bool ipv6_known, enum health *found, char *why, size_t why_size)
{
    const struct probe *listed = find(look, ipv6 ? PROBE_LISTED6 : PROBE_LISTED);
    const struct probe *unlisted = find(look, ipv6 ? PROBE_UNLISTED6 : PROBE_UNLISTED);

    static char listed6[] = LISTED6, unlisted6[] = UNLISTED6;
    struct list points = *list; /* what the sentence is to name */

    if (ipv6 && (listed == NULL || unlisted == NULL))
        return false;
    if (ipv6) {
        points.test_listed = listed6;
        points.test_unlisted = unlisted6;
    }
    if (is_servers_fault(listed) || is_servers_fault(unlisted))
        return false;
    *found = health_judge(&points, listed != NULL ? listed->answer : NULL,
                          unlisted != NULL ? unlisted->answer : NULL, why, why_size);
    if (*found == HEALTH_HEALTHY &&
        lists_witnesses(look, list, ipv6 ? PROBE_WITNESS6 : PROBE_WITNESS, why, why_size))
        *found = HEALTH_LYING;
    if (!ipv6 || ipv6_known)
        return true;
    /* not known to have IPv6 test points: what it lacks, or does not answer, is no fault
     */
    if (*found == HEALTH_EMPTY &&
        lists_witnesses(look, list, PROBE_WITNESS6, why, why_size))
        *found = HEALTH_LYING;
    return *found == HEALTH_HEALTHY || *found == HEALTH_LYING;
}

void look_clear(struct look *look)
{
    for (size_t i = 0; i < look->count; i++)
        dns_answer_unref(look->probes[i].answer);
    memset(look->probes, 0, sizeof look->probes);
    look->count = 0;
}
