/* SPDX-License-Identifier: BSD-2-Clause */
/* whatif-rules: what the rules of a conf file would have listed of the mail that the journal
 * keeps. */

#include "daemon/commands.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/text.h"
#include "control/protocol.h"
#include "daemon/decisions.h"
#include "journal/search.h"
#include "policy/replay_rules.h"

#define FLUSH_MS 500
#define ROWS_MAX 500

struct whatif {
    struct daemon *daemon;
    struct config *config;
    bool show_local;
    int64_t since, until; /* unix time; until: of the last one played */
    int64_t *gaps;        /* ends of times in which decisions were not kept, in order */
    size_t gap_count, gaps_passed;
    bool local_parts; /* the journal keeps them */
    int accepted_s;   /* so long it keeps accepted mail */
    bool stopped;     /* before the end: time, memory, or the daemon's stop */
    struct replay_rules replay;
};

/* --- the mail --- */

static void add_gap(void *context, int64_t began_ms, int64_t ended_ms, uint64_t dropped)
{
    struct whatif *w = context;
    int64_t *grown, ended_s = ended_ms / 1000 + 1;
    size_t i = w->gap_count;

    (void)began_ms;
    (void)dropped;
    if (ended_ms == 0) /* it goes on: nothing comes behind it */
        return;
    grown = realloc(w->gaps, (w->gap_count + 1) * sizeof *grown);
    if (grown == NULL) {
        w->stopped = true;
        return;
    }
    w->gaps = grown;
    for (w->gap_count++; i > 0 && grown[i - 1] > ended_s; i--)
        grown[i] = grown[i - 1];
    grown[i] = ended_s;
}

static bool take(void *context, const struct journal_found *found)
{
    int64_t at_s = (int64_t)journal_id_time(found->record->id);
    struct whatif *w = context;

    if (at_s < w->since)
        return true;
    for (; w->gaps_passed < w->gap_count && w->gaps[w->gaps_passed] <= at_s;
         w->gaps_passed++)
        replay_rules_gap(&w->replay, w->gaps[w->gaps_passed]);
    w->until = at_s;
    w->stopped = replay_rules_take(&w->replay, found->record) != 0;
    return !w->stopped;
}

/* --- what came of it --- */

static bool has_count(const struct rule *rule, enum rule_count count)
{
    for (size_t i = 0; i < rule->over_count; i++)
        if (rule->over[i].count == count)
            return true;
    return false;
}

/* What the journal does not know of what a rule counts. */
static json_t *not_known(const struct whatif *w, const struct rule *rule)
{
    json_t *out = json_array();
    bool by_others = false;

    for (int count = COUNT_BOUNCES; count <= COUNT_LIST_MAIL; count++)
        by_others = by_others || has_count(rule, (enum rule_count)count);
    if (by_others)
        protocol_append(&out, protocol_text("what other programs report is not kept: "
                                            "there are none"));
    if (has_count(rule, COUNT_RELAYING))
        protocol_append(&out, protocol_text("what the MTA says is not kept: nothing "
                                            "counts as relaying"));
    if (has_count(rule, COUNT_UNKNOWN) || has_count(rule, COUNT_TRAPS))
        protocol_append(&out, protocol_text("a message of which the MTA refused every "
                                            "recipient is not kept"));
    if (has_count(rule, COUNT_OUTSIDE))
        protocol_append(&out, protocol_text("what the MTA delivers itself is not kept: "
                                            "inside are own-domains, and what is learnt "
                                            "by now"));
    if (!w->local_parts && rule->by != RULE_BY_CLIENT && rule->by != RULE_BY_NETWORK)
        protocol_append(&out, protocol_text("local parts and logins are kept as hashes: "
                                            "roles, exempt senders and allow entries are "
                                            "not known"));
    return out;
}

/* Why findings of a rule are no entries, each with how many. */
static json_t *held_back(const struct whatif *w, size_t rule)
{
    json_t *out = json_object();

    for (size_t i = 0; i < w->replay.count; i++) {
        const struct replay_finding *f = &w->replay.findings[i];
        json_t *one;

        if (f->rule != rule || f->word == GUARD_LIST)
            continue;
        one = json_object_get(out, f->why);
        protocol_set(&out, f->why, json_integer(json_integer_value(one) + 1));
    }
    return out;
}

static json_t *rule_json(const struct whatif *w, size_t i)
{
    const struct rule *rule = &w->config->rules[i];
    int64_t words[GUARD_LIST + 1] = {0}, messages = 0, recipients = 0;

    for (size_t k = 0; k < w->replay.count; k++) {
        const struct replay_finding *f = &w->replay.findings[k];

        if (f->rule != i)
            continue;
        words[f->word]++;
        messages += (int64_t)f->messages;
        recipients += (int64_t)f->recipients;
    }
    return json_pack(
        "{s:s, s:s, s:I, s:I, s:I, s:I, s:o, s:I, s:I, s:I, s:o}", "rule", rule->name,
        "mode", rule_mode_name(rule->mode), "possible_from",
        (json_int_t)(w->replay.begun_s + rule_blind_s(rule)), "entries",
        (json_int_t)words[GUARD_LIST], "proposals", (json_int_t)words[GUARD_PROPOSE],
        "never", (json_int_t)words[GUARD_NEVER], "held_back", held_back(w, i), "messages",
        (json_int_t)messages, "recipients", (json_int_t)recipients, "tripped_at",
        (json_int_t)w->replay.tripped_s[i], "not_known", not_known(w, rule));
}

