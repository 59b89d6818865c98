/* SPDX-License-Identifier: BSD-2-Clause */
#include "dnsbl/list_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"

#define DAY_S      86400
#define QUOTA_WARN 80 /* per cent */
/* The state file is written after so many packets, or a twentieth of a small limit; or
 * after so long. */
#define QUOTA_SAVE    50
#define QUOTA_SAVE_MS 10000

void bell_init(struct bell *bell)
{
    pthread_mutex_init(&bell->lock, NULL);
    clock_cond_init(&bell->cond);
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

void list_state_init(struct list_state *state, const char *name, struct bell *bell)
{
    *state = (struct list_state){.name = name, .bell = bell};
    pthread_mutex_init(&state->lock, NULL);
}

void list_state_clear(struct list_state *state)
{
    pthread_mutex_destroy(&state->lock);
}

struct list_half *list_state_half(struct list_state *state, bool ipv6)
{
    return &state->halves[ipv6 &&
                          atomic_load_explicit(&state->ipv6_known, memory_order_relaxed)];
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
    enum health shown = was == HEALTH_UNCHECKED ? half->before : was;
    bool lies = was == HEALTH_LYING || to == HEALTH_LYING;

    if (to != HEALTH_UNCHECKED)
        atomic_store(&half->held, false);
    if (to == HEALTH_UNCHECKED || health_counts(to))
        atomic_store(&half->unwell_ms, 0);
    if (to != was) {
        half->before = HEALTH_UNCHECKED;
        if (to != shown || half->since == 0)
            half->since = time(NULL);
        /* A list that lies may have begun before it was found out; one that is empty says
         * "not listed" of everybody, and what it listed before still holds. */
        if (lies)
            atomic_store(&half->listed_from_ms, clock_ms());
        if (lies || was == HEALTH_EMPTY || to == HEALTH_EMPTY)
            atomic_store(&half->unlisted_from_ms, clock_ms());
        if (to == HEALTH_LYING)
            atomic_store(&state->lied, true);
        atomic_store(&half->health, to);
        log_change(state, half, shown, to, why); /* who reads it finds it so */
    }
    snprintf(half->why, sizeof half->why, "%s", why);
}

void list_state_suspect(struct list_state *state, bool ipv6, enum list_event event)
{
    struct list_half *half = list_state_half(state, ipv6);
    unsigned bit = 1u << event;

    if (event == EVENT_NONE || !health_counts(atomic_load(&half->health)) ||
        (event == EVENT_SHARE && clock_ms() < atomic_load(&state->quiet_until_ms)))
        return;
    if (event != EVENT_FAILED)
        atomic_store(&half->held, true);
    if ((atomic_fetch_or(&state->events, bit) & bit) == 0)
        bell_ring(state->bell);
}

bool list_state_checked(struct list_state *state, bool ipv6, enum health found,
                        const char *why)
{
    struct list_half *half = &state->halves[ipv6];
    bool well = health_counts(found);

    pthread_mutex_lock(&state->lock);
    if (atomic_load(&half->health) == HEALTH_SUSPENDED)
        well = true;
    else if (well || atomic_load(&half->unwell_ms) != 0)
        enter(state, half, found, why);
    else /* one odd answer, or one lost packet, is no reason */
        atomic_store(&half->unwell_ms, clock_ms());
    pthread_mutex_unlock(&state->lock);
    return well;
}

/* Both halves enter a state, if they are suspended, or if they are not. What is
 * unchecked then is checked next. */
static void turn(struct list_state *state, bool if_suspended, enum health to,
                 const char *why)
{
    pthread_mutex_lock(&state->lock);
    if ((atomic_load(&state->halves[0].health) == HEALTH_SUSPENDED) == if_suspended)
        for (int i = 0; i < 2; i++)
            enter(state, &state->halves[i], to, why);
    pthread_mutex_unlock(&state->lock);
    if (to == HEALTH_UNCHECKED)
        atomic_fetch_or(&state->events, 1u << EVENT_NONE);
    bell_ring(state->bell);
}

void list_state_begin(struct list_state *state, const struct list *list, bool other_zone)
{
    int64_t used;

    atomic_store(&state->configured, true);
    if (other_zone) {
        atomic_store(&state->ipv6_known, false);
        turn(state, false, HEALTH_UNCHECKED, "not checked yet");
    }
    pthread_mutex_lock(&state->lock);
    used = state->quota_limit - atomic_load(&state->quota_left);
    if (state->quota_limit != list->daily_limit) {
        state->quota_limit = list->daily_limit;
        atomic_store(&state->quota_left, list->daily_limit - used);
        atomic_store(&state->quota_saved, list->daily_limit - used);
    }
    pthread_mutex_unlock(&state->lock);
}

void list_state_suspend(struct list_state *state, const char *who)
{
    char why[WHY_SIZE];

    snprintf(why, sizeof why, "suspended by %s", who);
    turn(state, false, HEALTH_SUSPENDED, why);
}

void list_state_resume(struct list_state *state)
{
    turn(state, true, HEALTH_UNCHECKED, "resumed: its test points are queried first");
}

int64_t list_state_save_ms(const struct list_state *state)
{
    int64_t unsaved = state->quota_saved - state->quota_left;
    int64_t many = state->quota_limit / 20 + 1;

    if (state->quota_limit <= 0 || unsaved <= 0)
        return INT64_MAX;
    return unsaved >= many || unsaved >= QUOTA_SAVE ? 0 : QUOTA_SAVE_MS;
}

/* What the log reports once a day; lock held. */
static void log_quota(struct list_state *state, const struct list *list, int64_t left)
{
    int64_t warn = (int64_t)list->daily_limit * (100 - QUOTA_WARN) / 100;
    int level = left <= 0 ? 100 : left <= warn ? QUOTA_WARN : 0;

    if (level <= state->quota_logged)
        return;
    state->quota_logged = level;
    log_warning("list=%s daily-limit=%d used=%d%%%s", state->name, list->daily_limit,
                level,
                level < 100 ? ""
                : list->on_limit == ON_LIMIT_CACHE_ONLY
                    ? " then=\"not queried, what is cached counts until 00:00 UTC\""
                    : " then=\"off until 00:00 UTC\"");
}

bool list_state_is_over_limit(struct list_state *state, const struct list *list)
{
    int64_t day = time(NULL) / DAY_S, left;

    if (list->daily_limit <= 0)
        return false;
    pthread_mutex_lock(&state->lock);
    if (day != state->quota_day) {
        atomic_store(&state->quota_left, list->daily_limit);
        atomic_store(&state->quota_saved, list->daily_limit);
        state->quota_day = day;
        state->quota_logged = 0;
    }
    left = atomic_load(&state->quota_left);
    log_quota(state, list, left);
    pthread_mutex_unlock(&state->lock);
    if (list_state_save_ms(state) == 0)
        bell_ring(state->bell);
    return left <= 0;
}

int64_t list_state_used_today(struct list_state *state)
{
    int64_t used;

    pthread_mutex_lock(&state->lock);
    used = state->quota_day == time(NULL) / DAY_S
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
                      (json_int_t)half->since, "quota-day", (json_int_t)state->quota_day,
                      "quota-used", (json_int_t)(state->quota_limit - left));
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
    state->quota_day = day;
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
    for (*out = 0; *out < HEALTH_COUNT; (*out)++)
        if (strcmp(names[*out], name) == 0)
            return 0;
    return -1;
}

bool health_counts(enum health health)
{
    return health == HEALTH_HEALTHY || health == HEALTH_SLOW;
}
