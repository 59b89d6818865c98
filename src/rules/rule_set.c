/* SPDX-License-Identifier: BSD-2-Clause */
#include "rules/rule_set.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "rules/window.h"

/* What a count's share is of: list mail, which bounces too, is a part of it. */
static enum rule_count whole_of(enum rule_count count)
{
    switch (count) {
    case COUNT_BOUNCES:
        return COUNT_RECIPIENTS;
    case COUNT_COMPLAINTS:
        return COUNT_MESSAGES;
    default:
        return COUNT_TRIED;
    }
}

/* Whether it is a part of what a key has sent, so that a share of it means something. */
static bool has_share(enum rule_count count)
{
    return count == COUNT_UNKNOWN || count == COUNT_RELAYING || count == COUNT_TRAPS ||
           count == COUNT_BOUNCES || count == COUNT_COMPLAINTS;
}

static bool has_list_mail(enum rule_count count)
{
    return count == COUNT_RECIPIENTS || count == COUNT_OUTSIDE || count == COUNT_DISTINCT;
}

static void want(struct counter_layout *layout, enum rule_count count, int span_s)
{
    for (size_t i = 0; i < layout->count; i++)
        if (layout->windows[i].count == count && layout->windows[i].span_s == span_s)
            return;
    if (layout->count < COUNTER_WINDOWS_MAX) /* config/rule.c has seen to it */
        layout->windows[layout->count++] =
            (struct counter_window){.count = count, .span_s = span_s};
}

/* The shortest span that is counted and not shorter. */
static int span_for(int least_s)
{
    static const int spans_s[] = {300, 900, 3600, 3 * 3600, 86400};

    for (size_t i = 0; i < sizeof spans_s / sizeof spans_s[0]; i++)
        if (spans_s[i] >= least_s)
            return spans_s[i];
    return 7 * 86400;
}

static void want_rule(const struct rule *rule, struct counter_layout *layout)
{
    for (size_t i = 0; i < rule->over_count; i++) {
        enum rule_count count = rule->over[i].count;

        want(layout, count, rule->over[i].span_s);
        if (rule->share > 0 && has_share(count))
            want(layout, whole_of(count), rule->over[i].span_s);
        if (has_list_mail(count) &&
            (rule->by == RULE_BY_LOGIN || rule->by == RULE_BY_SENDER))
            want(layout, COUNT_LIST_MAIL, rule->over[i].span_s);
    }
    if (rule->none_accepted_s > 0)
        want(layout, COUNT_MESSAGES, span_for(rule->none_accepted_s));
    if (rule->by == RULE_BY_CLIENT)
        want(layout, COUNT_DOMAINS, 86400); /* a shared one: see guard_rails.c */
}

void rule_set_layouts(const struct config *config,
                      struct counter_layout layouts[static RULE_BY_COUNT])
{
    for (int by = 0; by < RULE_BY_COUNT; by++)
        layouts[by] = (struct counter_layout){0};
    if (config->automatic.mode == RULE_OFF)
        return;
    for (size_t i = 0; i < config->rule_count; i++)
        if (config->rules[i].mode != RULE_OFF)
            want_rule(&config->rules[i], &layouts[config->rules[i].by]);
}

static int64_t raw_value(const struct counter_reading *reading, enum rule_count count,
                         int span_s, int64_t now_s)
{
    for (size_t i = 0; i < reading->count; i++) {
        const struct counter_window *w = &reading->windows[i];

        if (w->count == count && w->span_s == span_s)
            return w->since_s <= now_s - span_s ? (int64_t)reading->values[i] : -1;
    }
    return -1;
}

int64_t rule_value(const struct counter_reading *reading, enum rule_count count,
                   int span_s, int64_t now_s)
{
    int64_t value = raw_value(reading, count, span_s, now_s), list_mail;

    if (value <= 0 || !has_list_mail(count))
        return value;
    list_mail = raw_value(reading, COUNT_LIST_MAIL, span_s, now_s);
    if (list_mail <= 0)
        return value;
    return value > list_mail ? value - list_mail : 0;
}

/* How many times the limit is reached, 0: it is not. own: this host's part; NULL: all. */
static int64_t times_of(const struct rule *rule, const struct rule_limit *limit,
                        const struct counter_reading *reading,
                        const struct counter_reading *own, int64_t now_s)
{
    int64_t value = rule_value(reading, limit->count, limit->span_s, now_s), whole;

    if (value < limit->number ||
        (own != NULL &&
         rule_value(own, limit->count, limit->span_s, now_s) * RULE_SUPPORT <
             limit->number))
        return 0;
    if (rule->share > 0 && has_share(limit->count)) {
        whole = raw_value(reading, whole_of(limit->count), limit->span_s, now_s);
        if (whole < 0 || value * 1000 < rule->share * whole)
            return 0;
    }
    return value / limit->number;
}

/* "8 networks in 1h: 41" for each limit that is reached. */
static void write_because(const struct rule *rule, const struct counter_reading *reading,
                          const struct counter_reading *own, unsigned hosts,
                          int64_t now_s, char *out, size_t size)
{
    struct buffer text = buffer_over(out, size);

    for (size_t i = 0; i < rule->over_count; i++) {
        const struct rule_limit *limit = &rule->over[i];
        char limit_text[RULE_LIMIT_SIZE];
        int64_t value = rule_value(reading, limit->count, limit->span_s, now_s), whole;

        if (times_of(rule, limit, reading, own, now_s) == 0)
            continue;
        rule_limit_text(limit, limit_text);
        buffer_add(&text, "%s%s: %lld", text.used > 0 ? "; " : "", limit_text,
                   (long long)value);
        whole = rule->share > 0 && has_share(limit->count)
                    ? raw_value(reading, whole_of(limit->count), limit->span_s, now_s)
                    : 0;
        if (whole > 0)
            buffer_add(&text, ", %lld %% of %lld", (long long)(value * 100 / whole),
                       (long long)whole);
    }
    if (hosts > 1)
        buffer_add(&text, ", on %u hosts", hosts);
}

