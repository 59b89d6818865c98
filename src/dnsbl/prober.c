/* SPDX-License-Identifier: BSD-2-Clause */
#include "dnsbl/prober.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/jsonfile.h"
#include "base/log.h"
#include "dnsbl/look.h"
#include "dnsbl/result.h"

#define SECOND_LOOK_MS 500 /* before a list is disabled; and while no server answers */
#define BACK_OFF                                                                         \
    4 /* a disabled list is looked at again after a quarter of the time                  \
         that it has been so: */
#define BACK_LEAST_MS 500
#define QUIET_MS      500 /* a list that was found to list what it should */
#define SLOW_P95_MS   1000
#define SAVE_EVERY_MS 600000
#define SAVE_SOON_MS  2000  /* after a change: several come together */
#define SAVE_QUOTA_MS 10000 /* while queries of a limited list leave */
#define NEVER_MS      INT64_MAX

struct prober {
    struct bell
        bell; /* its lock guards all that follows, and the prober's part of lists */
    struct watched *first;
    struct resolver *resolver;
    struct witnesses *witnesses;
    char *state_path; /* NULL: none */
    json_t *saved;    /* what the state file said at the start; NULL: nothing */
    int64_t save_ms;  /* when the state file is due */
    uint64_t saves_wanted, saves_done; /* of prober_save */
    int64_t witnesses_ms;
    pthread_t thread;
    bool running, stopping;
};

static json_t *load_states(const char *path)
{
    json_error_t error;
    json_t *root;

    if (access(path, F_OK) != 0 && errno == ENOENT)
        return NULL;
    root = json_load_file(path, 0, &error);
    if (root == NULL)
        log_warning("%s:%d: %s: the lists' states start over", path, error.line,
                    error.text);
    return root;
}

struct prober *prober_new(const char *folder)
{
    struct prober *prober = calloc(1, sizeof *prober);
    char *witnesses = NULL;

    if (prober == NULL)
        return NULL;
    bell_init(&prober->bell);
    prober->save_ms = prober->witnesses_ms = clock_ms() + SAVE_EVERY_MS;
    if (folder != NULL &&
        (asprintf(&prober->state_path, "%sdnsbl-state.json", folder) < 0 ||
         asprintf(&witnesses, "%sdnsbl-witnesses.json", folder) < 0))
        goto fail;
    prober->witnesses = witnesses_new(witnesses);
    free(witnesses);
    if (prober->witnesses == NULL)
        goto fail;
    if (folder != NULL)
        prober->saved = load_states(prober->state_path);
    return prober;
fail:
    prober_free(prober);
    return NULL;
}

static void watched_free(struct watched *w)
{
    list_stats_clear(&w->stats);
    list_state_free(w->state);
    if (w->look != NULL)
        look_clear(w->look);
    config_unref(w->look_config);
    free(w->look);
    free(w);
}

void prober_free(struct prober *prober)
{
    if (prober == NULL)
        return;
    for (struct watched *w = prober->first, *next; w != NULL; w = next) {
        next = w->next;
        watched_free(w);
    }
    witnesses_free(prober->witnesses);
    json_decref(prober->saved);
    free(prober->state_path);
    bell_clear(&prober->bell);
    free(prober);
}

struct witnesses *prober_witnesses(struct prober *prober)
{
    return prober->witnesses;
}

/* The bell's lock is held. */
static void ring(struct prober *prober)
{
    prober->bell.rung = true;
    pthread_cond_broadcast(&prober->bell.cond);
}

static struct watched *watched_new(struct prober *prober, const char *name)
{
    struct watched *w = calloc(1, sizeof *w);

    if (w == NULL)
        return NULL;
    w->state = list_state_new(name, &prober->bell);
    w->look = calloc(1, sizeof *w->look);
    if (w->state == NULL || w->look == NULL) {
        list_state_free(w->state);
        free(w->look);
        free(w);
        return NULL;
    }
    w->look->bell = &prober->bell;
    w->due_ms = NEVER_MS;
    list_stats_init(&w->stats);
    list_state_load(w->state, json_object_get(prober->saved, name));
    return w;
}

