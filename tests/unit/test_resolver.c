/* SPDX-License-Identifier: BSD-2-Clause */
#include "dns/resolver.h"

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

#include "asker.h"
#include "base/clock.h"
#include "nameserver.h"

static const struct resolver_settings usual = {
    .timeout_ms = 300,
    .attempts = 2,
    .deadline_ms = 1500,
    .cache_size = 1000,
    .min_ttl_s = 1,
    .max_ttl_s = 3600,
    .negative_ttl_s = 3600,
    .stale_ttl_s = 3600,
    .max_queries = 1000,
};

/* An answer in one line: "found 127.0.0.2 127.0.0.4", "found text", "none". */
static const char *shown(struct dns_answer *answer, char out[static 1200])
{
    size_t size = (size_t)snprintf(out, 1200, "%s%s", dns_status_name(answer->status),
                                   answer->stale ? " stale" : "");

    if (answer->text != NULL)
        size += (size_t)snprintf(out + size, 1200 - size, " %s", answer->text);
    for (unsigned i = 0; i < answer->address_count && i < 10; i++)
        size += (size_t)snprintf(out + size, 1200 - size, " %s",
                                 inet_ntoa(answer->addresses[i]));
    return out;
}

static void assert_asked(struct resolver *r, struct upstream *u, enum dns_type type,
                         const char *name, const char *want)
{
    char text[1200];
    struct dns_answer *answer = asker_get(r, u, type, name);

    if (strcmp(shown(answer, text), want) != 0)
        fail_msg("%s: wanted \"%s\", got \"%s\"", name, want, text);
    dns_answer_unref(answer);
}

/* What the cache has of it; NULL: nothing. The caller's reference. */
static struct dns_answer *cached(struct resolver *r, struct upstream *u,
                                 enum dns_type type, const char *name)
{
    struct dns_answer *answer = resolver_query(r, u, type, name, DNS_CACHE_ONLY, NULL);

    if (answer->status == DNS_NOT_ASKED || answer->stale) {
        dns_answer_unref(answer);
        return NULL;
    }
    return answer;
}

static const char rules[] =
    "[{\"name\": \"one.t\", \"a\": [\"127.0.0.2\"], \"txt\": [\"see there\"]},"
    " {\"name\": \"two.t\", \"a\": [\"127.0.0.2\", \"127.0.0.4\"]},"
    " {\"name\": \"none.t\"},"
    " {\"name\": \"soa.t\", \"rcode\": \"NXDOMAIN\", \"soa\": {\"minimum\": 9}},"
    " {\"name\": \"nx.t\", \"rcode\": \"NXDOMAIN\"},"
    " {\"name\": \"servfail.t\", \"rcode\": \"SERVFAIL\"},"
    " {\"name\": \"refused.t\", \"rcode\": \"REFUSED\"},"
    " {\"name\": \"formerr.t\", \"rcode\": \"FORMERR\"},"
    " {\"name\": \"notimp.t\", \"rcode\": \"NOTIMP\"},"
    " {\"name\": \"silent.t\", \"silent\": true},"
    " {\"name\": \"late.t\", \"a\": [\"127.0.0.9\"], \"delay_ms\": 450},"
    " {\"name\": \"tc.t\", \"a\": [\"127.0.0.3\"], \"truncate\": true},"
    " {\"name\": \"tcdead.t\", \"a\": [\"127.0.0.3\"], \"truncate\": true, \"transport\":"
    "   \"udp\"}, {\"name\": \"tcdead.t\", \"close\": true},"
    " {\"name\": \"id.t\", \"a\": [\"127.0.0.5\"], \"wrong_id\": \"first\"},"
    " {\"name\": \"lie.t\", \"a\": [\"127.0.0.5\"], \"wrong_id\": \"only\"},"
    " {\"name\": \"garbage.t\", \"garbage\": 90},"
    " {\"name\": \"empty.t\", \"empty\": true},"
    " {\"name\": \"cut.t\", \"a\": [\"127.0.0.5\"], \"cut\": 30},"
    " {\"name\": \"cname.t\", \"cname\": [\"x.t\", \"y.t\"], \"a\": [\"127.0.0.6\"]},"
    " {\"name\": \"loop.t\", \"cname_loop\": true},"
    " {\"name\": \"huge.t\", \"txt_size\": 30000},"
    " {\"name\": \"other.t\", \"a\": [\"127.0.0.2\"], \"owner\": \"evil.t\"},"
    " {\"name\": \"question.t\", \"a\": [\"127.0.0.2\"], \"question\": \"evil.t\"},"
    " {\"name\": \"query.t\", \"raw\": \"01000001000000000000\"},"
    " {\"name\": \"outside.t\", \"a\": [\"192.0.2.1\"]},"
    " {\"suffix\": \"any.t\", \"a\": [\"127.0.0.2\"]}]";

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

static struct nameserver *ns;
static struct resolver *resolver;
static struct upstream *upstream;

