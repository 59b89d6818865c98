/* SPDX-License-Identifier: BSD-2-Clause */
/* What the lists of a configuration add up to for a decision that was kept. */

#include <string.h>

#include "dnsbl/result.h"
#include "policy/replay_parts.h"

/* --- one list --- */

/* What a list adds up to for the case. */
struct sum {
    int weight, held;
    bool unheard, absent;
    bool silent; /* it may say anything between its bounds */
    enum replay_unknown unknown;
};

/* Whether the list checks that subject at all, by what costs nothing to see. */
static bool wants(const struct list *list, enum check check, const struct replay_case *c)
{
    const struct envelope *e = &c->envelope;

    if (list->mode == LIST_OFF || (list->checks & 1u << check) == 0)
        return false;
    if (list->when == WHEN_NULL_SENDER &&
        (c->record->stage < STAGE_MAIL || c->record->sender[0] != '\0'))
        return false;
    return check != CHECK_CLIENT ||
           (e->has_client && !(e->client.family == 6 && !list->ipv6));
}

/* Whether some list was queried about the whole subject, so that any can be. */
static bool was_looked_up(enum check check, const struct replay_case *c)
{
    for (size_t i = 0; i < c->then->list_count; i++)
        if (c->answers[i * CHECK_COUNT + check] != NULL &&
            !c->then->lists[i].organizational)
            return true;
    return false;
}

/* Whether a list that has no answer of the subject would be queried about it. */
static bool is_looked_up(const struct replay_list *l, enum check check,
                         struct replay_case *c, const struct suffix_list *suffixes)
{
    char name[DOMAIN_SIZE];

    /* it was queried under the same conditions then, and found nothing to query */
    if (c->asked_all && l->then != NULL && l->same_query && l->then->after_count == 0 &&
        wants(l->then, check, c))
        return false;
    if (!l->list->organizational && was_looked_up(check, c))
        return true;
    if (check == CHECK_HELO)
        replay_know_helo(c);
    if (check_stage(check) >= STAGE_MAIL || l->list->when == WHEN_NULL_SENDER)
        replay_know_sender(c);
    if (check_stage(check) == STAGE_EOM)
        return true; /* which addresses the headers had is not kept */
    return subject_query_name(l->list, check, 0, &c->envelope, suffixes, name) == 0;
}

/* Answers that the daemon did not believe then, as the list was lying, or in doubt. */
static bool was_disbelieved(const struct replay_list *l, const struct record_answer *a)
{
    return a->skip[0] != '\0' ||
           (a->counted && a->state == RESULT_LISTED && !a->monitor && a->weight == 0 &&
            result_of_addresses(l->then, a->addresses, a->address_count).weight != 0);
}

/* Adds what the list answered then, weighed by its codes now. */
static void add_answer(struct sum *sum, const struct replay_list *l,
                       const struct record_answer *a)
{
    struct dnsbl_result result = {.state = RESULT_NOT_LISTED};

    if (a->address_count > 0)
        result = result_of_addresses(l->list, a->addresses, a->address_count);
    else if (a->status != DNS_NONE)
        result.state = RESULT_FAILED;
    if (was_disbelieved(l, a)) {
        if (strcmp(a->skip, "unchecked") == 0 && result.state == RESULT_LISTED)
            sum->held = result_heavier(sum->held, result.weight);
        else
            sum->unheard |= strcmp(a->skip, "unchecked") != 0;
        return;
    }
    if (result.state == RESULT_LISTED)
        sum->weight = result_heavier(sum->weight, result.weight);
    sum->unheard |= result.state != RESULT_LISTED && result.state != RESULT_NOT_LISTED;
}

/* Whether what the list said of it is known: by the time of the verdict, or soon enough
 * after it that a verdict that waits for it has it. */
static bool has_said(const struct record_answer *a, int deadline_ms)
{
    return a->counted ? a->skip[0] == '\0' || a->status != DNS_NOT_ASKED
                      : !a->late && a->status != DNS_NOT_ASKED && a->ms < deadline_ms;
}

