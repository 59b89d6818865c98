/* SPDX-License-Identifier: BSD-2-Clause */
/* What the MTA says of client and message, and what of it ends with what. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "policy/envelope.h"

#define X64  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X320 X64 X64 X64 X64 X64

static const struct ipaddr client = {.family = 4, .octets = {192, 0, 2, 1}};

static void test_connect(void **state)
{
    struct envelope e;

    (void)state;
    envelope_connect(&e, &client, "MX.Example.");
    assert_true(e.has_client);
    assert_string_equal(e.client_text, "192.0.2.1");
    assert_string_equal(e.client_name, "mx.example");
    envelope_connect(&e, &client, "no name");
    assert_string_equal(e.client_name, "");
    envelope_connect(&e, NULL, NULL); /* a local socket */
    assert_false(e.has_client);
    assert_string_equal(e.client_text, "");
}

static void test_helo(void **state)
{
    struct envelope e;

    (void)state;
    envelope_connect(&e, &client, NULL);
    envelope_helo(&e, "[192.0.2.1]");
    assert_string_equal(e.helo_text, "[192.0.2.1]");
    assert_string_equal(e.helo, ""); /* a literal is no name */
    envelope_helo(&e, X320);
    assert_int_equal(strlen(e.helo_text), HELO_SIZE - 1);
}

static void test_mail(void **state)
{
    static const struct {
        const char *sender, *text;
        bool known, null;
    } rows[] = {
        /* clang-format off */
        {"<anna@domain.example>", "anna@domain.example", true, false},
        {"anna@domain.example", "anna@domain.example", true, false},
        {"<>", "", true, true},
        {"", "", true, true},
        {"<nothing>", "nothing", true, false},
        {"<@>", "@", false, false},
        /* clang-format on */
    };
    struct envelope e;

    (void)state;
    envelope_connect(&e, &client, NULL);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        envelope_mail(&e, rows[i].sender, NULL);
        assert_string_equal(e.sender_text, rows[i].text);
        if (e.has_sender != rows[i].known ||
            (e.has_sender && mail_address_is_null(&e.sender) != rows[i].null))
            fail_msg("%s: known %d", rows[i].sender, e.has_sender);
    }
    envelope_mail(&e, "<" X320 "@a.example>", NULL); /* shown cut, never overrun */
    assert_int_equal(strlen(e.sender_text), ENVELOPE_SIZE - 1);
}

static void test_login(void **state)
{
    struct envelope e;

    (void)state;
    envelope_connect(&e, &client, NULL);
    envelope_mail(&e, "<a@b.example>", "anna");
    assert_string_equal(e.login, "anna");
    envelope_mail(&e, "<a@b.example>", X320); /* logged in, whoever it is */
    assert_string_equal(e.login, "?");
    envelope_mail(&e, "<a@b.example>", NULL);
    assert_string_equal(e.login, "");
}

/* RFC 5321, 4.1.4: HELO ends a message. */
static void test_helo_ends_the_message(void **state)
{
    struct envelope e;

    (void)state;
    envelope_connect(&e, &client, "mx.example");
    envelope_mail(&e, "<a@b.example>", "anna");
    envelope_helo(&e, "other.example");
    assert_false(e.has_sender);
    assert_string_equal(e.sender_text, "");
    assert_string_equal(e.login, "");
    assert_string_equal(e.client_name, "mx.example");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_connect),
        cmocka_unit_test(test_helo),
        cmocka_unit_test(test_mail),
        cmocka_unit_test(test_login),
        cmocka_unit_test(test_helo_ends_the_message),
    };

    return cmocka_run_group_tests_name("envelope", tests, NULL, NULL);
}
