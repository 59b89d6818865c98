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
        witnesses_accepted_client(w, &ip, lists, last - d);
}

static size_t draw(struct witnesses *w, uint64_t bit)
{
    struct ipaddr drawn[16];

    return witnesses_draw_clients(w, 4, bit, TODAY, drawn, 16);
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
    witnesses_refused_client(w, &ip, 2, TODAY);
    witnesses_refused_client(w, &stranger, 2, TODAY);
    assert_int_equal(draw(w, 2), 2);
    ip = address(2);
    witnesses_refused_client(w, &ip, 2, TODAY);
    assert_int_equal(draw(w, 2), 1);
    assert_int_equal(draw(w, 1), 2);
    accept_on_days(w, 2, 0, 1, TODAY);
    assert_int_equal(draw(w, 2), 2);
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

static void test_kept_over_a_restart(void **state)
{
    char path[] = "/tmp/rblmilter-witnesses-XXXXXX";
    char domains[4][DOMAIN_SIZE];
    struct witnesses *w;
    int fd = mkstemp(path);

    (void)state;
    assert_true(fd >= 0);
    close(fd);
    unlink(path);
    w = witnesses_new(path);
    accept_on_days(w, 1, 4, 3, TODAY);
    for (int d = 2; d >= 0; d--)
        witnesses_accepted_domain(w, "good.example", 0, TODAY - d);
    witnesses_save(w);
    witnesses_free(w);
    w = witnesses_new(path);
    assert_int_equal(draw(w, 1), 1);
    assert_int_equal(draw(w, 4), 0);
    assert_int_equal(witnesses_draw_domains(w, 1, TODAY, domains, 4), 1);
    assert_string_equal(domains[0], "good.example");
    witnesses_free(w);
    unlink(path);
}

/* What a list named that is found to lie is no evidence against allow lists. */
static void test_whom_a_liar_named(void **state)
{
    struct witnesses *w = witnesses_new(NULL);
    struct ipaddr drawn[64];

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
    witnesses_free(w);
}

static void test_a_damaged_file(void **state)
{
    static const char *const texts[] = {
        "",
        "{",
        "[]",
        "{\"clients\": 7}",
        "{\"clients\": [[1, 2, 3, 4], [\"\", 1, 1, 0]]}",
        "{\"clients\": [[\"192.0.2.1\", -1, 1, 0], [\"192.0.2.1\", 1, 99999999999, 0]]}"};
    char path[] = "/tmp/rblmilter-witnesses-XXXXXX";
    int fd = mkstemp(path);

    (void)state;
    log_open(LOG_TARGET_STDERR, LOG_LEVEL_ERROR, true);
    assert_true(fd >= 0);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct witnesses *w;

        assert_int_equal(ftruncate(fd, 0), 0);
        assert_int_equal(pwrite(fd, texts[i], strlen(texts[i]), 0),
                         (ssize_t)strlen(texts[i]));
        w = witnesses_new(path);
        assert_non_null(w);
        assert_int_equal(draw(w, 1), 0);
        witnesses_free(w);
    }
    close(fd);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_three_of_thirty_days),
        cmocka_unit_test(test_not_who_is_listed),
        cmocka_unit_test(test_not_who_is_refused_later),
        cmocka_unit_test(test_a_flood),
        cmocka_unit_test(test_kept_over_a_restart),
        cmocka_unit_test(test_whom_a_liar_named),
        cmocka_unit_test(test_a_damaged_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
