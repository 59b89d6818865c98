/* SPDX-License-Identifier: BSD-2-Clause */
#include "dnsbl/list_state.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "dnsbl/query_name.h"
#include "dnsbl/result.h"

#define DAY_S      86400
#define QUOTA_WARN 80 /* per cent */
#define QUOTA_SAVE 50 /* packets, of a large limit: the state file is written */

void bell_init(struct bell *bell)
{
    pthread_condattr_t monotonic;

    pthread_mutex_init(&bell->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&bell->cond, &monotonic);
    pthread_condattr_destroy(&monotonic);
    bell->rung = false;
}

void bell_clear(struct bell *bell)
{
    pthread_cond_destroy(&bell->cond);
    pthread_mutex_destroy(&bell->lock);
}

void bell_ring(struct bell *bell)
{
    pthread_mutex_lock(&bell->lock);
    bell->rung = true;
    pthread_cond_broadcast(&bell->cond);
    pthread_mutex_unlock(&bell->lock);
}

struct list_state *list_state_new(const char *name, struct bell *bell)
{
    struct list_state *state = calloc(1, sizeof *state);

    if (state == NULL)
        return NULL;
    state->name = strdup(name);
    if (state->name == NULL) {
        free(state);
        return NULL;
    }
    state->bell = bell;
    pthread_mutex_init(&state->lock, NULL);
    return state;
}

void list_state_free(struct list_state *state)
{
    if (state == NULL)
        return;
    pthread_mutex_destroy(&state->lock);
    free(state->name);
    free(state);
}

struct list_half *list_state_half(struct list_state *state, bool ipv6)
{
    return &state->halves[ipv6 &&
                          atomic_load_explicit(&state->ipv6_known, memory_order_relaxed)];
}

/* A list that lies may have begun before it was found out; one that is empty says "not
 * listed" of everybody, and what it listed before still holds. */
static void void_answers(struct list_half *half, enum health was, enum health to)
{
    bool lies = was == HEALTH_LYING || to == HEALTH_LYING;

    if (lies)
        atomic_store(&half->listed_from_ms, clock_ms());
    if (lies || was == HEALTH_EMPTY || to == HEALTH_EMPTY)
        atomic_store(&half->unlisted_from_ms, clock_ms());
}

static void log_change(const struct list_state *state, const struct list_half *half,
                       enum health was, enum health to, const char *why)
{
    const char *of = half == &state->halves[1] ? " for=ipv6" : "";

    if (half == &state->halves[1] && (to == HEALTH_SUSPENDED || to == HEALTH_UNCHECKED))
        return; /* both halves are, and the other one's line says so */
    if (to == was || (was == HEALTH_UNCHECKED && to == HEALTH_HEALTHY))
        log_info("list=%s state=%s%s why=\"%s\"", state->name, health_name(to), of, why);
    else
        log_warning("list=%s state=%s was=%s%s why=\"%s\"", state->name, health_name(to),
                    health_name(was), of, why);
}

/* The one place where a state changes; lock held. */
static void enter(struct list_state *state, struct list_half *half, enum health to,
                  const char *why)
{
    enum health was = atomic_load(&half->health);

    half->bad = 0;
    if (to != HEALTH_UNCHECKED)
        atomic_store(&half->held, false);
    if (to != was) {
        enum health shown = was == HEALTH_UNCHECKED ? half->before : was;

        half->before = HEALTH_UNCHECKED;
        if (to != shown || half->since == 0)
            half->since = time(NULL);
        void_answers(half, was, to);
        if (to == HEALTH_LYING)
            atomic_store(&state->lied, true);
        half->disabled_ms = health_counts(to) || to == HEALTH_UNCHECKED ? 0 : clock_ms();
        atomic_store(&half->health, to);
        log_change(state, half, shown, to, why); /* who reads it finds it so */
    }
    snprintf(half->why, sizeof half->why, "%s", why);
}

