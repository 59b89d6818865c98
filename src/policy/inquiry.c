#include "policy/inquiry.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "policy/question.h"

/* A batch is what one stage asked. It is freed by whoever is last: the session that
 * forgets it, or the answer to its last open question. */
struct batch {
    struct batch *next;
    struct inquiry *inquiry; /* a reference, as long as questions are open */
    enum stage stage;
    bool is_reason; /* one TXT question */
    bool forgotten;
    int64_t asked_ms;
    unsigned open;
    size_t count;
    struct question questions[];
};

/* A list's part of the score, and whose turn it is. */
struct list_sum {
    int weight;
    bool open;
    bool had_turn; /* it waits for others (after), and was asked or had nothing to ask */
    unsigned turn; /* the checks to be asked now: 1u << CHECK_… */
};

struct inquiry {
    pthread_mutex_t lock; /* of refs, waiting, the chain of batches and their answers */
    pthread_cond_t answered;
    unsigned refs;              /* the session, and each batch with open questions */
    const struct wait *waiting; /* while the session sleeps: what for; else NULL */
    struct policy *policy;      /* a reference */
    struct batch *first;        /* of the session; in the order of asking */
    struct list_sum sums[]; /* one a list of the policy; the session's thread only, but
                               for a tally while it sleeps */
};

struct inquiry *inquiry_new(struct policy *policy)
{
    size_t size = sizeof(struct inquiry) + policy->lists.count * sizeof(struct list_sum);
    struct inquiry *inquiry = calloc(1, size);
    pthread_condattr_t monotonic;

    if (inquiry == NULL)
        return NULL;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    if (pthread_mutex_init(&inquiry->lock, NULL) != 0 ||
        pthread_cond_init(&inquiry->answered, &monotonic) != 0) {
        pthread_condattr_destroy(&monotonic);
        free(inquiry);
        return NULL;
    }
    pthread_condattr_destroy(&monotonic);
    inquiry->refs = 1;
    inquiry->policy = policy_ref(policy);
    return inquiry;
}

/* Gives up one reference; the lock is held, and is released. */
static void unlock_and_unref(struct inquiry *inquiry)
{
    bool last = --inquiry->refs == 0;

    pthread_mutex_unlock(&inquiry->lock);
    if (!last)
        return;
    pthread_mutex_destroy(&inquiry->lock);
    pthread_cond_destroy(&inquiry->answered);
    policy_unref(inquiry->policy);
    free(inquiry);
}

static void batch_free(struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++)
        dns_answer_unref(batch->questions[i].text);
    free(batch);
}

/* Takes a batch out of the session's hands; the lock is held. */
static void forget_batch(struct batch *batch)
{
    batch->forgotten = true;
    if (batch->open == 0)
        batch_free(batch);
}

void inquiry_forget(struct inquiry *inquiry, enum stage from)
{
    pthread_mutex_lock(&inquiry->lock);
    for (struct batch **at = &inquiry->first; *at != NULL;) {
        struct batch *batch = *at;

        if (batch->stage < from) {
            at = &batch->next;
            continue;
        }
        *at = batch->next;
        forget_batch(batch);
    }
    for (size_t i = 0; i < inquiry->policy->lists.count; i++)
        inquiry->sums[i].had_turn = false;
    pthread_mutex_unlock(&inquiry->lock);
}

void inquiry_free(struct inquiry *inquiry)
{
    if (inquiry == NULL)
        return;
    inquiry_forget(inquiry, STAGE_CONNECT);
    pthread_mutex_lock(&inquiry->lock);
    unlock_and_unref(inquiry);
}

/* Fills in an answer; the lock is held, or the question is not yet known to others. */
static void take_answer(struct question *q, struct dns_answer *answer, bool cached)
{
    q->open = false;
    q->cached = cached;
    q->stale = answer->stale;
    q->status = answer->status;
    if (q->batch->is_reason) {
        q->text = dns_answer_ref(answer);
        return;
    }
    q->listing = listing_judge(q->dnsbl->list, answer);
    dnsbl_count(q->dnsbl, answer, &q->listing, cached);
}

static bool settled(struct inquiry *inquiry, const struct wait *wait, bool *turn);

