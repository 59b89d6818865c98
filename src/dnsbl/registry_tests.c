/* The thread that asks the lists' test points, and writes the state file. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "dnsbl/registry_parts.h"
#include "dnsbl/registry_state.h"

#define DOWN_RETRY_MS  3000  /* a resolver's return is to be seen within five seconds */
#define CONFIRM_MS     500   /* a second look, before a healthy list is called down */
#define OTHER_RETRY_MS 15000 /* doubled each time, up to the interval */
#define SLOW_P95_MS    1000

static void on_probe(struct dns_lookup *lookup, struct dns_answer *answer)
{
    struct probe *probe = (struct probe *)lookup;
    struct dnsbl_registry *registry = probe->record->registry;

    pthread_mutex_lock(&registry->lock);
    probe->answer = dns_answer_ref(answer);
    probe->open = false;
    registry_tell(registry);
    pthread_mutex_unlock(&registry->lock);
}

/* Asks one test point, if the list has it. No lock is held: an answer may come at once.
 */
static void start_probe(struct dnsbl_record *record, struct probe *probe,
                        const char *point, const struct list *list,
                        struct upstream *upstream)
{
    char name[DOMAIN_SIZE];
    struct dns_answer *answer;

    if (health_test_name(list, point, name) != 0) {
        probe->open = false;
        return;
    }
    probe->lookup.done = on_probe;
    answer = resolver_ask_anew(record->registry->resolver, upstream, DNS_A, name,
                               &probe->lookup);
    if (answer == NULL)
        return;
    on_probe(&probe->lookup, answer);
    dns_answer_unref(answer);
}

/* Begins a test; the registry's lock is held, and released meanwhile. */
static void begin_test(struct dnsbl_registry *registry, struct dnsbl_record *record)
{
    struct config *config = config_ref(record->config);
    struct upstream *upstream = upstream_ref(record->upstream);
    const struct list *list = record->list;

    const char *listed = list->test_listed;

    /* without test points a list is taken as healthy, but not back without an answer */
    if (!health_has_points(list) && atomic_load(&record->health) != HEALTH_UNCHECKED &&
        !health_counts(atomic_load(&record->health)))
        listed = health_stand_in(list);
    record->probing = true;
    record->checked_ms = clock_ms();
    record->check_ms = UNWATCHED_MS; /* unless somebody asks for a test meanwhile */
    record->listed = (struct probe){.record = record, .open = true};
    record->unlisted = (struct probe){.record = record, .open = true};
    pthread_mutex_unlock(&registry->lock);
    start_probe(record, &record->listed, listed, list, upstream);
    start_probe(record, &record->unlisted, list->test_unlisted, list, upstream);
    upstream_unref(upstream);
    config_unref(config);
    pthread_mutex_lock(&registry->lock);
}

/* A list that answers, but so slowly that people notice. */
static enum health slow_or_healthy(struct dnsbl_record *record, char *why, size_t size)
{
    int p95_ms = latency_percentile(&record->latency, 95);

    if (p95_ms < SLOW_P95_MS)
        return HEALTH_HEALTHY;
    snprintf(why, size, "one answer in twenty takes longer than %d ms", p95_ms);
    return HEALTH_SLOW;
}

/* Takes a test's result over; the record's lock is held, the registry's is not. Returns
 * whether it was a good one. */
static bool apply_result(struct dnsbl_record *record, enum health found, char *why,
                         size_t size)
{
    enum health was = atomic_load(&record->health);

    if (was == HEALTH_SUSPENDED)
        return true;
    if (found == HEALTH_HEALTHY)
        found = slow_or_healthy(record, why, size);
    if (health_counts(found) && atomic_load(&record->surge_hold)) {
        if (!surge_is_calm(&record->surge))
            return false; /* its test points are right, but what it says of clients is not
                           */
        atomic_store(&record->surge_hold, false);
    }
    /* one lost packet is no reason to do without a list */
    if (found == HEALTH_DOWN && health_counts(was) && record->retries == 0)
        return false;
    record_enter(record, found, why);
    return health_counts(found);
}

/* When to look again, ms from now: the interval with a tenth of jitter, or a retry. */
static int64_t next_test_in_ms(const struct dnsbl_record *record, enum health health,
                               bool good)
{
    int64_t interval_ms = (int64_t)record->config->health.interval_s * 1000, retry_ms;

    if (good)
        return interval_ms - interval_ms / 10 + random() % (interval_ms / 5 + 1);
    if (health_counts(health) || health == HEALTH_UNCHECKED)
        return CONFIRM_MS;
    if (health == HEALTH_DOWN)
        return DOWN_RETRY_MS;
    retry_ms = (int64_t)OTHER_RETRY_MS << (record->retries < 8 ? record->retries : 8);
    return retry_ms < interval_ms ? retry_ms : interval_ms;
}

