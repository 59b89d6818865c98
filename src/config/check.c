/* SPDX-License-Identifier: BSD-2-Clause */
/* What a file may say, but a postmaster would regret. */

#include <string.h>

#include "config/build.h"
#include "known/well_known.h"
#include "known/zones.h"

/* Where in a session the subject of a check becomes known. */
static void check_verdict(struct build *b)
{
    const struct config *c = b->config;
    cfg_t *sec = cfg_getsec(b->parse->cfg, "verdict");

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

static void check_reject_at(struct build *b)
{
    const struct config *c = b->config;

    if (c->milter.reject_at < STAGE_RCPT && c->exempt.recipient_count > 0)
        option_warning(b, cfg_getsec(b->parse->cfg, "milter"), "reject-at",
                       "reject-at = \"%s\": no recipient is known then, exempt "
                       "recipients are refused with the others",
                       stage_name(c->milter.reject_at));
}

static void check_resolver(struct build *b)
{
    const struct config *c = b->config;
    cfg_t *sec = cfg_getsec(b->parse->cfg, "resolver");

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
    for (size_t i = 0; i < list->rule_count; i++)
        if (list->rules[i].weight != 0)
            return false;
    return list->rule_count > 0 || list->weight == 0;
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

static bool has_positive_weight(const struct list *list)
{
    for (size_t i = 0; i < list->rule_count; i++)
        if (list->rules[i].weight > 0)
            return true;
    return list->rule_count == 0 && list->weight > 0;
}

static bool has_risk(const struct list *list, enum risk risk)
{
    switch (risk) {
    case RISK_POSITIVE:
        return has_positive_weight(list);
    case RISK_NO_CODES:
        return list->rule_count == 0;
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

/* Warns of a list that is dangerous as it is used here. */
static void check_risks(struct build *b, const struct list *list, cfg_t *sec)
{
    const struct risky_zone *row;
    size_t index = 0;

    if (list->zone == NULL || list->mode != LIST_ENFORCE)
        return;
    while ((row = risky_zone_next(list->zone, &index)) != NULL)
        if (has_risk(list, row->risk))
            option_warning(b, sec, "zone", "zone = \"%s\": %s", list->zone_text,
                           row->advice);
}

static void check_list(struct build *b, size_t index, cfg_t *sec)
{
    const struct list *list = &b->config->lists[index];
    const unsigned names = 1u << CHECK_CLIENT_NAME | 1u << CHECK_HELO |
                           1u << CHECK_SENDER_DOMAIN | 1u << CHECK_FROM_DOMAIN |
                           1u << CHECK_REPLY_TO_DOMAIN;

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
    check_risks(b, list, sec);
    check_servers(b, list->servers, sec);
}

void check_config(struct build *b)
{
    check_verdict(b);
    check_reject_at(b);
    check_resolver(b);
    check_servers(b, b->config->resolver.servers, cfg_getsec(b->parse->cfg, "resolver"));
    for (size_t i = 0; i < b->config->list_count; i++)
        check_list(b, i, cfg_getnsec(b->parse->cfg, list_section.name, (unsigned)i));
}