/* Whether the sleeping session has something to do now that an answer of the batch came.
 * To wake it for each of them costs more than all else that is done for an answer. The
 * lock is held. */
static bool ends_wait(struct inquiry *inquiry, const struct batch *batch)
{
    bool turn;

    return batch->is_reason || settled(inquiry, inquiry->waiting, &turn) || turn;
}

/* The resolver's call: on its thread, under no lock. */
static void on_answer(struct dns_lookup *lookup, struct dns_answer *answer)
{
    struct question *q = (struct question *)lookup; /* its first member */
    struct batch *batch = q->batch;
    struct inquiry *inquiry = batch->inquiry;

    pthread_mutex_lock(&inquiry->lock);
    q->took_ms = (int)(clock_ms() - batch->asked_ms);
    take_answer(q, answer, false);
    if (inquiry->waiting != NULL && ends_wait(inquiry, batch))
        pthread_cond_signal(&inquiry->answered);
    if (--batch->open > 0) {
        pthread_mutex_unlock(&inquiry->lock);
        return;
    }
    if (batch->forgotten)
        batch_free(batch);
    unlock_and_unref(inquiry);
}

/* Whether the list waits for another one that has not had its say yet; lock held. */
static bool must_wait(const struct inquiry *inquiry, const struct list *list)
{
    const struct dnsbl_set *lists = &inquiry->policy->lists;
    const struct list *all = inquiry->policy->config->lists;

    for (size_t i = 0; i < list->after_count; i++) {
        const struct list *before = &all[list->after[i]];

        for (size_t k = 0; k < lists->count; k++) {
            if (lists->items[k].list != before)
                continue;
            if (inquiry->sums[k].open ||
                (before->after_count > 0 && !inquiry->sums[k].had_turn))
                return true;
        }
    }
    return false;
}

/* The score of what is answered (or, settled, of what counted), list by list, and how far
 * the rest may move it; lock held. */
static struct tally tally_up(struct inquiry *inquiry, bool settled)
{
    const struct dnsbl_set *lists = &inquiry->policy->lists;
    struct tally tally = {0};

    for (size_t i = 0; i < lists->count; i++) {
        inquiry->sums[i].weight = 0;
        inquiry->sums[i].open = false;
    }
    for (const struct question *q = inquiry_next(inquiry, NULL); q != NULL;
         q = inquiry_next(inquiry, q)) {
        struct list_sum *sum = &inquiry->sums[q->dnsbl - lists->items];

        if (q->open)
            sum->open = true;
        else if (!settled || q->counted)
            sum->weight = listing_heavier(sum->weight, question_weight(q));
    }
    for (size_t i = 0; i < lists->count; i++) {
        struct list_sum *sum = &inquiry->sums[i];
        const struct dnsbl *dnsbl = &lists->items[i];
        bool moves = sum->open || (dnsbl->list->after_count > 0 && !sum->had_turn);

        tally.score += sum->weight;
        tally.least += moves && sum->weight <= 0 && dnsbl->least < sum->weight
                           ? dnsbl->least
                           : sum->weight;
        tally.most += moves && dnsbl->most > sum->weight ? dnsbl->most : sum->weight;
    }
    return tally;
}

/* Asks one question, or leaves it out if there is nothing to ask. Returns true while its
 * answer is open. */
static bool ask(struct batch *batch, struct dnsbl *dnsbl, enum check check,
                enum dns_type type, const struct facts *facts)
{
    const struct policy *policy = batch->inquiry->policy;
    struct question *q = &batch->questions[batch->count];
    char name[DOMAIN_SIZE];
    struct dns_answer *answer;

    if (question_name(dnsbl->list, check, facts, policy->config->suffixes, name) != 0)
        return false;
    q->lookup.done = on_answer;
    q->batch = batch;
    q->dnsbl = dnsbl;
    q->check = check;
    q->listing.label = "";
    q->open = true;
    batch->count++;
    answer = resolver_ask(policy->resolver, dnsbl->upstream, type, name, &q->lookup);
    if (answer == NULL)
        return true;
    take_answer(q, answer, true);
    dns_answer_unref(answer);
    return false;
}

/* Opens a batch for at most count questions, held open by the asking itself so that an
 * early answer does not end it. */
