#include "dnsbl/registry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "dnsbl/registry_parts.h"
#include "dnsbl/registry_state.h"

#define NOT_BEFORE_MS  500  /* between two tests asked for by what was seen */
#define STATE_WRITE_MS 2000 /* after a change: several come together */

struct dnsbl_registry *registry_new(const char *state_path)
{
    struct dnsbl_registry *registry = calloc(1, sizeof *registry);
    pthread_condattr_t monotonic;

    if (registry == NULL)
        return NULL;
    if (state_path != NULL)
        registry->state_path = strdup(state_path);
    if (state_path != NULL && registry->state_path == NULL) {
        free(registry);
        return NULL;
    }
    pthread_mutex_init(&registry->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&registry->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    registry->write_ms = clock_ms() + STATE_EVERY_MS;
    if (state_path != NULL)
        registry->saved = registry_state_load(state_path);
    return registry;
}

static void record_free(struct dnsbl_record *record)
{
    pthread_mutex_destroy(&record->lock);
    dns_answer_unref(record->listed.answer);
    dns_answer_unref(record->unlisted.answer);
    free(record->name);
    free(record);
}

void registry_free(struct dnsbl_registry *registry)
{
    if (registry == NULL)
        return;
    for (struct dnsbl_record *r = registry->first, *next; r != NULL; r = next) {
        next = r->next;
        record_free(r);
    }
    pthread_cond_destroy(&registry->changed);
    pthread_mutex_destroy(&registry->lock);
    json_decref(registry->saved);
    free(registry->state_path);
    free(registry);
}

static struct dnsbl_record *record_new(struct dnsbl_registry *registry, const char *name)
{
    struct dnsbl_record *record = calloc(1, sizeof *record);

    if (record == NULL)
        return NULL;
    record->name = strdup(name);
    if (record->name == NULL) {
        free(record);
        return NULL;
    }
    record->registry = registry;
    record->check_ms = UNWATCHED_MS;
    pthread_mutex_init(&record->lock, NULL);
    surge_init(&record->surge);
    registry_state_read(registry->saved, record);
    return record;
}

/* The registry's lock is held. */
static struct dnsbl_record *find(struct dnsbl_registry *registry, const char *name)
{
    struct dnsbl_record *record = registry->first;

    while (record != NULL && strcmp(record->name, name) != 0)
        record = record->next;
    return record;
}

struct dnsbl_record *registry_find(struct dnsbl_registry *registry, const char *name)
{
    struct dnsbl_record *record;

    pthread_mutex_lock(&registry->lock);
    record = find(registry, name);
    pthread_mutex_unlock(&registry->lock);
    return record;
}

/* Gives up what a record holds of a configuration; the registry's lock is held, the
 * caller unrefs what it gets after releasing it. */
struct held {
    struct config *config;
    struct upstream *upstream;
};

static struct held unwatch(struct dnsbl_record *record)
{
    struct held held = {record->config, record->upstream};

    record->config = NULL;
    record->list = NULL;
    record->upstream = NULL;
    record->check_ms = UNWATCHED_MS;
    return held;
}

static void release(struct held held)
{
    upstream_unref(held.upstream);
    config_unref(held.config);
}

/* A list of the same name, but under another zone, or back after a while: what was known
 * of it does not count. */
static void test_first(struct dnsbl_record *record)
{
    pthread_mutex_lock(&record->lock);
    if (health_counts(atomic_load(&record->health)))
        record_enter(record, HEALTH_UNCHECKED, "its zone is new: tested first");
    pthread_mutex_unlock(&record->lock);
    registry_check_soon(record); /* the one just asked for may be over already */
}

struct dnsbl_record *registry_watch(struct dnsbl_registry *registry,
                                    struct config *config, const struct list *list,
                                    struct upstream *upstream)
{
    struct held old = {NULL, NULL};
    struct dnsbl_record *record;
    bool other_zone = false;

