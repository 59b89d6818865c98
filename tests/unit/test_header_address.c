/* SPDX-License-Identifier: BSD-2-Clause */
/* From: and Reply-To: as clients write them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "policy/header_address.h"

/* clang-format off */
static const struct {
    const char *label, *value, *want; /* the addresses, with a space between */
} rows[] = {
    {"plain", "anna@x.example", "anna@x.example"},
    {"with a name", "Anna <anna@x.example>", "anna@x.example"},
    {"name in quotes", "\"Anna, of sales\" <anna@x.example>", "anna@x.example"},
    {"two", "a@x.example, B <b@y.example>", "a@x.example b@y.example"},
    {"folded", "Anna\r\n\t<anna@x.example>,\n b@y.example", "anna@x.example b@y.example"},
    {"a comment", "anna@x.example (at b@y.example)", "anna@x.example"},
    {"a comment in it", "anna(x)@(y)x.example", "anna@x.example"},
    {"comments in comments", "(a (b@c.example) \\) d) anna@x.example", "anna@x.example"},
    {"a comment without an end", "anna@x.example (b@y.example", "anna@x.example"},
    {"an address as the name", "paypal@good.example <bad@x.example>", "bad@x.example"},
    {"the same in quotes", "\"paypal@good.example\" <bad@x.example>", "bad@x.example"},
    {"spaces around @ and dots", "anna @ x . example", "anna@x.example"},
    {"quoted local part", "\"anna b\"@x.example", "\"anna b\"@x.example"},
    {"@ in the local part", "\"a@b\"@x.example", "\"a@b\"@x.example"},
    {"a route", "<@a.example,@b.example:anna@x.example>", "anna@x.example"},
    {"a group", "Friends: a@x.example, B <b@y.example>;", "a@x.example b@y.example"},
    {"an empty group", "undisclosed-recipients:;", ""},
    {"a group whose name has an address", "c@z.example: a@x.example;", "a@x.example"},
    {"empty", "", ""},
    {"spaces alone", " \r\n\t ", ""},
    {"null", "<>", ""},
    {"no domain", "anna", ""},
    {"no domain in <>", "Anna <anna>", ""},
    {"no end of <>", "Anna <anna@x.example", "anna@x.example"},
    {"no end of <>, and another", "Anna <anna@x.example, b@y.example", "anna@x.example b@y.example"},
    {"no end of quotes", "\"Anna <anna@x.example>", ""},
    {"two without a comma", "a@x.example b@y.example", "a@x.example b@y.example"},
    {"two in <>", "<a@x.example> <b@y.example>", "a@x.example b@y.example"},
    {"an encoded name", "=?utf-8?q?Anna=40good.example?= <a@x.example>", "a@x.example"},
    {"an encoded address is none", "=?utf-8?q?a=40good.example?=", ""},
    {"an @ in an encoded word", "=?utf-8?q?a@good.example?=", ""},
    {"upper case", "Anna@X.Example", "Anna@X.Example"},
    {"UTF-8", "\xc3\xa4nna@b\xc3\xbc" "cher.example", "\xc3\xa4nna@b\xc3\xbc" "cher.example"},
    {"8 bits that are none", "a@\xff\xfe.example", ""},
    {"a literal", "anna@[192.0.2.1]", ""},
    {"commas alone", ",,,;,", ""},
    {"an empty one between", "a@x.example, , b@y.example", "a@x.example b@y.example"},
    {"a > of no <", "a>b@x.example> c@y.example", "b@x.example c@y.example"},
    {"a backslash at the end", "a@x.example, \"b\\", "a@x.example"},
};
/* clang-format on */

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct header_address found[HEADER_ADDRESSES];
        size_t count = header_addresses_parse(rows[i].value, found, HEADER_ADDRESSES);
        char memory[8192];
        struct buffer got = buffer_over(memory, sizeof memory);

        for (size_t k = 0; k < count; k++)
            buffer_add(&got, "%s%s", k > 0 ? " " : "", found[k].text);
        if (strcmp(memory, rows[i].want) != 0)
            fail_msg("%s: \"%s\", not \"%s\"", rows[i].label, memory, rows[i].want);
    }
}

/* No more than there is room for, and however large the field is. */
static void test_bounds(void **state)
{
    struct header_address found[HEADER_ADDRESSES];
    char *large = calloc(1, 1 << 20);

    (void)state;
    assert_non_null(large);
    assert_int_equal(
        header_addresses_parse("a@x.example,b@x.example,c@x.example", found, 2), 2);
    assert_int_equal(header_addresses_parse("a@x.example", found, 0), 0);
    memset(large, '(', (1 << 20) - 1);
    assert_int_equal(header_addresses_parse(large, found, HEADER_ADDRESSES), 0);
    memset(large, 'a', (1 << 20) - 1);
    memcpy(large + 5000, "@x.example,", 11);
    memcpy(large + 5011, "b@x.example,", 12);
    assert_int_equal(header_addresses_parse(large, found, HEADER_ADDRESSES), 1);
    assert_string_equal(found[0].text, "b@x.example");
    free(large);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_bounds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