static int set_up(void **state)
{
    (void)state;
    ns = nameserver_new(rules);
    resolver = resolver_new(&usual);
    assert_non_null(resolver);
    upstream = resolver_upstream(resolver, nameserver_address(ns));
    assert_non_null(upstream);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    resolver_free(resolver);
    nameserver_free(ns);
    return 0;
}

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
        tear_down(state);
        set_up(state);
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
    dns_lookup_remember_failure(lookup, answer, 60000);
    atomic_fetch_add(&((struct asker *)lookup)->calls, 1);
}

/* Two that wait for one query are one failure: only the second query's is remembered. */
static void test_a_name_that_fails_twice_is_remembered(void **state)
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

/* A port that is closed for a moment costs no answer. */
static void test_closed_for_a_moment(void **state)
{
    struct asker askers[16];
    char name[32];

    (void)state;
    nameserver_command(ns, "down");
    for (int i = 0; i < 16; i++) {
        snprintf(name, sizeof name, "d%d.any.t", i);
        asker_ask(&askers[i], resolver, upstream, DNS_A, name);
    }
    usleep(400000);
    assert_true(resolver_is_away(upstream));
    nameserver_command(ns, "up");
    for (int i = 0; i < 16; i++) {
        struct dns_answer *answer = asker_wait(&askers[i]);

        assert_int_equal(answer->status, DNS_FOUND);
        dns_answer_unref(answer);
    }
    assert_false(resolver_is_away(upstream));
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
    struct resolver_settings s = usual;

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
    struct asker askers[50];
    char text[1200];
    struct resolver_stats stats;

    (void)state;
    for (int i = 0; i < 50; i++)
        asker_ask(&askers[i], resolver, upstream, DNS_A, "late.t");
    for (int i = 0; i < 50; i++) {
        struct dns_answer *answer = asker_wait(&askers[i]);
        assert_non_null(answer);
        assert_string_equal(shown(answer, text), "found 127.0.0.9");
        dns_answer_unref(answer);
    }
    resolver_stats(resolver, &stats);
    assert_in_range(stats.asked, 1, 2); /* it is later than one attempt's time */
    assert_int_equal(stats.joined, 49);
}

static void test_deadline(void **state)
{
    struct resolver_settings s = usual;

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
    struct resolver_settings s = usual;
    s.stale_ttl_s = 0;
    resolver_configure(resolver, &s);
    nameserver_rules(ns, "[{\"rcode\": \"SERVFAIL\"}]");
    usleep(1100000);
    assert_asked(resolver, upstream, DNS_A, "x.t", "servfail");
}

/* Beyond it a lookup waits for its place. */
static void test_max_queries(void **state)
{
    struct resolver_settings s = usual;
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

static void test_other_server_after_failure(void **state)
{
    struct nameserver *second = nameserver_new("[{\"a\": [\"127.0.0.2\"]}]");
    char both[80];

    (void)state;
    snprintf(both, sizeof both, "%s,%s", nameserver_address(ns),
             nameserver_address(second));
    struct upstream *u = resolver_upstream(resolver, both);
    assert_non_null(u);
    assert_asked(resolver, u, DNS_A, "servfail.t", "found 127.0.0.2");
    assert_asked(resolver, u, DNS_A, "refused.t", "found 127.0.0.2");
    assert_asked(resolver, u, DNS_A, "formerr.t", "found 127.0.0.2");
    assert_asked(resolver, u, DNS_A, "notimp.t", "found 127.0.0.2");
    nameserver_rules(second, "[{\"rcode\": \"SERVFAIL\"}]");
    assert_asked(resolver, u, DNS_A, "n.servfail.t",
                 "none"); /* the first one's NXDOMAIN */
    resolver_flush_cache(resolver);
    assert_asked(resolver, u, DNS_A, "refused.t", "refused");
    nameserver_rules(second, "[{\"a\": [\"127.0.0.3\"]}]");
    nameserver_command(ns, "down");
    assert_asked(resolver, u, DNS_A, "one.t", "found 127.0.0.3");
    nameserver_free(second);
}

/* The first of two servers falls silent: after a few questions nobody waits for it any
 * more, and when it is back it is asked first again. */
static void test_silent_first_server(void **state)
{
    struct nameserver *second = nameserver_new("[{\"a\": [\"127.0.0.2\"]}]");
    struct resolver_settings s = usual;
    char both[80], name[32];
    int64_t start_ms = 0;

    (void)state;
    s.deadline_ms = 500;
    resolver_configure(resolver, &s);
    snprintf(both, sizeof both, "%s,%s", nameserver_address(ns),
             nameserver_address(second));
    struct upstream *u = resolver_upstream(resolver, both);
    assert_non_null(u);
    nameserver_rules(ns, "[{\"silent\": true}]");
    for (int i = 0; i < 10; i++) {
        if (i == 4)
            start_ms = clock_ms();
        snprintf(name, sizeof name, "n%d.t", i);
        assert_asked(resolver, u, DNS_A, name, "found 127.0.0.2");
    }
    assert_true(clock_ms() - start_ms < 1200); /* a silence costs 300 ms each */
    nameserver_rules(ns, "[{\"a\": [\"127.0.0.1\"]}]");
    struct dns_answer *answer = NULL;
    for (int i = 0;
         i < 80 && (i == 0 || answer->addresses[0].s_addr != htonl(0x7f000001)); i++) {
        usleep(100000);
        dns_answer_unref(answer);
        snprintf(name, sizeof name, "m%d.t", i);
        answer = asker_get(resolver, u, DNS_A, name);
        assert_int_equal(answer->status, DNS_FOUND);
    }
    assert_int_equal(answer->addresses[0].s_addr, htonl(0x7f000001));
    dns_answer_unref(answer);
    nameserver_free(second);
}

static void test_back_after_outage(void **state)
{
    (void)state;
    nameserver_command(ns, "down");
    for (int i = 0; i < 8; i++) {
        struct dns_answer *answer = asker_get(resolver, upstream, DNS_A, "one.t");
        assert_int_equal(answer->status, DNS_UNREACHABLE);
        dns_answer_unref(answer);
    }
    nameserver_command(ns, "up");
    for (int i = 0; i < 100 && resolver_is_away(upstream); i++)
        usleep(50000); /* it is probed each half second */
    assert_asked(resolver, upstream, DNS_A, "one.t", "found 127.0.0.2");
}

/* The same with a server that says nothing, under traffic: once it talks again, so do we.
 */
static void test_back_after_silence(void **state)
{
    struct resolver_settings s = usual;
    struct asker askers[60];
    char name[32];

    (void)state;
    s.deadline_ms = 400;
    resolver_configure(resolver, &s);
    nameserver_rules(ns, "[{\"silent\": true}]");
    for (int i = 0; i < 60; i++) {
        snprintf(name, sizeof name, "n%d.t", i);
        asker_ask(&askers[i], resolver, upstream, DNS_A, name);
        usleep(20000);
    }
    nameserver_rules(ns, "[{\"a\": [\"127.0.0.2\"]}]");
    int64_t start_ms = clock_ms();
    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof name, "m%d.t", i);
        assert_asked(resolver, upstream, DNS_A, name, "found 127.0.0.2");
    }
    assert_true(clock_ms() - start_ms < 1000);
    for (int i = 0; i < 60; i++)
        dns_answer_unref(asker_wait(&askers[i]));
}

