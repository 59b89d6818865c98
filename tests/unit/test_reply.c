/* SPDX-License-Identifier: BSD-2-Clause */
/* The codes of a refusal, and its text by the blocklist: one line of ASCII, whatever
 * strangers wrote. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "config_helper.h"
#include "policy/reply.h"

#define X50  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X500 X50 X50 X50 X50 X50 X50 X50 X50 X50 X50

static void assert_reply(const char *conf, const char *sender, const char *reason,
                         char out[static REPLY_TEXT_SIZE])
{
    static const struct ipaddr client = {.family = 4, .octets = {192, 0, 2, 1}};
    struct policy policy = {.config = config_of(conf)};
    struct session session = {.policy = &policy};

    envelope_connect(&session.envelope, &client, NULL);
    envelope_helo(&session.envelope, "mx.example");
    envelope_mail(&session.envelope, sender, NULL);
    session.match.subject = BLOCKLIST_BY_SENDER;
    snprintf(session.match.key, sizeof session.match.key, "%s", "domain.example");
    snprintf(session.match.reason, sizeof session.match.reason, "%s", reason);
    reply_for_blocklist(&session, out);
    config_unref(policy.config);
    for (const char *c = out; *c != '\0'; c++)
        if (*c < ' ' || *c > '~')
            fail_msg("octet %d in \"%s\"", *c, out);
}

static void test_rows(void **state)
{
    static const struct {
        const char *label, *template, *sender, *reason, *want;
    } rows[] = {
        /* clang-format off */
        {"plain", "%{sender} by %{key}; %{reason}", "<a@domain.example>", "bulk",
         "a@domain.example by domain.example; bulk"},
        {"no reason: nothing dangles", "%{sender} blocked; %{reason}", "<a@domain.example>", "",
         "a@domain.example blocked"},
        {"line ends", "%{reason}", "<a@b.example>", "one\r\n554 two", "one\\x0D\\x0A554 two"},
        {"other scripts", "%{reason}", "<a@b.example>", "K\xc3\xa4se", "K\\xC3\\xA4se"},
        {"a variable in a value", "%{reason}", "<a@b.example>", "%{sender}", "%{sender}"},
        {"the null sender", "%{what} blocked", "<>", "", "<> blocked"},
        /* clang-format on */
    };
    char conf[600], out[REPLY_TEXT_SIZE];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        snprintf(conf, sizeof conf, "reply { blocklist = \"%s\" }", rows[i].template);
        assert_reply(conf, rows[i].sender, rows[i].reason, out);
        if (strcmp(out, rows[i].want) != 0)
            fail_msg("%s: wanted \"%s\", got \"%s\"", rows[i].label, rows[i].want, out);
    }
}

static void test_too_long_is_cut(void **state)
{
    char out[REPLY_TEXT_SIZE];

    (void)state;
    assert_reply("reply { blocklist = \"%{reason} %{sender}\" }",
                 "<" X50 X50 "@b.example>", X500, out);
    assert_true(strlen(out) <= REPLY_TEXT_SIZE - 1);
    assert_true(strncmp(out, X50, 50) == 0);
}

static void test_codes(void **state)
{
    struct reply_code refused = reply_code_of(VERDICT_REJECT);
    struct reply_code deferred = reply_code_of(VERDICT_TEMPFAIL);

    (void)state;
    assert_string_equal(refused.code, "554");
    assert_string_equal(refused.enhanced, "5.7.1");
    assert_string_equal(deferred.code, "451");
    assert_string_equal(deferred.enhanced, "4.7.1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_codes),
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_too_long_is_cut),
    };

    return cmocka_run_group_tests_name("reply", tests, NULL, NULL);
}