static struct watched *find(struct prober *prober, const char *name)
{
    struct watched *w = prober->first;

    while (w != NULL && strcmp(w->state->name, name) != 0)
        w = w->next;
    return w;
}

struct watched *prober_watch(struct prober *prober, struct config *config,
                             const struct list *list, struct upstream *upstream)
{
    struct config *old = NULL;
    struct watched *w;
    bool other = true;
    int64_t soon_ms;
    int least, most;

    pthread_mutex_lock(&prober->bell.lock);
    w = find(prober, list->name);
    if (w == NULL) {
        w = watched_new(prober, list->name);
        if (w == NULL)
            goto out;
        w->next = prober->first;
        prober->first = w;
    } else if (w->config != NULL) { /* same zone and servers: a look under way goes on */
        other = strcmp(w->list->zone, list->zone) != 0 || w->upstream != upstream;
    }
    old = w->config;
    w->outdated = w->looking && other;
    w->config = config_ref(config);
    w->list = list;
    w->upstream = upstream;
    soon_ms = clock_ms() + (other ? 0 : (int64_t)config->health.interval_s * 1000);
    if (soon_ms < w->due_ms && !w->looking)
        w->due_ms = soon_ms;
out:
    pthread_mutex_unlock(&prober->bell.lock);
    if (w != NULL)
        list_state_begin(w->state, list, other);
    result_bounds(list, &least, &most);
    if (other && least < 0)
        witnesses_disown(prober->witnesses, WITNESS_ALL_LISTS);
    config_unref(old);
    return w;
}

void prober_forget_others(struct prober *prober, const struct config *config)
{
    struct watched *w;

    pthread_mutex_lock(&prober->bell.lock);
    w = prober->first; /* others are only ever added before it */
    pthread_mutex_unlock(&prober->bell.lock);
    for (; w != NULL; w = w->next) {
        struct config *old = NULL;

        pthread_mutex_lock(&prober->bell.lock);
        if (w->config != NULL && w->config != config) {
            old = w->config;
            w->config = NULL;
            w->outdated = w->looking;
            w->due_ms = NEVER_MS;
            atomic_store(&w->state->configured, false);
        }
        pthread_mutex_unlock(&prober->bell.lock);
        config_unref(old);
    }
}

static bool is_suspended(const struct watched *w)
{
    return atomic_load(&w->state->halves[0].health) == HEALTH_SUSPENDED;
}

/* Whether a half has been found wrong, or is not known yet. */
static bool is_disabled(const struct watched *w)
{
    return !health_counts(atomic_load(&w->state->halves[0].health)) ||
           (atomic_load(&w->state->ipv6_known) &&
            !health_counts(atomic_load(&w->state->halves[1].health)));
}

static bool is_lying(const struct watched *w, int half)
{
    return atomic_load(&w->state->halves[half].health) == HEALTH_LYING;
}

/* How long a list's silence is listened to: what is long for it, as mail does. */
static int patience_ms(struct watched *w)
{
    int most_ms = w->config->resolver.deadline_ms;
    int least_ms = w->config->resolver.timeout_ms + LIST_RESENT_MS;
    int ms;

    pthread_mutex_lock(&w->stats.lock);
    ms = latency_deadline_ms(&w->stats.latency, most_ms);
    pthread_mutex_unlock(&w->stats.lock);
    if (ms < least_ms)
        ms = least_ms;
    return ms < most_ms ? ms : most_ms;
}

