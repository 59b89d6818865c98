/* SPDX-License-Identifier: BSD-2-Clause */
/* What is made of findings: proposals and entries; and what people and time make of those. */

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"
#include "rules/guard_rails.h"
#include "rules/rules_parts.h"

#define OTHERS_S 600 /* what another host is to do: after that whoever is there does */

/* --- what is made of a finding --- */

static void note(struct rules *rules, int64_t no, const char *kind, const char *rule,
                 const char *entry, const char *text, const char *who)
{
    struct finding_event event = {.at = time(NULL),
                                  .no = no,
                                  .kind = kind,
                                  .rule = rule,
                                  .entry = entry,
                                  .text = text,
                                  .who = who};

    (void)findings_note(rules->findings, &event);
    pthread_mutex_lock(&rules->lock);
    rules->events++;
    pthread_cond_broadcast(&rules->done);
    pthread_mutex_unlock(&rules->lock);
    log_notice("rule=%s %s=%s%s%s because=\"%s\"", rule, kind, entry,
               who[0] != '\0' ? " by=" : "", who, text);
}

static struct guard guard_of(struct rules *rules, const struct config *config)
{
    return (struct guard){
        .blocklist = rules->options.blocklist,
        .findings = rules->findings,
        .counters = rules->counters,
        .config = config,
        .limits = {.suffixes = rules->options.suffixes,
                   .exempt = config->exempt.networks,
                   .exempt_count = config->exempt.network_count,
                   .is_in_use = rules->options.is_in_use,
                   .context = rules->options.in_use_context},
        .now = time(NULL),
    };
}

/* Makes the entry of a finding that is on disk as pending, and marks it. It may be made a
 * second time after a kill: it is the same row then. Actor NULL: the rule itself. */
static enum blocklist_result make_entry(struct rules *rules, const struct config *config,
                                        const struct finding_row *row,
                                        const struct blocklist_actor *actor,
                                        char error[static BLOCKLIST_ERROR_SIZE])
{
    static const char *const kinds[] = {"accepted", "listed"};
    struct blocklist_actor self = {.login = RULES_LOGIN, .uid = geteuid()};
    struct guard guard = guard_of(rules, config);
    char source[BLOCKLIST_SOURCE_SIZE], parse_error[ENTRY_ERROR_SIZE];
    struct blocklist_row_in in = {.tempfail = !row->block,
                                  .source = source,
                                  .reason = row->because,
                                  .expires = (time_t)row->expires};
    struct entry entry;
    enum blocklist_result result;

    text_sentence(source, sizeof source, "auto:%s", row->rule);
    if (entry_parse(row->entry, &entry, parse_error) != 0) {
        text_sentence(error, BLOCKLIST_ERROR_SIZE, "%s: %s", row->entry, parse_error);
        result = BLOCKLIST_REFUSED;
    } else {
        in.entry = &entry;
        result = blocklist_add(rules->options.blocklist, &in, 1, &guard.limits,
                               actor != NULL ? actor : &self, NULL, error);
    }
    if (result == BLOCKLIST_OK) {
        note(rules, row->no, kinds[actor == NULL], row->rule, row->entry, row->because,
             actor != NULL ? actor->login : "");
        (void)findings_decide(rules->findings, row->no, FINDING_LISTED,
                              actor != NULL ? actor->login : "", "", row->expires,
                              guard.now);
        rules_begin_again(rules, config, row->rule, row->key);
    } else if (result == BLOCKLIST_REFUSED) {
        (void)findings_decide(rules->findings, row->no, FINDING_DISMISSED, RULES_LOGIN,
                              error, 0, guard.now);
    } else {
        log_error("rule=%s entry=%s cannot be listed, and is tried again: %s", row->rule,
                  row->entry, error);
    }
    return result;
}

/* What the counters say of the key: a JSON object. */
static json_t *evidence_of(struct rules *rules, enum rule_by by, const char *key)
{
    struct counter_reading reading;
    json_t *evidence = json_object(), *counts = json_array();

    if (counters_read(rules->counters, by, key, time(NULL), &reading)) {
        json_object_set_new(evidence, "first_seen",
                            json_integer((json_int_t)reading.first_seen_s));
        for (size_t i = 0; i < reading.count; i++)
            if (reading.values[i] > 0)
                json_array_append_new(counts,
                                      json_pack("{s:s, s:i, s:I}", "count",
                                                rule_count_name(reading.windows[i].count),
                                                "span_s", reading.windows[i].span_s,
                                                "value", (json_int_t)reading.values[i]));
    }
    json_object_set_new(evidence, "counts", counts);
    return evidence;
}

