/* SPDX-License-Identifier: BSD-2-Clause */
/* Templates of replies: what compiles, and what they expand to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/reply_template.h"

static const char *const names[] = {"what", "list", "whatever", NULL};
static const char *const values[] = {"192.0.2.1", "zen", NULL};

static const struct {
    const char *label, *source;
    size_t size;
    const char *want;
    bool whole;
} expanded[] = {
    {"empty", "", 80, "", true},
    {"literal", "no thanks", 80, "no thanks", true},
    {"variables", "%{what} by %{list}", 80, "192.0.2.1 by zen", true},
    {"side by side", "%{list}%{list}", 80, "zenzen", true},
    {"NULL is empty", "<%{whatever}>", 80, "<>", true},
    {"percent", "100%%", 80, "100%", true},
    {"percent before a brace", "%%{what}", 80, "%{what}", true},
    {"two percents", "%%%%", 80, "%%", true},
    {"a brace alone", "{what}", 80, "{what}", true},
    {"values are not expanded again", "%%{list}%{list}", 80, "%{list}zen", true},
    {"just fits", "a%{list}", 5, "azen", true},
    {"a value does not fit", "a%{list}b", 4, "aze", false},
    {"a literal does not fit", "%{list}abc", 6, "zenab", false},
    {"room for nothing", "a", 1, "", false},
};

static const struct {
    const char *label, *source, *expected;
} refused[] = {
    {"unknown", "%{who}", "unknown \"%{who}\", expected one of %{what}, %{list}"},
    {"a beginning of a name", "%{wha}", "unknown"},
    {"more than a name", "%{whatx}", "unknown"},
    {"no name", "%{}", "unknown"},
    {"case", "%{What}", "unknown"},
    {"open", "a %{what", "without \"}\""},
    {"single", "100% sure", "a single \"%\""},
    {"single at the end", "%", "a single \"%\""},
};

static void test_expand(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof expanded / sizeof expanded[0]; i++) {
        char error[256] = "", out[96];
        struct reply_template *t =
            reply_template_new(expanded[i].source, names, error, sizeof error);
        bool whole;

        if (t == NULL)
            fail_msg("%s: %s", expanded[i].label, error);
        assert_string_equal(reply_template_source(t), expanded[i].source);
        memset(out, 'x', sizeof out);
        whole = reply_template_expand(t, values, out, expanded[i].size);
        if (whole != expanded[i].whole || strcmp(out, expanded[i].want) != 0)
            fail_msg("%s: \"%s\"", expanded[i].label, out);
        assert_int_equal(out[expanded[i].size], 'x');
        reply_template_free(t);
    }
}

static void test_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        char error[256] = "";

        if (reply_template_new(refused[i].source, names, error, sizeof error) != NULL)
            fail_msg("%s: accepted", refused[i].label);
        if (strstr(error, refused[i].expected) == NULL)
            fail_msg("%s: \"%s\"", refused[i].label, error);
    }
    reply_template_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_expand),
        cmocka_unit_test(test_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
