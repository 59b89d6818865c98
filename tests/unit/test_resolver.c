/* SPDX-License-Identifier: BSD-2-Clause */
/* The resolver: what each answer becomes, the cache, budgets and deadlines. */

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "resolver_helper.h"

static const struct {
    const char *label, *name;
    enum dns_type type;
    const char *want;
} cases[] = {
    {"one address", "one.t", DNS_A, "found 127.0.0.2"},
    {"two addresses", "two.t", DNS_A, "found 127.0.0.2 127.0.0.4"},
    {"a text", "one.t", DNS_TXT, "found see there"},
    {"no record of the type", "none.t", DNS_A, "none"},
    {"NXDOMAIN", "nx.t", DNS_A, "none"},
    {"NXDOMAIN with SOA", "soa.t", DNS_A, "none"},
    {"SERVFAIL", "servfail.t", DNS_A, "servfail"},
    {"REFUSED", "refused.t", DNS_A, "refused"},
    {"FORMERR", "formerr.t", DNS_A, "formerr"},
    {"NOTIMP", "notimp.t", DNS_A, "notimp"},
    {"silence", "silent.t", DNS_A, "timeout"},
    {"after the first attempt's time", "late.t", DNS_A, "found 127.0.0.9"},
    {"truncated, then TCP", "tc.t", DNS_A, "found 127.0.0.3"},
    {"a wrong id before the right one", "id.t", DNS_A, "found 127.0.0.5"},
    {"only a wrong id", "lie.t", DNS_A, "timeout"},
    {"an empty packet", "empty.t", DNS_A, "timeout"},
    {"CNAMEs", "cname.t", DNS_A, "found 127.0.0.6"},
    {"a loop of CNAMEs", "loop.t", DNS_A, "invalid"},
    {"an answer for another name", "other.t", DNS_A, "invalid"},
    {"an answer to another question", "question.t", DNS_A, "timeout"},
    {"outside of 127/8", "outside.t", DNS_A, "found 192.0.2.1"},
    {"no name", "", DNS_A, "invalid"},
    {"the root", ".", DNS_A, "invalid"},
    {"an empty label", "a..t", DNS_A, "invalid"},
    {"a dot at the end", "one.t.", DNS_A, "invalid"},
    {"an escape", "one\\.t", DNS_A, "invalid"},
    {"a space", "one t", DNS_A, "invalid"},
    {"8-bit", "\xc3\xa4.t", DNS_A, "invalid"},
    {"upper case is the same", "ONE.T", DNS_A, "found 127.0.0.2"},
};

static void test_answers(void **state)
{
    static struct asker askers[sizeof cases / sizeof cases[0]];
    char text[1200];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        asker_ask(&askers[i], resolver, upstream, cases[i].type, cases[i].name);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct dns_answer *answer = asker_wait(&askers[i]);
        if (answer == NULL || strcmp(shown(answer, text), cases[i].want) != 0)
            fail_msg("%s: wanted \"%s\", got \"%s\"", cases[i].label, cases[i].want,
                     answer == NULL ? "nothing" : text);
        assert_true(askers[i].calls <= 1);
        dns_answer_unref(answer);
    }
}

/* Whatever these do, it is no listing and nobody waits for ever. */
static void test_damaged(void **state)
{
    static const char *const names[] = {"garbage.t", "cut.t", "tcdead.t"};

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct dns_answer *answer = asker_get(resolver, upstream, DNS_A, names[i]);
        if (answer->status == DNS_FOUND || answer->status == DNS_NONE)
            fail_msg("%s: got \"%s\"", names[i], dns_status_name(answer->status));
        dns_answer_unref(answer);
        assert_null(cached(resolver, upstream, DNS_A, names[i]));
    }
}

/* What c-ares drops without a word is counted all the same, each by what it is. How often
 * it asks before it gives up is its own affair. */
static void test_strays_are_counted(void **state)
{
    enum { CNAMES = STRAY_COUNT, NOTHING };
    static const struct {
        const char *name;
        int counted;
    } rows[] = {
        {"one.t", NOTHING},
        {"nx.t", NOTHING},
        {"servfail.t", NOTHING},
        {"tc.t", NOTHING},
        {"loop.t", CNAMES},
        {"cname.t", CNAMES},
        {"id.t", STRAY_WRONG_ID},
        {"lie.t", STRAY_WRONG_ID},
        {"empty.t", STRAY_GARBAGE},
        {"query.t", STRAY_GARBAGE},
        {"question.t", STRAY_UNEXPECTED},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct resolver_stats stats;

        dns_answer_unref(asker_get(resolver, upstream, DNS_A, rows[i].name));
        resolver_stats(resolver, &stats);
        for (int kind = 0; kind <= CNAMES; kind++) {
            uint64_t count = kind == CNAMES ? stats.cnames : stats.strays[kind];

            if ((count > 0) != (kind == rows[i].counted))
                fail_msg("%s: %d of kind %d", rows[i].name, (int)count, kind);
        }
        resolver_tear_down(state);
        resolver_set_up(state);
    }
}