/* Adds what is kept of its mail, and keeps all of it beside the finding. Takes evidence. */
static void keep_evidence(struct rules *rules, int64_t no, const char *entry,
                          json_t *evidence)
{
    char *kept = NULL, *text;
    json_t *decisions;
    bool more;

    pthread_mutex_lock(&rules->lock);
    more = rules->count > 0; /* another finding's entry must not wait for this evidence */
    pthread_mutex_unlock(&rules->lock);
    if (rules->options.decisions != NULL)
        kept = rules->options.decisions(rules->options.context, entry, !more);
    decisions = kept != NULL ? json_loads(kept, 0, NULL) : NULL;
    json_object_set_new(evidence, "decisions",
                        decisions != NULL ? decisions : json_array());
    text = json_dumps(evidence, JSON_COMPACT);
    if (text != NULL)
        (void)findings_evidence(rules->findings, no, text);
    free(text);
    free(kept);
    json_decref(evidence);
}

static int rule_state(struct rules *rules, const struct rule *rule, int64_t now,
                      struct finding_rule *out)
{
    char *text = rule_set_text(rule);
    int rc =
        text != NULL ? findings_rule(rules->findings, rule->name, text, now, out) : -1;

    free(text);
    return rc;
}

static void trip(struct rules *rules, const struct rule *rule, const char *why,
                 int64_t now)
{
    if (findings_trip(rules->findings, rule->name, why, now) != 0)
        return;
    log_warning(
        "rule=%s has tripped: it only proposes until `rblctl rules resume %s`: %s",
        rule->name, rule->name, why);
    note(rules, 0, "tripped", rule->name, "", why, "");
}

/* Keeps a finding as a proposal, or makes its entry. */
static void carry_out(struct rules *rules, const struct config *config, enum rule_by by,
                      struct finding_row *row)
{
    char ignored[BLOCKLIST_ERROR_SIZE];
    json_t *evidence;

    if (row->state == FINDING_PENDING && row->for_s > 0)
        row->expires = blocklist_now(rules->options.blocklist) + row->for_s;
    if (findings_add(rules->findings, row) != 0)
        return;
    evidence = evidence_of(rules, by, row->key);
    if (row->state == FINDING_OPEN)
        note(rules, row->no, "proposed", row->rule, row->entry, row->because, "");
    else
        (void)make_entry(rules, config, row, NULL, ignored);
    /* after the entry: the journal is some hundred milliseconds behind */
    keep_evidence(rules, row->no, row->entry, evidence);
}

/* What is made of a finding for one entry. */
static void decide(struct rules *rules, const struct config *config,
                   const struct finding *finding, const struct usage_subject *subject,
                   const char *text)
{
    struct guard guard = guard_of(rules, config);
    const struct rule *rule = finding->rule;
    char error[ENTRY_ERROR_SIZE], why[GUARD_WHY_SIZE];
    struct finding_history history;
    struct finding_rule state;
    struct finding_row row;
    struct entry entry;
    enum guard_word word;
    bool tripped;

    if (entry_parse(text, &entry, error) != 0 ||
        rule_state(rules, rule, guard.now, &state) != 0 ||
        findings_history(rules->findings, rule->name, entry.text, guard.now, &history) !=
            0)
        return;
    word = guard_judge(&guard, finding, &entry, subject, &history, &state, &tripped, why);
    if (word == GUARD_NEVER) {
        log_debug("rule=%s entry=%s not proposed: %s", rule->name, entry.text, why);
        return;
    }
    if (tripped)
        trip(rules, rule, why, guard.now);
    row = (struct finding_row){
        .at = guard.now,
        .rule = rule->name,
        .entry = entry.text,
        .key = finding->key,
        .because = finding->because,
        .state = word == GUARD_LIST ? FINDING_PENDING : FINDING_OPEN,
        .by_rule = word == GUARD_LIST,
        .block = rule_action_of(rule, history.steps) == RULE_BLOCK,
        .for_s = rule_span_of(rule, history.steps),
        .held = why,
        .evidence = "{}",
        .who = "",
        .reason = "",
    };
    carry_out(rules, config, rule->by, &row);
}

void rules_decide(struct rules *rules, struct queued *q)
{
    struct config *config = rules_config(rules);
    struct usage_subject subject = {
        q->login, q->sender, q->client, "", q->shared[0] != '\0', ""};

    const char *texts[RULE_ENTRIES];
    size_t count;

    text_copy(q->shared, subject.shared, sizeof subject.shared);
    q->finding.rule = rules_find(config, q->rule);
    if (q->finding.rule != NULL && q->finding.rule->mode != RULE_OFF &&
        config->automatic.mode != RULE_OFF) {
        count = rule_entries(q->finding.rule, &subject, texts);
        for (size_t i = 0; i < count; i++)
            decide(rules, config, &q->finding, &subject, texts[i]);
    }
    config_unref(config);
}

