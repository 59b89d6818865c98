#include "dnsbl/record.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "dnsbl/registry.h"

#define FAILURES_DOWN                                                                    \
    3 /* questions in a row without an answer: nobody waits any more                     \
       */
#define DAY_S      86400
#define QUOTA_WARN 80 /* per cent */

/* A list in this state says what is not so. */
static bool is_false(enum health health)
{
    return health == HEALTH_LYING || health == HEALTH_EMPTY || health == HEALTH_BLOCKED;
}

void record_enter(struct dnsbl_record *record, enum health to, const char *why)
{
    enum health was = atomic_load(&record->health);

    if (to == was) {
        snprintf(record->why, sizeof record->why, "%s", why);
        return;
    }
    if (was == HEALTH_UNCHECKED)
        was = record->before; /* what it was before the restart is what changes */
    record->before = HEALTH_UNCHECKED;
    if (to == was || (was == HEALTH_UNCHECKED && to == HEALTH_HEALTHY))
        log_info("list=%s health=%s why=\"%s\"", record->name, health_name(to), why);
    else
        log_warning("list=%s health=%s was=%s why=\"%s\"", record->name, health_name(to),
                    health_name(was), why);
    snprintf(record->why, sizeof record->why, "%s", why);
    if (to != was || record->since == 0)
        record->since = time(NULL);
    atomic_store(&record->failures, 0);
    if (is_false(was) || is_false(to))
        atomic_store(&record->believed_from_ms, clock_ms());
    atomic_store(&record->health, to);
    registry_state_changed(record->registry);
}

/* Sets the list aside, unless it is already, and has its test points asked at once. */
static void set_aside(struct dnsbl_record *record, enum health to, const char *why,
                      bool hold)
{
    pthread_mutex_lock(&record->lock);
    if (health_counts(atomic_load(&record->health))) {
        atomic_store(&record->surge_hold, hold);
        record_enter(record, to, why);
    } else if (hold && atomic_load(&record->health) == HEALTH_LYING) {
        atomic_store(&record->surge_hold, true);
    }
    pthread_mutex_unlock(&record->lock);
    registry_check_soon(record);
}

/* Whether its limit for today is used up; lock held. */
static bool is_over_limit(struct dnsbl_record *record, const struct list *list)
{
    int64_t day = time(NULL) / DAY_S;

    if (record->quota_day != day) {
        record->quota_day = day;
        record->quota_used = 0;
        record->quota_told = 0;
    }
    return list->daily_limit > 0 && record->quota_used >= (uint64_t)list->daily_limit;
}

enum dnsbl_way record_way(struct dnsbl_record *record, const struct list *list)
{
    bool over = false;

    switch (atomic_load_explicit(&record->health, memory_order_relaxed)) {
    case HEALTH_UNCHECKED:
    case HEALTH_HEALTHY:
    case HEALTH_SLOW:
        break;
    case HEALTH_DOWN:
        return DNSBL_REMEMBER;
    case HEALTH_LYING:
        if (!atomic_load(&record->surge_hold))
            return DNSBL_ASIDE;
        break;
    case HEALTH_EMPTY:
    case HEALTH_BLOCKED:
    case HEALTH_SUSPENDED:
        return DNSBL_ASIDE;
    }
    if (list->daily_limit > 0) {
        pthread_mutex_lock(&record->lock);
        over = is_over_limit(record, list);
        pthread_mutex_unlock(&record->lock);
    }
    if (!over)
        return DNSBL_ASK;
    return list->on_limit == ON_LIMIT_CACHE_ONLY ? DNSBL_REMEMBER : DNSBL_ASIDE;
}

const char *record_aside_reason(const struct dnsbl_record *record)
{
    enum health health = atomic_load_explicit(&record->health, memory_order_relaxed);

    return health_counts(health) ? "limit" : health_name(health);
}

bool record_counts(const struct dnsbl_record *record, bool remembered)
{
    enum health health = atomic_load_explicit(&record->health, memory_order_relaxed);

    return health_counts(health) || (remembered && health == HEALTH_DOWN);
}

bool record_believes(const struct dnsbl_record *record, int64_t came_ms)
{
    return came_ms == 0 || came_ms >= atomic_load_explicit(&record->believed_from_ms,
                                                           memory_order_relaxed);
}

/* How much of the limit is used up, as far as the log tells of it; lock held. */
static int quota_level(const struct dnsbl_record *record, const struct list *list)
{
    uint64_t limit = (uint64_t)list->daily_limit;

    if (limit == 0 || record->quota_used * 100 < limit * QUOTA_WARN)
        return 0;
    return record->quota_used < limit ? QUOTA_WARN : 100;
}