void list_state_question(struct list_state *state, bool ipv6, enum list_event event)
{
    struct list_half *half = list_state_half(state, ipv6);
    unsigned question = QUESTION_ANSWERS;

    if (event == EVENT_NONE || !health_counts(atomic_load(&half->health)))
        return;
    if (event != EVENT_FAILED) {
        question |= QUESTION_LISTS_TOO_MUCH;
        if (event == EVENT_SHARE && clock_ms() < atomic_load(&state->quiet_until_ms))
            return;
        atomic_store(&half->held, true);
    }
    if ((atomic_fetch_or(&state->questions, question) & question) != question)
        bell_ring(state->bell);
}

bool list_state_looked(struct list_state *state, bool ipv6, enum health found,
                       const char *why)
{
    struct list_half *half = &state->halves[ipv6];
    enum health was;
    bool well = health_counts(found);

    pthread_mutex_lock(&state->lock);
    was = atomic_load(&half->health);
    if (was == HEALTH_SUSPENDED)
        well = true;
    else if (well || !(health_counts(was) || was == HEALTH_UNCHECKED) || half->bad > 0)
        enter(state, half, found, why);
    else
        half->bad++; /* one odd answer, or one lost packet, is no reason */
    pthread_mutex_unlock(&state->lock);
    return well;
}

void list_state_begin(struct list_state *state, const struct list *list, bool other_zone)
{
    int64_t used;

    pthread_mutex_lock(&state->lock);
    for (int i = 0; other_zone && i < 2; i++)
        if (atomic_load(&state->halves[i].health) != HEALTH_SUSPENDED)
            enter(state, &state->halves[i], HEALTH_UNCHECKED, "not looked at yet");
    if (other_zone)
        atomic_store(&state->ipv6_known, false);
    used = state->quota_limit - atomic_load(&state->quota_left);
    if (state->quota_limit != list->daily_limit) {
        state->quota_limit = list->daily_limit;
        atomic_store(&state->quota_left, list->daily_limit - used);
        atomic_store(&state->quota_saved, list->daily_limit - used);
    }
    pthread_mutex_unlock(&state->lock);
    atomic_store(&state->configured, true);
    bell_ring(state->bell);
}

bool list_state_suspend(struct list_state *state, const char *who)
{
    char why[WHY_SIZE];
    bool changes;

    snprintf(why, sizeof why, "suspended by %s", who);
    pthread_mutex_lock(&state->lock);
    changes = atomic_load(&state->halves[0].health) != HEALTH_SUSPENDED;
    for (int i = 0; i < 2 && changes; i++)
        enter(state, &state->halves[i], HEALTH_SUSPENDED, why);
    pthread_mutex_unlock(&state->lock);
    if (changes)
        bell_ring(state->bell);
    return changes;
}

bool list_state_resume(struct list_state *state)
{
    bool changes;

    pthread_mutex_lock(&state->lock);
    changes = atomic_load(&state->halves[0].health) == HEALTH_SUSPENDED;
    for (int i = 0; i < 2 && changes; i++)
        enter(state, &state->halves[i], HEALTH_UNCHECKED,
              "resumed: its test points are queried first");
    pthread_mutex_unlock(&state->lock);
    if (changes)
        bell_ring(state->bell);
    return changes;
}

/* How much of the limit is used up, as far as the log reports it; lock held. */
static int quota_level(int64_t left, int limit)
{
    if (left > (int64_t)limit * (100 - QUOTA_WARN) / 100)
        return 0;
    return left > 0 ? QUOTA_WARN : 100;
}

static void log_quota(struct list_state *state, const struct list *list, int level)
{
    if (level < 100)
        log_warning("list=%s daily-limit=%d used=%d%%", state->name, list->daily_limit,
                    level);
    else
        log_warning("list=%s daily-limit=%d used=100%% then=\"%s until 00:00 UTC\"",
                    state->name, list->daily_limit,
                    list->on_limit == ON_LIMIT_CACHE_ONLY
                        ? "not queried, what is cached counts"
                        : "off");
}