/* No descriptor is left for a socket: that is ours, and no word of the servers. */
static void test_no_socket_is_no_servfail(void **state)
{
    struct rlimit before, none = {.rlim_cur = 0};

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none.rlim_max = before.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    struct dns_answer *answer = asker_get(resolver, upstream, DNS_A, "one.t");
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_string_equal(dns_status_name(answer->status), "not-asked");
    dns_answer_unref(answer);
    assert_asked(resolver, upstream, DNS_A, "one.t", "found 127.0.0.2");
}

static void test_huge_text_is_cut(void **state)
{
    (void)state;
    struct dns_answer *answer = asker_get(resolver, upstream, DNS_TXT, "huge.t");

    assert_int_equal(answer->status, DNS_FOUND);
    assert_int_equal(strlen(answer->text), DNS_TEXT_MAX);
    dns_answer_unref(answer);
}

static void test_cached(void **state)
{
    struct resolver_stats stats;

    (void)state;
    assert_null(cached(resolver, upstream, DNS_A, "one.t"));
    for (int i = 0; i < 3; i++)
        assert_asked(resolver, upstream, DNS_A, "one.t", "found 127.0.0.2");
    for (int i = 0; i < 3; i++)
        assert_asked(resolver, upstream, DNS_A, "nx.t", "none");
    assert_int_equal(nameserver_queries(ns, "one.t"), 1);
    assert_int_equal(nameserver_queries(ns, "nx.t"), 1);
    struct dns_answer *answer = cached(resolver, upstream, DNS_A, "one.t");
    assert_non_null(answer);
    dns_answer_unref(answer);
    resolver_stats(resolver, &stats);
    assert_int_equal(stats.asked, 2);
    assert_int_equal(stats.cached, 5);
    assert_int_equal(stats.cache_count, 2);
    resolver_flush_cache(resolver);
    assert_null(cached(resolver, upstream, DNS_A, "one.t"));
}

static void test_failures_are_not_cached(void **state)
{
    (void)state;
    nameserver_rules(
        ns, "[{\"rcode\": \"SERVFAIL\", \"times\": 1},"
            " {\"rcode\": \"REFUSED\", \"times\": 1}, {\"a\": [\"127.0.0.7\"]}]");
    assert_asked(resolver, upstream, DNS_A, "x.t", "found 127.0.0.7");
    nameserver_rules(
        ns, "[{\"rcode\": \"SERVFAIL\", \"times\": 3}, {\"a\": [\"127.0.0.7\"]}]");
    assert_asked(resolver, upstream, DNS_A, "y.t", "servfail");
    assert_asked(resolver, upstream, DNS_A, "y.t", "found 127.0.0.7");
}

/* An answer that is the server's refusal: not cached, asked again, then given. */
static bool refuses(const struct dns_lookup *lookup, const struct dns_answer *answer)
{
    return lookup->context != NULL && answer->addresses[0].s_addr == htonl(0x7ffffffe);
}

static void on_failure(struct dns_lookup *lookup, struct dns_answer *answer)
{
    dns_lookup_cache_failure(lookup, answer, 60000);
    atomic_fetch_add(&((struct asker *)lookup)->calls, 1);
}

/* Two that wait for one query are one failure: only the second query's is cached. */
static void test_a_name_that_fails_twice_is_cached(void **state)
{
    (void)state;
    for (int round = 0; round < 2; round++) {
        struct asker two[2];

        assert_null(cached(resolver, upstream, DNS_A, "silent.t"));
        for (int i = 0; i < 2; i++) {
            asker_begin(&two[i]);
            two[i].lookup.done = on_failure;
            assert_null(
                resolver_query(resolver, upstream, DNS_A, "silent.t", 0, &two[i].lookup));
        }
        for (int i = 0; i < 2; i++)
            while (atomic_load(&two[i].calls) == 0)
                usleep(1000);
    }
    struct dns_answer *answer =
        resolver_query(resolver, upstream, DNS_A, "silent.t", 0, NULL);
    assert_non_null(answer);
    assert_int_equal(answer->status, DNS_TIMEOUT);
    dns_answer_unref(answer);
}

