/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/lookups.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "policy/lookups_parts.h"

#define NAME_FAILED_MS 30000 /* so long a name that failed is not waited for again */
#define TXT_MS         500   /* a refusal waits no longer for its reason */

struct lookups *lookups_new(struct policy *policy, bool is_dry_run)
{
    size_t size = sizeof(struct lookups) + policy->lists.count * sizeof(struct list_sum);
    struct lookups *lookups = calloc(1, size);

    if (lookups == NULL)
        return NULL;
    if (pthread_mutex_init(&lookups->lock, NULL) != 0 ||
        clock_cond_init(&lookups->answered) != 0) {
        free(lookups);
        return NULL;
    }
    lookups->refs = 1;
    lookups->is_dry_run = is_dry_run;
    lookups->policy = policy_ref(policy);
    return lookups;
}

/* Gives up one reference; the lock is held, and is released. */
static void unlock_and_unref(struct lookups *lookups)
{
    bool last = --lookups->refs == 0;

    pthread_mutex_unlock(&lookups->lock);
    if (!last)
        return;
    pthread_mutex_destroy(&lookups->lock);
    pthread_cond_destroy(&lookups->answered);
    policy_unref(lookups->policy);
    free(lookups);
}

static void batch_free(struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++)
        dns_answer_unref(batch->items[i].answer);
    free(batch);
}

void lookups_forget(struct lookups *lookups, enum stage from)
{
    pthread_mutex_lock(&lookups->lock);
    tally_account_alone(lookups);
    for (struct batch **at = &lookups->first; *at != NULL;) {
        struct batch *batch = *at;

        if (batch->stage < from) {
            at = &batch->next;
            continue;
        }
        *at = batch->next;
        batch->forgotten = true;
        if (batch->open == 0)
            batch_free(batch);
    }
    for (size_t i = 0; i < lookups->policy->lists.count; i++)
        lookups->sums[i].had_turn = false;
    pthread_mutex_unlock(&lookups->lock);
}

void lookups_free(struct lookups *lookups)
{
    if (lookups == NULL)
        return;
    lookups_forget(lookups, STAGE_CONNECT);
    pthread_mutex_lock(&lookups->lock);
    unlock_and_unref(lookups);
}

/* Fills in an answer; the lock is held, or the lookup is not yet known to others. */
static void take_answer(struct dnsbl_lookup *l, struct dns_answer *answer, bool cached)
{
    l->cached = cached;
    l->stale = answer->stale;
    l->status = answer->status;
    l->came_ms = answer->came_ms;
    l->result = result_judge(l->dnsbl->list, answer);
    dns_answer_unref(l->answer); /* from the cache, for an earlier stage's verdict */
    l->answer = dns_answer_ref(answer);
}

/* For the list's statistics; a failure that is the name's own is cached. */
static void note_answer(struct dnsbl_lookup *l, const struct dns_answer *answer,
                        const struct dnsbl_result *result, bool cached, int took_ms)
{
    struct heard heard = {.answer = answer,
                          .result = result,
                          .cached = cached,
                          .ipv6 = l->ipv6,
                          .servers_failed = l->dns.servers_failed,
                          .took_ms = took_ms};

    if (l->batch->lookups->is_dry_run)
        return;
    if (!cached && !heard.servers_failed &&
        (answer->status == DNS_TIMEOUT || answer->status == DNS_SERVFAIL ||
         answer->status == DNS_FORMERR || answer->status == DNS_NOTIMP) &&
        list_stats_answers_others(l->dnsbl->stats, took_ms))
        dns_lookup_cache_failure(&l->dns, answer, NAME_FAILED_MS);
    dnsbl_heard(l->dnsbl, &heard);
}

/* Whether the sleeping session has something to do now that an answer of the batch
 * arrived. To wake it for each of them costs more than all else that is done for an
 * answer. The lock is held. */
static bool ends_wait(struct lookups *lookups, const struct dnsbl_lookup *l)
{
    bool turn;

    return l->batch->is_reason || tally_is_settled(lookups, lookups->waiting, &turn) ||
           turn || dnsbl_is_held(l->dnsbl, l->ipv6); /* the health check decides then */
}

