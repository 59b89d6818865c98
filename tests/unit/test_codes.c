/* SPDX-License-Identifier: BSD-2-Clause */
/* Code expressions: what is accepted, and what they match. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "config/codes.h"

static const struct {
    const char *label, *expression;
    const char *yes[6], *no[6]; /* answers */
} matches[] = {
    {"one", "127.0.0.2", {"127.0.0.2"}, {"127.0.0.3", "127.0.1.2", "128.0.0.2"}},
    {"several", "127.0.0.2, 127.0.0.9", {"127.0.0.2", "127.0.0.9"}, {"127.0.0.3"}},
    {"no blanks, tabs",
     "127.0.0.2,\t127.0.0.9 ",
     {"127.0.0.2", "127.0.0.9"},
     {"127.0.0.3"}},
    {"range",
     "127.0.0.4-127.0.0.7",
     {"127.0.0.4", "127.0.0.5", "127.0.0.7"},
     {"127.0.0.3", "127.0.0.8"}},
    {"range with blanks", "127.0.0.4 - 127.0.0.7", {"127.0.0.6"}, {"127.0.0.8"}},
    {"range over octets",
     "127.0.0.255-127.0.1.1",
     {"127.0.0.255", "127.0.1.0"},
     {"127.0.1.2"}},
    {"free octet", "127.0.*.3", {"127.0.0.3", "127.0.255.3"}, {"127.0.0.2", "127.1.0.3"}},
    {"two free octets", "127.*.*.3", {"127.9.8.3"}, {"127.9.8.4"}},
    {"Postfix, range",
     "127.0.0.[2..11]",
     {"127.0.0.2", "127.0.0.11"},
     {"127.0.0.1", "127.0.0.12"}},
    {"Postfix, set",
     "127.0.0.[2;4;10..11]",
     {"127.0.0.2", "127.0.0.4", "127.0.0.10", "127.0.0.11"},
     {"127.0.0.3", "127.0.0.9", "127.0.0.12"}},
    {"Postfix, two octets",
     "127.0.[0..255].[1;3]",
     {"127.0.9.1", "127.0.0.3"},
     {"127.0.9.2", "127.1.0.3"}},
    {"bit", "&8", {"127.0.0.8", "127.0.0.12", "127.0.3.255"}, {"127.0.0.4", "127.0.0.0"}},
    {"the highest bit", "&128", {"127.0.0.128"}, {"127.0.0.127"}},
    {"a bit never outside of 127/8", "&8", {NULL}, {"10.0.0.8", "128.0.0.8"}},
    {"a bit never of an error", "&8", {NULL}, {"127.255.255.8", "127.255.255.255"}},
    {"a range never of an error",
     "127.0.0.0-127.255.255.255",
     {"127.255.254.255", "127.0.0.1"},
     {"127.255.255.254", "127.255.255.0"}},
    {"free octets never of an error", "127.*.*.*", {"127.0.0.2"}, {"127.255.255.252"}},
};

static const struct {
    const char *label, *expression;
    const char *expected; /* part of the sentence */
} refused[] = {
    {"empty", "", "expected codes such as"},
    {"a comma at the end", "127.0.0.2,", "expected codes such as"},
    {"outside", "10.0.0.1", "within 127.0.0.0/8"},
    {"outside, range", "127.0.0.1-128.0.0.1", "within 127.0.0.0/8"},
    {"outside, free", "*.0.0.1", "within 127.0.0.0/8"},
    {"errors", "127.255.255.254", "never a listing"},
    {"errors, range", "127.255.255.0-127.255.255.255", "never a listing"},
    {"backwards", "127.0.0.7-127.0.0.4", "smaller address first"},
    {"backwards, Postfix", "127.0.0.[7..4]", "expected codes such as"},
    {"an octet too large", "127.0.0.256", "expected codes such as"},
    {"a zero in front", "127.0.0.010", "expected codes such as"},
    {"three octets", "127.0.0", "expected codes such as"},
    {"five octets", "127.0.0.2.3", "expected codes such as"},
    {"text behind", "127.0.0.2 x", "expected codes such as"},
    {"a range of a pattern", "127.0.*.1-127.0.*.3", "expected codes such as"},
    {"brackets open", "127.0.0.[2;4", "expected codes such as"},
    {"brackets empty", "127.0.0.[]", "expected codes such as"},
    {"no bit", "&3", "expected a bit"},
    {"bit 0", "&0", "expected a bit"},
    {"bit too large", "&256", "expected a bit"},
    {"bit of text", "&x", "expected a bit"},
    {"a network", "127.0.0.0/8", "expected codes such as"},
    {"too many",
     "127.[1;3;5;7;9;11;13;15;17;19;21].[1;3;5;7;9;11;13;15;17;19;21].[1;3;5;7;"
     "9;11;13;15;17;19;21]",
     "too many codes"},
};

static bool matched(const struct codes *codes, const char *address)
{
    struct in_addr in;

    assert_int_equal(inet_pton(AF_INET, address, &in), 1);
    return codes_match(codes, in);
}

static void test_match(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof matches / sizeof matches[0]; i++) {
        struct codes codes;
        char error[256] = "";

        if (codes_parse(matches[i].expression, &codes, error, sizeof error) != 0)
            fail_msg("%s: refused: %s", matches[i].label, error);
        for (size_t k = 0; k < 6 && matches[i].yes[k] != NULL; k++)
            if (!matched(&codes, matches[i].yes[k]))
                fail_msg("%s: %s is not matched", matches[i].label, matches[i].yes[k]);
        for (size_t k = 0; k < 6 && matches[i].no[k] != NULL; k++)
            if (matched(&codes, matches[i].no[k]))
                fail_msg("%s: %s is matched", matches[i].label, matches[i].no[k]);
        codes_free(&codes);
    }
}

static void test_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        struct codes codes;
        char error[512] = "";

        if (codes_parse(refused[i].expression, &codes, error, sizeof error) == 0)
            fail_msg("%s: accepted", refused[i].label);
        if (strstr(error, refused[i].expected) == NULL)
            fail_msg("%s: \"%s\"", refused[i].label, error);
        assert_null(codes.patterns);
        assert_int_equal(codes.count, 0);
    }
}

static void test_have_bits(void **state)
{
    struct codes codes;
    char error[256];

    (void)state;
    assert_int_equal(codes_parse("127.0.0.2", &codes, error, sizeof error), 0);
    assert_false(codes_have_bits(&codes));
    codes_free(&codes);
    assert_int_equal(codes_parse("127.0.0.2, &4", &codes, error, sizeof error), 0);
    assert_true(codes_have_bits(&codes));
    codes_free(&codes);
    codes_free(&codes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_match),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_have_bits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