bool list_state_is_over_limit(struct list_state *state, const struct list *list)
{
    int64_t day = time(NULL) / DAY_S, left = atomic_load(&state->quota_left);
    int64_t step =
        list->daily_limit / 20 < QUOTA_SAVE ? list->daily_limit / 20 + 1 : QUOTA_SAVE;
    int level;

    if (list->daily_limit <= 0)
        return false;
    if (day != atomic_load_explicit(&state->quota_day, memory_order_relaxed)) {
        pthread_mutex_lock(&state->lock);
        if (day != atomic_load(&state->quota_day)) {
            atomic_store(&state->quota_left, list->daily_limit);
            atomic_store(&state->quota_saved, list->daily_limit);
            atomic_store(&state->quota_day, day);
            state->quota_logged = 0;
        }
        pthread_mutex_unlock(&state->lock);
        left = atomic_load(&state->quota_left);
    }
    if (atomic_load(&state->quota_saved) - left >= step)
        bell_ring(state->bell);
    level = quota_level(left, list->daily_limit);
    if (level > 0) {
        pthread_mutex_lock(&state->lock);
        if (level > state->quota_logged) {
            state->quota_logged = level;
            log_quota(state, list, level);
        }
        pthread_mutex_unlock(&state->lock);
    }
    return left <= 0;
}

int64_t list_state_used_today(struct list_state *state)
{
    int64_t used;

    pthread_mutex_lock(&state->lock);
    used = atomic_load(&state->quota_day) == time(NULL) / DAY_S
               ? state->quota_limit - atomic_load(&state->quota_left)
               : 0;
    pthread_mutex_unlock(&state->lock);
    return used;
}

json_t *list_state_save(struct list_state *state)
{
    const struct list_half *half = &state->halves[0];
    json_t *saved;
    int64_t left;

    pthread_mutex_lock(&state->lock);
    left = atomic_load(&state->quota_left);
    atomic_store(&state->quota_saved, left);
    saved = json_pack("{s:s, s:s, s:I, s:I, s:I}", "health",
                      health_name(atomic_load(&half->health)), "why", half->why, "since",
                      (json_int_t)half->since, "quota-day",
                      (json_int_t)atomic_load(&state->quota_day), "quota-used",
                      (json_int_t)(state->quota_limit - left));
    pthread_mutex_unlock(&state->lock);
    return saved;
}

void list_state_load(struct list_state *state, const json_t *saved)
{
    struct list_half *half = &state->halves[0];
    const char *health = "", *why = "";
    json_int_t since = 0, day = 0, used = 0;

    if (saved == NULL)
        return;
    if (json_unpack((json_t *)saved, "{s:s, s:s, s:I, s:I, s:I}", "health", &health,
                    "why", &why, "since", &since, "quota-day", &day, "quota-used",
                    &used) != 0 ||
        health_parse(health, &half->before) != 0 || used < 0) {
        log_warning("list=%s: its saved state cannot be read: it starts over",
                    state->name);
        return;
    }
    half->since = (time_t)since;
    atomic_store(&state->lied, half->before == HEALTH_LYING);
    snprintf(half->why, sizeof half->why, "%s", why);
    atomic_store(&state->quota_day, day);
    atomic_store(&state->quota_left, -used); /* the limit is added when it is known */
    for (int i = 0; i < 2 && half->before == HEALTH_SUSPENDED; i++)
        atomic_store(&state->halves[i].health, HEALTH_SUSPENDED);
}

static const char *const names[HEALTH_COUNT] = {
    "unchecked", "healthy", "slow", "empty", "lying", "blocked", "down", "suspended"};

const char *health_name(enum health health)
{
    return names[health];
}

int health_parse(const char *name, enum health *out)
{
    for (int i = 0; i < HEALTH_COUNT; i++) {
        if (strcmp(names[i], name) == 0) {
            *out = (enum health)i;
            return 0;
        }
    }
    return -1;
}

/* Any name under the zone says whether a list answers at all. */
const char *health_stand_in(const struct list *list)
{
    return list->checks & 1u << CHECK_CLIENT ? "127.0.0.2" : "test";
}