/* Begins a look; the bell's lock is held, and released meanwhile. */
static void begin_look(struct prober *prober, struct watched *w)
{
    unsigned questions = atomic_exchange(&w->state->questions, 0);
    enum health health = atomic_load(&w->state->halves[0].health);
    struct look_at at = {.resolver = prober->resolver,
                         .upstream = w->upstream,
                         .list = w->list,
                         .config = w->config,
                         .witnesses = prober->witnesses,
                         .lying = {is_lying(w, 0), is_lying(w, 1)},
                         .again = w->again,
                         .any_name = health != HEALTH_UNCHECKED && !health_counts(health),
                         .timeout_ms = patience_ms(w),
                         .retry_ms = atomic_load(&w->stats.retry_ms)};

    /* what was found to list too much is to be shown not to */
    at.too_much = questions & QUESTION_LISTS_TOO_MUCH || at.lying[0] || at.lying[1] ||
                  atomic_load(&w->state->lied) || (w->again && w->too_much);
    w->too_much = at.too_much;
    w->look_config = config_ref(w->config);
    w->look_list = w->list;
    w->looking = true;
    w->due_ms = NEVER_MS;
    atomic_store(&w->look->open, 1); /* until look_begin has counted */
    pthread_mutex_unlock(&prober->bell.lock);
    look_clear(w->look);
    look_begin(w->look, &at);
    pthread_mutex_lock(&prober->bell.lock);
}

/* A list that answers, but so slowly that people notice. */
static enum health slow_or_healthy(struct watched *w, char *why, size_t size)
{
    int p95_ms;

    if (list_stats_is_too_slow(&w->stats)) {
        snprintf(why, size,
                 "more than one answer in ten takes over a second: queried, "
                 "but not waited for");
        return HEALTH_SLOW;
    }
    pthread_mutex_lock(&w->stats.lock);
    p95_ms = latency_percentile(&w->stats.latency, 95);
    pthread_mutex_unlock(&w->stats.lock);
    if (p95_ms < SLOW_P95_MS)
        return HEALTH_HEALTHY;
    snprintf(why, size, "one answer in twenty takes longer than %d ms", p95_ms);
    return HEALTH_SLOW;
}

/* Takes over what a look found of a half. Returns false where it has to be repeated soon.
 */
static bool take_half(struct prober *prober, struct watched *w, bool ipv6, bool *answered)
{
    bool known = atomic_load(&w->state->ipv6_known);
    enum health found;
    char why[WHY_SIZE];

    if (!look_judge(w->look, w->look_list, ipv6, known, &found, why, sizeof why)) {
        *answered |= ipv6;
        return true;
    }
    *answered = true;
    if (ipv6 && !known) {
        if (found == HEALTH_HEALTHY && is_suspended(w))
            return true;
        atomic_store(&w->state->ipv6_known, true);
    }
    if (ipv6 && found == HEALTH_EMPTY &&
        atomic_load(&w->state->halves[1].health) == HEALTH_LYING) {
        atomic_store(&w->state->ipv6_known, false); /* it has no IPv6 test points */
        return true;
    }
    if (found == HEALTH_LYING)
        witnesses_disown(prober->witnesses, witnesses_list_bit(w->look_list->name));
    if (found == HEALTH_HEALTHY) {
        if (atomic_load(&w->state->halves[ipv6].disabled_ms) != 0)
            list_stats_forget_slow(&w->stats);
        found = slow_or_healthy(w, why, sizeof why);
    }
    return list_state_looked(w->state, ipv6, found, why);
}

/* When to look again, ms from now. */
static int64_t next_look_ms(const struct watched *w, bool well, bool answered)
{
    int64_t interval_ms = (int64_t)w->config->health.interval_s * 1000, since_ms = 0;

    if (!answered)
        return SECOND_LOOK_MS;
    if (well && !is_disabled(w))
        return interval_ms - interval_ms / 10 + random() % (interval_ms / 5 + 1);
    for (int i = 0; i < 2; i++) {
        int64_t at_ms = w->state->halves[i].disabled_ms;

        if (atomic_load(&w->state->halves[i].bad) > 0)
            return SECOND_LOOK_MS; /* verdicts wait for it, whatever the other half is */
        if (at_ms != 0 && (since_ms == 0 || at_ms > since_ms))
            since_ms = at_ms;
    }
    if (since_ms == 0)
        return SECOND_LOOK_MS;
    since_ms = (clock_ms() - since_ms) / BACK_OFF;
    if (since_ms < BACK_LEAST_MS)
        since_ms = BACK_LEAST_MS;
    return since_ms < interval_ms ? since_ms : interval_ms;
}

/* Ends a look whose answers are there; the bell's lock is held, and released meanwhile.
 */