static void test_refusal(void **state)
{
    struct asker a = {0};
    struct dns_answer *answer;

    (void)state;
    nameserver_rules(ns, "[{\"a\": [\"127.255.255.254\"], \"times\": 1},"
                         " {\"a\": [\"127.0.0.7\"]}]");
    asker_begin(&a);
    a.lookup.is_refusal = refuses;
    a.lookup.context = &a;
    assert_null(resolver_query(resolver, upstream, DNS_A, "x.t", 0, &a.lookup));
    answer = asker_wait(&a);
    assert_int_equal(answer->addresses[0].s_addr, htonl(0x7f000007));
    dns_answer_unref(answer);
    nameserver_rules(ns, "[{\"a\": [\"127.255.255.254\"]}]");
    asker_begin(&a);
    a.lookup.is_refusal = refuses;
    a.lookup.context = &a;
    assert_null(resolver_query(resolver, upstream, DNS_A, "y.t", 0, &a.lookup));
    answer = asker_wait(&a);
    assert_int_equal(answer->addresses[0].s_addr, htonl(0x7ffffffe));
    dns_answer_unref(answer);
    assert_null(cached(resolver, upstream, DNS_A, "y.t"));
}

/* Packets of a budget: each that leaves takes one, equal lookups none. */
static void test_budget(void **state)
{
    atomic_int_fast64_t left = 2;
    struct asker askers[5] = {0};
    int not_asked = 0;

    (void)state;
    for (int i = 0; i < 5; i++) {
        char name[16];

        snprintf(name, sizeof name, "b%d.any.t", i < 2 ? 0 : i);
        asker_begin(&askers[i]);
        askers[i].lookup.budget = &left;
        assert_null(
            resolver_query(resolver, upstream, DNS_A, name, 0, &askers[i].lookup));
    }
    for (int i = 0; i < 5; i++) {
        struct dns_answer *answer = asker_wait(&askers[i]);

        not_asked += answer->status == DNS_NOT_ASKED;
        dns_answer_unref(answer);
    }
    assert_int_equal(not_asked, 2);
    assert_int_equal(left, 0);
}

static const struct {
    const char *label, *rule;
    int least_s, most_s;
} ttls[] = {
    {"its own", "[{\"a\": [\"127.0.0.2\"], \"ttl\": 300}]", 298, 300},
    {"at least min", "[{\"a\": [\"127.0.0.2\"], \"ttl\": 0}]", 9, 10},
    {"at most max", "[{\"a\": [\"127.0.0.2\"], \"ttl\": 99999}]", 998, 1000},
    {"the highest bit is 0", "[{\"a\": [\"127.0.0.2\"], \"ttl\": 4000000000}]", 9, 10},
    {"SOA minimum",
     "[{\"rcode\": \"NXDOMAIN\", \"soa\": {\"ttl\": 80, \"minimum\": 40}}]", 38, 40},
    {"SOA ttl", "[{\"rcode\": \"NXDOMAIN\", \"soa\": {\"ttl\": 30, \"minimum\": 40}}]",
     28, 30},
    {"at most negative", "[{\"soa\": {\"ttl\": 3000, \"minimum\": 3000}}]", 498, 500},
    {"without SOA", "[{\"rcode\": \"NXDOMAIN\"}]", 58, 60},
};

static void test_ttls(void **state)
{
    struct resolver_settings s = usual_settings;

    (void)state;
    s.min_ttl_s = 10;
    s.max_ttl_s = 1000;
    s.negative_ttl_s = 500;
    resolver_configure(resolver, &s);
    for (size_t i = 0; i < sizeof ttls / sizeof ttls[0]; i++) {
        nameserver_rules(ns, ttls[i].rule);
        resolver_flush_cache(resolver);
        struct dns_answer *answer = asker_get(resolver, upstream, DNS_A, "x.t");
        int64_t ttl_s = (answer->expires_ms - clock_ms()) / 1000;
        if (ttl_s < ttls[i].least_s - 1 || ttl_s > ttls[i].most_s)
            fail_msg("%s: %d s", ttls[i].label, (int)ttl_s);
        dns_answer_unref(answer);
    }
}

static void test_joined(void **state)
{
    struct resolver_settings s = usual_settings;
    struct asker askers[50];
    char text[1200];
    struct resolver_stats stats;

    (void)state;
    s.timeout_ms = 1000;
    s.attempts = 4;
    s.deadline_ms = 9000;
    resolver_configure(resolver, &s);
    nameserver_rules(ns, "[{\"silent\": true}]"); /* until all have asked */
    for (int i = 0; i < 50; i++)
        asker_ask(&askers[i], resolver, upstream, DNS_A, "x.t");
    nameserver_rules(ns, "[{\"a\": [\"127.0.0.9\"]}]");
    for (int i = 0; i < 50; i++) {
        struct dns_answer *answer = asker_wait(&askers[i]);
        assert_non_null(answer);
        assert_string_equal(shown(answer, text), "found 127.0.0.9");
        dns_answer_unref(answer);
    }
    resolver_stats(resolver, &stats);
    assert_in_range(stats.asked, 1, 4); /* attempts of one query */
    assert_int_equal(stats.joined, 49);
}