/* --- what became of entries and proposals --- */

/* A row to look at, without the findings' lock. */
struct seen {
    struct finding_row row;
    char rule[64], entry[ENTRY_TEXT_SIZE], because[FINDING_TEXT_SIZE],
        key[FINDING_KEY_SIZE];
    bool elsewhere; /* decided on another host of the farm */
};

struct seen_all {
    struct seen *all;
    size_t count, room;
};

static void see_row(void *context, const struct finding_row *row)
{
    struct seen_all *seen = context;
    struct seen *one;

    if (seen->count == seen->room) {
        size_t room = seen->room > 0 ? 2 * seen->room : 64;
        struct seen *grown = realloc(seen->all, room * sizeof *grown);

        if (grown == NULL)
            return;
        seen->all = grown;
        seen->room = room;
    }
    one = &seen->all[seen->count++];
    *one = (struct seen){.row = *row};
    one->row.node = row->node[0] != '\0' ? "another" : "";
    one->elsewhere = strchr(row->who, '@') != NULL;
    text_copy(row->rule, one->rule, sizeof one->rule);
    text_copy(row->entry, one->entry, sizeof one->entry);
    text_copy(row->because, one->because, sizeof one->because);
    text_copy(row->key, one->key, sizeof one->key);
}

static struct seen_all see(struct rules *rules, unsigned states)
{
    struct seen_all seen = {0};

    (void)findings_each(rules->findings, states, NULL, 0, see_row, &seen);
    for (size_t i = 0; i < seen.count; i++) { /* they have moved while it grew */
        seen.all[i].row.rule = seen.all[i].rule;
        seen.all[i].row.entry = seen.all[i].entry;
        seen.all[i].row.because = seen.all[i].because;
        seen.all[i].row.key = seen.all[i].key;
    }
    return seen;
}

struct source_search {
    const char *source;
    bool found;
};

static bool is_of_source(void *context, const struct blocklist_row *row)
{
    struct source_search *search = context;

    search->found = search->found || strcmp(row->source, search->source) == 0;
    return !search->found;
}

/* Whether the entry that a rule made exists. */
static bool is_listed(struct rules *rules, const struct finding_row *row)
{
    char source[BLOCKLIST_SOURCE_SIZE], error[BLOCKLIST_ERROR_SIZE];
    struct source_search search = {source, false};
    struct entry entry;
    enum blocklist_result result;

    text_sentence(source, sizeof source, "auto:%s", row->rule);
    if (entry_parse_kept(row->entry, &entry, error) != 0)
        return false;
    result =
        blocklist_show(rules->options.blocklist, &entry, is_of_source, &search, error);
    return search.found || (result != BLOCKLIST_OK && result != BLOCKLIST_NO_SUCH_ENTRY);
}

/* What is another host's is left to that, as long as it is there; and the entry of what was
 * decided there may still be on its way. */
static bool is_others(const struct seen *seen, int64_t now)
{
    const struct finding_row *row = &seen->row;
    bool foreign = row->node[0] != '\0';

    if (row->state == FINDING_OPEN)
        return foreign && row->at > now - PROPOSAL_S - OTHERS_S;
    return row->state == FINDING_LISTED && (foreign || seen->elsewhere) &&
           row->decided_at > now - OTHERS_S;
}

/* The same as note, of what this host has found: another one's is said there. */
static void note_own(struct rules *rules, const struct finding_row *row, const char *kind,
                     const char *who)
{
    if (row->node[0] == '\0')
        note(rules, row->no, kind, row->rule, row->entry, row->because, who);
}

static void update_finding(struct rules *rules, const struct config *config,
                           const struct finding_row *row)
{
    struct guard guard = guard_of(rules, config);
    char who[GUARD_WHY_SIZE] = "", error[BLOCKLIST_ERROR_SIZE];
    bool is_over = row->expires != 0 && row->expires <= guard.now;

    if (row->state == FINDING_PENDING) {
        if (guard_was_removed(&guard, row->entry, row->at, who))
            (void)findings_decide(rules->findings, row->no, FINDING_REMOVED, who, "", 0,
                                  guard.now);
        else if (is_over)
            (void)findings_decide(rules->findings, row->no, FINDING_ENDED, "", "",
                                  row->expires, guard.now);
        else
            (void)make_entry(rules, config, row, NULL, error);
    } else if (row->state == FINDING_OPEN) {
        if (row->at > guard.now - PROPOSAL_S)
            return;
        note_own(rules, row, "expired", "");
        (void)findings_decide(rules->findings, row->no, FINDING_EXPIRED, "", "", 0,
                              guard.now);
    } else if (!is_listed(rules, row)) {
        bool removed = !is_over && guard_was_removed(&guard, row->entry, row->at, who);

        note_own(rules, row, removed ? "removed" : "ended", who);
        (void)findings_decide(rules->findings, row->no,
                              removed ? FINDING_REMOVED : FINDING_ENDED, who, "",
                              row->expires, guard.now);
    }
}

