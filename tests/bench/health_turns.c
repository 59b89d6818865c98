/* SPDX-License-Identifier: BSD-2-Clause */
#include "health_turns.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "dnsbl/health_check.h"

#define BEGIN_S     (20000 * (int64_t)DAY) /* wall clock */
#define MONOTONIC_S 1000                   /* at the begin */

/* A query that is answered later. */
struct pending {
    int64_t due_ms;
    struct dns_lookup *lookup;
    struct dns_answer *answer;
};

int64_t turns_now_ms;

static struct host *host;
static int64_t wake_ms; /* the prober's thread */
static sem_t go, parked;
static struct pending pending[LISTS * HEALTH_CHECK_QUERIES];
static size_t pending_count;
static struct dns_answer *listed_answer, *clean_answer;

int __wrap_clock_gettime(clockid_t clock, struct timespec *ts);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ts)
{
    ts->tv_sec = (clock == CLOCK_REALTIME ? BEGIN_S : MONOTONIC_S) + turns_now_ms / 1000;
    ts->tv_nsec = turns_now_ms % 1000 * 1000000;
    return 0;
}

time_t __wrap_time(time_t *out);
time_t __wrap_time(time_t *out)
{
    time_t now = BEGIN_S + turns_now_ms / 1000;

    if (out != NULL)
        *out = now;
    return now;
}

/* The prober waits: the caller's turn. */
int __wrap_pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex,
                                  const struct timespec *until);
int __wrap_pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex,
                                  const struct timespec *until)
{
    (void)cond;
    wake_ms = (until->tv_sec - MONOTONIC_S) * 1000 + until->tv_nsec / 1000000;
    pthread_mutex_unlock(mutex);
    sem_post(&parked);
    sem_wait(&go);
    pthread_mutex_lock(mutex);
    return ETIMEDOUT;
}

/* The prober's thread has been told to end: its last turn. */
int __real_pthread_join(pthread_t thread, void **result);
int __wrap_pthread_join(pthread_t thread, void **result);
int __wrap_pthread_join(pthread_t thread, void **result)
{
    sem_post(&go);
    return __real_pthread_join(thread, result);
}

struct upstream *__wrap_resolver_upstream(struct resolver *resolver, const char *servers);
struct upstream *__wrap_resolver_upstream(struct resolver *resolver, const char *servers)
{
    static int upstream;

    (void)resolver;
    (void)servers;
    return (struct upstream *)&upstream;
}

int turns_list(const struct list *list)
{
    return list->zone[0] - 'a';
}

bool turns_lies(int k, uint32_t id, bool ipv6)
{
    const struct fate *fate = &host->fates[k];

    if (fate->is != FATE_LIES)
        return false;
    switch (fate->lies) {
    case LIES_HALF:
        return hashed(id, fate->number, 7) < 0.5;
    case LIES_IPV6:
        return ipv6;
    case LIES_ALL:
    case LIES_COUNT:
        break;
    }
    return true;
}

static uint32_t id_of_address(const struct ipaddr *ip)
{
    const uint8_t *o = ip->octets + (ip->family == 4 ? 0 : 12);

    return (uint32_t)o[0] << 24 | (uint32_t)o[1] << 16 | (uint32_t)o[2] << 8 | o[3];
}

struct ipaddr turns_address(uint32_t id)
{
    struct ipaddr ip = {.family = 4};
    uint8_t *o = ip.octets;

    if (world_is_ipv6(id)) { /* 2a00::, else 20.0.0.0/8 */
        ip = (struct ipaddr){.family = 6, .octets = {0x2a}};
        o += 12;
    }
    o[0] = ip.family == 4 ? 20 : 0;
    o[1] = (uint8_t)(id >> 16);
    o[2] = (uint8_t)(id >> 8);
    o[3] = (uint8_t)id;
    return ip;
}

void turns_domain(uint32_t id, char out[static WITNESS_NAME])
{
    snprintf(out, WITNESS_NAME, "d%u.example", (unsigned)id);
}

/* What the list says to a query of a health check. */
static bool says(const struct probe *probe, int k)
{
    struct ipaddr ip;
    unsigned id;

    switch (probe->kind) {
    case PROBE_LISTED:
        return true;
    case PROBE_LISTED6:
        return kinds[k].ipv6;
    case PROBE_UNLISTED:
    case PROBE_UNLISTED6:
        return false;
    case PROBE_WITNESS:
    case PROBE_WITNESS6:
        break;
    }
    if (ipaddr_parse(probe->subject, &ip) == 0) {
        id = id_of_address(&ip);
        if (!probe->reserved)
            id &= 0xffffff;
    } else if (sscanf(probe->subject, "d%u.example", &id) != 1) {
        id = (unsigned)strtoul(probe->subject + 1, NULL, 16) | 1u << 31;
    }
    return (!probe->reserved && world_lists(&host->world, id, k)) ||
           turns_lies(k, id, probe->kind == PROBE_WITNESS6);
}