static void test_deadline(void **state)
{
    struct resolver_settings s = usual_settings;

    (void)state;
    s.timeout_ms = 1000; /* a second attempt may not take the first one's answer */
    s.deadline_ms = 200;
    resolver_configure(resolver, &s);
    int64_t start_ms = clock_ms();
    assert_asked(resolver, upstream, DNS_A, "silent.t", "timeout");
    assert_in_range(clock_ms() - start_ms, 190, 900);
    /* Too late for who asked, but not for the next one. */
    assert_asked(resolver, upstream, DNS_A, "late.t", "timeout");
    usleep(500000);
    assert_asked(resolver, upstream, DNS_A, "late.t", "found 127.0.0.9");
    assert_true(nameserver_queries(ns, "late.t") <= 2);
}

static void test_stale(void **state)
{
    struct resolver_stats stats;

    (void)state;
    nameserver_rules(ns, "[{\"a\": [\"127.0.0.2\"], \"ttl\": 1}]");
    assert_asked(resolver, upstream, DNS_A, "x.t", "found 127.0.0.2");
    nameserver_rules(ns, "[{\"rcode\": \"SERVFAIL\"}]");
    usleep(1100000);
    assert_null(cached(resolver, upstream, DNS_A, "x.t"));
    assert_asked(resolver, upstream, DNS_A, "x.t", "found stale 127.0.0.2");
    assert_asked(resolver, upstream, DNS_A, "y.t", "servfail");
    resolver_stats(resolver, &stats);
    assert_int_equal(stats.stale, 2); /* the look into the cache, too */
    assert_int_equal(stats.by_status[DNS_SERVFAIL], 2);
    nameserver_rules(ns, "[{\"a\": [\"127.0.0.3\"], \"ttl\": 1}]");
    assert_asked(resolver, upstream, DNS_A, "x.t", "found 127.0.0.3");
    struct resolver_settings s = usual_settings;
    s.stale_ttl_s = 0;
    resolver_configure(resolver, &s);
    nameserver_rules(ns, "[{\"rcode\": \"SERVFAIL\"}]");
    usleep(1100000);
    assert_asked(resolver, upstream, DNS_A, "x.t", "servfail");
}

/* Beyond it a lookup waits for its place. */
static void test_max_queries(void **state)
{
    struct resolver_settings s = usual_settings;
    struct asker askers[12];
    char name[32];

    (void)state;
    s.max_queries = 3;
    s.deadline_ms = 5000;
    resolver_configure(resolver, &s);
    nameserver_rules(ns, "[{\"a\": [\"127.0.0.2\"], \"delay_ms\": 100}]");
    for (int i = 0; i < 12; i++) {
        snprintf(name, sizeof name, "n%d.t", i);
        asker_ask(&askers[i], resolver, upstream, DNS_A, name);
    }
    usleep(50000);
    assert_in_range(nameserver_queries(ns, ""), 1, 3);
    for (int i = 0; i < 12; i++) {
        struct dns_answer *answer = asker_wait(&askers[i]);

        assert_int_equal(answer->status, DNS_FOUND);
        dns_answer_unref(answer);
    }
}

/* What waits when the resolver ends is told so, once. */
static void test_end_while_open(void **state)
{
    struct asker askers[3];
    struct resolver *r = resolver_new(&usual_settings);
    struct upstream *u = resolver_upstream(r, nameserver_address(ns));

    (void)state;
    asker_ask(&askers[0], r, u, DNS_A, "silent.t");
    usleep(50000);
    asker_ask(&askers[1], r, u, DNS_A, "silent.t");
    asker_ask(&askers[2], r, u, DNS_A, "lie.t");
    resolver_free(r);
    for (int i = 0; i < 3; i++) {
        assert_non_null(askers[i].answer);
        assert_int_equal(askers[i].answer->status, DNS_NOT_ASKED);
        assert_int_equal(askers[i].calls, 1);
        dns_answer_unref(askers[i].answer);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RESOLVER_TEST(test_answers),
        RESOLVER_TEST(test_damaged),
        RESOLVER_TEST(test_strays_are_counted),
        RESOLVER_TEST(test_no_socket_is_no_servfail),
        RESOLVER_TEST(test_huge_text_is_cut),
        RESOLVER_TEST(test_cached),
        RESOLVER_TEST(test_failures_are_not_cached),
        RESOLVER_TEST(test_a_name_that_fails_twice_is_cached),
        RESOLVER_TEST(test_refusal),
        RESOLVER_TEST(test_budget),
        RESOLVER_TEST(test_ttls),
        RESOLVER_TEST(test_joined),
        RESOLVER_TEST(test_deadline),
        RESOLVER_TEST(test_stale),
        RESOLVER_TEST(test_max_queries),
        RESOLVER_TEST(test_end_while_open),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
