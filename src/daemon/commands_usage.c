/* SPDX-License-Identifier: BSD-2-Clause */
/* usage, event: what is counted of a login, a client or a network. */

#include "daemon/commands.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/protocol.h"
#include "rules/rules.h"

#define TOP_DEFAULT 20
#define TOP_MAX     1000
#define EVENT_MAX   1000000

/* The nearest limit of a window: the smallest that a rule has. 0: none. */
static int limit_of(const struct config *config, enum rule_by by,
                    const struct counter_window *window, const char **rule)
{
    int least = 0;

    for (size_t r = 0; r < config->rule_count; r++)
        for (size_t i = 0; i < config->rules[r].over_count; i++) {
            const struct rule_limit *limit = &config->rules[r].over[i];

            if (config->rules[r].by == by && config->rules[r].mode != RULE_OFF &&
                limit->count == window->count && limit->span_s == window->span_s &&
                (least == 0 || limit->number < least)) {
                least = limit->number;
                *rule = config->rules[r].name;
            }
        }
    return least;
}

static json_t *reading_value(const struct config *config, enum rule_by by,
                             const char *key, const struct counter_reading *reading,
                             int64_t now)
{
    json_t *counts = json_array();

    for (size_t i = 0; i < reading->count; i++) {
        const struct counter_window *w = &reading->windows[i];
        const char *rule = "";
        int limit = limit_of(config, by, w, &rule);

        protocol_append(&counts,
                        json_pack("{s:s, s:i, s:I, s:i, s:s, s:b}", "count",
                                  rule_count_name(w->count), "span_s", w->span_s, "value",
                                  (json_int_t)reading->values[i], "limit", limit, "rule",
                                  rule, "whole", w->since_s <= now - w->span_s));
    }
    return json_pack("{s:o, s:s, s:I, s:I, s:o}", "key", protocol_text(key), "by",
                     rule_by_name(by), "first_seen", (json_int_t)reading->first_seen_s,
                     "last_seen", (json_int_t)reading->last_seen_s, "counts", counts);
}

/* The keys that are nearest to a limit. */
struct top {
    const struct config *config;
    enum rule_by by;
    int64_t now;
    size_t room, count;
    struct top_key {
        double share; /* of the limit that is nearest */
        json_t *value;
    } * keys; /* the greatest first */
};

static void take_key(void *context, const char *key,
                     const struct counter_reading *reading)
{
    struct top *top = context;
    size_t at = top->count;
    double share = 0;

    for (size_t i = 0; i < reading->count; i++) {
        const char *rule;
        int limit = limit_of(top->config, top->by, &reading->windows[i], &rule);
        double its = limit > 0 ? (double)reading->values[i] / limit : 0;

        share = its > share ? its : share;
    }
    if (share <= 0 || (top->count == top->room && share <= top->keys[at - 1].share))
        return;
    if (top->count == top->room)
        json_decref(top->keys[--at].value);
    else
        top->count++;
    for (; at > 0 && top->keys[at - 1].share < share; at--)
        top->keys[at] = top->keys[at - 1];
    top->keys[at] = (struct top_key){
        share, reading_value(top->config, top->by, key, reading, top->now)};
}

static json_t *usage_top(struct rules *rules, const struct config *config, size_t limit)
{
    struct top top = {.config = config, .now = time(NULL), .room = limit};
    json_t *rows = json_array();

    top.keys = calloc(limit, sizeof *top.keys);
    for (int by = 0; top.keys != NULL && by < RULE_BY_COUNT; by++) {
        top.by = (enum rule_by)by;
        counters_each(rules_counters(rules), top.by, top.now, take_key, &top);
    }
    for (size_t i = 0; i < top.count; i++)
        protocol_append(&rows, top.keys[i].value);
    free(top.keys);
    return rows;
}

/* Reads an entry's text as a key. Returns 0, or -1 with the answer. */
static int read_key(const char *text, enum rule_by *by, struct entry *entry,
                    json_t **answer)
{
    char error[ENTRY_ERROR_SIZE];

    if (entry_parse_kept(text, entry, error) != 0) {
        *answer = protocol_error_answer(PROTOCOL_USAGE, "%s: %s", text, error);
        return -1;
    }
    if (usage_by_of(entry->text, by) == 0)
        return 0;
    *answer = protocol_error_answer(
        PROTOCOL_USAGE,
        "%s: expected user:LOGIN, an address, a domain, an IP address or "
        "network",
        text);
    return -1;
}