static json_t *finding_json(const struct whatif *w, const struct replay_finding *f)
{
    static const char *const words[] = {
        [GUARD_NEVER] = "never", [GUARD_PROPOSE] = "propose", [GUARD_LIST] = "list"};
    char entry[DECISION_SHOWN_SIZE];
    json_t *ids = json_array();

    for (size_t i = 0; i < f->id_count; i++)
        protocol_append(&ids, decision_id(f->ids[i]));
    return json_pack("{s:s, s:o, s:I, s:o, s:s, s:s, s:s, s:i, s:I, s:I, s:o}", "rule",
                     w->config->rules[f->rule].name, "entry",
                     protocol_text(decision_entry(f->entry, w->show_local, entry)), "at",
                     (json_int_t)f->at_s, "because", protocol_text(f->because), "would",
                     words[f->word], "held", f->why, "action",
                     entry_action_name(false, f->action == RULE_TEMPFAIL), "for_s",
                     f->for_s, "messages", (json_int_t)f->messages, "recipients",
                     (json_int_t)f->recipients, "ids", ids);
}

static json_t *report(struct whatif *w)
{
    json_t *rules = json_array(), *findings = json_array();

    /* an allow entry is named only to those who may see logins and local parts */
    for (size_t i = 0; i < w->replay.count && !w->show_local; i++)
        if (strncmp(w->replay.findings[i].why, "it is allowed", 13) == 0)
            text_copy("it is allowed by an entry", w->replay.findings[i].why,
                      GUARD_WHY_SIZE);
    for (size_t i = 0; i < w->config->rule_count; i++)
        if (w->config->rules[i].mode != RULE_OFF)
            protocol_append(&rules, rule_json(w, i));
    for (size_t i = 0; i < w->replay.count && i < ROWS_MAX; i++)
        protocol_append(&findings, finding_json(w, &w->replay.findings[i]));
    return json_pack("{s:I, s:I, s:I, s:I, s:b, s:i, s:I, s:o, s:I, s:o}", "decisions",
                     (json_int_t)w->replay.decisions, "since_at", (json_int_t)w->since,
                     "counted_from", (json_int_t)w->replay.begun_s, "until_at",
                     (json_int_t)w->until, "complete", !w->stopped, "accepted_kept_s",
                     w->accepted_s, "gaps", (json_int_t)w->gaps_passed, "rules", rules,
                     "finding_count", (json_int_t)w->replay.count, "findings", findings);
}

/* --- the whole --- */

static json_t *check(const struct whatif *w)
{
    if (w->config->automatic.mode == RULE_OFF)
        return protocol_error_answer(PROTOCOL_REFUSED,
                                     "automatic { mode } is off in the file: nothing is "
                                     "counted");
    for (size_t i = 0; i < w->config->rule_count; i++)
        if (w->config->rules[i].mode != RULE_OFF)
            return w->accepted_s > 0
                       ? NULL
                       : protocol_error_answer(
                             PROTOCOL_REFUSED,
                             "the daemon keeps no accepted mail (journal { accepted }): "
                             "there is nothing to count");
    return protocol_error_answer(PROTOCOL_REFUSED, "the file has no rules");
}

static json_t *replay(struct whatif *w)
{
    struct usage usage = rules_usage(w->daemon->rules, w->config);
    json_t *answer;

    w->replay = (struct replay_rules){
        .config = w->config,
        .suffixes = w->daemon->suffixes,
        .own = usage.own,
        .limits = {.suffixes = w->daemon->suffixes,
                   .exempt = w->config->exempt.networks,
                   .exempt_count = w->config->exempt.network_count},
        .blocklist = w->daemon->blocklist,
    };
    if (replay_rules_begin(&w->replay) != 0)
        return NULL;
    journal_flush(w->daemon->journal, FLUSH_MS);
    journal_each_gap(w->daemon->journal, w->since, add_gap, w);
    answer = command_walk(w->daemon, w->since, take, w, &w->stopped);
    if (replay_rules_end(&w->replay) != 0)
        w->stopped = true;
    return answer != NULL ? answer : command_answer("whatif", report(w));
}

/* {"command":"whatif-rules","configuration": a conf file as rblmilter -t prints it,
 * "since_s"} -> {"ok":true,"whatif":{"decisions","since_at","counted_from":the first
 *  accepted one (0: none),"until_at","complete","accepted_kept_s","gaps":times in which
 *  decisions were not kept,"rules":[{"rule","mode","possible_from":the earliest finding,
 *  "entries","proposals","never","held_back":{why:count},"messages","recipients":accepted
 *  then, and not with it,"tripped_at","not_known":[…]}, …],"finding_count","findings":[
 *  {"rule","entry","at","because","would":"list", "propose" or "never","held":why,"action",
 *  "for_s","messages","recipients","ids"}, …]}}: the first 500 findings, by their time. */
json_t *cmd_whatif_rules(struct control_session *session, const json_t *request)
{
    struct daemon *daemon = command_daemon(session);
    struct whatif w = {.daemon = daemon,
                       .show_local = decisions_show_local_parts(session)};
    struct config *now;
    json_t *answer = NULL;

    if (atomic_exchange(&daemon->replaying, true))
        return protocol_error_answer(PROTOCOL_BUSY,
                                     "another whatif is running: try again later");
    now = command_config(session);
    w.local_parts = now->journal.local_parts;
    w.accepted_s = now->journal.refused_s > 0 ? now->journal.accepted_s : 0;
    config_unref(now);
    if (command_conf_of(request, &w.config, &w.since, &answer) == 0)
        answer = check(&w);
    if (answer == NULL && w.config != NULL)
        answer = replay(&w);
    replay_rules_clear(&w.replay);
    free(w.gaps);
    config_unref(w.config);
    atomic_store(&daemon->replaying, false);
    return answer;
}
