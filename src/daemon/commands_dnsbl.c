/* SPDX-License-Identifier: BSD-2-Clause */
/* dnsbl, dnsbl-change: the DNS lists, and an admin's word on one. */

#include "daemon/commands.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "control/protocol.h"
#include "daemon/decisions.h"
#include "journal/search.h"

static json_int_t count(const atomic_uint_fast64_t *counter)
{
    return (json_int_t)atomic_load(counter);
}

/* The state, since when and why: of the half that is not well, where one is. */
static void add_state(json_t **row, struct watched *watched)
{
    struct list_state *state = &watched->state;
    bool ipv6 = health_counts(atomic_load(&state->halves[0].health)) &&
                atomic_load(&state->ipv6_known) &&
                !health_counts(atomic_load(&state->halves[1].health));
    const struct list_half *half = &state->halves[ipv6];
    const char *name;

    pthread_mutex_lock(&state->lock);
    name = health_name(atomic_load(&half->health));
    protocol_set(row, "state", json_string(name));
    protocol_set(row, "health", json_string(name)); /* its name before */
    protocol_set(row, "since", json_integer((json_int_t)half->since));
    protocol_set(row, "why", json_sprintf("%s%s", ipv6 ? "of IPv6: " : "", half->why));
    pthread_mutex_unlock(&state->lock);
    protocol_set(row, "ipv6_state",
                 atomic_load(&state->ipv6_known)
                     ? json_string(health_name(atomic_load(&state->halves[1].health)))
                     : json_null());
    protocol_set(row, "checked_at", json_integer(watched->checked_at));
    protocol_set(row, "asked_today", json_integer(list_state_used_today(state)));
}

static json_t *row_of(const struct dnsbl *dnsbl)
{
    struct list_stats *s = dnsbl->stats;
    json_int_t lookups = count(&s->lookups);
    json_int_t errors = count(&s->by_state[RESULT_ERROR]) +
                        count(&s->by_state[RESULT_FOREIGN]) +
                        count(&s->by_state[RESULT_FAILED]);
    struct latency latency;
    json_t *row = json_pack(
        "{s:o, s:o, s:s, s:I, s:I, s:I, s:I, s:i, s:I, s:I, s:I, s:i}", "list",
        protocol_text(dnsbl->list->name), "zone", protocol_text(dnsbl->list->zone_shown),
        "mode", list_mode_name(dnsbl->list->mode), "queries", lookups, "hits",
        count(&s->by_state[RESULT_LISTED]), "errors", errors, "not_asked",
        count(&s->skipped), "cached_percent",
        lookups > 0 ? (int)(count(&s->cached) * 100 / lookups) : 0, "unique_hits",
        count(&s->alone), "decided_alone", count(&s->decided), "unnamed_codes",
        count(&s->unnamed), "daily_limit", dnsbl->list->daily_limit);

    add_state(&row, dnsbl->watched);
    pthread_mutex_lock(&s->lock);
    latency = s->latency;
    pthread_mutex_unlock(&s->lock);
    protocol_set(&row, "p50_ms", json_integer(latency_percentile(&latency, 50)));
    protocol_set(&row, "p95_ms", json_integer(latency_percentile(&latency, 95)));
    protocol_set(&row, "p99_ms", json_integer(latency_percentile(&latency, 99)));
    return row;
}

/* --- what a list refused alone, and how much of that was wrong --- */

#define WRONG_ONE_IN                                                                     \
    2500 /* what a list alone may refuse of honest mail: SpamAssassin's aim */
#define FEW_ALONE   50
#define SHOWN_WRONG 5 /* ids */

/* Whether the share of wrong ones is above 1 in WRONG_ONE_IN, by the lower bound of
 * Wilson's interval (95 %): center - t (1 + z2/n) > z sqrt(p (1-p)/n + z2/4n2), squared. */
static bool is_wrong_too_often(double wrong, double alone)
{
    const double z2 = 1.96 * 1.96, t = 1.0 / WRONG_ONE_IN;
    double p = wrong / alone;
    double left = p + z2 / (2 * alone) - t * (1 + z2 / alone);

    return left > 0 &&
           left * left > z2 * (p * (1 - p) / alone + z2 / (4 * alone * alone));
}

/* What a list alone refused, and what of it was marked as wrong. */
struct alone {
    const struct list *list;
    uint64_t count, wrong;
    uint64_t others_count, others_wrong; /* of them on the other hosts of the farm */
    json_t *ids;                         /* of the newest that are marked */
};

struct alones {
    struct alone *of; /* one for each list of the policy */
    size_t count;
};

/* NULL: no such list. */
static struct alone *alone_of(const struct alones *alones, const char *list)
{
    for (size_t i = 0; i < alones->count; i++)
        if (strcmp(alones->of[i].list->name, list) == 0)
            return &alones->of[i];
    return NULL;
}