static struct batch *batch_open(struct inquiry *inquiry, enum stage stage, size_t count)
{
    struct batch *batch = calloc(1, sizeof *batch + count * sizeof batch->questions[0]);

    if (batch == NULL)
        return NULL;
    batch->inquiry = inquiry;
    batch->stage = stage;
    batch->asked_ms = clock_ms();
    batch->open = (unsigned)count;
    pthread_mutex_lock(&inquiry->lock);
    inquiry->refs++;
    pthread_mutex_unlock(&inquiry->lock);
    return batch;
}

/* The asking is over: of count questions that were counted as open, so many are. */
static void batch_asked(struct batch *batch, size_t count, unsigned pending)
{
    struct inquiry *inquiry = batch->inquiry;
    struct batch **at = &inquiry->first;

    pthread_mutex_lock(&inquiry->lock);
    while (*at != NULL)
        at = &(*at)->next;
    *at = batch;
    batch->open -= (unsigned)count - pending;
    if (batch->open == 0 && pending < count)
        inquiry->refs--; /* never the last: the session holds one */
    pthread_mutex_unlock(&inquiry->lock);
}

/* Marks the lists whose turn comes at this stage; returns how many questions they have at
 * most. Lock held. */
static size_t take_turns(struct inquiry *inquiry, enum stage stage)
{
    const struct dnsbl_set *lists = &inquiry->policy->lists;
    size_t count = 0;

    for (size_t i = 0; i < lists->count; i++) {
        const struct list *list = lists->items[i].list;
        struct list_sum *sum = &inquiry->sums[i];

        sum->turn = 0;
        if (stage == STAGE_RCPT && (sum->had_turn || must_wait(inquiry, list)))
            continue;
        for (int check = 0; check < CHECK_COUNT; check++) {
            if (question_stage(list, (enum check)check) != (int)stage)
                continue;
            sum->turn |= 1u << check;
            count++;
        }
        if (stage == STAGE_RCPT && sum->turn != 0)
            sum->had_turn = true;
    }
    return count;
}

int inquiry_ask(struct inquiry *inquiry, enum stage stage, const struct facts *facts)
{
    struct dnsbl_set *lists = &inquiry->policy->lists;
    struct batch *batch;
    unsigned pending = 0;
    size_t count;

    pthread_mutex_lock(&inquiry->lock);
    count = take_turns(inquiry, stage);
    pthread_mutex_unlock(&inquiry->lock);
    if (count == 0)
        return 0;
    batch = batch_open(inquiry, stage, count);
    if (batch == NULL)
        return -1;
    for (size_t i = 0; i < lists->count; i++)
        for (int check = 0; check < CHECK_COUNT; check++)
            if (inquiry->sums[i].turn & 1u << check)
                pending += ask(batch, &lists->items[i], (enum check)check, DNS_A, facts);
    batch_asked(batch, count, pending);
    return 0;
}

int inquiry_ask_reason(struct inquiry *inquiry, const struct question *listed,
                       const struct facts *facts)
{
    struct batch *batch = batch_open(inquiry, STAGE_EOM, 1);

    if (batch == NULL)
        return -1;
    batch->is_reason = true;
    batch_asked(batch, 1, ask(batch, listed->dnsbl, listed->check, DNS_TXT, facts));
    return 0;
}

/* Whether there is nothing more to wait for; lock held. Lists whose turn has come are
 * reported in *turn, to be asked first. */
static bool settled(struct inquiry *inquiry, const struct wait *wait, bool *turn)
{
    struct tally tally = tally_up(inquiry, false);
    const struct dnsbl_set *lists = &inquiry->policy->lists;
    bool open = false;

    *turn = false;
    if (!wait->all && verdict_is_decided(inquiry->policy->config, &tally))
        return true;
    for (size_t i = 0; i < lists->count; i++) {
        const struct list *list = lists->items[i].list;

        open |= inquiry->sums[i].open;
        if (list->after_count > 0 && !inquiry->sums[i].had_turn &&
            !must_wait(inquiry, list))
            *turn = true;
    }
    return !open && !*turn;
}

/* Waits for the next answer, or until at_ms; lock held, but not while on_wait is called.
 */