static void end_look(struct prober *prober, struct watched *w)
{
    bool well, answered = false;
    int64_t next_ms;

    pthread_mutex_unlock(&prober->bell.lock);
    well = take_half(prober, w, false, &answered);
    if (answered && (well || atomic_load(&w->state->ipv6_known)))
        well &= take_half(prober, w, true, &answered);
    if (answered && well && w->too_much) {
        atomic_store(&w->state->quiet_until_ms, clock_ms() + QUIET_MS);
        atomic_store(&w->state->lied, false);
    }
    atomic_store(&w->looked_at, time(NULL));
    pthread_mutex_lock(&prober->bell.lock);
    w->again = !well;
    if (w->config != NULL && !w->outdated) {
        next_ms = clock_ms() + next_look_ms(w, well, answered);
        if (next_ms < w->due_ms)
            w->due_ms = next_ms;
    }
    if (prober->save_ms > clock_ms() + SAVE_SOON_MS)
        prober->save_ms = clock_ms() + SAVE_SOON_MS;
}

/* Does what is due for one list; returns when to come back. Lock held, and released
 * meanwhile. */
static int64_t see_to(struct prober *prober, struct watched *w)
{
    if (w->looking) {
        if (atomic_load(&w->look->open) > 0)
            return NEVER_MS; /* the bell rings */
        if (w->config != NULL && !w->outdated)
            end_look(prober, w);
        else if (w->config != NULL)
            w->due_ms = clock_ms();
        w->looking = w->outdated = false;
        config_unref(w->look_config);
        w->look_config = NULL;
        ring(prober);
    }
    if (w->config == NULL || is_suspended(w))
        return NEVER_MS;
    if (atomic_load(&w->state->halves[0].health) == HEALTH_UNCHECKED &&
        w->due_ms > clock_ms() + SECOND_LOOK_MS)
        w->due_ms = clock_ms(); /* it was resumed */
    if (w->due_ms > clock_ms() && atomic_load(&w->state->questions) == 0)
        return w->due_ms;
    begin_look(prober, w);
    return atomic_load(&w->look->open) > 0 ? NEVER_MS : clock_ms();
}

static int write_states(struct prober *prober, struct watched *first)
{
    json_t *root = json_object();
    int rc = -1;

    for (struct watched *w = first; root != NULL && w != NULL; w = w->next)
        json_object_set_new(root, w->state->name, list_state_save(w->state));
    if (root != NULL)
        rc = json_file_replace(prober->state_path, root);
    if (rc != 0)
        log_warning("%s: the lists' states cannot be written: %s", prober->state_path,
                    strerror(errno));
    json_decref(root);
    return rc;
}

/* Whether a limited list has sent queries that the file does not know of: many, or any.
 */
static bool quota_is_unsaved(const struct watched *first, bool any)
{
    for (const struct watched *w = first; w != NULL; w = w->next) {
        int64_t unsaved = w->state->quota_saved - w->state->quota_left;
        int64_t limit = w->state->quota_limit;

        if (limit > 0 && unsaved > (any ? 0 : limit / 20 < 50 ? limit / 20 : 49))
            return true;
    }
    return false;
}

/* Writes the files when they are due; lock held, and released meanwhile. Returns when to
 * come back. */
static int64_t save_when_due(struct prober *prober)
{
    struct watched *first = prober->first;
    int64_t now_ms = clock_ms();
    bool witnesses = now_ms >= prober->witnesses_ms;

    if (prober->state_path == NULL)
        return NEVER_MS;
    if (quota_is_unsaved(first, false))
        prober->save_ms = now_ms;
    else if (quota_is_unsaved(first, true) && prober->save_ms > now_ms + SAVE_QUOTA_MS)
        prober->save_ms = now_ms + SAVE_QUOTA_MS;
    if (now_ms >= prober->save_ms || witnesses) {
        uint64_t wanted = prober->saves_wanted;

        prober->save_ms = now_ms + SAVE_EVERY_MS;
        if (witnesses)
            prober->witnesses_ms = now_ms + SAVE_EVERY_MS;
        pthread_mutex_unlock(&prober->bell.lock);
        (void)write_states(prober, first); /* logged */
        if (witnesses)
            witnesses_save(prober->witnesses);
        pthread_mutex_lock(&prober->bell.lock);
        prober->saves_done = wanted;
        pthread_cond_broadcast(&prober->bell.cond);
    }
    return prober->save_ms;
}