static void test_source_ports(void **state)
{
    char name[32];
    struct asker askers[400];

    (void)state;
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "n%d.any.t", i);
        assert_asked(resolver, upstream, DNS_A, name, "found 127.0.0.2");
    }
    size_t in_a_row = nameserver_ports(ns);
    assert_true(in_a_row >= 4);
    for (int i = 0; i < 400; i++) {
        snprintf(name, sizeof name, "m%d.any.t", i);
        asker_ask(&askers[i], resolver, upstream, DNS_A, name);
    }
    for (int i = 0; i < 400; i++)
        dns_answer_unref(asker_wait(&askers[i]));
    assert_true(nameserver_ports(ns) >= in_a_row + 4);
}

static void test_upstreams_apart(void **state)
{
    struct upstream *same = resolver_upstream(resolver, nameserver_address(ns));
    struct upstream *other = resolver_upstream(resolver, "127.0.0.1:1");

    (void)state;
    assert_ptr_equal(same, upstream);
    assert_ptr_not_equal(other, upstream);
    assert_asked(resolver, upstream, DNS_A, "one.t", "found 127.0.0.2");
    assert_null(cached(resolver, other, DNS_A, "one.t"));
    assert_asked(resolver, other, DNS_A, "one.t", "unreachable");
}

static void test_bad_servers(void **state)
{
    struct upstream *bad = resolver_upstream(resolver, "no server at all");

    (void)state;
    assert_non_null(bad);
    assert_asked(resolver, bad, DNS_A, "one.t", "not-asked");
}

/* What waits when the resolver ends is told so, once. */
static void test_end_while_open(void **state)
{
    struct asker askers[3];
    struct resolver *r = resolver_new(&usual);
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_answers),
        TEST(test_damaged),
        TEST(test_strays_are_counted),
        TEST(test_no_socket_is_no_servfail),
        TEST(test_huge_text_is_cut),
        TEST(test_cached),
        TEST(test_failures_are_not_cached),
        TEST(test_a_name_that_fails_twice_is_remembered),
        TEST(test_refusal),
        TEST(test_budget),
        TEST(test_closed_for_a_moment),
        TEST(test_ttls),
        TEST(test_joined),
        TEST(test_deadline),
        TEST(test_stale),
        TEST(test_max_queries),
        TEST(test_other_server_after_failure),
        TEST(test_silent_first_server),
        TEST(test_back_after_outage),
        TEST(test_back_after_silence),
        TEST(test_source_ports),
        TEST(test_upstreams_apart),
        TEST(test_bad_servers),
        TEST(test_end_while_open),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
