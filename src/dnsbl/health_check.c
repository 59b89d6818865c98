/* SPDX-License-Identifier: BSD-2-Clause */
#include "dnsbl/health_check.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/text.h"
#include "dnsbl/query_name.h"
#include "dnsbl/result.h"

#define DAY_S 86400

/* --- test points --- */

bool health_check_has_points(const struct list *list)
{
    return list->test_listed[0] != '\0' || list->test_unlisted[0] != '\0';
}

int health_check_point_name(const struct list *list, const char *point,
                            char out[static DOMAIN_SIZE])
{
    struct ipaddr ip = {.family = 6};

    out[0] = '\0';
    if (point[0] == '\0')
        return -1;
    /* ::FFFF:7F00:2 is an IPv6 test point: the one IPv4-mapped address that is queried
     * as it is, where ipaddr_parse would make 127.0.0.2 of it. */
    if (inet_pton(AF_INET6, point, ip.octets) == 1 || ipaddr_parse(point, &ip) == 0)
        return query_name_address(&ip, list->zone, out);
    return query_name_join(point, list->zone, out); /* "test" has no dot */
}

/* What a list says of a point; of one that is not queried what it must say. */
static struct dnsbl_result said(const struct list *list, const struct test_point *point,
                                enum result_state must)
{
    if (point->answer == NULL)
        return (struct dnsbl_result){.state = must};
    if (point->answer->stale)
        return (struct dnsbl_result){.state = RESULT_FAILED};
    return result_judge(list, point->answer);
}

static enum health judge_errors(const struct dnsbl_result *result, char *why, size_t size)
{
    char code[INET_ADDRSTRLEN] = "REFUSED";

    if (result->code.s_addr != 0)
        inet_ntop(AF_INET, &result->code, code, sizeof code);
    if (result->state == RESULT_FOREIGN) {
        snprintf(why, size, "answers %s, which is outside 127.0.0.0/8", code);
        return HEALTH_LYING;
    }
    snprintf(why, size, "refuses our queries: %s", code);
    return HEALTH_BLOCKED;
}

enum health health_check_judge_points(const struct list *list,
                                      const struct test_point *listed,
                                      const struct test_point *unlisted, char *why,
                                      size_t size)
{
    struct dnsbl_result l = said(list, listed, RESULT_LISTED);
    struct dnsbl_result u = said(list, unlisted, RESULT_NOT_LISTED);
    const struct test_point *silent = l.state == RESULT_FAILED   ? listed
                                      : u.state == RESULT_FAILED ? unlisted
                                                                 : NULL;
    char code[INET_ADDRSTRLEN];

    for (enum result_state s = RESULT_FOREIGN; s >= RESULT_ERROR; s--)
        if (l.state == s || u.state == s)
            return judge_errors(l.state == s ? &l : &u, why, size);
    if (u.state == RESULT_LISTED) {
        snprintf(why, size, "lists %s, which must not be listed", unlisted->text);
        return HEALTH_LYING;
    }
    if (silent != NULL) {
        snprintf(why, size, "does not answer: %s",
                 dns_status_name(silent->answer->status));
        return HEALTH_DOWN;
    }
    if (l.state == RESULT_LISTED || listed->text[0] == '\0') {
        snprintf(why, size,
                 health_check_has_points(list) ? "test points answer as they must"
                                               : "has no test points");
        return HEALTH_HEALTHY;
    }
    if (listed->answer->address_count > 0)
        snprintf(why, size,
                 "answers %s for its test point %s, which no codes section names",
                 inet_ntop(AF_INET, &listed->answer->addresses[0], code, sizeof code),
                 listed->text);
    else
        snprintf(why, size, "does not list %s, which must be listed", listed->text);
    return HEALTH_EMPTY;
}

/* --- queries --- */

static void on_answer(struct dns_lookup *lookup, struct dns_answer *answer)
{
    struct probe *probe = (struct probe *)lookup;
    struct health_check *check = probe->check;
    struct bell *bell = check->bell;

    probe->answer = dns_answer_ref(answer);
    if (atomic_fetch_sub(&check->open, 1) == 1)
        bell_ring(bell);
}

