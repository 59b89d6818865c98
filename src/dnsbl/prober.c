/* SPDX-License-Identifier: BSD-2-Clause */
#include "dnsbl/prober.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "dnsbl/result.h"

#define SOON_MS 500 /* before a second health check, or while no server answers */
/* a disabled list is checked again after a quarter of the time that it has been so */
#define BACK_OFF       4
#define QUIET_MS       500 /* a list that was found to list what it should */
#define SLOW_P95_MS    1000
#define SAVE_EVERY_MS  600000
#define SAVE_SOON_MS   2000  /* after a change: several come together */
#define WAKE_MS        10000 /* at the latest: packets have left that are to be saved */
#define NEVER_MS       INT64_MAX
#define STATES_FILE    "dnsbl-state.json"
#define WITNESSES_FILE "dnsbl-witnesses.json"

struct prober {
    struct bell
        bell; /* its lock guards all that follows, and the prober's part of lists */
    struct watched *first;
    struct resolver *resolver;
    struct witnesses *witnesses;
    char *folder;         /* NULL: nothing is kept */
    json_t *saved;        /* what the state file said at the start; NULL: nothing */
    int64_t save_ms;      /* when the state file is due */
    int64_t witnesses_ms; /* and that of the witnesses */
    pthread_t thread;
    bool running, stopping;
    pthread_mutex_t file_lock; /* while the files are written; the first to be taken */
};

static json_t *read_file(const struct prober *prober, const char *name)
{
    json_t *root = NULL;
    json_error_t error;
    char *path;

    if (prober->folder == NULL || asprintf(&path, "%s%s", prober->folder, name) < 0)
        return NULL;
    if (access(path, F_OK) == 0 || errno != ENOENT) {
        root = json_load_file(path, 0, &error);
        if (root == NULL)
            log_warning("%s:%d: %s: what it has is learned again", path, error.line,
                        error.text);
    }
    free(path);
    return root;
}

/* Takes root over. */
static void write_file(const struct prober *prober, const char *name, json_t *root)
{
    char *path = NULL;

    if (root == NULL || asprintf(&path, "%s%s", prober->folder, name) < 0 ||
        json_file_replace(path, root) != 0)
        log_warning("%s%s: cannot be written: %s", prober->folder, name, strerror(errno));
    free(path);
    json_decref(root);
}

struct prober *prober_new(const char *folder)
{
    struct prober *prober = calloc(1, sizeof *prober);
    json_t *saved;

    if (prober == NULL)
        return NULL;
    bell_init(&prober->bell);
    pthread_mutex_init(&prober->file_lock, NULL);
    prober->save_ms = prober->witnesses_ms = clock_ms() + SAVE_EVERY_MS;
    prober->folder = folder != NULL ? strdup(folder) : NULL;
    saved = read_file(prober, WITNESSES_FILE);
    prober->witnesses = witnesses_new(saved);
    json_decref(saved);
    prober->saved = read_file(prober, STATES_FILE);
    if (prober->witnesses != NULL && (folder == NULL || prober->folder != NULL))
        return prober;
    prober_free(prober);
    return NULL;
}