static void add_alone(void *context, const char *list, uint64_t count, journal_id wrong)
{
    struct alone *alone = alone_of(context, list);

    if (alone == NULL)
        return;
    alone->count += count;
    if (wrong != 0 && alone->wrong++ < SHOWN_WRONG)
        protocol_append(&alone->ids, decision_id(wrong));
}

static void add_change(json_t **changes, const char *where, const char *codes, int weight,
                       int reject)
{
    if (where == NULL || weight < reject)
        return;
    protocol_append(changes,
                    json_pack("{s:o, s:s, s:i, s:i}", "where", protocol_text(where),
                              "codes", codes, "from", weight, "to", reject - 1));
}

/* What to change where a list should not refuse alone any more; null where it may, or
 * cannot. */
static json_t *proposal(const struct alone *alone, int reject)
{
    const struct list *list = alone->list;
    json_t *changes;
    /* those that are marked are kept longer than what is counted */
    uint64_t count = alone->count > alone->wrong ? alone->count : alone->wrong;

    if (alone->wrong == 0 || reject <= 1 ||
        (count >= FEW_ALONE && !is_wrong_too_often((double)alone->wrong, (double)count)))
        return json_null();
    changes = json_array();
    add_change(&changes, list->where, "", list->weight, reject);
    for (size_t i = 0; i < list->code_count; i++)
        add_change(&changes, list->codes[i].where, list->codes[i].text,
                   list->codes[i].weight, reject);
    if (json_array_size(changes) > 0)
        return json_pack("{s:o, s:O}", "changes", changes, "ids", alone->ids);
    json_decref(changes);
    return json_null();
}

/* With what this host's own journal says. Returns 0, or -1 without memory. */
static int begin_alones(struct alones *alones, const struct policy *policy,
                        struct journal *journal)
{
    *alones = (struct alones){.of = calloc(policy->lists.count + 1, sizeof *alones->of)};
    for (; alones->of != NULL && alones->count < policy->lists.count; alones->count++)
        alones->of[alones->count] = (struct alone){
            .list = policy->lists.items[alones->count].list, .ids = json_array()};
    if (alones->of == NULL)
        return -1;
    if (journal_keeps(journal, true))
        journal_alone(journal, add_alone, alones);
    return 0;
}

static void end_alones(struct alones *alones)
{
    for (size_t i = 0; i < alones->count; i++)
        json_decref(alones->of[i].ids);
    free(alones->of);
}

/* The ids of a list, with blanks between; up to those that are shown. */
static void add_ids(json_t **ids, const char *text)
{
    char word[JOURNAL_ID_SIZE];
    journal_id id;

    while (json_array_size(*ids) < SHOWN_WRONG && *(text += strspn(text, " ")) != '\0') {
        size_t length = strcspn(text, " ");

        text_sentence(word, sizeof word, "%.*s", (int)length, text);
        if (length < sizeof word && journal_id_parse(word, &id) == 0)
            protocol_append(ids, json_string(word));
        text += length;
    }
}

/* Adds what the other hosts of the farm say. */
static void add_others(struct alones *alones, struct farm *farm)
{
    json_t *others = farm_alone(farm), *other;
    size_t i;

    json_array_foreach (others, i, other) {
        struct alone *alone =
            alone_of(alones, json_string_value(json_object_get(other, "list")));

        if (alone == NULL)
            continue;
        alone->others_count =
            (uint64_t)json_integer_value(json_object_get(other, "refused"));
        alone->others_wrong =
            (uint64_t)json_integer_value(json_object_get(other, "wrong"));
        alone->count += alone->others_count;
        alone->wrong += alone->others_wrong;
        add_ids(&alone->ids, json_string_value(json_object_get(other, "ids")));
    }
    json_decref(others);
}

json_t *command_alone(void *context)
{
    struct daemon *daemon = context;
    struct policy *policy = policy_slot_get(&daemon->slot);
    struct alones alones;
    json_t *rows = json_array(), *id;
    size_t k;

    (void)begin_alones(&alones, policy, daemon->journal); /* without memory: none */
    for (size_t i = 0; i < alones.count; i++) {
        char ids[SHOWN_WRONG * JOURNAL_ID_SIZE + 1] = "";
        struct buffer text = buffer_over(ids, sizeof ids);

        json_array_foreach (alones.of[i].ids, k, id)
            buffer_add(&text, "%s%s", k > 0 ? " " : "", json_string_value(id));
        protocol_append(&rows,
                        json_pack("{s:s, s:I, s:I, s:s}", "list", alones.of[i].list->name,
                                  "refused", (json_int_t)alones.of[i].count, "wrong",
                                  (json_int_t)alones.of[i].wrong, "ids", ids));
    }
    end_alones(&alones);
    policy_unref(policy);
    return rows;
}

