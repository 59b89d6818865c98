/* SPDX-License-Identifier: BSD-2-Clause */
#include "dnsbl/health_check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <arpa/inet.h>

#include <cmocka.h>

static void test_names(void **state)
{
    static const struct {
        const char *label, *point, *want; /* NULL: none */
    } cases[] = {
        {"an address", "127.0.0.2", "2.0.0.127.bl.test"},
        {"an IPv4-mapped one as it stands", "::FFFF:7F00:2",
         "2.0.0.0.0.0.f.7.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.bl.test"},
        {"the same in the other spelling", "::ffff:127.0.0.1",
         "1.0.0.0.0.0.f.7.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.bl.test"},
        {"an IPv6 address", "2001:db8::1",
         "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.bl.test"},
        {"one label", "test", "test.bl.test"},
        {"a name", "surbl-org-permanent-test-point.com",
         "surbl-org-permanent-test-point.com.bl.test"},
        {"a hash", "098f6bcd4621d373cade4e832627b4f6",
         "098f6bcd4621d373cade4e832627b4f6.bl.test"},
        {"none", "", NULL},
    };
    struct list list = {.zone = "bl.test"};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char got[DOMAIN_SIZE];
        int rc = health_check_point_name(&list, cases[i].point, got);

        if (cases[i].want == NULL ? rc == 0 || got[0] != '\0'
                                  : rc != 0 || strcmp(got, cases[i].want) != 0)
            fail_msg("%s: %d \"%s\"", cases[i].label, rc, got);
    }
}

static void test_too_long(void **state)
{
    char zone[DOMAIN_SIZE], got[DOMAIN_SIZE];
    struct list list = {.zone = zone};

    (void)state;
    memset(zone, 'a', sizeof zone);
    zone[sizeof zone - 1] = '\0';
    assert_int_equal(health_check_point_name(&list, "test", got), -1);
    assert_string_equal(got, "");
}

/* "none", "stale 127.0.0.2", a status or an address; NULL: not asked. */
static struct dns_answer *answer_of(const char *text)
{
    static const enum dns_status failures[] = {DNS_TIMEOUT, DNS_SERVFAIL, DNS_REFUSED,
                                               DNS_INVALID};
    struct dns_answer *answer, *stale;

    if (text == NULL)
        return NULL;
    if (strncmp(text, "stale ", 6) == 0) {
        answer = answer_of(text + 6);
        stale = dns_answer_stale(answer);
        dns_answer_unref(answer);
        return stale;
    }
    if (strcmp(text, "none") == 0)
        return dns_answer_new(DNS_NONE, 0, NULL);
    for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++)
        if (strcmp(text, dns_status_name(failures[i])) == 0)
            return dns_answer_failure(failures[i]);
    answer = dns_answer_new(DNS_FOUND, 1, NULL);
    assert_non_null(answer);
    assert_int_equal(inet_pton(AF_INET, text, &answer->addresses[0]), 1);
    return answer;
}

static void test_judges(void **state)
{
    static const struct {
        const char *label, *listed, *unlisted;
        enum health want;
        const char *why;
    } cases[] = {
        {"as they must", "127.0.0.2", "none", HEALTH_HEALTHY, "answer as they must"},
        {"another code of its own", "127.0.10.0", "none", HEALTH_HEALTHY, "as they must"},
        {"only the positive one asked", "127.0.0.2", NULL, HEALTH_HEALTHY,
         "as they must"},
        {"only the negative one asked", NULL, "none", HEALTH_HEALTHY, "as they must"},
        {"the positive one not listed", "none", "none", HEALTH_EMPTY,
         "does not list 127.0.0.2"},
        {"the negative one listed", "127.0.0.2", "127.0.0.2", HEALTH_LYING,
         "lists 127.0.0.1, which must not be listed"},
        {"upside down", "none", "127.0.0.2", HEALTH_LYING, "lists 127.0.0.1"},
        {"high trust for all", "127.0.10.3", "127.0.10.3", HEALTH_LYING, "127.0.0.1"},
        {"another address for all", "192.0.2.80", "192.0.2.80", HEALTH_LYING,
         "answers 192.0.2.80, which is outside"},
        {"another address for the listed one", "192.0.2.80", "none", HEALTH_LYING,
         "192.0.2.80"},
        {"blocked by a code", "127.255.255.254", "127.255.255.254", HEALTH_BLOCKED,
         "refuses our queries: 127.255.255.254"},
        {"blocked by the code of its own", "127.0.0.255", "127.0.0.255", HEALTH_BLOCKED,
         "refuses our queries: 127.0.0.255"},
        {"127.0.0.1 for all", "127.0.0.1", "127.0.0.1", HEALTH_BLOCKED, "127.0.0.1"},
        {"refused", "refused", "refused", HEALTH_BLOCKED, "refuses our queries: REFUSED"},
        {"one refused, one silent", "refused", "timeout", HEALTH_BLOCKED, "REFUSED"},
        {"silent", "timeout", "timeout", HEALTH_DOWN, "does not answer: timeout"},
        {"servfail", "servfail", "servfail", HEALTH_DOWN, "does not answer: servfail"},
        {"unreadable", "invalid", "invalid", HEALTH_DOWN, "does not answer: invalid"},
        {"one lost", "127.0.0.2", "timeout", HEALTH_DOWN, "timeout"},
        {"the other lost", "timeout", "none", HEALTH_DOWN, "timeout"},
        {"lying, though one is lost", "timeout", "127.0.0.2", HEALTH_LYING, "127.0.0.1"},
        {"an old answer is none", "stale 127.0.0.2", "none", HEALTH_DOWN, "not answer"},
        {"an old lie is none", "127.0.0.2", "stale 127.0.0.2", HEALTH_DOWN, "not answer"},
    };
    struct network error;
    struct list list = {.zone = "bl.test",
                        .weight = 8,
                        .test_listed = "127.0.0.2",
                        .test_unlisted = "127.0.0.1",
                        .error_codes = &error,
                        .error_code_count = 1};

    (void)state;
    assert_int_equal(network_parse("127.0.0.255", &error), 0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct dns_answer *listed = answer_of(cases[i].listed),
                          *unlisted = answer_of(cases[i].unlisted);
        char why[200] = "";
        const struct test_point l = {list.test_listed, listed},
                                u = {list.test_unlisted, unlisted};
        enum health got = health_check_judge_points(&list, &l, &u, why, sizeof why);

        if (got != cases[i].want || strstr(why, cases[i].why) == NULL)
            fail_msg("%s: %s, \"%s\"", cases[i].label, health_name(got), why);
        dns_answer_unref(listed);
        dns_answer_unref(unlisted);
    }
}