/* Adds what all hosts of the farm have counted, where others have reported some of it. */
static void add_sum(struct rules *rules, enum rule_by by, const char *key,
                    const struct counter_reading *own, json_t *row)
{
    struct counter_reading sum;
    json_t *counts = json_object_get(row, "counts"), *count;
    unsigned hosts = rules_sum(rules, by, key, own, time(NULL), &sum);
    size_t i;

    if (hosts == 0)
        return;
    protocol_set(&row, "hosts", json_integer(hosts));
    json_array_foreach (counts, i, count)
        protocol_set(&count, "farm", json_integer((json_int_t)sum.values[i]));
}

/* {"command":"usage","entry" or "top":N}
 * -> {"ok":true,"usage":[{"key","by","first_seen","last_seen","counts":[{"count","span_s",
 *     "value","limit" (0: none),"rule","whole":the window was wholly observed,
 *     "farm":on all "hosts"}, …]}, …]}; what farms add is there for an entry that others
 *     have reported */
json_t *cmd_usage(struct control_session *session, const json_t *request)
{
    struct rules *rules = command_daemon(session)->rules;
    struct counter_reading reading;
    const char *text = NULL;
    int64_t top = TOP_DEFAULT;
    struct config *config;
    json_t *answer, *rows;
    struct entry entry;
    enum rule_by by;

    if (request_optional_text(request, "entry", &text, &answer) != 0 ||
        request_optional_number(request, "top", TOP_MAX, &top, &answer) != 0)
        return answer;
    if (text != NULL && read_key(text, &by, &entry, &answer) != 0)
        return answer;
    config = command_config(session);
    if (text == NULL) {
        rows = usage_top(rules, config, top > 0 ? (size_t)top : TOP_DEFAULT);
    } else {
        rows = json_array();
        if (counters_read(rules_counters(rules), by, entry.text, time(NULL), &reading)) {
            json_t *row = reading_value(config, by, entry.text, &reading, time(NULL));

            add_sum(rules, by, entry.text, &reading, row);
            protocol_append(&rows, row);
        }
    }
    config_unref(config);
    return command_answer("usage", rows);
}

/* {"command":"usage-reset","entry":TEXT} -> {"ok":true,"entry":TEXT} or "no-entry" */
json_t *cmd_usage_reset(struct control_session *session, const json_t *request)
{
    struct rules *rules = command_daemon(session)->rules;
    const char *text;
    struct entry entry;
    enum rule_by by;
    json_t *answer;

    if (request_text(request, "entry", &text, &answer) != 0 ||
        read_key(text, &by, &entry, &answer) != 0)
        return answer;
    if (!counters_reset(rules_counters(rules), by, entry.text))
        return protocol_error_answer(PROTOCOL_NO_ENTRY, "%s: nothing is counted of it",
                                     entry.text);
    return command_answer("entry", json_string(entry.text));
}

/* --- event --- */

/* {"command":"event","kind":"bounce", "complaint", "auth-failure" or "list-mail","entry",
 *  "n"} -> {"ok":true,"entry":TEXT,"counted":whether a rule counts it} */
json_t *cmd_event(struct control_session *session, const json_t *request)
{
    static const struct {
        const char *kind;
        enum rule_count count;
    } kinds[] = {{"bounce", COUNT_BOUNCES},
                 {"complaint", COUNT_COMPLAINTS},
                 {"auth-failure", COUNT_AUTH_FAILURES},
                 {"list-mail", COUNT_LIST_MAIL}};
    const char *kind, *text;
    int64_t n = 1;
    struct entry entry;
    enum rule_by by;
    json_t *answer;
    size_t i = 0;
    int rc;

    if (request_text(request, "kind", &kind, &answer) != 0 ||
        request_text(request, "entry", &text, &answer) != 0 ||
        request_optional_number(request, "n", EVENT_MAX, &n, &answer) != 0 ||
        read_key(text, &by, &entry, &answer) != 0)
        return answer;
    while (i < sizeof kinds / sizeof kinds[0] && strcmp(kinds[i].kind, kind) != 0)
        i++;
    if (i == sizeof kinds / sizeof kinds[0] || n < 1)
        return protocol_error_answer(PROTOCOL_USAGE,
                                     "expected bounce, complaint, auth-failure or "
                                     "list-mail, and a number of 1 or more");
    rc = rules_event(command_daemon(session)->rules, kinds[i].count, entry.text, (int)n);
    return json_pack("{s:b, s:s, s:b}", "ok", 1, "entry", entry.text, "counted", rc == 0);
}
