/* SPDX-License-Identifier: BSD-2-Clause */
#include "dnsbl/witnesses.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"

#define TODAY 20000

static struct ipaddr address(int n)
{
    struct ipaddr ip;
    char text[32];

    snprintf(text, sizeof text, "192.0.%d.%d", n / 250, n % 250 + 1);
    assert_int_equal(ipaddr_parse(text, &ip), 0);
    return ip;
}

static void accept_on_days(struct witnesses *w, int n, uint64_t lists, int days, int last)
{
    struct ipaddr ip = address(n);

    for (int d = days - 1; d >= 0; d--)
        witnesses_judged(w, true, &ip, NULL, lists, last - d);
}

static size_t draw(struct witnesses *w, uint64_t bit)
{
    char drawn[16][WITNESS_NAME];

    return witnesses_draw(w, 4, bit, TODAY, drawn, 16);
}

static void test_three_of_thirty_days(void **state)
{
    struct witnesses *w = witnesses_new(NULL);

    (void)state;
    accept_on_days(w, 1, 0, 2, TODAY);
    assert_int_equal(draw(w, 1), 0);
    accept_on_days(w, 2, 0, 3, TODAY);
    assert_int_equal(draw(w, 1), 1);
    accept_on_days(w, 3, 0, 3, TODAY - 40);
    assert_int_equal(draw(w, 1), 1);
    accept_on_days(w, 4, 0, 3, TODAY + 5); /* a clock that was ahead */
    assert_int_equal(draw(w, 1), 1);
    witnesses_free(w);
}

static void test_not_who_is_listed(void **state)
{
    struct witnesses *w = witnesses_new(NULL);

    (void)state;
    accept_on_days(w, 1, 2, 3, TODAY);
    assert_int_equal(draw(w, 2), 0);
    assert_int_equal(draw(w, 1), 1);
    witnesses_free(w);
}

/* A spammer that was accepted before the list knew it; not yet, where it was accepted
 * yesterday: the list may be lying since. */
static void test_not_who_is_refused_later(void **state)
{
    struct witnesses *w = witnesses_new(NULL);
    struct ipaddr ip = address(1), stranger = address(9);

    (void)state;
    accept_on_days(w, 1, 0, 3, TODAY - 1);
    accept_on_days(w, 2, 0, 3, TODAY - 2);
    witnesses_judged(w, false, &ip, NULL, 2, TODAY);
    witnesses_judged(w, false, &stranger, NULL, 2, TODAY);
    assert_int_equal(draw(w, 2), 2);
    ip = address(2);
    witnesses_judged(w, false, &ip, NULL, 2, TODAY);
    assert_int_equal(draw(w, 2), 1);
    assert_int_equal(draw(w, 1), 2);
    accept_on_days(w, 2, 0, 1, TODAY);
    assert_int_equal(draw(w, 2), 2);
    witnesses_free(w);
}

/* Who has not come for days may be listed rightly since. */
static void test_who_came_lately_is_drawn_first(void **state)
{
    struct witnesses *w = witnesses_new(NULL);
    char drawn[16][WITNESS_NAME];
    struct ipaddr ip;

    (void)state;
    for (int i = 0; i < 30; i++)
        accept_on_days(w, i, 0, 3, i % 10 == 0 ? TODAY - 2 : TODAY - 3);
    assert_int_equal(witnesses_draw(w, 4, 1, TODAY, drawn, 16), 16);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(ipaddr_parse(drawn[i], &ip), 0);
        assert_int_equal((ip.octets[3] - 1) % 10, 0);
    }
    assert_int_equal(witnesses_draw(w, 6, 1, TODAY, drawn, 16), 0);
    witnesses_free(w);
}