bool health_has_points(const struct list *list)
{
    return list->test_listed[0] != '\0' || list->test_unlisted[0] != '\0';
}

bool health_counts(enum health health)
{
    return health == HEALTH_HEALTHY || health == HEALTH_SLOW;
}

/* ::FFFF:7F00:2 is an IPv6 test point: the one IPv4-mapped address that is asked as it
 * stands, where ipaddr_parse would make 127.0.0.2 of it. */
static int address_point(const struct list *list, const char *point,
                         char out[static DOMAIN_SIZE])
{
    struct ipaddr ip = {.family = 6};

    if (inet_pton(AF_INET6, point, ip.octets) == 1 || ipaddr_parse(point, &ip) == 0)
        return query_name_address(&ip, list->zone, out);
    return -1;
}

int health_test_name(const struct list *list, const char *point,
                     char out[static DOMAIN_SIZE])
{
    int n;

    out[0] = '\0';
    if (point[0] == '\0')
        return -1;
    if (address_point(list, point, out) == 0)
        return 0;
    n = snprintf(out, DOMAIN_SIZE, "%s.%s", point, list->zone); /* "test" has no dot */
    if (n < 0 || n >= DOMAIN_SIZE) {
        out[0] = '\0';
        return -1;
    }
    return 0;
}

static bool says(const struct list *list, const struct dns_answer *answer,
                 enum result_state state, struct dnsbl_result *result)
{
    if (answer == NULL || answer->stale)
        return false;
    *result = result_judge(list, answer);
    return result->state == state;
}

static bool is_silent(const struct dns_answer *answer)
{
    return answer != NULL &&
           (answer->stale || (answer->status != DNS_FOUND && answer->status != DNS_NONE &&
                              answer->status != DNS_REFUSED));
}

static void code_text(const struct dnsbl_result *result, char out[static INET_ADDRSTRLEN])
{
    if (inet_ntop(AF_INET, &result->code, out, INET_ADDRSTRLEN) == NULL)
        out[0] = '\0';
}

enum health health_judge(const struct list *list, const struct dns_answer *listed,
                         const struct dns_answer *unlisted, char *why, size_t why_size)
{
    char code[INET_ADDRSTRLEN];
    struct dnsbl_result l = {0};

    if (says(list, listed, RESULT_FOREIGN, &l) ||
        says(list, unlisted, RESULT_FOREIGN, &l)) {
        code_text(&l, code);
        snprintf(why, why_size, "answers %s, which is outside 127.0.0.0/8", code);
        return HEALTH_LYING;
    }
    if (says(list, listed, RESULT_ERROR, &l) || says(list, unlisted, RESULT_ERROR, &l)) {
        code_text(&l, code);
        snprintf(why, why_size, "refuses our queries: %s",
                 l.code.s_addr != 0 ? code : "REFUSED");
        return HEALTH_BLOCKED;
    }
    if (says(list, unlisted, RESULT_LISTED, &l)) {
        snprintf(why, why_size, "lists %s, which must not be listed",
                 list->test_unlisted);
        return HEALTH_LYING;
    }
    if (is_silent(listed) || is_silent(unlisted)) {
        snprintf(why, why_size, "does not answer: %s",
                 dns_status_name(is_silent(listed) ? listed->status : unlisted->status));
        return HEALTH_DOWN;
    }
    if (listed != NULL && list->test_listed[0] != '\0' &&
        says(list, listed, RESULT_NOT_LISTED, &l)) {
        if (listed->address_count > 0)
            snprintf(why, why_size,
                     "answers %s for its test point %s, which no codes section names",
                     inet_ntop(AF_INET, &listed->addresses[0], code, sizeof code),
                     list->test_listed);
        else
            snprintf(why, why_size, "does not list %s, which must be listed",
                     list->test_listed);
        return HEALTH_EMPTY;
    }
    snprintf(why, why_size,
             health_has_points(list) ? "test points answer as they must"
                                     : "has no test points");
    return HEALTH_HEALTHY;
}
