/* SPDX-License-Identifier: BSD-2-Clause */
#include "rules/rules.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "rules/rules_parts.h"

#define QUEUE_SIZE    128
#define RECENT_S      5 /* a finding comes again with each event: once in so long is enough */
#define LOOK_MS       60000 /* what became of entries */
#define SNAPSHOT_MS   300000
#define PRUNE_MS      3600000
#define RETRY_MS      10000
#define JUMP_S        30
#define GAP_S         600 /* without us, for a window that still counts as wholly observed */
#define SNAPSHOT_NAME "rules.counters"
#define DATABASE_NAME "rules.db"

/* --- counting --- */

/* Whether this finding was handed over within the last seconds, and is no graver now. */
static bool is_repeated(struct rules *rules, const struct finding *finding)
{
    uint64_t hash = counters_hash(finding->key, strlen(finding->key)) ^
                    counters_hash(finding->rule->name, strlen(finding->rule->name)) ^
                    counters_hash(&finding->times, sizeof finding->times);
    uint64_t high = hash & UINT64_C(0xffffffff00000000);
    _Atomic uint64_t *slot = &rules->recent[hash % RULES_RECENT_SIZE];
    uint64_t last = atomic_load(slot), now = (uint32_t)finding->at_s;

    if ((last & UINT64_C(0xffffffff00000000)) == high &&
        (uint32_t)(now - (last & 0xffffffff)) < RECENT_S)
        return true;
    atomic_store(slot, high | now);
    return false;
}

/* On a message's way: hands a finding to the thread, or drops it; it will come again. */
static void take_finding(void *context, const struct finding *finding,
                         const struct usage_subject *subject)
{
    struct rules *rules = context;
    struct queued *q;

    if (is_repeated(rules, finding))
        return;
    pthread_mutex_lock(&rules->lock);
    if (rules->count == QUEUE_SIZE || rules->stopping) {
        atomic_fetch_add(&rules->dropped, 1);
    } else {
        q = &rules->queue[(rules->first + rules->count++) % QUEUE_SIZE];
        q->finding = *finding;
        q->finding.rule = NULL;
        text_copy(finding->rule->name, q->rule, sizeof q->rule);
        text_copy(subject->login, q->login, sizeof q->login);
        text_copy(subject->sender, q->sender, sizeof q->sender);
        text_copy(subject->client, q->client, sizeof q->client);
        text_copy(subject->shared, q->shared, sizeof q->shared);
        atomic_fetch_add(&rules->found, 1);
        pthread_cond_signal(&rules->wake);
    }
    pthread_mutex_unlock(&rules->lock);
}

bool rules_count(const struct rules *rules)
{
    return atomic_load_explicit(&rules->counts, memory_order_relaxed);
}

struct usage rules_usage(struct rules *rules, const struct config *config)
{
    return (struct usage){.counters = rules->counters,
                          .config = config,
                          .suffixes = rules->options.suffixes,
                          .own = rules->own,
                          .found = take_finding,
                          .context = rules,
                          .others = rules->others};
}

struct config *rules_config(struct rules *rules)
{
    struct config *config;

    pthread_mutex_lock(&rules->lock);
    config = config_ref(rules->config);
    pthread_mutex_unlock(&rules->lock);
    return config;
}

const struct rule *rules_find(const struct config *config, const char *name)
{
    for (size_t i = 0; i < config->rule_count; i++)
        if (strcmp(config->rules[i].name, name) == 0)
            return &config->rules[i];
    return NULL;
}

/* Else what led to it would still be in the windows when the entry ends, and the next
 * mail would be taken for the second time. */
void rules_begin_again(struct rules *rules, const struct config *config, const char *name,
                       const char *key)
{
    const struct rule *rule = rules_find(config, name);

    if (rule != NULL)
        (void)counters_reset(rules->counters, rule->by, key);
}

int rules_event(struct rules *rules, enum rule_count count, const char *entry, int n)
{
    struct config *config = rules_config(rules);
    struct usage usage = rules_usage(rules, config);
    int rc = usage_event(&usage, count, entry, n, time(NULL));

    config_unref(config);
    return rc;
}