static bool is_meant(const struct rule *rule, const struct counter_reading *reading,
                     int64_t now_s)
{
    /* since when keys of this kind are known; what a window of theirs does not know is not */
    int64_t known_s = reading->first_seen_s;

    for (size_t i = 0; i < reading->count; i++)
        if (reading->windows[i].since_s < known_s)
            known_s = reading->windows[i].since_s;
    if (rule->first_seen_s > 0 && (reading->first_seen_s <= now_s - rule->first_seen_s ||
                                   known_s > reading->first_seen_s - rule->first_seen_s))
        return false;
    return rule->none_accepted_s == 0 ||
           rule_value(reading, COUNT_MESSAGES, span_for(rule->none_accepted_s), now_s) ==
               0;
}

void rule_set_judge_sum(const struct config *config, enum rule_by by, const char *key,
                        const struct counter_reading *reading,
                        const struct counter_reading *own, unsigned hosts, int64_t now_s,
                        rule_found *found, void *context)
{
    for (size_t r = 0; r < config->rule_count; r++) {
        const struct rule *rule = &config->rules[r];
        int64_t most = 0, least = INT64_MAX;
        struct finding finding;

        if (rule->by != by || rule->mode == RULE_OFF)
            continue;
        for (size_t i = 0; i < rule->over_count; i++) {
            int64_t times = times_of(rule, &rule->over[i], reading, own, now_s);

            most = times > most ? times : most;
            least = times < least ? times : least;
        }
        if (rule->match == RULE_MATCH_ALL)
            most = rule->over_count > 0 ? least : 0;
        if (most == 0 || !is_meant(rule, reading, now_s))
            continue;
        finding = (struct finding){
            .rule = rule, .times = most > 1000 ? 1000 : (int)most, .at_s = now_s};
        text_copy(key, finding.key, sizeof finding.key);
        write_because(rule, reading, own, hosts, now_s, finding.because,
                      sizeof finding.because);
        found(context, &finding);
    }
}

void rule_set_judge(const struct config *config, enum rule_by by, const char *key,
                    const struct counter_reading *reading, int64_t now_s,
                    rule_found *found, void *context)
{
    rule_set_judge_sum(config, by, key, reading, NULL, 1, now_s, found, context);
}

size_t rule_entries(const struct rule *rule, const struct usage_subject *subject,
                    const char *out[static RULE_ENTRIES])
{
    unsigned lists = rule->lists;
    size_t count = 0;

    if (lists & RULE_LISTS_SENDER && subject->sender[0] == '\0')
        lists |= RULE_LISTS_CLIENT;
    if (lists & RULE_LISTS_LOGIN && subject->login[0] != '\0')
        out[count++] = subject->login;
    if (lists & RULE_LISTS_SENDER && subject->sender[0] != '\0')
        out[count++] = subject->sender;
    if (lists & RULE_LISTS_CLIENT && subject->client[0] != '\0')
        out[count++] = subject->client;
    return count;
}

static int step_of(const int *steps, size_t count, int step)
{
    return steps[(size_t)step < count ? (size_t)step : count - 1];
}

enum rule_action rule_action_of(const struct rule *rule, int step)
{
    return (enum rule_action)step_of(rule->actions, rule->action_count, step);
}

int rule_span_of(const struct rule *rule, int step)
{
    return step_of(rule->for_s, rule->for_count, step);
}

static int greater(int a, int b)
{
    return a > b ? a : b;
}

int rule_blind_s(const struct rule *rule)
{
    int least = rule->over_count > 0 ? INT_MAX : 0, most = 0;

    for (size_t i = 0; i < rule->over_count; i++) {
        int span_s = rule->over[i].span_s;

        if (rule->over[i].count == COUNT_STRANGERS) /* habits are learnt first */
            span_s = greater(span_s, HABIT_LEARN_DAYS * 86400);
        most = greater(most, span_s);
        least = least < span_s ? least : span_s;
    }
    if (rule->match != RULE_MATCH_ALL)
        most = least;
    if (rule->none_accepted_s > 0)
        most = greater(most, span_for(rule->none_accepted_s));
    return greater(most, rule->first_seen_s);
}

char *rule_set_text(const struct rule *rule)
{
    char *text = NULL, limit[RULE_LIMIT_SIZE];
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    if (out == NULL)
        return NULL;
    fprintf(out, "%s %d %d %d %d %u", rule_by_name(rule->by), (int)rule->match,
            rule->share, rule->first_seen_s, rule->none_accepted_s, rule->lists);
    for (size_t i = 0; i < rule->over_count; i++) {
        rule_limit_text(&rule->over[i], limit);
        fprintf(out, ", %s", limit);
    }
    for (size_t i = 0; i < rule->action_count; i++)
        fprintf(out, " a%d", rule->actions[i]);
    for (size_t i = 0; i < rule->for_count; i++)
        fprintf(out, " f%d", rule->for_s[i]);
    if (fclose(out) != 0) {
        free(text);
        text = NULL;
    }
    return text;
}