    pthread_mutex_lock(&registry->lock);
    record = find(registry, list->name);
    if (record == NULL) {
        record = record_new(registry, list->name);
        if (record == NULL)
            goto out;
        record->next = registry->first;
        registry->first = record;
    } else {
        other_zone =
            record->config == NULL || strcmp(record->list->zone, list->zone) != 0;
    }
    old = unwatch(record);
    record->outdated = record->probing;
    if (other_zone) { /* before the test of it can begin, so that it is not undone */
        pthread_mutex_unlock(&registry->lock);
        test_first(record);
        pthread_mutex_lock(&registry->lock);
    }
    record->config = config_ref(config);
    record->list = list;
    record->upstream = upstream_ref(upstream);
    record->check_ms = clock_ms();
    registry_tell(registry);
out:
    pthread_mutex_unlock(&registry->lock);
    release(old);
    return record;
}

void registry_forget_others(struct dnsbl_registry *registry, const struct config *config)
{
    struct dnsbl_record *record;

    pthread_mutex_lock(&registry->lock);
    record = registry->first; /* others are only ever added before it */
    pthread_mutex_unlock(&registry->lock);
    for (; record != NULL; record = record->next) {
        struct held old = {NULL, NULL};

        pthread_mutex_lock(&registry->lock);
        if (record->config != NULL && record->config != config)
            old = unwatch(record);
        pthread_mutex_unlock(&registry->lock);
        release(old);
    }
}

void registry_wait_checked(const struct dnsbl_record *record, int64_t deadline_ms)
{
    struct dnsbl_registry *registry = record->registry;
    struct timespec until = clock_timespec(deadline_ms);

    if (atomic_load(&record->health) != HEALTH_UNCHECKED)
        return;
    pthread_mutex_lock(&registry->lock);
    while (atomic_load(&record->health) == HEALTH_UNCHECKED && clock_ms() < deadline_ms)
        pthread_cond_timedwait(&registry->changed, &registry->lock, &until);
    pthread_mutex_unlock(&registry->lock);
}

/* A record's lock may be held here, so that the registry's must never be held while a
 * record's is taken. */
void registry_state_changed(struct dnsbl_registry *registry)
{
    int64_t soon_ms = clock_ms() + STATE_WRITE_MS;

    pthread_mutex_lock(&registry->lock);
    if (soon_ms < registry->write_ms)
        registry->write_ms = soon_ms;
    registry_tell(registry);
    pthread_mutex_unlock(&registry->lock);
}

void registry_check_soon(struct dnsbl_record *record)
{
    struct dnsbl_registry *registry = record->registry;
    int64_t soon_ms;

    pthread_mutex_lock(&registry->lock);
    soon_ms = record->checked_ms + NOT_BEFORE_MS;
    if (record->config != NULL && soon_ms < record->check_ms) {
        record->check_ms = soon_ms;
        registry_tell(registry);
    }
    pthread_mutex_unlock(&registry->lock);
}

void registry_stop(struct dnsbl_registry *registry)
{
    if (registry == NULL)
        return;
    pthread_mutex_lock(&registry->lock);
    registry->stopping = true;
    registry_tell(registry);
    pthread_mutex_unlock(&registry->lock);
    if (registry->running) {
        pthread_join(registry->thread, NULL);
        if (registry->state_path != NULL)
            registry_state_write(registry->state_path, registry->first);
    }
    registry->running = false;
    registry_forget_others(registry, NULL);
}

bool registry_suspend(struct dnsbl_record *record, const char *who)
{
    char why[WHY_SIZE];
    bool changes;

    snprintf(why, sizeof why, "suspended by %s", who);
    pthread_mutex_lock(&record->lock);
    changes = atomic_load(&record->health) != HEALTH_SUSPENDED;
    if (changes)
        record_enter(record, HEALTH_SUSPENDED, why);
    pthread_mutex_unlock(&record->lock);
    return changes;
}

bool registry_resume(struct dnsbl_record *record)
{
    bool changes;

    pthread_mutex_lock(&record->lock);
    changes = atomic_load(&record->health) == HEALTH_SUSPENDED;
    if (changes)
        record_enter(record, HEALTH_UNCHECKED,
                     "resumed: its test points are asked first");
    pthread_mutex_unlock(&record->lock);
    if (changes)
        registry_check_soon(record);
    return changes;
}

void registry_test(struct dnsbl_record *record, int64_t deadline_ms)
{
    struct dnsbl_registry *registry = record->registry;
    struct timespec until = clock_timespec(deadline_ms);
    int64_t began_ms = clock_ms();

    if (atomic_load(&record->health) == HEALTH_SUSPENDED)
        return;
    pthread_mutex_lock(&registry->lock);
    if (record->config != NULL)
        record->check_ms = began_ms;
    registry_tell(registry);
    while (record->config != NULL && clock_ms() < deadline_ms &&
           (record->probing || record->check_ms <= began_ms))
        pthread_cond_timedwait(&registry->changed, &registry->lock, &until);
    pthread_mutex_unlock(&registry->lock);
}