void rules_look(struct rules *rules)
{
    struct config *config = rules_config(rules);
    struct seen_all seen =
        see(rules, 1u << FINDING_OPEN | 1u << FINDING_PENDING | 1u << FINDING_LISTED);
    struct finding_rule state;

    /* a rule's trial begins when it is configured, not with its first finding */
    for (size_t i = 0; i < config->rule_count; i++)
        (void)rule_state(rules, &config->rules[i], (int64_t)time(NULL), &state);
    for (size_t i = 0; i < seen.count; i++)
        if (!is_others(&seen.all[i], (int64_t)time(NULL)))
            update_finding(rules, config, &seen.all[i].row);
    free(seen.all);
    config_unref(config);
}

/* --- a person's word --- */

/* One open proposal by its number. The caller frees all.all. */
static struct seen *find_open(struct rules *rules, int64_t no, struct seen_all *all,
                              char error[static BLOCKLIST_ERROR_SIZE])
{
    *all = (struct seen_all){0};
    if (rules->findings == NULL) {
        text_sentence(error, BLOCKLIST_ERROR_SIZE, "%s",
                      "the rules' database is not open");
        return NULL;
    }
    *all = see(rules, 1u << FINDING_OPEN);
    for (size_t i = 0; i < all->count; i++)
        if (all->all[i].row.no == no)
            return &all->all[i];
    text_sentence(error, BLOCKLIST_ERROR_SIZE, "there is no open proposal %lld",
                  (long long)no);
    return NULL;
}

enum blocklist_result rules_accept(struct rules *rules, int64_t no,
                                   const struct blocklist_actor *actor,
                                   char error[static BLOCKLIST_ERROR_SIZE])
{
    enum blocklist_result result = BLOCKLIST_NO_SUCH_ENTRY;
    struct config *config = rules_config(rules);
    struct seen_all all;
    struct seen *one = find_open(rules, no, &all, error);

    if (one != NULL) {
        if (one->row.for_s > 0)
            one->row.expires = blocklist_now(rules->options.blocklist) + one->row.for_s;
        result = findings_decide(rules->findings, no, FINDING_PENDING, actor->login, "",
                                 one->row.expires, time(NULL)) == 0
                     ? make_entry(rules, config, &one->row, actor, error)
                     : BLOCKLIST_FAILED;
    }
    free(all.all);
    config_unref(config);
    return result;
}

enum blocklist_result rules_dismiss(struct rules *rules, int64_t no, const char *reason,
                                    const struct blocklist_actor *actor,
                                    char error[static BLOCKLIST_ERROR_SIZE])
{
    enum blocklist_result result = BLOCKLIST_NO_SUCH_ENTRY;
    struct seen_all all;
    struct seen *one = find_open(rules, no, &all, error);

    if (one != NULL) {
        result = findings_decide(rules->findings, no, FINDING_DISMISSED, actor->login,
                                 reason, 0, time(NULL)) == 0
                     ? BLOCKLIST_OK
                     : BLOCKLIST_FAILED;
        if (result == BLOCKLIST_OK)
            note(rules, no, "dismissed", one->rule, one->entry, reason, actor->login);
    }
    free(all.all);
    return result;
}

enum blocklist_result rules_resume(struct rules *rules, const char *name,
                                   const struct blocklist_actor *actor,
                                   char error[static BLOCKLIST_ERROR_SIZE])
{
    int rc = rules->findings != NULL ? findings_resume(rules->findings, name) : -1;

    if (rc < 0) {
        text_sentence(error, BLOCKLIST_ERROR_SIZE, "%s", "the rules' database fails");
        return BLOCKLIST_FAILED;
    }
    if (rc > 0) {
        text_sentence(error, BLOCKLIST_ERROR_SIZE, "no rule \"%s\" has tripped", name);
        return BLOCKLIST_NO_SUCH_ENTRY;
    }
    note(rules, 0, "resumed", name, "", "", actor->login);
    return BLOCKLIST_OK;
}