static bool is_about_clients(const struct list *list)
{
    return (list->checks & 1u << CHECK_CLIENT) != 0;
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

/* Sends one query, if the subject has a name to query. */
static void send_probe(struct health_check *check, enum probe_kind kind,
                       const char *subject, bool reserved)
{
    const struct list *list = check->list;
    struct probe *probe = &check->probes[kind < PROBE_WITNESS ? kind : check->count];
    char name[DOMAIN_SIZE];
    struct dns_answer *answer;
    int rc = kind < PROBE_WITNESS || is_about_clients(list)
                 ? health_check_point_name(list, subject, name)
                 : name_of_domain(list, subject, name);

    if (rc != 0)
        return;
    check->count += kind >= PROBE_WITNESS;
    *probe = (struct probe){.lookup = {.done = on_answer,
                                       .is_refusal = result_is_refusal,
                                       .timeout_ms = check->timeout_ms,
                                       .retry_ms = check->retry_ms,
                                       .context = list},
                            .check = check,
                            .kind = kind,
                            .reserved = reserved};
    text_clean(subject, probe->subject, sizeof probe->subject);
    atomic_fetch_add(&check->open, 1);
    answer = resolver_query(check->resolver, check->upstream, DNS_A, name,
                            DNS_PRIVATE | DNS_ONCE, &probe->lookup);
    if (answer != NULL)
        on_answer(&probe->lookup, answer);
    dns_answer_unref(answer);
}

bool health_check_tries_ipv6(const struct list *list)
{
    struct ipaddr point;

    return list->ipv6 && is_about_clients(list) &&
           strchr(list->test_listed, ':') == NULL &&
           ipaddr_parse(list->test_listed, &point) == 0;
}

static bool is_allow_list(const struct list *list)
{
    int least, most;

    result_bounds(list, &least, &most);
    return least < 0 && most <= 0;
}

/* Nobody sends from 240.0.0.0/4 (RFC 1112) and 2001:db8::/32 (RFC 3849), nor as a name
 * under .invalid (RFC 6761). */
static void reserved_name(int family, char out[static WITNESS_NAME])
{
    uint16_t r[3] = {(uint16_t)random(), (uint16_t)random(), (uint16_t)random()};

    if (family == 0)
        snprintf(out, WITNESS_NAME, "x%04x%04x.invalid", r[0], r[1]);
    else if (family == 4)
        snprintf(out, WITNESS_NAME, "%d.%d.%d.%d", 240 + r[0] % 15, r[1] >> 8, r[1] & 255,
                 r[2] & 255);
    else
        snprintf(out, WITNESS_NAME, "2001:db8:%x:%x::%x", r[0], r[1], r[2]);
}

/* The first addresses of exempt networks; returns their number. */
static size_t draw_exempt(const struct config *config, int family,
                          char (*out)[WITNESS_NAME], size_t most)
{
    size_t count = 0;

    for (size_t i = 0; i < config->exempt.network_count && count < most; i++) {
        const struct ipaddr *base = &config->exempt.networks[i].base;

        if (base->family == family && !ipaddr_is_local(base))
            ipaddr_text(base, out[count++]);
    }
    return count;
}

/* Queries witnesses, of clients of the family or (0) of domains. */
static void query_witnesses(struct health_check *check, int family, size_t most)
{
    enum probe_kind kind = family == 6 ? PROBE_WITNESS6 : PROBE_WITNESS;
    char drawn[HEALTH_CHECK_WITNESSES][WITNESS_NAME];
    size_t count = 0, real;

    if (!is_allow_list(check->list)) {
        count = witnesses_draw(check->witnesses, family,
                               witnesses_list_bit(check->list->name),
                               (int)(time(NULL) / DAY_S), drawn, most);
        count += draw_exempt(check->config, family, drawn + count, most - count);
    } else if (!check->reserved) {
        count = witnesses_draw_named(check->witnesses, family, drawn, most);
    }
    real = count;
    for (; count < HEALTH_CHECK_LEAST && check->list->test_reserved; count++)
        reserved_name(family, drawn[count]);
    for (size_t i = 0; i < count; i++)
        send_probe(check, kind, drawn[i], i >= real);
}

void health_check_begin(struct health_check *check)
{
    const struct list *list = check->list;
    bool ipv6 = health_check_tries_ipv6(list), clients = is_about_clients(list);
    const char *listed = list->test_listed;

    atomic_store(&check->open, 1); /* until all is sent */
    check->count = PROBE_WITNESS;
    /* Who is named was not on the allow list: of one that lists half of the world those
     * are the other half. What it was found lying with it has to be cleared with. */
    if (!check->again && !check->lying[0] && !check->lying[1])
        check->reserved = is_allow_list(list) && list->test_reserved && !check->reserved;
    if (check->any_name && !health_check_has_points(list))
        listed = clients ? "127.0.0.2" : "test"; /* any says whether it answers at all */
    send_probe(check, PROBE_LISTED, listed, false);
    send_probe(check, PROBE_UNLISTED, list->test_unlisted, false);
    if (ipv6) {
        send_probe(check, PROBE_LISTED6, LISTED6, false);
        send_probe(check, PROBE_UNLISTED6, UNLISTED6, false);
    }
    if (check->too_much)
        query_witnesses(check, clients ? 4 : 0,
                        ipv6 ? HEALTH_CHECK_LEAST : HEALTH_CHECK_WITNESSES);
    if (check->too_much && ipv6)
        query_witnesses(check, 6, HEALTH_CHECK_LEAST);
    if (atomic_fetch_sub(&check->open, 1) == 1)
        bell_ring(check->bell);
}

/* --- what the answers mean --- */

/* Whether the query says nothing of the list: no server answered it. */
static bool is_servers_fault(const struct probe *probe)
{
    const struct dns_answer *answer = probe->answer;

    return answer != NULL &&
           (answer->status == DNS_UNREACHABLE || answer->status == DNS_NOT_ASKED ||
            (probe->lookup.servers_failed && answer->status == DNS_TIMEOUT));
}

/* Whether half of eight or more witnesses are listed; more than an eighth of a list that
 * is lying: one that lists about half would come and go. */
static bool lists_witnesses(const struct health_check *check, bool ipv6, char *why,
                            size_t size)
{
    const struct list *list = check->list;
    size_t asked = 0, listed = 0, reserved = 0;
    const char *example = "";

    for (size_t i = PROBE_WITNESS; i < check->count; i++) {
        const struct probe *probe = &check->probes[i];
        struct dnsbl_result result;

        if (probe->kind != (ipv6 ? PROBE_WITNESS6 : PROBE_WITNESS) ||
            probe->answer == NULL)
            continue;
        result = result_judge(list, probe->answer);
        if (result.state != RESULT_LISTED && result.state != RESULT_NOT_LISTED)
            continue;
        asked++;
        reserved += probe->reserved;
        if (result.state == RESULT_LISTED && listed++ == 0)
            example = probe->subject;
    }
    if (asked < HEALTH_CHECK_LEAST ||
        (check->lying[ipv6] ? listed * 8 <= asked : listed * 2 < asked))
        return false;
    snprintf(why, size, "lists %zu of %zu %s, such as %s", listed, asked,
             reserved * 2 > asked     ? "reserved addresses and names"
             : is_allow_list(list)    ? "clients that block lists name"
             : is_about_clients(list) ? "regular clients"
                                      : "regular sender domains",
             example);
    return true;
}

bool health_check_judge(const struct health_check *check, bool ipv6, enum health *found,
                        char *why, size_t size)
{
    const struct list *list = check->list;
    const struct probe *listed = &check->probes[ipv6 ? PROBE_LISTED6 : PROBE_LISTED];
    const struct probe *unlisted = listed + 1;
    struct test_point l = {ipv6 ? LISTED6 : list->test_listed, listed->answer};
    struct test_point u = {ipv6 ? UNLISTED6 : list->test_unlisted, unlisted->answer};

    if ((ipv6 && (l.answer == NULL || u.answer == NULL)) || is_servers_fault(listed) ||
        is_servers_fault(unlisted))
        return false;
    *found = health_check_judge_points(list, &l, &u, why, size);
    if ((*found == HEALTH_HEALTHY || *found == HEALTH_EMPTY) &&
        lists_witnesses(check, ipv6, why, size))
        *found = HEALTH_LYING;
    return true;
}

void health_check_clear(struct health_check *check)
{
    for (size_t i = 0; i < HEALTH_CHECK_QUERIES; i++) {
        dns_answer_unref(check->probes[i].answer);
        check->probes[i].answer = NULL;
    }
    config_unref(check->config);
    check->config = NULL;
}