/* Adds to each row, which are in the order of lists, what its list alone refused. */
static void add_wrong_refusals(struct daemon *daemon, const struct policy *policy,
                               json_t *rows)
{
    struct alones alones;
    json_t *row;
    size_t i;

    if (begin_alones(&alones, policy, daemon->journal) != 0)
        return;
    if (daemon->farm != NULL)
        add_others(&alones, daemon->farm);
    json_array_foreach (rows, i, row) {
        struct alone *alone = &alones.of[i];

        protocol_set(&row, "refused_alone", json_integer((json_int_t)alone->count));
        protocol_set(&row, "false", json_integer((json_int_t)alone->wrong));
        protocol_set(&row, "proposal", proposal(alone, policy->config->verdict.reject));
        if (daemon->farm == NULL)
            continue;
        protocol_set(&row, "refused_alone_here",
                     json_integer((json_int_t)(alone->count - alone->others_count)));
        protocol_set(&row, "false_here",
                     json_integer((json_int_t)(alone->wrong - alone->others_wrong)));
    }
    end_alones(&alones);
}

/* {"command":"dnsbl"} -> {"ok":true,"lists":[{…}]} */
json_t *cmd_dnsbl(struct control_session *session, const json_t *request)
{
    struct daemon *daemon = command_daemon(session);
    struct policy *policy = policy_slot_get(&daemon->slot);
    json_t *rows = json_array();

    (void)request;
    for (size_t i = 0; i < policy->lists.count; i++)
        protocol_append(&rows, row_of(&policy->lists.items[i]));
    if (rows != NULL)
        add_wrong_refusals(daemon, policy, rows);
    policy_unref(policy);
    return command_answer("lists", rows);
}

/* What a suspended list leaves to others: those that were queried only after it. */
static json_t *burdened_by(const struct policy *policy, const struct dnsbl *suspended)
{
    json_t *names = json_array();

    for (size_t i = 0; i < policy->lists.count; i++) {
        const struct list *list = policy->lists.items[i].list;

        for (size_t k = 0; k < list->after_count; k++)
            if (&policy->config->lists[list->after[k]] == suspended->list)
                protocol_append(&names, list->daily_limit > 0
                                            ? json_sprintf("%s (daily-limit %d)",
                                                           list->name, list->daily_limit)
                                            : protocol_text(list->name));
    }
    return names;
}

/* Returns 0, or -1 with a sentence in error. */
static int act(struct daemon *daemon, const struct dnsbl *dnsbl, const char *action,
               const char *who, int wait_ms, char *error, size_t error_size)
{
    struct list_state *state = dnsbl->state;
    bool suspended = atomic_load(&state->halves[0].health) == HEALTH_SUSPENDED;

    if (strcmp(action, "suspend") == 0) {
        list_state_suspend(state, who);
        prober_save(daemon->prober, false);
        return 0;
    }
    if (strcmp(action, "resume") == 0) {
        list_state_resume(state);
        prober_save(daemon->prober, false);
    } else if (strcmp(action, "test") != 0) {
        snprintf(error, error_size, "\"%s\": expected suspend, resume or test", action);
        return -1;
    } else if (suspended) {
        snprintf(error, error_size,
                 "list \"%s\" is suspended: rblctl dnsbl resume takes it back once its "
                 "test points answer as they must",
                 state->name);
        return -1;
    }
    prober_wait(daemon->prober, dnsbl->watched, true, clock_ms() + wait_ms);
    return 0;
}

/* {"command":"dnsbl-change","action":"suspend|resume|test","list":NAME}
 * -> {"ok":true,"list":{…}} */
json_t *cmd_dnsbl_change(struct control_session *session, const json_t *request)
{
    struct daemon *daemon = command_daemon(session);
    struct policy *policy = policy_slot_get(&daemon->slot);
    const char *action, *name, *who = session->peer.name;
    const struct dnsbl *dnsbl = NULL;
    char error[512];
    json_t *answer, *row;

    if (request_text(request, "action", &action, &answer) != 0 ||
        request_text(request, "list", &name, &answer) != 0)
        goto out;
    log_notice("dnsbl action=%s list=%s by=%s", action, name, who);
    for (size_t i = 0; i < policy->lists.count && dnsbl == NULL; i++)
        if (strcmp(policy->lists.items[i].list->name, name) == 0)
            dnsbl = &policy->lists.items[i];
    if (dnsbl == NULL) {
        answer = protocol_error_answer(PROTOCOL_REFUSED,
                                       "no list \"%s\" is configured (and not off); "
                                       "rblctl dnsbl shows those that are",
                                       name);
        goto out;
    }
    if (act(daemon, dnsbl, action, who, policy->config->resolver.deadline_ms, error,
            sizeof error) != 0) {
        answer = protocol_error_answer(PROTOCOL_REFUSED, "%s", error);
        goto out;
    }
    row = row_of(dnsbl);
    if (strcmp(action, "suspend") == 0)
        protocol_set(&row, "asked_for_each_mail_now", burdened_by(policy, dnsbl));
    answer = command_answer("list", row);
out:
    policy_unref(policy);
    return answer;
}