void prober_free(struct prober *prober)
{
    if (prober == NULL)
        return;
    for (struct watched *w = prober->first, *next; w != NULL; w = next) {
        next = w->next;
        health_check_clear(&w->check);
        list_stats_clear(&w->stats);
        list_state_clear(&w->state);
        free(w);
    }
    witnesses_free(prober->witnesses);
    json_decref(prober->saved);
    free(prober->folder);
    pthread_mutex_destroy(&prober->file_lock);
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

/* The list of that name, made if there is none; the bell's lock is held. */
static struct watched *find(struct prober *prober, const char *name)
{
    struct watched *w = prober->first;

    while (w != NULL && strcmp(w->name, name) != 0)
        w = w->next;
    if (w != NULL)
        return w;
    w = calloc(1, sizeof *w + strlen(name) + 1);
    if (w == NULL)
        return NULL;
    memcpy(w->name, name, strlen(name) + 1);
    list_state_init(&w->state, w->name, &prober->bell);
    list_state_load(&w->state, json_object_get(prober->saved, name));
    list_stats_init(&w->stats);
    w->check.bell = &prober->bell;
    w->due_ms = NEVER_MS;
    w->next = prober->first;
    prober->first = w;
    return w;
}

/* Whether the other one is queried for the same names at the same servers. */
static bool is_same(const struct list *a, const struct upstream *a_servers,
                    const struct list *b, const struct upstream *b_servers)
{
    return strcmp(a->zone, b->zone) == 0 && a_servers == b_servers;
}

struct watched *prober_watch(struct prober *prober, struct config *config,
                             const struct list *list, struct upstream *upstream)
{
    struct watched *w;
    bool other = false;
    int least, most;

    pthread_mutex_lock(&prober->bell.lock);
    w = find(prober, list->name);
    if (w != NULL) {
        int64_t next_ms = clock_ms() + (int64_t)config->health.interval_s * 1000;

        /* the same one: a health check under way goes on, and its state stays */
        other = w->config == NULL || !is_same(w->list, w->upstream, list, upstream);
        config_unref(w->config);
        w->config = config_ref(config);
        w->list = list;
        w->upstream = upstream;
        if (next_ms < w->due_ms)
            w->due_ms = next_ms;
    }
    pthread_mutex_unlock(&prober->bell.lock);
    if (w == NULL)
        return NULL;
    list_state_begin(&w->state, list, other);
    result_bounds(list, &least, &most);
    if (other && least < 0)
        witnesses_disown(prober->witnesses, WITNESS_ALL_LISTS);
    return w;
}

void prober_forget_others(struct prober *prober, const struct config *config)
{
    pthread_mutex_lock(&prober->bell.lock);
    for (struct watched *w = prober->first; w != NULL; w = w->next) {
        if (w->config == NULL || w->config == config)
            continue;
        config_unref(w->config);
        w->config = NULL;
        w->due_ms = NEVER_MS;
        atomic_store(&w->state.configured, false);
    }
    pthread_mutex_unlock(&prober->bell.lock);
}

static enum health health_of(const struct watched *w, bool ipv6)
{
    return atomic_load(&w->state.halves[ipv6].health);
}

/* Begins a health check; the bell's lock is held, and released meanwhile. */
static void begin_check(struct prober *prober, struct watched *w)
{
    unsigned events = atomic_exchange(&w->state.events, 0);
    enum health health = health_of(w, false);
    struct health_check *check = &w->check;

    check->resolver = prober->resolver;
    check->witnesses = prober->witnesses;
    check->config = config_ref(w->config);
    check->list = w->list;
    check->upstream = w->upstream;
    check->lying[0] = health == HEALTH_LYING;
    check->lying[1] = health_of(w, true) == HEALTH_LYING;
    /* what was found to list too much is to be shown not to */
    check->too_much = events >= 1u << EVENT_FOREIGN || check->lying[0] ||
                      check->lying[1] || atomic_load(&w->state.lied) ||
                      (check->again && check->too_much);
    check->any_name = health != HEALTH_UNCHECKED && !health_counts(health);
    check->timeout_ms = list_stats_patience_ms(&w->stats, w->config);
    check->retry_ms = list_stats_retry_ms(&w->stats);
    w->checking = true;
    w->due_ms = NEVER_MS;
    pthread_mutex_unlock(&prober->bell.lock);
    health_check_begin(check);
    pthread_mutex_lock(&prober->bell.lock);
}

/* A list that answers, but so slowly that people notice. */
static enum health slow_or_healthy(struct watched *w, char *why, size_t size)
{
    int p95_ms;

    pthread_mutex_lock(&w->stats.lock);
    p95_ms = latency_percentile(&w->stats.latency, 95);
    pthread_mutex_unlock(&w->stats.lock);
    if (list_stats_is_too_slow(&w->stats))
        snprintf(why, size,
                 "more than one answer in ten takes over a second: queried, "
                 "but not waited for");
    else if (p95_ms >= SLOW_P95_MS)
        snprintf(why, size, "one answer in twenty takes longer than %d ms", p95_ms);
    else
        return HEALTH_HEALTHY;
    return HEALTH_SLOW;
}

/* Takes over what a health check found of a half. Returns false if it is to be repeated
 * soon. */
static bool take_half(struct prober *prober, struct watched *w, bool ipv6, bool *answered)
{
    enum health was = health_of(w, ipv6), found;
    char why[WHY_SIZE];

    if (!health_check_judge(&w->check, ipv6, &found, why, sizeof why))
        return true;
    *answered = true;
    if (ipv6 && found == HEALTH_EMPTY && was == HEALTH_LYING) {
        atomic_store(&w->state.ipv6_known, false);
        list_state_checked(&w->state, ipv6, HEALTH_UNCHECKED, "no IPv6 test points");
    }
    if (ipv6 && !atomic_load(&w->state.ipv6_known)) {
        /* what it lacks, or does not answer, is no fault */
        if (found != HEALTH_HEALTHY && found != HEALTH_LYING)
            return true;
        atomic_store(&w->state.ipv6_known, true);
    }
    if (found == HEALTH_LYING)
        witnesses_disown(prober->witnesses, witnesses_list_bit(w->name));
    if (found == HEALTH_HEALTHY) {
        if (!health_counts(was) && was != HEALTH_UNCHECKED)
            list_stats_forget_slow(&w->stats);
        found = slow_or_healthy(w, why, sizeof why);
    }
    return list_state_checked(&w->state, ipv6, found, why);
}

/* When to check again, ms from now. */
static int64_t next_check_ms(const struct watched *w, bool answered)
{
    int64_t interval_ms = (int64_t)w->config->health.interval_s * 1000, wait_ms;
    int64_t unwell_ms = w->state.halves[0].unwell_ms;

    if (w->state.ipv6_known && w->state.halves[1].unwell_ms > unwell_ms)
        unwell_ms = w->state.halves[1].unwell_ms;
    if (!answered)
        return SOON_MS;
    if (unwell_ms == 0)
        return interval_ms - interval_ms / 10 + random() % (interval_ms / 5 + 1);
    wait_ms = (clock_ms() - unwell_ms) / BACK_OFF;
    if (wait_ms < SOON_MS)
        wait_ms = SOON_MS;
    return wait_ms < interval_ms ? wait_ms : interval_ms;
}

/* What the answers of a health check mean. Returns whether a server gave any. */
static bool take_check(struct prober *prober, struct watched *w)
{
    bool answered = false, well = take_half(prober, w, false, &answered);

    if (answered && (well || atomic_load(&w->state.ipv6_known)))
        well &= take_half(prober, w, true, &answered);
    if (answered && well && w->check.too_much) {
        atomic_store(&w->state.quiet_until_ms, clock_ms() + QUIET_MS);
        atomic_store(&w->state.lied, false);
    }
    w->check.again = !well;
    atomic_store(&w->checked_at, time(NULL));
    return answered;
}

/* Ends a health check whose answers are there; the bell's lock is held, but not
 * throughout. */
static void end_check(struct prober *prober, struct watched *w)
{
    const struct health_check *check = &w->check;
    int64_t now_ms, next_ms;
    bool answered;

    /* it says nothing of a list that is another one by now */
    if (w->config != NULL &&
        is_same(check->list, check->upstream, w->list, w->upstream)) {
        pthread_mutex_unlock(&prober->bell.lock);
        answered = take_check(prober, w);
        pthread_mutex_lock(&prober->bell.lock);
        now_ms = clock_ms();
        next_ms = w->config != NULL ? now_ms + next_check_ms(w, answered) : NEVER_MS;
        if (next_ms < w->due_ms)
            w->due_ms = next_ms;
        if (prober->save_ms > now_ms + SAVE_SOON_MS)
            prober->save_ms = now_ms + SAVE_SOON_MS;
    }
    health_check_clear(&w->check);
    w->checking = false;
    ring(prober);
}

/* Does what is due for one list; returns when to come back, if nothing rings. Lock held,
 * and released meanwhile. */
static int64_t see_to(struct prober *prober, struct watched *w)
{
    if (w->checking && atomic_load(&w->check.open) == 0)
        end_check(prober, w);
    if (w->checking || w->config == NULL || health_of(w, false) == HEALTH_SUSPENDED)
        return NEVER_MS;
    if (w->due_ms > clock_ms() && atomic_load(&w->state.events) == 0)
        return w->due_ms;
    begin_check(prober, w);
    return NEVER_MS;
}

void prober_save(struct prober *prober, bool witnesses_too)
{
    json_t *states;
    struct watched *w;

    if (prober->folder == NULL)
        return;
    states = json_object();
    pthread_mutex_lock(&prober->bell.lock);
    w = prober->first; /* others are only ever added before it */
    pthread_mutex_unlock(&prober->bell.lock);
    pthread_mutex_lock(&prober->file_lock);
    for (; w != NULL; w = w->next)
        json_object_set_new(states, w->name, list_state_save(&w->state));
    write_file(prober, STATES_FILE, states);
    if (witnesses_too)
        write_file(prober, WITNESSES_FILE, witnesses_save(prober->witnesses));
    pthread_mutex_unlock(&prober->file_lock);
}

/* Writes the files when they are due; lock held, and released meanwhile. */
static void save_when_due(struct prober *prober)
{
    int64_t now_ms = clock_ms();
    bool witnesses_too = now_ms >= prober->witnesses_ms;

    for (const struct watched *w = prober->first; w != NULL; w = w->next) {
        int64_t in_ms = list_state_save_ms(&w->state);

        if (in_ms < prober->save_ms - now_ms)
            prober->save_ms = now_ms + in_ms;
    }
    if (now_ms < prober->save_ms && !witnesses_too)
        return;
    prober->save_ms = now_ms + SAVE_EVERY_MS;
    if (witnesses_too)
        prober->witnesses_ms = now_ms + SAVE_EVERY_MS;
    pthread_mutex_unlock(&prober->bell.lock);
    prober_save(prober, witnesses_too);
    pthread_mutex_lock(&prober->bell.lock);
}

static void *run(void *context)
{
    struct prober *prober = context;

    pthread_mutex_lock(&prober->bell.lock);
    while (!prober->stopping) {
        int64_t next_ms, at_ms;

        prober->bell.rung = false;
        save_when_due(prober);
        next_ms = clock_ms() + WAKE_MS;
        if (prober->save_ms < next_ms)
            next_ms = prober->save_ms;
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
    prober->resolver = resolver;
    prober->running = pthread_create(&prober->thread, NULL, run, prober) == 0;
    return prober->running ? 0 : -1;
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
        prober_save(prober, true);
    }
    prober->running = false;
    prober_forget_others(prober, NULL);
}

void prober_wait(struct prober *prober, struct watched *w, bool check_now,
                 int64_t deadline_ms)
{
    struct timespec until = clock_timespec(deadline_ms);

    pthread_mutex_lock(&prober->bell.lock);
    if (check_now && w->config != NULL && health_of(w, false) != HEALTH_SUSPENDED) {
        w->due_ms = clock_ms();
        ring(prober);
    }
    while (w->config != NULL && clock_ms() < deadline_ms &&
           (health_of(w, false) == HEALTH_UNCHECKED ||
            (check_now && (w->checking || w->due_ms <= clock_ms()))))
        pthread_cond_timedwait(&prober->bell.cond, &prober->bell.lock, &until);
    pthread_mutex_unlock(&prober->bell.lock);
}