/* Two of them are no neighbours: what befalls one place befalls no other. */
static void test_drawn_by_lot(void **state)
{
    enum { REGULARS = 40, DRAWS = 4000, DRAWN = 8 };
    static unsigned together[256][256];
    struct witnesses *w = witnesses_new(NULL);
    char drawn[DRAWN][WITNESS_NAME];

    (void)state;
    for (int i = 0; i < REGULARS; i++)
        accept_on_days(w, i, 0, 3, TODAY);
    for (int n = 0; n < DRAWS; n++) {
        struct ipaddr ip[DRAWN];

        assert_int_equal(witnesses_draw(w, 4, 1, TODAY, drawn, DRAWN), DRAWN);
        for (int i = 0; i < DRAWN; i++) {
            assert_int_equal(ipaddr_parse(drawn[i], &ip[i]), 0);
            for (int k = 0; k < i; k++)
                together[ip[i].octets[3]][ip[k].octets[3]]++;
        }
    }
    /* a pair comes together in 8 * 7 of 40 * 39 draws, in one order or the other */
    for (int i = 1; i <= REGULARS; i++)
        for (int k = 1; k < i; k++)
            assert_in_range(together[i][k] + together[k][i], 80, 220); /* of 144 */
    witnesses_free(w);
}

/* A flood of clients that come once pushes no regular out. */
static void test_a_flood(void **state)
{
    struct witnesses *w = witnesses_new(NULL);

    (void)state;
    for (int i = 0; i < 20; i++)
        accept_on_days(w, i, 0, 3, TODAY);
    for (int i = 1000; i < 30000; i++)
        accept_on_days(w, i, 0, 1, TODAY);
    assert_int_equal(draw(w, 1), 16);
    witnesses_free(w);
}

static struct witnesses *restart(struct witnesses *w)
{
    json_t *saved = witnesses_save(w);

    assert_non_null(saved);
    witnesses_free(w);
    w = witnesses_new(saved);
    json_decref(saved);
    assert_non_null(w);
    return w;
}

static void test_kept_over_a_restart(void **state)
{
    const struct mail_address sender = {.local = "anna", .domain = "good.example"};
    char domains[4][WITNESS_NAME];
    struct witnesses *w = witnesses_new(NULL);

    (void)state;
    accept_on_days(w, 1, 4, 3, TODAY);
    for (int d = 2; d >= 0; d--)
        witnesses_judged(w, true, NULL, &sender, 0, TODAY - d);
    w = restart(w);
    assert_int_equal(draw(w, 1), 1);
    assert_int_equal(draw(w, 4), 0);
    assert_int_equal(witnesses_draw(w, 0, 1, TODAY, domains, 4), 1);
    assert_string_equal(domains[0], "good.example");
    witnesses_free(w);
}

/* What a list named that is found to lie is no evidence against allow lists. */
static void test_whom_a_liar_named(void **state)
{
    struct witnesses *w = witnesses_new(NULL);
    char drawn[64][WITNESS_NAME];

    (void)state;
    for (int i = 0; i < 20; i++) {
        struct ipaddr ip = address(i);

        witnesses_named(w, &ip, i < 8 ? 1 : 2);
    }
    assert_int_equal(witnesses_draw_named(w, 4, drawn, 64), 20);
    assert_int_equal(witnesses_draw_named(w, 4, drawn, 16), 16);
    witnesses_disown(w, 2);
    assert_int_equal(witnesses_draw_named(w, 4, drawn, 64), 8);
    for (int i = 100; i < 300; i++) {
        struct ipaddr ip = address(i);

        witnesses_named(w, &ip, 4);
    }
    assert_int_equal(witnesses_draw_named(w, 4, drawn, 64), 52);
    witnesses_disown(w, 4); /* it named 200 at once: the older are still there */
    assert_int_equal(witnesses_draw_named(w, 4, drawn, 64), 8);
    witnesses_disown(w, WITNESS_ALL_LISTS);
    assert_int_equal(witnesses_draw_named(w, 4, drawn, 64), 0);
    witnesses_free(w);
}

static void accept_senders(struct witnesses *w, const char *domain, int senders, int days,
                           int last)
{
    struct mail_address sender;
    char text[80];

    for (int d = days - 1; d >= 0; d--)
        for (int i = 0; i < senders; i++) {
            snprintf(text, sizeof text, "user%d@%s", i, domain);
            assert_int_equal(mail_address_parse(text, &sender), 0);
            witnesses_judged(w, true, NULL, &sender, 0, last - d);
        }
}