static void add_subject(struct sum *sum, const struct replay_list *l, enum check check,
                        struct replay_case *c, const struct config *config)
{
    const struct record_answer *a =
        l->then != NULL ? c->answers[l->then_index * CHECK_COUNT + check] : NULL;
    enum replay_unknown unknown = UNKNOWN_NOT_QUERIED;

    if (!wants(l->list, check, c))
        return;
    if (a != NULL && l->same_query) {
        sum->absent |= strcmp(a->skip, "lying") == 0 || strcmp(a->skip, "suspended") == 0;
        if (has_said(a, config->resolver.deadline_ms)) {
            add_answer(sum, l, a);
            return;
        }
        if (!a->counted)
            unknown = UNKNOWN_NO_ANSWER;
    } else {
        if (!is_looked_up(l, check, c, config->suffixes))
            return;
        if (l->then != NULL && l->then->mode != LIST_OFF && !l->same_query)
            unknown = UNKNOWN_OTHER_QUERY;
    }
    sum->silent = sum->unheard = true;
    sum->unknown = unknown;
}

/* --- all lists --- */

/* What the range of a judgement is about: the list that may move it most. */
struct widest {
    int missing; /* what all allow lists that stay silent could have taken off */
    int width;
    enum replay_unknown unknown;
    const struct list *list;
};

/* As add_sum in tally.c has it, for what has no answer any more. */
static void add_sum(struct tally *tally, int *silent_missing, const struct sum *sum,
                    const struct replay_list *l)
{
    int weight = sum->weight, low = weight, high = weight;

    if (sum->silent && weight <= 0 && l->least < weight)
        low = l->least;
    if (sum->silent && l->most > weight)
        high = l->most;
    tally->score += weight;
    tally->least += low;
    tally->most += high;
    if (l->least >= 0 || sum->absent)
        return;
    if (sum->held < 0)
        tally->missing += sum->held;
    else if (sum->unheard && weight > l->least && sum->silent)
        *silent_missing += l->least - (weight < 0 ? weight : 0);
    else if (sum->unheard && weight > l->least)
        tally->missing += l->least - (weight < 0 ? weight : 0);
}

static void add_list(const struct replay *replay, const struct replay_list *l,
                     struct replay_case *c, enum stage upto, struct replayed *out,
                     struct widest *widest)
{
    struct sum sum = {0};
    int before = out->tally.most - out->tally.least, width;

    for (int check = 0; check < CHECK_COUNT; check++)
        if ((l->list->checks & 1u << check) != 0 &&
            (upto >= STAGE_RCPT || check_stage((enum check)check) <= upto) &&
            !(l->list->when == WHEN_NULL_SENDER && upto < STAGE_MAIL))
            add_subject(&sum, l, (enum check)check, c, replay->config);
    add_sum(&out->tally, &widest->missing, &sum, l);
    if (!sum.silent)
        return;
    out->silent = replay_mix(out->silent, l->then != NULL ? l->then_index + 1 : 0);
    out->silent =
        replay_mix(out->silent, (uint64_t)(uint32_t)l->least << 32 | (uint32_t)l->most);
    out->silent = replay_mix(out->silent, sum.unknown);
    width = out->tally.most - out->tally.least - before;
    if (width <= widest->width)
        return;
    widest->width = width;
    widest->unknown = sum.unknown;
    widest->list = l->list;
}

void replay_judge_score(const struct replay *replay, struct replay_case *c,
                        enum stage upto, struct replayed *out)
{
    const struct config *config = replay->config;
    struct widest widest = {0};

    for (size_t i = 0; i < replay->count; i++)
        add_list(replay, &replay->lists[i], c, upto, out, &widest);
    out->mildest = out->severest =
        verdict_of_tally(config, out->tally.least, out->tally.missing);
    replay_widen(out, verdict_of_tally(config, out->tally.most, out->tally.missing));
    replay_widen(out, verdict_of_tally(config, out->tally.score,
                                       out->tally.missing + widest.missing));
    if (out->mildest == out->severest)
        return;
    out->unknown = widest.unknown;
    out->list = widest.list;
}