/* --- the snapshot --- */

static int write_snapshot(struct rules *rules, const char *path)
{
    FILE *out = fopen(path, "we");
    int rc;

    if (out == NULL)
        return -1;
    rc = own_domains_save(rules->own, out);
    if (rc == 0)
        rc = counters_save(rules->counters, time(NULL), out);
    if (rc == 0 && (fflush(out) != 0 || fsync(fileno(out)) != 0))
        rc = -1;
    if (fclose(out) != 0)
        rc = -1;
    return rc;
}

static void save_snapshot(struct rules *rules)
{
    static struct log_limit limit;
    char path[4096], temporary[4096 + 8];
    unsigned held_back;

    text_sentence(path, sizeof path, "%s%s", rules->folder, SNAPSHOT_NAME);
    text_sentence(temporary, sizeof temporary, "%s.new", path);
    if (write_snapshot(rules, temporary) == 0 && rename(temporary, path) == 0)
        return;
    if (log_limit_pass(&limit, 600000, &held_back))
        log_error("rules: %s cannot be written: %s", path, strerror(errno));
    (void)unlink(temporary);
}

static void load_snapshot(struct rules *rules)
{
    char path[4096];
    FILE *in;

    text_sentence(path, sizeof path, "%s%s", rules->folder, SNAPSHOT_NAME);
    in = fopen(path, "re");
    if (in == NULL)
        return;
    if (own_domains_load(rules->own, in) != 0 ||
        counters_load(rules->counters, time(NULL), GAP_S, in) != 0)
        log_error("rules: %s is damaged: counting begins again", path);
    fclose(in);
}

/* --- the thread --- */

static int64_t wall_offset(void)
{
    return (int64_t)time(NULL) - clock_ms() / 1000;
}

/* What was counted by another clock says nothing about the last hour. */
static void check_clock(struct rules *rules)
{
    int64_t now = wall_offset(), jump = now - rules->wall_offset;

    rules->wall_offset = now;
    if (jump > -JUMP_S && jump < JUMP_S)
        return;
    /* before it is logged: who reads it finds it so */
    counters_unobserved(rules->counters, time(NULL), jump < 0);
    log_warning(
        "rules: the clock has jumped by %lld s: nothing is found until the windows "
        "are whole again",
        (long long)jump);
}

static void try_to_open(struct rules *rules)
{
    char error[FINDINGS_ERROR_SIZE] = "";
    struct findings *findings;

    if (rules->findings != NULL || clock_ms() < rules->opened_ms + RETRY_MS)
        return;
    rules->opened_ms = clock_ms();
    findings = findings_open(rules->database, error);
    pthread_mutex_lock(&rules->lock);
    rules->findings = findings;
    memcpy(rules->error, error, sizeof rules->error);
    pthread_mutex_unlock(&rules->lock);
    if (findings == NULL)
        log_error("rules: %s", error);
}

/* Waits for a finding, a second at most: whether there is one in *out, and whether another
 * configuration has come into force. False: a stop. */
static bool next(struct rules *rules, struct queued *out, bool *found, bool *configured)
{
    bool stopping;

    pthread_mutex_lock(&rules->lock);
    if (rules->busy) {
        rules->busy = false;
        pthread_cond_broadcast(&rules->done);
    }
    if ((rules->count == 0 || rules->findings == NULL) && !rules->stopping) {
        struct timespec until = clock_timespec(clock_ms() + 1000);

        pthread_cond_clockwait(&rules->wake, &rules->lock, CLOCK_MONOTONIC, &until);
    }
    stopping = rules->stopping;
    *found = rules->count > 0 && rules->findings != NULL && !stopping;
    if (*found) {
        *out = rules->queue[rules->first];
        rules->first = (rules->first + 1) % QUEUE_SIZE;
        rules->count--;
        rules->busy = true;
    }
    *configured = rules->configured;
    rules->configured = false;
    pthread_mutex_unlock(&rules->lock);
    return !stopping;
}