/* How many senders a domain has, by what was accepted lately, of it and below it. */
static void test_senders_of_a_domain(void **state)
{
    static const struct {
        const char *domain;
        unsigned least, most; /* a bit may be that of two */
    } cases[] = {
        {"shop.example", 10, 12},  {"mail.shop.example", 10, 12}, {"op.example", 0, 0},
        {"once.example", 0, 0},    {"long-ago.example", 0, 0},    {"one.example", 1, 1},
        {"unknown.example", 0, 0}, {"example", 11, 13},
    };
    struct accepted_lately lately;
    struct witnesses *w = witnesses_new(NULL);

    (void)state;
    accept_senders(w, "mail.shop.example", 12, 3, TODAY - 8);
    accept_senders(w, "mail.shop.example", 3, 1, TODAY);
    accept_senders(w, "once.example", 12, 1, TODAY); /* a wave of spam, perhaps */
    accept_senders(w, "long-ago.example", 12, 3, TODAY - 20);
    accept_senders(w, "one.example", 1, 3, TODAY);
    for (int turn = 0; turn < 2; turn++) {
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            witnesses_of_domain(w, cases[i].domain, TODAY, &lately);
            if (lately.senders < cases[i].least || lately.senders > cases[i].most ||
                lately.own != 0)
                fail_msg("%s: %u senders", cases[i].domain, lately.senders);
        }
        witnesses_of_domain(w, "one.example", TODAY, &lately);
        assert_string_equal(lately.example, "user0@one.example");
        w = restart(w);
    }
    witnesses_free(w);
}

/* One mail of one's own is enough; and it makes no witness. */
static void test_own_senders(void **state)
{
    struct witnesses *w = witnesses_new(NULL);
    struct accepted_lately lately;
    struct mail_address sender;
    char domains[4][WITNESS_NAME];

    (void)state;
    accept_senders(w, "own.example", 9, 3, TODAY);
    assert_int_equal(mail_address_parse("anna@own.example", &sender), 0);
    for (int d = 2; d >= 0; d--)
        witnesses_own_sender(w, &sender, TODAY - d);
    witnesses_of_domain(w, "own.example", TODAY, &lately);
    assert_int_equal(lately.own, 1);
    assert_string_equal(lately.example, "anna@own.example");
    witnesses_of_domain(w, "own.example", TODAY + 40, &lately);
    assert_int_equal(lately.own, 0);
    assert_int_equal(witnesses_draw(w, 0, 1, TODAY, domains, 4), 1);
    witnesses_free(w);
}

static void test_clients_of_a_network(void **state)
{
    struct witnesses *w = witnesses_new(NULL);
    struct accepted_lately lately;
    struct network network;

    (void)state;
    for (int i = 0; i < 4; i++)
        accept_on_days(w, i, 0, i == 3 ? 1 : 3, TODAY);
    assert_int_equal(network_parse("192.0.0.0/30", &network), 0);
    witnesses_of_network(w, &network, TODAY, &lately);
    assert_int_equal(lately.clients, 3);
    assert_int_equal(network_parse("192.0.2.0/24", &network), 0);
    witnesses_of_network(w, &network, TODAY, &lately);
    assert_int_equal(lately.clients, 0);
    witnesses_free(w);
}

static void test_a_damaged_file(void **state)
{
    static const char *const texts[] = {
        "[]", "{\"clients\": 7}", "{\"clients\": [[1, 2, 3, 4], [\"\", 1, 1, 0]]}",
        "{\"clients\": [[\"192.0.2.1\", -1, 1, 0], [\"192.0.2.1\", 1, 99999999999, 0]]}"};

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        json_t *saved = json_loads(texts[i], 0, NULL);
        struct witnesses *w = witnesses_new(saved);

        assert_non_null(saved);
        assert_non_null(w);
        assert_int_equal(draw(w, 1), 0);
        witnesses_free(w);
        json_decref(saved);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_three_of_thirty_days),
        cmocka_unit_test(test_not_who_is_listed),
        cmocka_unit_test(test_not_who_is_refused_later),
        cmocka_unit_test(test_who_came_lately_is_drawn_first),
        cmocka_unit_test(test_drawn_by_lot),
        cmocka_unit_test(test_a_flood),
        cmocka_unit_test(test_kept_over_a_restart),
        cmocka_unit_test(test_whom_a_liar_named),
        cmocka_unit_test(test_senders_of_a_domain),
        cmocka_unit_test(test_own_senders),
        cmocka_unit_test(test_clients_of_a_network),
        cmocka_unit_test(test_a_damaged_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