/* The resolver's call: on its thread, under no lock. */
static void on_answer(struct dns_lookup *dns, struct dns_answer *answer)
{
    struct dnsbl_lookup *l = (struct dnsbl_lookup *)dns; /* its first member */
    struct batch *batch = l->batch;
    struct lookups *lookups = batch->lookups;
    int took_ms = (int)(clock_ms() - batch->began_ms);
    struct dnsbl_result result = {.label = ""};

    if (!batch->is_reason) {
        result = result_judge(l->dnsbl->list, answer);
        note_answer(l, answer, &result, false, took_ms);
    } else if (!lookups->is_dry_run && !dns->servers_failed) {
        list_stats_txt(l->dnsbl->stats,
                       answer->status == DNS_FOUND || answer->status == DNS_NONE);
    }
    pthread_mutex_lock(&lookups->lock);
    l->open = false;
    if (batch->is_reason) {
        l->answer = dns_answer_ref(answer);
    } else if (!l->counted) { /* what is cached of it may have counted already */
        l->took_ms = took_ms;
        take_answer(l, answer, false);
    }
    if (lookups->waiting != NULL && ends_wait(lookups, l))
        pthread_cond_signal(&lookups->answered);
    if (--batch->open > 0) {
        pthread_mutex_unlock(&lookups->lock);
        return;
    }
    if (batch->forgotten)
        batch_free(batch);
    unlock_and_unref(lookups);
}

/* Whether an answer may be used: one that a list gave while it was wrong may not, and
 * what the cache has got of a refusal is none. */
static bool is_usable(const struct dnsbl_lookup *l, const struct dns_answer *answer)
{
    enum result_state state = result_judge(l->dnsbl->list, answer).state;

    return dnsbl_believes(l->dnsbl, l->ipv6, state, answer->came_ms) &&
           state != RESULT_ERROR && state != RESULT_FOREIGN;
}

bool lookup_from_cache(struct dnsbl_lookup *l, const struct envelope *envelope)
{
    const struct policy *policy = l->batch->lookups->policy;
    struct dns_answer *answer;
    char name[DOMAIN_SIZE];
    bool known;

    if (l->index >= subject_count(l->check, envelope) ||
        subject_query_name(l->dnsbl->list, l->check, l->index, envelope,
                           policy->config->suffixes, name) != 0)
        return false;
    answer = resolver_query(policy->resolver, l->dnsbl->upstream, DNS_A, name,
                            DNS_CACHE_ONLY, NULL);
    known = (answer->status == DNS_FOUND || answer->status == DNS_NONE) &&
            is_usable(l, answer);
    if (known)
        take_answer(l, answer, true);
    dns_answer_unref(answer);
    return known;
}

/* Queries, past what the cache has where that is not to be used. NULL: it was sent. */
static struct dns_answer *query(struct dnsbl_lookup *l, enum dns_type type,
                                const char *name)
{
    struct lookups *lookups = l->batch->lookups;
    struct resolver *resolver = lookups->policy->resolver;
    struct dns_answer *answer;

    dnsbl_prepare(l->dnsbl, &l->dns);
    if (type == DNS_TXT) {
        l->dns.is_refusal = NULL;
        l->dns.priority = 0;
        l->dns.timeout_ms = TXT_MS;
    }
    if (lookups->is_dry_run) {
        l->dns.budget = NULL;
        return resolver_query(resolver, l->dnsbl->upstream, type, name, DNS_PRIVATE,
                              &l->dns);
    }
    answer = resolver_query(resolver, l->dnsbl->upstream, type, name, 0, &l->dns);
    if (answer != NULL && type == DNS_A && !is_usable(l, answer)) {
        dns_answer_unref(answer);
        answer =
            resolver_query(resolver, l->dnsbl->upstream, type, name, DNS_AGAIN, &l->dns);
    }
    return answer;
}

