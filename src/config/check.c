/* SPDX-License-Identifier: BSD-2-Clause */
/* What a file may say, but a postmaster would regret. */

#include <config.h> /* not our own */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "config/build.h"
#include "known/providers.h"
#include "known/zones.h"

/* The most that a list can give: the largest weight, or the sum where bits add up. */
static int most_of(const struct list *list)
{
    int most = list->code_count == 0 && list->weight > 0 ? list->weight : 0;

    for (size_t i = 0; i < list->code_count; i++) {
        int weight = list->codes[i].weight;

        if (weight > 0 && codes_have_bits(&list->codes[i].codes))
            most += weight;
        else if (weight > most)
            most = weight;
    }
    return most;
}

static void check_verdict(struct build *b)
{
    const struct config *c = b->config;
    cfg_t *sec = cfg_getsec(b->parse->cfg, "verdict");
    long most = 0;

    for (size_t i = 0; i < c->list_count; i++)
        if (c->lists[i].mode == LIST_ENFORCE)
            most += most_of(&c->lists[i]);
    if (most > 0 && c->verdict.reject > most)
        option_warning(
            b, sec, "reject",
            "reject = %d is above %ld, the sum of all weights: no list refuses "
            "anything",
            c->verdict.reject, most);
    if (c->verdict.reject != 0 && c->verdict.tag > c->verdict.reject)
        option_warning(b, sec, "tag", "tag = %d is above reject = %d: nothing is tagged",
                       c->verdict.tag, c->verdict.reject);
    if (c->verdict.reject != 0 && c->verdict.tempfail > c->verdict.reject)
        option_warning(b, sec, "tempfail",
                       "tempfail = %d is above reject = %d: nothing is deferred",
                       c->verdict.tempfail, c->verdict.reject);
    if (c->list_count > 0 && c->verdict.reject == 0 && c->verdict.tempfail == 0 &&
        c->verdict.tag == 0)
        option_warning(b, sec, "reject",
                       "all thresholds are 0: the lists are queried for nothing");
}

/* What comes too early, or lasts too long. */
static void check_times(struct build *b)
{
    const struct config *c = b->config;
    cfg_t *sec = cfg_getsec(b->parse->cfg, "resolver");

    if (c->milter.reject_at < STAGE_RCPT && c->exempt.recipient_count > 0)
        option_warning(b, cfg_getsec(b->parse->cfg, "milter"), "reject-at",
                       "reject-at = \"%s\": no recipient is known then, exempt "
                       "recipients are refused with the others",
                       stage_name(c->milter.reject_at));
    if (c->resolver.timeout_ms > c->resolver.deadline_ms)
        option_warning(b, sec, "timeout",
                       "timeout is longer than deadline: no query is repeated");
    if (c->resolver.min_ttl_s > c->resolver.max_ttl_s)
        option_warning(b, sec, "min-ttl",
                       "min-ttl is longer than max-ttl: max-ttl counts");
}

static void check_servers(struct build *b, const char *servers, cfg_t *sec)
{
    size_t index = 0;

    for (const char *found = public_resolver_next(servers, &index); found != NULL;
         found = public_resolver_next(servers, &index))
        option_warning(b, sec, "servers",
                       "servers: DNS lists do not answer public resolvers such as %s: "
                       "use a resolver of your own",
                       found);
}

static bool all_weights_are_0(const struct list *list)
{
    for (size_t i = 0; i < list->code_count; i++)
        if (list->codes[i].weight != 0)
            return false;
    return list->code_count > 0 || list->weight == 0;
}

static void check_twins(struct build *b, size_t index, cfg_t *sec)
{
    const struct list *list = &b->config->lists[index];

    for (size_t i = 0; i < index; i++) {
        const struct list *other = &b->config->lists[i];

        if (other->mode == LIST_ENFORCE && other->zone != NULL && list->zone != NULL &&
            strcmp(other->zone, list->zone) == 0 && (other->checks & list->checks) != 0 &&
            other->when == list->when)
            option_warning(b, sec, "zone",
                           "zone = \"%s\" counts twice: list \"%s\" has it, too",
                           list->zone_text, other->name);
    }
}

static bool has_risk(const struct list *list, enum risk risk)
{
    switch (risk) {
    case RISK_POSITIVE:
        return most_of(list) > 0;
    case RISK_NO_CODES:
        return list->code_count == 0;
    case RISK_ADDRESSES:
        return (list->checks & 1u << CHECK_CLIENT) != 0;
    case RISK_NAMES:
        return (list->checks & ~(1u << CHECK_CLIENT)) != 0;
    case RISK_ENFORCED:
        return true;
    case RISK_EVERY_SENDER:
        return list->when != WHEN_NULL_SENDER;
    }
    return false;
}

static struct ipaddr address_of(const uint8_t octets[4])
{
    struct ipaddr ip = {.family = 4};

    memcpy(ip.octets, octets, 4);
    return ip;
}

/* Whether all answers that the pattern names are errors by one of error-codes. (Some may be:
 * exceptions to a wide pattern.) 127.0.0.1 is no error where codes name it. */
