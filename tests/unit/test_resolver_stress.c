/* SPDX-License-Identifier: BSD-2-Clause */
/* Many askers at once on a name server that does all kinds of things, while settings
 * change, the cache is flushed and upstreams come and go: each is answered once, and
 * nobody is listed who is not. For the sanitizers' eyes above all. */

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "asker.h"
#include "base/clock.h"
#include "nameserver.h"

#define THREADS 4
#define AT_ONCE 64
#define TIME_MS 2000

static const char rules[] =
    "[{\"suffix\": \"listed.t\", \"a\": [\"127.0.0.2\"], \"txt\": [\"why\"], \"ttl\": 1},"
    " {\"suffix\": \"slow.t\", \"a\": [\"127.0.0.2\"], \"delay_ms\": 30},"
    " {\"suffix\": \"tc.t\", \"a\": [\"127.0.0.2\"], \"truncate\": true},"
    " {\"suffix\": \"silent.t\", \"silent\": true},"
    " {\"suffix\": \"servfail.t\", \"rcode\": \"SERVFAIL\"},"
    " {\"suffix\": \"refused.t\", \"rcode\": \"REFUSED\"},"
    " {\"suffix\": \"garbage.t\", \"garbage\": 40},"
    " {\"suffix\": \"lie.t\", \"a\": [\"127.0.0.2\"], \"wrong_id\": \"only\"},"
    " {\"suffix\": \"nx.t\", \"rcode\": \"NXDOMAIN\", \"soa\": {\"minimum\": 1}}]";

static const char *const zones[] = {"listed",  "slow",    "tc",  "silent", "servfail",
                                    "refused", "garbage", "lie", "nx"};
#define LISTED_ZONES 3 /* the first ones */
#define ZONES        (sizeof zones / sizeof zones[0])

static const struct resolver_settings usual = {
    .timeout_ms = 50,
    .attempts = 2,
    .deadline_ms = 200,
    .cache_size = 400,
    .min_ttl_s = 0,
    .max_ttl_s = 3600,
    .negative_ttl_s = 3600,
    .stale_ttl_s = 1,
    .max_queries = 200,
};

static struct resolver *resolver;
static struct nameserver *ns;
static atomic_bool ending;
static atomic_int wrong, unanswered, found, answers;

static void judge(struct asker *asker, size_t zone, enum dns_type type)
{
    struct dns_answer *answer = asker_wait(asker);

    if (answer == NULL) {
        unanswered++;
        return;
    }
    answers++;
    found += answer->status == DNS_FOUND;
    wrong += asker->calls > 1;
    wrong += answer->status == DNS_FOUND && zone >= LISTED_ZONES;
    wrong += answer->status == DNS_NONE && zone < LISTED_ZONES && type == DNS_A;
    for (unsigned i = 0; i < answer->address_count; i++)
        wrong += answer->addresses[i].s_addr != htonl(0x7f000002);
    dns_answer_unref(answer);
}

static void *ask_on(void *arg)
{
    unsigned seed = (unsigned)(uintptr_t)arg;
    struct asker *askers = calloc(AT_ONCE, sizeof *askers);
    size_t zone[AT_ONCE];
    enum dns_type type[AT_ONCE];
    char name[64];

    while (askers != NULL && !ending) {
        struct upstream *u = resolver_upstream(resolver, nameserver_address(ns));
        for (int i = 0; i < AT_ONCE; i++) {
            zone[i] = (size_t)rand_r(&seed) % ZONES;
            type[i] = rand_r(&seed) % 4 == 0 ? DNS_TXT : DNS_A;
            snprintf(name, sizeof name, "n%d.%s.t", rand_r(&seed) % 100, zones[zone[i]]);
            asker_ask(&askers[i], resolver, u, type[i], name);
        }
        for (int i = 0; i < AT_ONCE; i++)
            judge(&askers[i], zone[i], type[i]);
    }
    free(askers);
    return NULL;
}

static void disturb(void)
{
    struct resolver_settings s = usual;
    struct resolver_stats stats;

    for (int i = 0; !ending; i++) {
        usleep(10000);
        s.deadline_ms = i % 2 != 0 ? 100 : 300;
        s.cache_size = i % 3 * 300;
        s.max_queries = i % 5 == 0 ? 3 : 300;
        resolver_configure(resolver, &s);
        if (i % 4 == 0)
            resolver_flush_cache(resolver);
        if (i % 40 == 20)
            nameserver_command(ns, "down");
        if (i % 40 == 25)
            nameserver_command(ns, "up");
        assert_non_null(resolver_upstream(resolver, "127.0.0.1:9"));
        resolver_stats(resolver, &stats);
        assert_true(stats.open <= 300 + 2 * THREADS);
    }
}

static void *end_later(void *arg)
{
    usleep(TIME_MS * 1000);
    ending = true;
    return arg;
}

static void test_stress(void **state)
{
    pthread_t threads[THREADS], clock;

    (void)state;
    ns = nameserver_new(rules);
    resolver = resolver_new(&usual);
    assert_non_null(resolver);
    for (uintptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask_on, (void *)(i + 1)), 0);
    assert_int_equal(pthread_create(&clock, NULL, end_later, NULL), 0);
    disturb();
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    pthread_join(clock, NULL);
    resolver_free(resolver);
    nameserver_free(ns);
    print_message("%d answers, %d found\n", answers, found);
    assert_int_equal(unanswered, 0);
    assert_int_equal(wrong, 0);
    assert_true(answers > 500);
    assert_true(found > 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_stress)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
