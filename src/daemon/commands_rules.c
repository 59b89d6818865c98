/* SPDX-License-Identifier: BSD-2-Clause */
/* rules, proposals, watch: what is listed by itself, or would be. */

#include "daemon/commands.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "control/protocol.h"
#include "rules/rules.h"

#define EVIDENCE_DECISIONS 20
#define EVIDENCE_DAYS_S    (2 * 86400)
#define COUNTED_S          (30 * 86400) /* findings that `rules` counts */
#define LIMIT_DEFAULT      20           /* proposals */
#define LIMIT_MAX          1000
#define WATCH_MAX_S        20
#define WATCH_EVENTS       200

char *rules_evidence(void *context, const char *entry, bool wait)
{
    struct daemon *daemon = context;
    json_t *answer, *decision, *kept = json_array();
    char *text;
    size_t i;

    if (wait)
        journal_flush(daemon->journal, 500);
    answer = command_decisions(daemon, entry, EVIDENCE_DAYS_S, EVIDENCE_DECISIONS);
    json_array_foreach (json_object_get(answer, "decisions"), i, decision)
        json_array_append_new(
            kept,
            json_pack("{s:O, s:O, s:O, s:O, s:O, s:i}", "id",
                      json_object_get(decision, "id"), "at_ms",
                      json_object_get(decision, "at_ms"), "verdict",
                      json_object_get(decision, "verdict"), "client",
                      json_object_get(decision, "client"), "sender",
                      json_object_get(decision, "sender"), "recipients",
                      (int)json_array_size(json_object_get(decision, "recipients"))));
    json_decref(answer);
    text = json_dumps(kept, JSON_COMPACT);
    json_decref(kept);
    return text;
}

/* Returns the findings, or NULL with the answer. */
static struct findings *findings_of(const struct control_session *session,
                                    json_t **answer)
{
    struct rules *rules = command_daemon(session)->rules;
    struct findings *findings = rules_findings(rules);
    struct rules_stats stats;

    if (findings != NULL)
        return findings;
    rules_stats(rules, &stats);
    *answer =
        protocol_error_answer(PROTOCOL_FAILED, "the rules' database is not open: %s",
                              stats.error[0] != '\0' ? stats.error : "try again");
    return NULL;
}

/* --- rules --- */

/* How many keys each rule finds something of now. */
struct would {
    const struct config *config;
    enum rule_by by;
    int64_t now;
    size_t *counts; /* by the rule's index */
};

static void count_found(void *context, const struct finding *finding)
{
    struct would *would = context;

    would->counts[finding->rule - would->config->rules]++;
}

static void judge_key(void *context, const char *key,
                      const struct counter_reading *reading)
{
    struct would *would = context;

    rule_set_judge(would->config, would->by, key, reading, would->now, count_found,
                   would);
}

static json_t *rule_value_of(struct findings *findings, const struct config *config,
                             const struct rule *rule, size_t would_list)
{
    int64_t counts[FINDING_REMOVED + 1], accepted = 0, found = 0, now = time(NULL);
    struct finding_rule state = {0};
    char limit[RULE_LIMIT_SIZE];
    json_t *over = json_array();
    enum rule_mode mode =
        rule->mode < config->automatic.mode ? rule->mode : config->automatic.mode;

    (void)findings_counts(findings, rule->name, now - COUNTED_S, counts, &accepted);
    (void)findings_rule_state(findings, rule->name, &state);
    for (int i = 0; i <= FINDING_REMOVED; i++)
        found += counts[i];
    for (size_t i = 0; i < rule->over_count; i++) {
        rule_limit_text(&rule->over[i], limit);
        protocol_append(&over, json_string(limit));
    }
    return json_pack(
        "{s:s, s:s, s:s, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:s}", "rule",
        rule->name, "mode", rule_mode_name(mode), "by", rule_by_name(rule->by), "over",
        over, "now", (json_int_t)would_list, "findings", (json_int_t)found, "open",
        (json_int_t)counts[FINDING_OPEN], "listed",
        (json_int_t)(counts[FINDING_LISTED] + counts[FINDING_ENDED] +
                     counts[FINDING_REMOVED] + counts[FINDING_PENDING]),
        "accepted", (json_int_t)accepted, "dismissed",
        (json_int_t)counts[FINDING_DISMISSED], "removed",
        (json_int_t)counts[FINDING_REMOVED], "since", (json_int_t)state.since,
        "tripped_at", (json_int_t)state.tripped_at, "tripped_why", state.why);
}

/* {"command":"rules"} -> {"ok":true,"mode":the most that a rule may do,"rules":[{"rule",
 *  "mode","by","over":[…],"now":keys that are over it now,"findings","open","listed",
 *  "accepted" (of those listed, by a person),"dismissed","removed" of the last 30 days,
 *  "since":unchanged,"tripped_at","tripped_why"}, …]} */