static bool is_all_error(const struct list *list, const struct code_pattern *pattern)
{
    uint32_t first = htonl(pattern->first), last = htonl(pattern->last);
    bool is_range = pattern->kind == CODE_RANGE;
    struct ipaddr low = address_of(is_range ? (uint8_t *)&first : pattern->octets_first);
    struct ipaddr high = address_of(is_range ? (uint8_t *)&last : pattern->octets_last);

    if (pattern->kind == CODE_BIT || (is_range && pattern->last == INADDR_LOOPBACK))
        return false;
    for (size_t i = 0; i < list->error_code_count; i++)
        if (network_contains(&list->error_codes[i], &low) &&
            network_contains(&list->error_codes[i], &high))
            return true;
    return false;
}

static void check_codes(struct build *b, const struct list *list, cfg_t *sec)
{
    for (size_t i = 0; i < list->code_count; i++)
        for (size_t k = 0; k < list->codes[i].codes.count; k++) {
            if (!is_all_error(list, &list->codes[i].codes.patterns[k]))
                continue;
            option_warning(
                b, sec, "error-codes",
                "list \"%s\": codes \"%s\" names what is in error-codes, which "
                "count: that is never a listing",
                list->name, list->codes[i].text);
            return;
        }
}

static void check_list(struct build *b, size_t index, cfg_t *sec)
{
    const struct list *list = &b->config->lists[index];
    const unsigned names = 1u << CHECK_CLIENT_NAME | 1u << CHECK_HELO |
                           1u << CHECK_SENDER_DOMAIN | 1u << CHECK_FROM_DOMAIN |
                           1u << CHECK_REPLY_TO_DOMAIN;
    const struct risky_zone *risky;
    size_t index_of_risk = 0;

    if (list->mode == LIST_OFF)
        return;
    if (list->mode == LIST_ENFORCE && all_weights_are_0(list))
        option_warning(
            b, sec, "weight",
            "list \"%s\" has no weight but 0: write mode = \"monitor\" instead",
            list->name);
    if (list->mode == LIST_ENFORCE)
        check_twins(b, index, sec);
    if (list->organizational && (list->checks & names) == 0)
        option_warning(
            b, sec, "organizational",
            "organizational is of no use: list \"%s\" is not queried for names",
            list->name);
    while (list->zone != NULL && list->mode == LIST_ENFORCE &&
           (risky = risky_zone_next(list->zone, &index_of_risk)) != NULL)
        if (has_risk(list, risky->risk))
            option_warning(b, sec, "zone", "zone = \"%s\": %s", list->zone_text,
                           risky->advice);
    check_codes(b, list, sec);
    if (list->test_listed[0] != '\0' &&
        strcmp(list->test_listed, list->test_unlisted) == 0)
        option_warning(
            b, sec, "test-unlisted",
            "list \"%s\": test-listed and test-unlisted are both \"%s\": one must "
            "be listed, the other not, so the list is always disabled",
            list->name, list->test_listed);
    check_servers(b, list->servers, sec);
}

/* Of one's own: 10/8 and fc00::/7 are the widest. */
static void check_exempt(struct build *b)
{
    const struct config *c = b->config;
    char text[NETWORK_TEXT_SIZE];

    for (size_t i = 0; i < c->exempt.network_count; i++) {
        const struct network *network = &c->exempt.networks[i];

        if (network->prefix >= (network->base.family == 4 ? 8 : 7))
            continue;
        network_text(network, text);
        option_warning(b, cfg_getsec(b->parse->cfg, "exempt"), "networks",
                       "networks: %s is much of the world: nothing from there is refused",
                       text);
    }
}

/* A source as the blocklist takes it; and what the daemon can do at all. */
static void check_farm(struct build *b)
{
    cfg_t *sec = cfg_getsec(b->parse->cfg, "farm");
    const struct config *c = b->config;

    for (size_t i = 0; i < c->farm.keep_local_count; i++) {
        const char *source = c->farm.keep_local[i];
        size_t length = strlen(source);

        if (length == 0 || length > 64 ||
            strspn(source, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                           "0123456789-_.") != length)
            option_error(b, sec, "keep-local",
                         "keep-local = \"%.200s\": expected a source: 1 to 64 letters, "
                         "digits, \"-\", \"_\" or \".\"",
                         source);
    }
    if (c->farm.keep_local_count > 7)
        option_error(b, sec, "keep-local", "keep-local: expected at most 7 sources");
    if (strlen(c->farm.node != NULL ? c->farm.node : "") > 200)
        option_error(b, sec, "node", "node: expected at most 200 bytes");
#ifndef WITH_FARM
    if (c->farm.database != NULL && c->farm.database[0] != '\0')
        option_error(b, sec, "database",
                     "database: this rblmilter was built without the farm "
                     "(--without-farm)");
#endif
}

void check_config(struct build *b)
{
    check_farm(b);
    check_exempt(b);
    check_verdict(b);
    check_times(b);
    check_servers(b, b->config->resolver.servers, cfg_getsec(b->parse->cfg, "resolver"));
    for (size_t i = 0; i < b->config->list_count; i++)
        check_list(b, i, cfg_getnsec(b->parse->cfg, list_section.name, (unsigned)i));
}