static void every(int64_t *due_ms, int interval_ms, void (*run)(struct rules *rules),
                  struct rules *rules)
{
    if (clock_ms() < *due_ms)
        return;
    run(rules);
    *due_ms = clock_ms() + interval_ms;
}

static void prune(struct rules *rules)
{
    (void)findings_prune(rules->findings, time(NULL));
}

static void *run(void *context)
{
    struct rules *rules = context;
    int64_t look_ms = 0, prune_ms = 0, snapshot_ms = clock_ms() + SNAPSHOT_MS;
    struct queued *q = malloc(sizeof *q);
    bool found, configured;

    try_to_open(rules);
    while (q != NULL && next(rules, q, &found, &configured)) {
        if (found)
            rules_decide(rules, q);
        if (configured)
            look_ms = 0;
        check_clock(rules);
        try_to_open(rules);
        if (rules->findings != NULL) {
            every(&look_ms, LOOK_MS, rules_look, rules);
            every(&prune_ms, PRUNE_MS, prune, rules);
        }
        if (rules_count(rules))
            every(&snapshot_ms, SNAPSHOT_MS, save_snapshot, rules);
    }
    if (rules_count(rules))
        save_snapshot(rules);
    free(q);
    return NULL;
}

/* --- start and stop --- */

static bool has_windows(const struct counter_layout layouts[static RULE_BY_COUNT])
{
    for (int by = 0; by < RULE_BY_COUNT; by++)
        if (layouts[by].count > 0)
            return true;
    return false;
}

struct rules *rules_new(const struct rules_options *options)
{
    struct counter_layout layouts[RULE_BY_COUNT];
    struct rules *rules = calloc(1, sizeof *rules);

    if (rules == NULL)
        return NULL;
    pthread_mutex_init(&rules->lock, NULL);
    pthread_cond_init(&rules->wake, NULL);
    pthread_cond_init(&rules->done, NULL);
    rules->options = *options;
    rules->config = config_ref(options->config);
    rules->opened_ms = -RETRY_MS;
    rules->wall_offset = wall_offset();
    rule_set_layouts(options->config, layouts);
    atomic_init(&rules->counts, has_windows(layouts));
    rules->folder = strdup(options->folder);
    rules->queue = calloc(QUEUE_SIZE, sizeof *rules->queue);
    rules->own = own_domains_new();
    rules->others = others_new();
    rules->counters =
        counters_new((size_t)options->config->automatic.max_keys, layouts, time(NULL));
    if (rules->folder == NULL || rules->queue == NULL || rules->own == NULL ||
        rules->counters == NULL || rules->others == NULL ||
        asprintf(&rules->database, "%s%s", options->folder, DATABASE_NAME) < 0) {
        rules_free(rules);
        return NULL;
    }
    load_snapshot(rules);
    return rules;
}

int rules_start(struct rules *rules)
{
    int rc = pthread_create(&rules->thread, NULL, run, rules);

    rules->started = rc == 0;
    errno = rc;
    return rc == 0 ? 0 : -1;
}

void rules_configure(struct rules *rules, struct config *config)
{
    struct counter_layout layouts[RULE_BY_COUNT];
    struct config *old;

    rule_set_layouts(config, layouts);
    counters_configure(rules->counters, (size_t)config->automatic.max_keys, layouts,
                       time(NULL));
    atomic_store(&rules->counts, has_windows(layouts));
    pthread_mutex_lock(&rules->lock);
    old = rules->config;
    rules->config = config_ref(config);
    rules->configured = true;
    pthread_cond_signal(&rules->wake);
    pthread_mutex_unlock(&rules->lock);
    config_unref(old);
}

void rules_stop(struct rules *rules)
{
    if (rules == NULL || !rules->started)
        return;
    pthread_mutex_lock(&rules->lock);
    rules->stopping = true;
    pthread_cond_broadcast(&rules->wake);
    pthread_cond_broadcast(&rules->done);
    pthread_mutex_unlock(&rules->lock);
    pthread_join(rules->thread, NULL);
    rules->started = false;
}