/* Whether we did not ask: too many questions under way say nothing of the list. */
static bool was_asked(const struct dns_answer *answer)
{
    return answer == NULL || answer->status != DNS_NOT_ASKED;
}

/* Ends a test whose answers are there; the registry's lock is held, and released
 * meanwhile. */
static void end_test(struct dnsbl_registry *registry, struct dnsbl_record *record)
{
    struct config *config = config_ref(record->config);
    const struct list *list = record->list;
    struct dns_answer *listed = record->listed.answer,
                      *unlisted = record->unlisted.answer;
    char why[WHY_SIZE];
    bool good, asked = was_asked(listed) && was_asked(unlisted);
    int64_t next_ms;

    record->listed.answer = record->unlisted.answer = NULL;
    pthread_mutex_unlock(&registry->lock);
    enum health found = health_judge(list, listed, unlisted, why, sizeof why);
    dns_answer_unref(listed);
    dns_answer_unref(unlisted);
    config_unref(config);
    pthread_mutex_lock(&record->lock);
    good = asked && apply_result(record, found, why, sizeof why);
    pthread_mutex_unlock(&record->lock);
    pthread_mutex_lock(&registry->lock);
    record->probing = false;
    if (record->config != NULL) {
        next_ms =
            clock_ms() + next_test_in_ms(record, atomic_load(&record->health), good);
        if (next_ms < record->check_ms)
            record->check_ms = next_ms;
    }
    record->retries = good ? 0 : record->retries + 1;
    registry_tell(registry);
}

/* Forgets a test whose list was taken out of the configuration, or changed, meanwhile. */
static void drop_test(struct dnsbl_record *record)
{
    dns_answer_unref(record->listed.answer);
    dns_answer_unref(record->unlisted.answer);
    record->listed.answer = record->unlisted.answer = NULL;
    record->probing = false;
    record->outdated = false;
}

/* Does what is due for one record; returns when to look at it again. Lock held, and
 * released meanwhile. */
static int64_t look_after(struct dnsbl_registry *registry, struct dnsbl_record *record)
{
    if (record->probing) {
        if (record->listed.open || record->unlisted.open)
            return UNWATCHED_MS; /* the answer wakes us */
        if (record->config == NULL || record->outdated)
            drop_test(record);
        else
            end_test(registry, record);
    }
    if (record->config == NULL)
        return UNWATCHED_MS;
    if (record->check_ms > clock_ms())
        return record->check_ms;
    if (atomic_load(&record->health) == HEALTH_SUSPENDED) {
        record->check_ms = UNWATCHED_MS;
        return UNWATCHED_MS;
    }
    begin_test(registry, record);
    return clock_ms(); /* its answers may be there already */
}

/* Writes the state file when it is due; lock held, and released meanwhile. */
static void write_when_due(struct dnsbl_registry *registry)
{
    struct dnsbl_record *first = registry->first;

    if (clock_ms() < registry->write_ms)
        return;
    registry->write_ms = clock_ms() + STATE_EVERY_MS;
    if (registry->state_path == NULL)
        return;
    pthread_mutex_unlock(&registry->lock);
    registry_state_write(registry->state_path, first);
    pthread_mutex_lock(&registry->lock);
}

static void *look_after_all(void *context)
{
    struct dnsbl_registry *registry = context;

    pthread_mutex_lock(&registry->lock);
    while (!registry->stopping) {
        int64_t next_ms = clock_ms() + STATE_EVERY_MS;

        registry->news = false;
        for (struct dnsbl_record *r = registry->first; r != NULL; r = r->next) {
            int64_t at_ms = look_after(registry, r);

            if (at_ms < next_ms)
                next_ms = at_ms;
        }
        write_when_due(registry);
        if (registry->write_ms < next_ms)
            next_ms = registry->write_ms;
        /* The lock was released in between: what came for a record that had been looked
         * at by then woke nobody. */
        if (registry->stopping || registry->news || next_ms <= clock_ms())
            continue;
        struct timespec until = clock_timespec(next_ms);
        pthread_cond_timedwait(&registry->changed, &registry->lock, &until);
    }
    pthread_mutex_unlock(&registry->lock);
    return NULL;
}

int registry_start(struct dnsbl_registry *registry, struct resolver *resolver)
{
    bool running;

    registry->resolver = resolver;
    pthread_mutex_lock(&registry->lock); /* the thread reads what lies beside it */
    running = pthread_create(&registry->thread, NULL, look_after_all, registry) == 0;
    registry->running = running;
    pthread_mutex_unlock(&registry->lock);
    return running ? 0 : -1;
}
