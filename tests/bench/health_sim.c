/* SPDX-License-Identifier: BSD-2-Clause */
/* How src/dnsbl judges lists on ordinary and other days: the mail of many days at seven
 * sites, with waves, quiet nights, lists that are suspended, down, reloaded away and
 * added, and lists that begin to lie. What it promises (docs/health.md) is tested.
 *
 *     tests/bench/health_sim [CLIENTS [SEED]]     # of each site; 20000 by default
 *
 * Each site's row: days, suspicions, health checks, their queries, honest lists disabled;
 * then liars found of those planted, and the mails that they cost, median and most: who
 * list all on a host with regulars, on a fresh one, who list half of all on the one and the
 * other.
 */

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "health_host.h"

#define EVENT_EACH_S  (2 * HOUR)
#define BACK_S        (2 * HOUR) /* after a fault's end a list counts again */
#define LIARS_MOST    20000      /* mails: then it counts as not found */
#define COST_FRESH    60         /* mails that one who lists all may cost */
#define COST_REGULARS 20
#define PLANTED_MOST  2000

/* What liars of one sort cost: mails judged wrongly until they are found. */
struct costs {
    unsigned planted, found;
    unsigned cost[PLANTED_MOST];
};

static uint64_t clients = 20000, seed = 1;
static uint64_t planted; /* liars at this site */
static struct host host;
static uint64_t later[2]; /* mails that liars cost once found: who list all, half */
static struct costs costs[2][2]; /* a fresh host, one with regulars; all, half listed */

/* --- faults --- */

static bool counts(const struct dnsbl *d)
{
    return health_counts(atomic_load(&d->state->halves[0].health)) &&
           (!atomic_load(&d->state->ipv6_known) ||
            health_counts(atomic_load(&d->state->halves[1].health)));
}

static void begin_lies(struct fate *fate, int k, uint64_t number)
{
    fate->is = FATE_LIES;
    fate->lies = number % LIES_COUNT;
    if (fate->lies == LIES_IPV6 && !kinds[k].ipv6)
        fate->lies = LIES_ALL;
    fate->number = number;
    fate->until_s = INFINITY;
    fate->mails = fate->cost = fate->later = 0;
    fate->found = false;
}

static void note_liar(const struct fate *fate, bool regulars)
{
    struct costs *c = &costs[regulars][fate->lies == LIES_HALF];

    if (c->planted == PLANTED_MOST)
        return;
    c->found += fate->found;
    if (!fate->found)
        fprintf(stderr, "%s: not found: %s, %s\n", host.world.site->name,
                kinds[fate - host.fates].name, regulars ? "with regulars" : "fresh");
    c->cost[c->planted++] = fate->cost;
}

/* Whether a liar has been found, or has had its time. */
static bool is_liar_over(struct fate *fate, const struct dnsbl *d)
{
    int half = fate->lies == LIES_IPV6;

    fate->found = atomic_load(&d->state->halves[half].health) == HEALTH_LYING;
    return fate->found || fate->mails >= LIARS_MOST;
}

static void begin_fault(struct fate *fate, int k)
{
    switch ((int)(chance() * 3)) {
    case 0:
        fate->is = FATE_SUSPENDED;
        list_state_suspend(host_list(&host, k)->state, "the simulator");
        break;
    case 1:
        fate->is = FATE_AWAY;
        host_reload(&host);
        break;
    default:
        fate->is = FATE_DOWN;
        break;
    }
    fate->until_s = host.world.now_s + 60 + exponential(HOUR);
}

static void end_fault(struct fate *fate, int k)
{
    bool was_away = fate->is == FATE_AWAY;

    if (fate->is == FATE_SUSPENDED)
        list_state_resume(host_list(&host, k)->state);
    if (fate->is == FATE_LIES)
        later[fate->lies == LIES_HALF] += fate->later;
    fate->is = FATE_USUAL;
    fate->ended_s = host.world.now_s;
    if (was_away) {
        fate->names += chance() < 0.5;
        host_reload(&host);
    }
}

/* --- a site's days --- */

/* Returns how many lists do not count though their fault has been over for long. */
static unsigned go_on_with_faults(void)
{
    double now_s = host.world.now_s;
    unsigned late = 0;

    for (int k = 0; k < LISTS; k++) {
        struct fate *fate = &host.fates[k];
        struct dnsbl *d;

        if (!(host.world.site->lists & 1u << k))
            continue;
        if (fate->is != FATE_USUAL && now_s >= fate->until_s)
            end_fault(fate, k);
        d = host_list(&host, k);
        if (fate->is == FATE_LIES && fate->until_s == INFINITY && is_liar_over(fate, d)) {
            note_liar(fate, true);
            fate->until_s = now_s + 600;
        }
        if (fate->is == FATE_USUAL && now_s > fate->ended_s + BACK_S && !counts(d)) {
            fate->ended_s = now_s;
            late++;
        }
    }
    return late;
}