void rules_free(struct rules *rules)
{
    if (rules == NULL)
        return;
    rules_stop(rules);
    findings_close(rules->findings);
    counters_free(rules->counters);
    own_domains_free(rules->own);
    others_free(rules->others);
    config_unref(rules->config);
    free(rules->queue);
    free(rules->folder);
    free(rules->database);
    pthread_cond_destroy(&rules->wake);
    pthread_cond_destroy(&rules->done);
    pthread_mutex_destroy(&rules->lock);
    free(rules);
}

/* --- for rblctl --- */

struct counters *rules_counters(struct rules *rules)
{
    return rules->counters;
}

struct findings *rules_findings(struct rules *rules)
{
    struct findings *findings;

    pthread_mutex_lock(&rules->lock);
    findings = rules->findings;
    pthread_mutex_unlock(&rules->lock);
    return findings;
}

void rules_flush(struct rules *rules, int wait_ms)
{
    struct timespec until = clock_timespec(clock_ms() + wait_ms);

    pthread_mutex_lock(&rules->lock);
    while ((rules->count > 0 || rules->busy) && !rules->stopping &&
           pthread_cond_clockwait(&rules->done, &rules->lock, CLOCK_MONOTONIC, &until) ==
               0)
        ;
    pthread_mutex_unlock(&rules->lock);
}

void rules_wait_event(struct rules *rules, int wait_ms)
{
    struct timespec until = clock_timespec(clock_ms() + wait_ms);
    uint64_t begun;

    pthread_mutex_lock(&rules->lock);
    begun = rules->events;
    while (rules->events == begun && !rules->stopping &&
           pthread_cond_clockwait(&rules->done, &rules->lock, CLOCK_MONOTONIC, &until) ==
               0)
        ;
    pthread_mutex_unlock(&rules->lock);
}

void rules_stats(struct rules *rules, struct rules_stats *out)
{
    *out = (struct rules_stats){.found = atomic_load(&rules->found),
                                .dropped = atomic_load(&rules->dropped)};
    pthread_mutex_lock(&rules->lock);
    out->is_open = rules->findings != NULL;
    memcpy(out->error, rules->error, sizeof out->error);
    pthread_mutex_unlock(&rules->lock);
    counters_stats(rules->counters, &out->counters);
}

/* --- for the farm's thread --- */

json_t *rules_report_counts(struct rules *rules)
{
    struct config *config = rules_config(rules);
    json_t *rows = others_report(rules->others, rules->counters, config, time(NULL));

    config_unref(config);
    return rows;
}

void rules_hear_counts(struct rules *rules, const char *own_node, unsigned hosts,
                       const struct farm_count *rows, size_t count)
{
    others_hear(rules->others, own_node, hosts, rows, count);
}

unsigned rules_sum(struct rules *rules, enum rule_by by, const char *key,
                   const struct counter_reading *own, int64_t now_s,
                   struct counter_reading *sum)
{
    return others_add(rules->others, rules->counters, by, key, own, now_s, sum);
}

json_t *rules_report_findings(struct rules *rules, size_t limit)
{
    struct findings *findings = rules_findings(rules);

    return findings != NULL ? findings_unreported(findings, limit, time(NULL)) : NULL;
}

void rules_reported_findings(struct rules *rules, const json_t *rows)
{
    struct findings *findings = rules_findings(rules);

    if (findings != NULL)
        (void)findings_reported(findings, rows);
}

void rules_hear_finding(struct rules *rules, const char *own_node, const json_t *row)
{
    struct findings *findings = rules_findings(rules);
    struct config *config = rules_config(rules);
    const char *name, *key;

    if (findings != NULL &&
        findings_hear(findings, row, own_node, time(NULL), &name, &key) == 1)
        rules_begin_again(rules, config, name, key);
    config_unref(config);
}

int rules_forget_reported(struct rules *rules)
{
    struct findings *findings = rules_findings(rules);

    return findings != NULL ? findings_forget_reported(findings, time(NULL)) : -1;
}