/* A list without test points that was set aside is asked about a name all the same: that
 * it answers is all that can be known. */
static void test_without_points(void **state)
{
    static const struct {
        const char *answer;
        enum health want;
    } cases[] = {
        {NULL, HEALTH_HEALTHY},
        {"none", HEALTH_HEALTHY},
        {"127.0.0.2", HEALTH_HEALTHY},
        {"timeout", HEALTH_DOWN},
        {"refused", HEALTH_BLOCKED},
        {"192.0.2.1", HEALTH_LYING},
        {"127.255.255.255", HEALTH_BLOCKED},
    };
    struct list list = {
        .zone = "bl.test", .weight = 8, .test_listed = "", .test_unlisted = ""};

    (void)state;
    assert_false(health_check_has_points(&list));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct dns_answer *answer = answer_of(cases[i].answer);
        const struct test_point point = {"", answer}, none = {"", NULL};
        char why[200];

        if (health_check_judge_points(&list, &point, &none, why, sizeof why) !=
            cases[i].want)
            fail_msg("%s: %s", cases[i].answer, why);
        dns_answer_unref(answer);
    }
}

static char empty[] = "", zone[] = "bl.test", name[] = "bl";
static const struct list list = {.name = name,
                                 .zone = zone,
                                 .checks = 1u << CHECK_CLIENT,
                                 .weight = 8,
                                 .test_listed = empty,
                                 .test_unlisted = empty};

/* What a health check finds that asked so many witnesses, some of them listed. */
static enum health find(size_t asked, size_t listed, bool lying)
{
    static struct health_check check;
    struct dns_answer *yes = dns_answer_new(DNS_FOUND, 1, NULL);
    struct dns_answer *no = dns_answer_new(DNS_NONE, 0, NULL);
    enum health found = HEALTH_UNCHECKED;
    char why[WHY_SIZE];

    assert_non_null(yes);
    assert_non_null(no);
    yes->addresses[0].s_addr = htonl(0x7f000002);
    memset(&check, 0, sizeof check);
    check.list = &list;
    check.lying[0] = lying;
    check.count = PROBE_WITNESS;
    for (size_t i = 0; i < asked; i++) {
        struct probe *probe = &check.probes[check.count++];

        probe->kind = PROBE_WITNESS;
        probe->answer = dns_answer_ref(i < listed ? yes : no);
    }
    assert_true(health_check_judge(&check, false, &found, why, sizeof why));
    health_check_clear(&check);
    dns_answer_unref(yes);
    dns_answer_unref(no);
    return found;
}

static void test_half_of_the_witnesses(void **state)
{
    static const struct {
        size_t asked, listed;
        bool lying; /* it was found to before */
        enum health found;
    } rows[] = {
        {16, 0, false, HEALTH_HEALTHY}, {16, 7, false, HEALTH_HEALTHY},
        {16, 8, false, HEALTH_LYING},   {8, 4, false, HEALTH_LYING},
        {7, 7, false, HEALTH_HEALTHY},  {16, 2, true, HEALTH_HEALTHY},
        {16, 3, true, HEALTH_LYING},    {8, 1, true, HEALTH_HEALTHY},
        {8, 2, true, HEALTH_LYING},     {7, 7, true, HEALTH_HEALTHY},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(find(rows[i].asked, rows[i].listed, rows[i].lying),
                         rows[i].found);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_too_long),
        cmocka_unit_test(test_judges),
        cmocka_unit_test(test_without_points),
        cmocka_unit_test(test_half_of_the_witnesses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
