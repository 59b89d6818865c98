/* What a file may say, but a postmaster would regret. */

#include <stdlib.h>
#include <string.h>

#include "config/build.h"
#include "known/public_resolvers.h"
#include "known/risky_zones.h"

/* Where in a session what a check asks about becomes known. */
static const enum stage check_stages[CHECK_COUNT] = {
    [CHECK_CLIENT] = STAGE_CONNECT, [CHECK_CLIENT_NAME] = STAGE_CONNECT,
    [CHECK_HELO] = STAGE_HELO,      [CHECK_SENDER_DOMAIN] = STAGE_MAIL,
    [CHECK_SENDER] = STAGE_MAIL,
};

static void check_verdict(struct build *b)
{
    const struct config *c = b->config;
    struct place tag = parse_place(b->parse, "verdict", "tag", 0);
    struct place tempfail = parse_place(b->parse, "verdict", "tempfail", 0);

    if (c->verdict.reject != 0 && c->verdict.tag > c->verdict.reject)
        report_warning(b->report, tag, "tag = %d is above reject = %d: nothing is tagged",
                       c->verdict.tag, c->verdict.reject);
    if (c->verdict.reject != 0 && c->verdict.tempfail > c->verdict.reject)
        report_warning(b->report, tempfail,
                       "tempfail = %d is above reject = %d: nothing is deferred",
                       c->verdict.tempfail, c->verdict.reject);
    if (c->list_count > 0 && c->verdict.reject == 0 && c->verdict.tempfail == 0 &&
        c->verdict.tag == 0)
        report_warning(b->report, parse_place(b->parse, "verdict", "reject", 0),
                       "all thresholds are 0: the lists are asked in vain");
}

static void check_reject_at(struct build *b)
{
    const struct config *c = b->config;

    if (c->milter.reject_at < STAGE_RCPT && c->exempt.recipient_count > 0)
        report_warning(b->report, parse_place(b->parse, "milter", "reject-at", 0),
                       "reject-at = \"%s\": no recipient is known then, exempt "
                       "recipients are refused with the others",
                       stage_name(c->milter.reject_at));
}

static void check_resolver(struct build *b)
{
    const struct config *c = b->config;

    if (c->resolver.timeout_ms > c->resolver.deadline_ms)
        report_warning(b->report, parse_place(b->parse, "resolver", "timeout", 0),
                       "timeout is longer than deadline: no question is asked twice");
    if (c->resolver.min_ttl_s > c->resolver.max_ttl_s)
        report_warning(b->report, parse_place(b->parse, "resolver", "min-ttl", 0),
                       "min-ttl is longer than max-ttl: max-ttl counts");
}

static void check_servers(struct build *b, const char *servers, struct place place)
{
    size_t index = 0;

    for (const char *found = public_resolver_next(servers, &index); found != NULL;
         found = public_resolver_next(servers, &index))
        report_warning(b->report, place,
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

/* A check whose subject is not known yet when the verdict is due is never asked. */
static void check_stage(struct build *b, const struct list *list, const char *path)
{
    enum stage due = b->config->milter.reject_at;

    for (int i = 0; i < CHECK_COUNT; i++)
        if ((list->checks & 1u << i) != 0 && check_stages[i] > due)
            list_warning(b, path, "check",
                         "check = \"%s\" is never asked: reject-at = \"%s\" comes before",
                         check_name((enum check)i), stage_name(due));
    if (list->when == WHEN_NULL_SENDER && due < STAGE_MAIL)
        list_warning(
            b, path, "when",
            "when = \"null-sender\" is never so: reject-at = \"%s\" comes before",
            stage_name(due));
}

static void check_twins(struct build *b, size_t index, const char *path)
{
    const struct list *list = &b->config->lists[index];

    for (size_t i = 0; i < index; i++) {
        const struct list *other = &b->config->lists[i];

        if (other->mode == LIST_ENFORCE && other->zone != NULL && list->zone != NULL &&
            strcmp(other->zone, list->zone) == 0 && (other->checks & list->checks) != 0 &&
            other->when == list->when)
            list_warning(b, path, "zone",
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
static void check_risks(struct build *b, const struct list *list, const char *path)
{
    const struct risky_zone *row;
    size_t index = 0;

    if (list->zone == NULL || list->mode != LIST_ENFORCE)
        return;
    while ((row = risky_zone_next(list->zone, &index)) != NULL)
        if (has_risk(list, row->risk))
            list_warning(b, path, "zone", "zone = \"%s\": %s", list->zone_text,
                         row->advice);
}

static void check_list(struct build *b, size_t index, const char *path)
{
    const struct list *list = &b->config->lists[index];
    const unsigned names =
        1u << CHECK_CLIENT_NAME | 1u << CHECK_HELO | 1u << CHECK_SENDER_DOMAIN;

    if (list->mode == LIST_OFF)
        return;
    if (list->mode == LIST_ENFORCE && all_weights_are_0(list))
        list_warning(b, path, "weight",
                     "list \"%s\" has no weight but 0: mode = \"monitor\" says so",
                     list->name);
    if (list->mode == LIST_ENFORCE)
        check_twins(b, index, path);
    if (list->organizational && (list->checks & names) == 0)
        list_warning(b, path, "organizational",
                     "organizational is of no use: list \"%s\" is not asked for names",
                     list->name);
    check_risks(b, list, path);
    check_stage(b, list, path);
    check_servers(b, list->servers, parse_place(b->parse, path, "servers", 0));
}

void check_config(struct build *b)
{
    check_verdict(b);
    check_reject_at(b);
    check_resolver(b);
    check_servers(b, b->config->resolver.servers,
                  parse_place(b->parse, "resolver", "servers", 0));
    for (size_t i = 0; i < b->config->list_count; i++) {
        char *path = outline_join(list_section.name, b->config->lists[i].name);

        if (path != NULL)
            check_list(b, i, path);
        free(path);
    }
}