static void *run(void *context)
{
    struct prober *prober = context;

    pthread_mutex_lock(&prober->bell.lock);
    while (!prober->stopping) {
        int64_t next_ms, at_ms;

        prober->bell.rung = false;
        next_ms = save_when_due(prober);
        if (next_ms > clock_ms() + SAVE_QUOTA_MS)
            next_ms = clock_ms() + SAVE_QUOTA_MS;
        for (struct watched *w = prober->first; w != NULL; w = w->next) {
            at_ms = see_to(prober, w);
            if (at_ms < next_ms)
                next_ms = at_ms;
        }
        /* The lock was released in between: who rang woke nobody. */
        if (prober->stopping || prober->bell.rung || next_ms <= clock_ms())
            continue;
        struct timespec until = clock_timespec(next_ms);
        pthread_cond_timedwait(&prober->bell.cond, &prober->bell.lock, &until);
    }
    pthread_mutex_unlock(&prober->bell.lock);
    return NULL;
}

int prober_start(struct prober *prober, struct resolver *resolver)
{
    bool running;

    pthread_mutex_lock(&prober->bell.lock); /* the thread reads what lies beside it */
    prober->resolver = resolver;
    running = pthread_create(&prober->thread, NULL, run, prober) == 0;
    prober->running = running;
    pthread_mutex_unlock(&prober->bell.lock);
    return running ? 0 : -1;
}

void prober_stop(struct prober *prober)
{
    if (prober == NULL)
        return;
    pthread_mutex_lock(&prober->bell.lock);
    prober->stopping = true;
    ring(prober);
    pthread_mutex_unlock(&prober->bell.lock);
    if (prober->running) {
        pthread_join(prober->thread, NULL);
        if (prober->state_path != NULL)
            (void)write_states(prober, prober->first); /* logged */
        witnesses_save(prober->witnesses);
    }
    prober->running = false;
    prober_forget_others(prober, NULL);
}

void prober_wait_checked(struct prober *prober, struct watched *w, int64_t deadline_ms)
{
    struct timespec until = clock_timespec(deadline_ms);

    pthread_mutex_lock(&prober->bell.lock);
    while (atomic_load(&w->state->halves[0].health) == HEALTH_UNCHECKED &&
           clock_ms() < deadline_ms)
        pthread_cond_timedwait(&prober->bell.cond, &prober->bell.lock, &until);
    pthread_mutex_unlock(&prober->bell.lock);
}

void prober_save(struct prober *prober, int64_t deadline_ms)
{
    struct timespec until = clock_timespec(deadline_ms);
    uint64_t wanted;

    if (prober->state_path == NULL)
        return;
    pthread_mutex_lock(&prober->bell.lock);
    wanted = ++prober->saves_wanted;
    prober->save_ms = clock_ms();
    ring(prober);
    while (prober->running && !prober->stopping && prober->saves_done < wanted &&
           clock_ms() < deadline_ms)
        pthread_cond_timedwait(&prober->bell.cond, &prober->bell.lock, &until);
    pthread_mutex_unlock(&prober->bell.lock);
}

void prober_look_now(struct prober *prober, struct watched *w, int64_t deadline_ms)
{
    struct timespec until = clock_timespec(deadline_ms);
    int64_t began_ms = clock_ms();

    if (is_suspended(w))
        return;
    pthread_mutex_lock(&prober->bell.lock);
    if (w->config != NULL)
        w->due_ms = began_ms;
    ring(prober);
    while (w->config != NULL && clock_ms() < deadline_ms &&
           (w->looking || w->due_ms <= clock_ms() ||
            atomic_load(&w->state->halves[0].health) == HEALTH_UNCHECKED))
        pthread_cond_timedwait(&prober->bell.cond, &prober->bell.lock, &until);
    pthread_mutex_unlock(&prober->bell.lock);
}