json_t *cmd_rules(struct control_session *session, const json_t *request)
{
    struct rules *rules = command_daemon(session)->rules;
    json_t *answer = NULL, *rows;
    struct findings *findings = findings_of(session, &answer);
    struct config *config;
    struct would would;

    (void)request;
    if (findings == NULL)
        return answer;
    config = command_config(session);
    would = (struct would){.config = config, .now = time(NULL)};
    would.counts = calloc(config->rule_count + 1, sizeof *would.counts);
    if (would.counts == NULL)
        goto out;
    for (int by = 0; by < RULE_BY_COUNT; by++) {
        would.by = (enum rule_by)by;
        counters_each(rules_counters(rules), would.by, would.now, judge_key, &would);
    }
    rows = json_array();
    for (size_t i = 0; i < config->rule_count; i++)
        protocol_append(
            &rows, rule_value_of(findings, config, &config->rules[i], would.counts[i]));
    answer = command_answer("rules", rows);
    protocol_set(&answer, "mode", json_string(rule_mode_name(config->automatic.mode)));
out:
    free(would.counts);
    config_unref(config);
    return answer;
}

static void count_open(void *context, const struct finding_row *row)
{
    (void)row;
    ++*(size_t *)context;
}

json_t *command_rules_status(struct daemon *daemon, const struct config *config)
{
    struct findings *findings = rules_findings(daemon->rules);
    struct finding_rule state;
    struct rules_stats stats;
    char tripped[512] = "";
    size_t open = 0, keys = 0, used = 0;
    json_t *out;

    rules_stats(daemon->rules, &stats);
    for (int by = 0; by < RULE_BY_COUNT; by++)
        keys += stats.counters.keys[by];
    for (size_t i = 0; findings != NULL && i < config->rule_count; i++)
        if (findings_rule_state(findings, config->rules[i].name, &state) == 0 &&
            state.tripped_at != 0 && used < sizeof tripped)
            used += (size_t)snprintf(tripped + used, sizeof tripped - used, "%s%s",
                                     used > 0 ? ", " : "", config->rules[i].name);
    if (findings != NULL)
        (void)findings_each(findings, 1u << FINDING_OPEN, NULL, 0, count_open, &open);
    out = json_pack(
        "{s:s, s:i, s:I, s:I, s:I}", "mode", rule_mode_name(config->automatic.mode),
        "rules", (int)config->rule_count, "open proposals", (json_int_t)open, "keys",
        (json_int_t)keys, "counters_bytes", (json_int_t)stats.counters.octets);
    if (tripped[0] != '\0')
        protocol_set(&out, "tripped", json_string(tripped));
    if (findings == NULL)
        protocol_set(&out, "wrong", protocol_text(stats.error));
    return out;
}

/* {"command":"rules-resume","rule":NAME,"sudo"} -> {"ok":true,"rule":NAME} */
json_t *cmd_rules_resume(struct control_session *session, const json_t *request)
{
    char error[BLOCKLIST_ERROR_SIZE];
    struct command_actor actor;
    enum blocklist_result result;
    const char *name;
    json_t *answer;

    if (request_text(request, "rule", &name, &answer) != 0 ||
        command_actor_of(&actor, session, request, &answer) != 0)
        return answer;
    result = rules_resume(command_daemon(session)->rules, name, &actor.actor, error);
    return result == BLOCKLIST_OK ? command_answer("rule", json_string(name))
                                  : command_error(result, error);
}

/* --- proposals --- */

/* "host", of a host that is alone, is left out. */
static void name_hosts(const struct daemon *daemon, json_t *rows)
{
    json_t *row;
    size_t i;

    json_array_foreach (rows, i, row) {
        const char *host = json_string_value(json_object_get(row, "host"));

        if (daemon->farm == NULL)
            json_object_del(row, "host");
        else if (host != NULL && host[0] == '\0')
            protocol_set(&row, "host", protocol_text(farm_node(daemon->farm)));
    }
}

static void add_finding(void *context, const struct finding_row *row)
{
    json_t *evidence = json_loads(row->evidence, 0, NULL);

    protocol_append(
        context,
        json_pack("{s:I, s:I, s:s, s:o, s:s, s:s, s:I, s:I, s:o, s:o, s:b, s:o, s:o, "
                  "s:I, s:o, s:o}",
                  "no", (json_int_t)row->no, "at", (json_int_t)row->at, "rule", row->rule,
                  "entry", protocol_text(row->entry), "state",
                  finding_state_name(row->state), "action",
                  entry_action_name(false, !row->block), "for_s", (json_int_t)row->for_s,
                  "expires", (json_int_t)row->expires, "because",
                  protocol_text(row->because), "held", protocol_text(row->held),
                  "by_rule", (int)row->by_rule, "who", protocol_text(row->who), "reason",
                  protocol_text(row->reason), "decided_at", (json_int_t)row->decided_at,
                  "evidence", evidence != NULL ? evidence : json_object(), "host",
                  protocol_text(row->node)));
}

json_t *command_findings(struct daemon *daemon, const char *entry)
{
    struct findings *findings = rules_findings(daemon->rules);
    json_t *rows = json_array();

    if (findings != NULL)
        (void)findings_each(findings, 0, entry, LIMIT_DEFAULT, add_finding, &rows);
    name_hosts(daemon, rows);
    return rows;
}

