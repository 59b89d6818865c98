#include "daemon/lists.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "daemon/daemon.h"

static json_int_t count(const atomic_uint_fast64_t *counter)
{
    return (json_int_t)atomic_load(counter);
}

static json_int_t errors_of(const struct dnsbl_record *record)
{
    return count(&record->by_state[LISTING_ERROR]) +
           count(&record->by_state[LISTING_FOREIGN]) +
           count(&record->by_state[LISTING_FAILED]);
}

/* What is under the record's lock, in one look. */
static json_t *state_of(struct dnsbl_record *record)
{
    json_t *state;

    pthread_mutex_lock(&record->lock);
    state = json_pack("{s:s, s:I, s:s, s:i, s:i, s:i, s:I}", "health",
                      health_name(atomic_load(&record->health)), "since",
                      (json_int_t)record->since, "why", record->why, "p50_ms",
                      latency_percentile(&record->latency, 50), "p95_ms",
                      latency_percentile(&record->latency, 95), "p99_ms",
                      latency_percentile(&record->latency, 99), "asked_today",
                      (json_int_t)record->quota_used);
    pthread_mutex_unlock(&record->lock);
    return state;
}

static json_t *row_of(const struct dnsbl *dnsbl)
{
    static const char *const modes[] = {"enforce", "monitor", "off"};
    struct dnsbl_record *r = dnsbl->record;
    json_int_t questions = count(&r->questions);
    json_t *row =
        json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:i, s:I, s:I, s:i}", "list",
                  dnsbl->list->name, "zone", dnsbl->list->zone_shown, "mode",
                  modes[dnsbl->list->mode], "queries", questions, "hits",
                  count(&r->by_state[LISTING_LISTED]), "errors", errors_of(r),
                  "not_asked", count(&r->aside), "cached_percent",
                  questions > 0 ? (int)(count(&r->cached) * 100 / questions) : 0,
                  "unique_hits", count(&r->alone), "decided_alone", count(&r->decided),
                  "daily_limit", dnsbl->list->daily_limit);
    json_t *state = state_of(r);

    if (row != NULL && state != NULL)
        json_object_update(row, state);
    json_decref(state);
    return row;
}

json_t *dnsbl_rows(void *context)
{
    struct daemon *daemon = context;
    struct policy *policy = policy_slot_get(&daemon->slot);
    json_t *rows = json_array();

    for (size_t i = 0; i < policy->lists.count; i++)
        json_array_append_new(rows, row_of(&policy->lists.items[i]));
    policy_unref(policy);
    return rows;
}

/* Returns 0, or -1 with a sentence in error. */
static int act(struct dnsbl_record *record, const char *action, const char *who,
               int wait_ms, char *error, size_t error_size)
{
    bool suspended = atomic_load(&record->health) == HEALTH_SUSPENDED;

    if (strcmp(action, "suspend") == 0) {
        registry_suspend(record, who);
        return 0;
    }
    if (strcmp(action, "resume") == 0) {
        registry_resume(record);
    } else if (strcmp(action, "test") != 0) {
        snprintf(error, error_size, "\"%s\": expected suspend, resume or test", action);
        return -1;
    } else if (suspended) {
        snprintf(error, error_size,
                 "list \"%s\" is suspended: rblctl dnsbl resume takes it back once its "
                 "test points answer as they must",
                 record->name);
        return -1;
    }
    registry_test(record, clock_ms() + wait_ms);
    return 0;
}

json_t *dnsbl_change(void *context, const char *action, const char *name, const char *who,
                     char *error, size_t error_size)
{
    struct daemon *daemon = context;
    struct policy *policy = policy_slot_get(&daemon->slot);
    struct dnsbl *dnsbl = NULL;
    json_t *out = NULL;

    for (size_t i = 0; i < policy->lists.count; i++)
        if (strcmp(policy->lists.items[i].list->name, name) == 0)
            dnsbl = &policy->lists.items[i];
    if (dnsbl == NULL)
        snprintf(error, error_size,
                 "no list \"%s\" is configured (and not off); rblctl dnsbl "
                 "shows those that are",
                 name);
    else if (act(dnsbl->record, action, who, policy->config->resolver.deadline_ms, error,
                 error_size) == 0)
        out = row_of(dnsbl);
    policy_unref(policy);
    return out;
}