/* A list of the site to which nothing happens, or -1. */
static int usual_list(uint64_t n)
{
    for (int i = 0; i < LISTS; i++) {
        int k = (int)((n + (uint64_t)i) % LISTS);

        if (host.world.site->lists & 1u << k && host.fates[k].is == FATE_USUAL &&
            counts(host_list(&host, k)))
            return k;
    }
    return -1;
}

static unsigned run_days(const struct site *site)
{
    uint64_t liar_at = 0, each = clients / 400 + 1500;
    double event_s = 0;
    unsigned late = 0;
    int k;

    host_begin(&host, site, true);
    for (uint64_t i = 0; i < clients; i++) {
        host_next(&host);
        late += go_on_with_faults();
        if (host.world.now_s >= event_s) {
            event_s = host.world.now_s + exponential(EVENT_EACH_S);
            k = usual_list((uint64_t)(chance() * LISTS));
            if (k >= 0)
                begin_fault(&host.fates[k], k);
        }
        if (i >= liar_at && (k = usual_list(planted)) >= 0) {
            liar_at = i + each;
            begin_lies(&host.fates[k], k, planted++);
        }
    }
    host_end(&host);
    return late;
}

/* --- liars on hosts that know nobody --- */

static void run_fresh(const struct site *site)
{
    uint64_t runs = clients / 100000 + 4;

    for (uint64_t n = 0; n < runs; n++) {
        struct fate *fate;
        int k;

        host_begin(&host, site, false);
        host.world.now_s = chance() * DAY;
        for (int i = 20 + (int)exponential(500); i > 0; i--)
            host_next(&host);
        k = usual_list(n);
        assert_true(k >= 0);
        fate = &host.fates[k];
        begin_lies(fate, k, planted++);
        while (!is_liar_over(fate, host_list(&host, k)))
            host_next(&host);
        note_liar(fate, false);
        host_end(&host);
    }
}

/* --- the report --- */

static int by_size(const void *a, const void *b)
{
    unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;

    return (x > y) - (x < y);
}

/* Sorted, so that the last one is the most. */
static unsigned most_of(struct costs *c)
{
    qsort(c->cost, c->planted, sizeof c->cost[0], by_size);
    return c->planted > 0 ? c->cost[c->planted - 1] : 0;
}

static void print_costs(struct costs *c)
{
    unsigned most = most_of(c);

    printf(" %u of %u: %u, %u |", c->found, c->planted, c->cost[c->planted / 2], most);
}

static void test_site(void **state)
{
    const struct site *site = *state;
    struct host days;
    unsigned late;

    chance_begin(seed + (uint64_t)(site - sites));
    srandom((unsigned)seed); /* the draws of src/dnsbl */
    for (size_t i = 0; i < 4; i++)
        costs[i / 2][i % 2] = (struct costs){0};
    later[0] = later[1] = planted = 0;
    late = run_days(site);
    days = host;
    run_fresh(site);
    printf("| %s | %.0f | %llu | %llu | %llu | %llu |", site->name,
           days.world.now_s / DAY, (unsigned long long)days.suspicions,
           (unsigned long long)days.checks, (unsigned long long)days.queries,
           (unsigned long long)days.disabled);
    print_costs(&costs[1][0]);
    print_costs(&costs[0][0]);
    print_costs(&costs[1][1]);
    print_costs(&costs[0][1]);
    printf(
        "\n  after found, until 10 min later: all %llu, half %llu; longest wait %lld ms; "
        "not back in time %u; passed %llu, refused %llu\n",
        (unsigned long long)later[0], (unsigned long long)later[1],
        (long long)days.longest_ms, late, (unsigned long long)days.passed,
        (unsigned long long)days.refused);
    fflush(stdout);
    assert_int_equal(days.disabled, 0);
    assert_int_equal(days.refused, 0);
    assert_int_equal(days.passed, 0);
    assert_int_equal(late, 0);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(costs[i / 2][i % 2].found, costs[i / 2][i % 2].planted);
    assert_in_range(most_of(&costs[0][0]), 0, COST_FRESH);
    assert_in_range(most_of(&costs[1][0]), 0, COST_REGULARS);
}

int main(int argc, char **argv)
{
    struct CMUnitTest tests[SITES];

#ifdef __SANITIZE_THREAD__
    return 77; /* one thread: nothing to see; automake skips it */
#endif
    if (argc > 1)
        clients = strtoull(argv[1], NULL, 10);
    if (argc > 2)
        seed = strtoull(argv[2], NULL, 10);
    for (size_t i = 0; i < SITES; i++)
        tests[i] = (struct CMUnitTest){.name = sites[i].name,
                                       .test_func = test_site,
                                       .initial_state = (void *)&sites[i]};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