/* {"command":"proposals","all":bool} -> {"ok":true,"proposals":[{"no","at","rule","entry",
 *  "state","action","for_s" (0: forever),"expires","because","held":why it was only
 *  proposed,"by_rule","who","reason","decided_at","evidence":{"first_seen","counts":[…],
 *  "decisions":[…]},"host":who found it, in a farm}, …]}, the newest first; all: decided
 *  ones, too. */
json_t *cmd_proposals(struct control_session *session, const json_t *request)
{
    json_t *answer, *rows;
    struct findings *findings;
    bool all = false;

    if (request_optional_flag(request, "all", &all, &answer) != 0)
        return answer;
    rules_flush(command_daemon(session)->rules, 2000);
    findings = findings_of(session, &answer);
    if (findings == NULL)
        return answer;
    rows = json_array();
    if (findings_each(findings, all ? 0 : 1u << FINDING_OPEN, NULL, LIMIT_MAX,
                      add_finding, &rows) != 0) {
        json_decref(rows);
        return protocol_error_answer(PROTOCOL_FAILED, "the rules' database fails");
    }
    name_hosts(command_daemon(session), rows);
    return command_answer("proposals", rows);
}

/* {"command":"proposals-decide","numbers":[NO, …],"accept":bool,"reason","sudo"}
 * -> {"ok":true,"numbers":[those decided]}; the first that cannot be decided ends it. */
json_t *cmd_proposals_decide(struct control_session *session, const json_t *request)
{
    struct rules *rules = command_daemon(session)->rules;
    const json_t *numbers = json_object_get(request, "numbers"), *number;
    enum blocklist_result result = BLOCKLIST_OK;
    json_t *answer, *done = json_array();
    char error[BLOCKLIST_ERROR_SIZE];
    struct command_actor actor;
    const char *reason = NULL;
    bool accept = false;
    size_t i;

    if (request_optional_flag(request, "accept", &accept, &answer) != 0 ||
        request_optional_text(request, "reason", &reason, &answer) != 0 ||
        command_actor_of(&actor, session, request, &answer) != 0) {
        json_decref(done);
        return answer;
    }
    json_array_foreach (numbers, i, number) {
        if (!json_is_integer(number)) {
            json_decref(done);
            return protocol_error_answer(PROTOCOL_USAGE,
                                         "\"numbers\": expected integers");
        }
        result =
            accept ? rules_accept(rules, json_integer_value(number), &actor.actor, error)
                   : rules_dismiss(rules, json_integer_value(number),
                                   reason != NULL ? reason : "", &actor.actor, error);
        if (result != BLOCKLIST_OK)
            break;
        protocol_append(&done, json_integer(json_integer_value(number)));
    }
    if (result == BLOCKLIST_OK)
        return command_answer("numbers", done);
    json_decref(done);
    return command_error(result, error);
}

/* --- watch --- */

static void add_event(void *context, const struct finding_event *event)
{
    protocol_append(
        context, json_pack("{s:I, s:I, s:s, s:I, s:s, s:o, s:o, s:o}", "id",
                           (json_int_t)event->id, "at", (json_int_t)event->at, "event",
                           event->kind, "no", (json_int_t)event->no, "rule", event->rule,
                           "entry", protocol_text(event->entry), "because",
                           protocol_text(event->text), "who", protocol_text(event->who)));
}

/* {"command":"watch","after":ID (-1: from now on),"wait_s"}
 * -> {"ok":true,"events":[{"id","at","event","no","rule","entry","because","who"}, …],
 *     "last":the ID to ask after next}: at once where there are some, else as soon as
 * something happens, or when wait_s (20 at most) are over. */
json_t *cmd_watch(struct control_session *session, const json_t *request)
{
    struct daemon *daemon = command_daemon(session);
    json_t *answer = NULL, *events;
    const json_t *from = json_object_get(request, "after");
    int64_t after = json_is_integer(from) ? json_integer_value(from) : -1, last = 0;
    int64_t wait_s = 0, until;
    struct findings *findings;

    if (request_optional_number(request, "wait_s", WATCH_MAX_S, &wait_s, &answer) != 0)
        return answer;
    findings = findings_of(session, &answer);
    if (findings == NULL)
        return answer;
    until = clock_ms() + wait_s * 1000;
    events = json_array();
    for (;;) {
        int64_t left = until - clock_ms();

        if (findings_events(findings, after, WATCH_EVENTS, add_event, &events, &last) !=
            0) {
            json_decref(events);
            return protocol_error_answer(PROTOCOL_FAILED, "the rules' database fails");
        }
        if (json_array_size(events) > 0 || after < 0 || left <= 0 ||
            atomic_load(&daemon->stopping))
            break;
        rules_wait_event(daemon->rules, left < 1000 ? (int)left : 1000);
    }
    answer = command_answer("events", events);
    protocol_set(&answer, "last", json_integer((json_int_t)last));
    return answer;
}
