/* SPDX-License-Identifier: BSD-2-Clause */
/* Strangers' text: cleaned for logs, encoded for URLs, never cut where it would lie. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"

typedef bool convert(const char *in, char *out, size_t size);

static const struct {
    const char *label;
    convert *convert;
    const char *in;
    size_t size;
    const char *want;
    bool whole;
} cases[] = {
    {"plain", text_clean, "a b~", 32, "a b~", true},
    {"line ends", text_clean, "a\r\nb", 32, "a\\x0D\\x0Ab", true},
    {"escape", text_clean, "\x1b[2J", 32, "\\x1B[2J", true},
    {"delete", text_clean, "\x7f", 32, "\\x7F", true},
    {"8 bit", text_clean, "\xc3\xbc", 32, "\\xC3\\xBC", true},
    {"just fits", text_clean, "abc", 4, "abc", true},
    {"left out", text_clean, "abcd", 4, "abc", false},
    {"left out at a whole character", text_clean, "ab\n", 6, "ab", false},
    {"room for nothing", text_clean, "a", 1, "", false},
    {"nothing, no room", text_clean, "", 1, "", true},
    {"unreserved", text_percent_encode, "Az09-._~", 32, "Az09-._~", true},
    {"address", text_percent_encode, "a+b@c.d", 32, "a%2Bb%40c.d", true},
    {"what ends a URL", text_percent_encode, " \"<>&?#/%", 64,
     "%20%22%3C%3E%26%3F%23%2F%25", true},
    {"8 bit, encoded", text_percent_encode, "\xff", 32, "%FF", true},
    {"encoded fits", text_percent_encode, "@", 4, "%40", true},
    {"encoded does not fit", text_percent_encode, "a@", 4, "", false},
    {"lower", text_lower, "aBZ[\xc3\x9c", 32, "abz[\xc3\x9c", true},
    {"lower does not fit", text_lower, "ABC", 3, "", false},
    {"copy", text_copy, "abc", 4, "abc", true},
    {"copy does not fit", text_copy, "abc", 3, "", false},
};

static void test_convert(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char out[80];
        bool whole;

        memset(out, 'x', sizeof out);
        whole = cases[i].convert(cases[i].in, out, cases[i].size);
        if (whole != cases[i].whole || strcmp(out, cases[i].want) != 0)
            fail_msg("%s: \"%s\"", cases[i].label, out);
        assert_int_equal(out[cases[i].size], 'x');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_convert)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
