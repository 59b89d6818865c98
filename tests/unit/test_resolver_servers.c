/* SPDX-License-Identifier: BSD-2-Clause */
/* The resolver's servers: closed, silent, refusing, back again; one after the other. */

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "resolver_helper.h"

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
    struct resolver_settings s = usual_settings;
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
    struct resolver_settings s = usual_settings;
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        RESOLVER_TEST(test_closed_for_a_moment),
        RESOLVER_TEST(test_other_server_after_failure),
        RESOLVER_TEST(test_silent_first_server),
        RESOLVER_TEST(test_back_after_outage),
        RESOLVER_TEST(test_back_after_silence),
        RESOLVER_TEST(test_source_ports),
        RESOLVER_TEST(test_upstreams_apart),
        RESOLVER_TEST(test_bad_servers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
