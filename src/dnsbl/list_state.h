/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DNSBL_LIST_STATE_H
#define DNSBL_LIST_STATE_H

/* The state of a list, why, and its quota. It outlives reloads, by the list's name. Only
 * a health check (prober.h) or an admin changes a state; what mail sees raises a
 * suspicion at most. Any thread; no lock is held for more than a few instructions, and
 * none is taken within another. */

#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "base/domain.h"
#include "config/config.h"
#include "dns/answer.h"
#include "dnsbl/list_stats.h"

enum health {
    HEALTH_UNCHECKED, /* since the start: its first test is under way; does not count yet
                       */
    HEALTH_HEALTHY,
    HEALTH_SLOW,     /* counts, but takes long */
    HEALTH_EMPTY,    /* the test point that must be listed is not */
    HEALTH_LYING,    /* lists what must not be, or everybody */
    HEALTH_BLOCKED,  /* refuses our queries: an error code, or REFUSED */
    HEALTH_DOWN,     /* no answer */
    HEALTH_SUSPENDED /* by an admin */
};
#define HEALTH_COUNT (HEALTH_SUSPENDED + 1)

const char *health_name(enum health health);
int health_parse(const char *name, enum health *out); /* 0, or -1 */

/* Whether new answers of a list in that state count. */
bool health_counts(enum health health);

#define WHY_SIZE 200

/* What wakes the prober. */
struct bell {
    pthread_mutex_t lock;
    pthread_cond_t cond;
    bool rung;
};
void bell_init(struct bell *bell);
void bell_clear(struct bell *bell);
void bell_ring(struct bell *bell);

/* A list's answers about IPv6 clients may be wrong while the others are right, and the
 * other way round: each half has a state. */
struct list_half {
    _Atomic enum health health;
    atomic_bool held; /* it may list too much: verdicts that it would decide wait for a
                         health check */
    /* CLOCK_MONOTONIC: older answers that say "listed", or "not listed", do not count */
    atomic_int_fast64_t listed_from_ms, unlisted_from_ms;
    /* under the state's lock: */
    time_t since; /* wall clock */
    char why[WHY_SIZE];
    /* CLOCK_MONOTONIC: the first of the checks in a row that were not well; 0: the last
     * one was. The second disables. */
    atomic_int_fast64_t unwell_ms;
    enum health before; /* at the last stop; UNCHECKED once it was checked since */
};

struct list_state {
    const char *name;
    struct bell *bell;          /* the prober's */
    struct list_half halves[2]; /* [1]: IPv6, in use when ipv6_known */
    atomic_bool ipv6_known;     /* it has IPv6 test points, or lists what it must not */
    atomic_bool configured;     /* in the configuration in force */
    atomic_bool lied;   /* and no check has queried witnesses since: over a start, too */
    atomic_uint events; /* 1u << EVENT_…, since the last health check began */
    /* a health check just found that it lists no more than it should */
    atomic_int_fast64_t quiet_until_ms;
    /* The quota: packets that may leave today (UTC). */
    atomic_int_fast64_t quota_left;  /* of daily-limit */
    atomic_int_fast64_t quota_saved; /* quota_left as the state file has it */
    atomic_int quota_limit;          /* 0: none */
    pthread_mutex_t lock;            /* of what follows, too */
    int64_t quota_day;               /* days since 1970 */
    int quota_logged; /* per cent of the limit that the log has reported today */
};

/* name and bell are borrowed. */
void list_state_init(struct list_state *state, const char *name, struct bell *bell);
void list_state_clear(struct list_state *state);

/* The half that is about IPv6 clients, or about all else. */
struct list_half *list_state_half(struct list_state *state, bool ipv6);

/* Something was seen that a health check has to settle. */
void list_state_suspect(struct list_state *state, bool ipv6, enum list_event event);

/* What a health check found of a half, with a sentence why. The first that is not well
 * only holds the list; the second one in a row disables it. Returns whether the check succeeded. */
bool list_state_checked(struct list_state *state, bool ipv6, enum health found,
                        const char *why);

/* The list is new in the configuration, or under another zone: checked first. */
void list_state_begin(struct list_state *state, const struct list *list, bool other_zone);

/* An admin's word; of what is suspended already, or is not, nothing changes. */
void list_state_suspend(struct list_state *state, const char *who);
void list_state_resume(struct list_state *state);

/* Whether its limit for today is used up; begins a new day's count. */
bool list_state_is_over_limit(struct list_state *state, const struct list *list);

/* What has left today. */
int64_t list_state_used_today(struct list_state *state);

/* How soon the state file must have what has left since, ms; INT64_MAX: it has all. */
int64_t list_state_save_ms(const struct list_state *state);

/* For the state file: a new reference, or NULL; and the other way round, of a new state.
 */
json_t *list_state_save(struct list_state *state);
void list_state_load(struct list_state *state, const json_t *saved);

#endif