/* Not queried: it has nothing to say. */
static void skip(struct dnsbl_lookup *l)
{
    l->skip = dnsbl_skip_reason(l->dnsbl, l->ipv6);
    l->status = DNS_NOT_ASKED;
    l->result.state = RESULT_FAILED;
    atomic_fetch_add_explicit(&l->dnsbl->stats->skipped, 1, memory_order_relaxed);
}

/* Sends one lookup, or answers it with what is known, as far as the list's state allows.
 * Returns true while its answer is open. */
static bool start(struct dnsbl_lookup *l, enum dns_type type, const char *name,
                  const struct envelope *envelope)
{
    enum access access =
        l->batch->lookups->is_dry_run ? ACCESS_QUERY : dnsbl_admit(l->dnsbl, l->ipv6);
    struct dns_answer *answer;

    if (access == ACCESS_QUERY) {
        answer = query(l, type, name);
        if (answer == NULL)
            return true;
        if (type == DNS_TXT) {
            l->answer = dns_answer_ref(answer);
        } else {
            take_answer(l, answer, true);
            note_answer(l, answer, &l->result, true, 0);
        }
        dns_answer_unref(answer);
    } else if (type == DNS_TXT || access == ACCESS_SKIP ||
               !lookup_from_cache(l, envelope)) {
        skip(l);
    }
    l->open = false;
    return false;
}

/* Begins one lookup, or leaves it out if there is nothing to query. Returns true while
 * its answer is open. */
static bool add(struct batch *batch, struct dnsbl *dnsbl, enum check check,
                unsigned index, enum dns_type type, const struct envelope *envelope)
{
    const struct policy *policy = batch->lookups->policy;
    struct dnsbl_lookup *l = &batch->items[batch->count];
    char name[DOMAIN_SIZE];

    if (subject_query_name(dnsbl->list, check, index, envelope, policy->config->suffixes,
                           name) != 0)
        return false;
    l->dns.done = on_answer;
    l->batch = batch;
    l->dnsbl = dnsbl;
    l->check = check;
    l->index = index;
    l->ipv6 = check == CHECK_CLIENT && envelope->client.family == 6;
    l->result.label = "";
    l->open = true;
    batch->count++;
    return start(l, type, name, envelope);
}

/* Opens a batch for at most count lookups, held open by the begin itself so that an early
 * answer does not end it. */
static struct batch *batch_open(struct lookups *lookups, enum stage stage, size_t count)
{
    struct batch *batch = calloc(1, sizeof *batch + count * sizeof batch->items[0]);

    if (batch == NULL)
        return NULL;
    batch->lookups = lookups;
    batch->stage = stage;
    batch->began_ms = clock_ms();
    batch->open = (unsigned)count;
    pthread_mutex_lock(&lookups->lock);
    lookups->refs++;
    pthread_mutex_unlock(&lookups->lock);
    return batch;
}

/* All is sent: of count lookups that were counted as open, so many are. */
static void batch_sent(struct batch *batch, size_t count, unsigned pending)
{
    struct lookups *lookups = batch->lookups;
    struct batch **at = &lookups->first;

    pthread_mutex_lock(&lookups->lock);
    while (*at != NULL)
        at = &(*at)->next;
    *at = batch;
    batch->open -= (unsigned)count - pending;
    if (batch->open == 0 && pending < count)
        lookups->refs--; /* never the last: the session holds one */
    pthread_mutex_unlock(&lookups->lock);
}

/* Marks the lists whose turn comes at this stage; returns how many lookups they have at
 * most. Lock held. */
static size_t take_turns(struct lookups *lookups, enum stage stage,
                         const struct envelope *envelope)
{
    const struct dnsbl_set *lists = &lookups->policy->lists;
    size_t count = 0;

    for (size_t i = 0; i < lists->count; i++) {
        const struct list *list = lists->items[i].list;
        struct list_sum *sum = &lookups->sums[i];

        sum->turn = 0;
        if (stage == STAGE_RCPT && (sum->had_turn || tally_must_wait(lookups, list)))
            continue;
        for (int check = 0; check < CHECK_COUNT; check++) {
            if (subject_stage(list, (enum check)check) != (int)stage)
                continue;
            sum->turn |= 1u << check;
            count += subject_count((enum check)check, envelope);
        }
        if (stage == STAGE_RCPT && sum->turn != 0)
            sum->had_turn = true;
    }
    return count;
}