void record_asked(struct dnsbl_record *record, const struct list *list)
{
    int level;
    bool news;

    pthread_mutex_lock(&record->lock);
    is_over_limit(record, list); /* begins a new day's count */
    record->quota_used++;
    level = quota_level(record, list);
    news = level > record->quota_told;
    if (news)
        record->quota_told = level;
    pthread_mutex_unlock(&record->lock);
    if (news && level < 100)
        log_warning("list=%s daily-limit=%d used=%d%%", record->name, list->daily_limit,
                    level);
    else if (news)
        log_warning("list=%s daily-limit=%d used=100%% then=\"%s until 00:00 UTC\"",
                    record->name, list->daily_limit,
                    list->on_limit == ON_LIMIT_CACHE_ONLY
                        ? "asked no more, what is cached counts"
                        : "off");
}

static void note_latency(struct dnsbl_record *record, int took_ms)
{
    pthread_mutex_lock(&record->lock);
    latency_note(&record->latency, took_ms);
    if (record->latency.total % 64 ==
        50) /* not at each: it counts through the histogram */
        atomic_store(&record->deadline_ms,
                     latency_deadline_ms(&record->latency, INT32_MAX));
    pthread_mutex_unlock(&record->lock);
}

/* One failure is a lost packet; several in a row are a list that makes everybody wait.
 * A list that has answered others since the question was put is none of those: packets
 * are lost in bursts, and then time out in a row. And names are chosen by strangers, who
 * may know some that no resolver can answer: for those only the test points decide. */
static void note_failure(struct dnsbl_record *record, enum check check, enum health to,
                         const char *what, int took_ms)
{
    char why[WHY_SIZE];
    int failures;

    if (atomic_load(&record->answered_ms) > clock_ms() - took_ms)
        return;
    failures = atomic_fetch_add(&record->failures, 1) + 1;
    if (failures < FAILURES_DOWN)
        return;
    if (check != CHECK_CLIENT) {
        registry_check_soon(record);
        return;
    }
    snprintf(why, sizeof why, "%d questions in a row: %s", failures, what);
    set_aside(record, to, why, false);
}

static void note_fresh(struct dnsbl_record *record, const struct dns_answer *answer,
                       const struct listing *listing, enum check check, int took_ms)
{
    char why[WHY_SIZE], code[INET_ADDRSTRLEN] = "";

    switch (listing->state) {
    case LISTING_NONE:
    case LISTING_LISTED:
        atomic_store(&record->failures, 0);
        atomic_store(&record->answered_ms, clock_ms());
        note_latency(record, took_ms);
        break;
    case LISTING_FOREIGN:
        inet_ntop(AF_INET, &listing->code, code, sizeof code);
        snprintf(why, sizeof why, "answers %s, which is outside 127.0.0.0/8", code);
        set_aside(record, HEALTH_LYING, why, false);
        break;
    case LISTING_ERROR:
        note_failure(record, check, HEALTH_BLOCKED, "it says no to us", took_ms);
        break;
    case LISTING_FAILED:
        if (answer->status != DNS_NOT_ASKED) /* our own doing */
            note_failure(record, check, HEALTH_DOWN, dns_status_name(answer->status),
                         took_ms);
        break;
    }
}

void record_answer(struct dnsbl_record *record, const struct dns_answer *answer,
                   const struct listing *listing, enum check check, bool cached,
                   int took_ms)
{
    atomic_fetch_add_explicit(&record->questions, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&record->by_state[listing->state], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&record->by_status[answer->status], 1,
                              memory_order_relaxed);
    if (cached)
        atomic_fetch_add_explicit(&record->cached, 1, memory_order_relaxed);
    else if (answer->stale)
        note_failure(record, check, HEALTH_DOWN, "no answer", took_ms);
    else
        note_fresh(record, answer, listing, check, took_ms);
}

void record_watch(struct dnsbl_record *record, bool listed, int factor)
{
    enum surge_finding finding;
    uint32_t run;
    double share;
    char why[WHY_SIZE];

    pthread_mutex_lock(&record->lock);
    finding = surge_note(&record->surge, listed, factor);
    run = record->surge.run;
    share = record->surge.share;
    pthread_mutex_unlock(&record->lock);
    if (finding == SURGE_CALM)
        return;
    snprintf(why, sizeof why,
             "suddenly lists many clients that nothing else speaks against: the last %u "
             "without "
             "a break, its history is %.1f%%",
             run, share * 100);
    set_aside(record, HEALTH_LYING, why, finding == SURGE_CERTAIN);
}