static void wait_once(struct inquiry *inquiry, const struct wait *wait, int64_t *call_ms)
{
    int64_t now = clock_ms();
    struct timespec until;

    if (wait->on_wait != NULL && *call_ms >= 0 && now >= *call_ms) {
        pthread_mutex_unlock(&inquiry->lock);
        int again_ms = wait->on_wait(wait->context);

        *call_ms = again_ms < 0 ? -1 : now + again_ms;
        pthread_mutex_lock(&inquiry->lock);
        return; /* an answer may have come meanwhile: look before waiting */
    }
    until = clock_timespec(*call_ms >= 0 && *call_ms < wait->deadline_ms &&
                                   wait->on_wait != NULL
                               ? *call_ms
                               : wait->deadline_ms);
    inquiry->waiting = wait;
    pthread_cond_timedwait(&inquiry->answered, &inquiry->lock, &until);
    inquiry->waiting = NULL;
}

void inquiry_wait(struct inquiry *inquiry, const struct wait *wait)
{
    int64_t call_ms = 0;
    bool turn;

    pthread_mutex_lock(&inquiry->lock);
    while (!settled(inquiry, wait, &turn) && clock_ms() < wait->deadline_ms) {
        if (!turn) {
            wait_once(inquiry, wait, &call_ms);
            continue;
        }
        pthread_mutex_unlock(&inquiry->lock);
        int asked = inquiry_ask(inquiry, STAGE_RCPT, wait->facts);
        pthread_mutex_lock(&inquiry->lock);
        if (asked != 0)
            break; /* no memory: what is known must do */
    }
    pthread_mutex_unlock(&inquiry->lock);
}

/* The TXT question of the message, if one was asked. */
static struct question *reason_question(struct inquiry *inquiry)
{
    for (struct batch *batch = inquiry->first; batch != NULL; batch = batch->next)
        if (batch->is_reason && batch->count > 0)
            return &batch->questions[0];
    return NULL;
}

void inquiry_wait_reason(struct inquiry *inquiry, const struct wait *wait)
{
    struct question *q = reason_question(inquiry);
    int64_t call_ms = 0;

    if (q == NULL)
        return;
    pthread_mutex_lock(&inquiry->lock);
    while (q->open && clock_ms() < wait->deadline_ms)
        wait_once(inquiry, wait, &call_ms);
    pthread_mutex_unlock(&inquiry->lock);
}

/* Replaces the list's key, which some operators repeat in their texts. */
static void hide_key(char *text, const char *key)
{
    size_t length = key != NULL ? strlen(key) : 0;

    if (length == 0)
        return;
    for (char *at = strcasestr(text, key); at != NULL; at = strcasestr(at, key))
        memset(at, '*', length);
}

void inquiry_reason(struct inquiry *inquiry, char *out, size_t size)
{
    const struct question *q = reason_question(inquiry);

    out[0] = '\0';
    if (q == NULL)
        return;
    pthread_mutex_lock(&inquiry->lock);
    if (!q->open && q->text != NULL && q->text->text != NULL)
        text_clean(q->text->text, out, size);
    pthread_mutex_unlock(&inquiry->lock);
    hide_key(out, q->dnsbl->list->key);
}

struct tally inquiry_settle(struct inquiry *inquiry)
{
    struct tally tally;

    pthread_mutex_lock(&inquiry->lock);
    for (struct batch *batch = inquiry->first; batch != NULL; batch = batch->next)
        for (size_t i = 0; i < batch->count; i++)
            batch->questions[i].counted = !batch->questions[i].open;
    tally = tally_up(inquiry, true);
    pthread_mutex_unlock(&inquiry->lock);
    return tally;
}

const struct question *inquiry_next(const struct inquiry *inquiry,
                                    const struct question *previous)
{
    const struct batch *batch = inquiry->first;

    if (previous != NULL) {
        batch = previous->batch;
        if ((size_t)(previous + 1 - batch->questions) < batch->count)
            return previous + 1;
        batch = batch->next;
    }
    while (batch != NULL && (batch->count == 0 || batch->is_reason))
        batch = batch->next;
    return batch != NULL ? &batch->questions[0] : NULL;
}

int question_weight(const struct question *question)
{
    if (question->listing.state != LISTING_LISTED ||
        question->dnsbl->list->mode != LIST_ENFORCE)
        return 0;
    return question->listing.weight;
}