int lookups_start(struct lookups *lookups, enum stage stage,
                  const struct envelope *envelope)
{
    struct dnsbl_set *lists = &lookups->policy->lists;
    struct batch *batch;
    unsigned pending = 0;
    size_t count;

    if (!policy_queries_at(lookups->policy, stage))
        return 0;
    pthread_mutex_lock(&lookups->lock);
    count = take_turns(lookups, stage, envelope);
    pthread_mutex_unlock(&lookups->lock);
    if (count == 0)
        return 0;
    batch = batch_open(lookups, stage, count);
    if (batch == NULL)
        return -1;
    for (size_t i = 0; i < lists->count; i++)
        for (int check = 0; check < CHECK_COUNT; check++)
            for (unsigned k = 0; lookups->sums[i].turn & 1u << check &&
                                 k < subject_count((enum check)check, envelope);
                 k++)
                pending +=
                    add(batch, &lists->items[i], (enum check)check, k, DNS_A, envelope);
    batch_sent(batch, count, pending);
    return 0;
}

const struct dnsbl_lookup *lookups_next(const struct lookups *lookups,
                                        const struct dnsbl_lookup *previous)
{
    const struct batch *batch = lookups->first;

    if (previous != NULL) {
        batch = previous->batch;
        if ((size_t)(previous + 1 - batch->items) < batch->count)
            return previous + 1;
        batch = batch->next;
    }
    while (batch != NULL && (batch->count == 0 || batch->is_reason))
        batch = batch->next;
    return batch != NULL ? &batch->items[0] : NULL;
}

bool lookups_is_answered(struct lookups *lookups, const struct dnsbl_lookup *lookup)
{
    bool answered;

    pthread_mutex_lock(&lookups->lock);
    answered = !lookup->open;
    pthread_mutex_unlock(&lookups->lock);
    return answered;
}

/* The TXT lookup of the message, if there is one. */
static struct dnsbl_lookup *reason_lookup(struct lookups *lookups)
{
    for (struct batch *batch = lookups->first; batch != NULL; batch = batch->next)
        if (batch->is_reason && batch->count > 0)
            return &batch->items[0];
    return NULL;
}

void lookups_fetch_reason(struct lookups *lookups, const struct dnsbl_lookup *listed,
                          const struct wait *wait)
{
    struct dnsbl_lookup *l;
    struct batch *batch;
    int64_t until_ms;

    if (lookups->is_dry_run || list_stats_wants_txt(listed->dnsbl->stats)) {
        batch = batch_open(lookups, STAGE_EOM, 1);
        if (batch == NULL)
            return;
        batch->is_reason = true;
        batch_sent(batch, 1,
                   add(batch, listed->dnsbl, listed->check, listed->index, DNS_TXT,
                       wait->envelope));
    }
    l = reason_lookup(lookups);
    until_ms = clock_ms() + TXT_MS;
    if (wait->deadline_ms < until_ms)
        until_ms = wait->deadline_ms;
    if (l != NULL)
        wait_while_open(lookups, wait, l, until_ms);
}

void lookups_reason(struct lookups *lookups, char *out, size_t size)
{
    const struct dnsbl_lookup *l = reason_lookup(lookups);
    char clean[4 * DNS_TEXT_MAX + 1] = ""; /* whole: a cut key would not be found */
    const char *key;

    out[0] = '\0';
    if (l == NULL)
        return;
    pthread_mutex_lock(&lookups->lock);
    if (!l->open && l->answer != NULL && l->answer->text != NULL)
        text_clean(l->answer->text, clean, sizeof clean);
    pthread_mutex_unlock(&lookups->lock);
    key = l->dnsbl->list->key; /* some operators repeat it in their texts */
    if (key != NULL && key[0] != '\0')
        for (char *at = strcasestr(clean, key); at != NULL; at = strcasestr(at, key))
            memset(at, '*', strlen(key));
    text_clean(clean, out, size);
}