static struct dns_answer *answer_to(const struct probe *probe, int k)
{
    if (host->fates[k].is == FATE_DOWN)
        return dns_answer_failure(DNS_TIMEOUT);
    return dns_answer_ref(says(probe, k) ? listed_answer : clean_answer);
}

struct dns_answer *__wrap_resolver_query(struct resolver *resolver,
                                         struct upstream *upstream, enum dns_type type,
                                         const char *name, unsigned flags,
                                         struct dns_lookup *lookup);
struct dns_answer *__wrap_resolver_query(struct resolver *resolver,
                                         struct upstream *upstream, enum dns_type type,
                                         const char *name, unsigned flags,
                                         struct dns_lookup *lookup)
{
    const struct probe *probe = (const struct probe *)lookup;
    int k = turns_list(lookup->context);
    bool down = host->fates[k].is == FATE_DOWN;
    struct pending *p = &pending[pending_count++];

    (void)resolver, (void)upstream, (void)type, (void)name, (void)flags;
    host->queries++;
    host->checks += probe->kind == PROBE_LISTED;
    p->lookup = lookup;
    p->due_ms = turns_now_ms + (down ? lookup->timeout_ms : 2 + (int64_t)(chance() * 60));
    p->answer = answer_to(probe, k);
    return NULL;
}

void __real_list_state_suspect(struct list_state *state, bool ipv6,
                               enum list_event event);
void __wrap_list_state_suspect(struct list_state *state, bool ipv6,
                               enum list_event event);
void __wrap_list_state_suspect(struct list_state *state, bool ipv6, enum list_event event)
{
    host->suspicions++;
    __real_list_state_suspect(state, ipv6, event);
}

static struct bell *bell_of(const struct host *h)
{
    return h->set.count > 0 ? h->set.items[0].state->bell : NULL;
}

static void run_prober(void)
{
    sem_post(&go);
    sem_wait(&parked);
}

/* Answers what is due; returns when the next query is. What a list that was down has not
 * answered it does when it is back: the resolver asks again. */
static int64_t answer_pending(void)
{
    int64_t next_ms = INT64_MAX;

    for (size_t i = 0; i < pending_count;) {
        struct pending p = pending[i];
        int k = turns_list(p.lookup->context);

        if (p.answer->status == DNS_TIMEOUT && host->fates[k].is != FATE_DOWN) {
            p.due_ms = turns_now_ms;
            p.answer = answer_to((const struct probe *)p.lookup, k);
        }

        if (p.due_ms > turns_now_ms) {
            next_ms = p.due_ms < next_ms ? p.due_ms : next_ms;
            i++;
            continue;
        }
        pending[i] = pending[--pending_count];
        p.lookup->done(p.lookup, p.answer);
        dns_answer_unref(p.answer);
    }
    return next_ms;
}

bool turns_next(int64_t until_ms, bool impatient)
{
    int64_t next_ms = answer_pending();
    struct bell *bell = bell_of(host);

    if (bell != NULL && bell->rung)
        next_ms = turns_now_ms;
    if (wake_ms < next_ms)
        next_ms = wake_ms;
    if (impatient && next_ms > turns_now_ms + 10)
        next_ms = turns_now_ms + 10;
    if (next_ms > until_ms) {
        turns_now_ms = until_ms;
        return false;
    }
    if (next_ms > turns_now_ms)
        turns_now_ms = next_ms;
    answer_pending();
    if ((bell != NULL && bell->rung) || wake_ms <= turns_now_ms)
        run_prober();
    return true;
}

struct dns_answer *turns_answer(bool listed)
{
    return listed ? listed_answer : clean_answer;
}

void turns_begin(struct host *h)
{
    host = h;
    turns_now_ms = 0;
    sem_init(&go, 0, 0);
    sem_init(&parked, 0, 0);
    if (listed_answer != NULL)
        return;
    listed_answer = dns_answer_new(DNS_FOUND, 1, NULL);
    clean_answer = dns_answer_new(DNS_NONE, 0, NULL);
    if (listed_answer == NULL || clean_answer == NULL)
        exit(2);
    listed_answer->addresses[0].s_addr = htonl(0x7f000002);
}

void turns_started(void)
{
    sem_wait(&parked);
}

void turns_end(void)
{
    for (size_t i = 0; i < pending_count; i++)
        dns_answer_unref(pending[i].answer);
    pending_count = 0;
}
