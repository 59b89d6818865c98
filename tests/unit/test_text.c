/* SPDX-License-Identifier: BSD-2-Clause */
/* Strangers' text: cleaned for logs, encoded for URLs, never cut where it would lie. */

#include <inttypes.h>
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

/* What does not fit is cut at a whole character. */
static const struct {
    const char *label, *in;
    size_t size;
    const char *want;
} cuts[] = {
    {"fits", "a\xc3\xbc", 4, "a\xc3\xbc"},
    {"within two bytes", "a\xc3\xbc", 3, "a"},
    {"behind two bytes",
     "a\xc3\xbc"
     "b",
     4, "a\xc3\xbc"},
    {"one of three", "a\xe2\x82\xac", 3, "a"},
    {"two of three", "a\xe2\x82\xac", 4, "a"},
    {"one of four", "\xf0\x9f\x92\xa9", 2, ""},
    {"three of four", "a\xf0\x9f\x92\xa9", 5, "a"},
    {"ASCII", "abcd", 4, "abc"},
    {"no UTF-8", "a\x80\x80\x80\x80", 4, "a\x80\x80"},
};

static void test_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++) {
        char out[20], memory[20];
        struct buffer buffer = buffer_over(memory, cuts[i].size);
        bool fits = strlen(cuts[i].in) < cuts[i].size;

        text_sentence(out, cuts[i].size, "%s", cuts[i].in);
        if (strcmp(out, cuts[i].want) != 0)
            fail_msg("%s: \"%s\"", cuts[i].label, out);
        buffer_add(&buffer, "%s", cuts[i].in);
        assert_string_equal(memory, cuts[i].want);
        assert_int_equal(buffer.cut, !fits);
        assert_int_equal(buffer.used, strlen(memory));
        buffer_add(&buffer, "%s", fits ? "" : "x"); /* into no gap */
        assert_string_equal(memory, cuts[i].want);
    }
}

static const struct {
    const char *label, *in;
    size_t size;
    const char *want;
    unsigned long hidden;
} shown[] = {
    {"plain", "a\xc3\xbc\xe2\x82\xac", 20, "a\xc3\xbc\xe2\x82\xac", 0},
    {"C1",
     "a\xc2\x9b"
     "31m",
     20, "a\\xC2\\x9B31m", 0x9b},
    {"control", "a\x1b\x7f", 20, "a\\x1B\\x7F", 0},
    {"right to left override",
     "\xe2\x80\xae"
     "a",
     20, "\\xE2\\x80\\xAEa", 0x202e},
    {"isolate", "\xe2\x81\xa6", 20, "\\xE2\\x81\\xA6", 0x2066},
    {"Arabic letter mark", "\xd8\x9c", 20, "\\xD8\\x9C", 0x61c},
    {"no width", "\xe2\x80\x8b", 20, "\\xE2\\x80\\x8B", 0x200b},
    {"byte order mark", "\xef\xbb\xbf", 20, "\\xEF\\xBB\\xBF", 0xfeff},
    {"tag", "\xf3\xa0\x81\xa1", 20, "\\xF3\\xA0\\x81\\xA1", 0xe0061},
    {"selector", "\xe2\x98\x95\xef\xb8\x8f", 20, "\xe2\x98\x95\xef\xb8\x8f", 0},
    {"no UTF-8", "a\xe2\x80", 20, "a\\xE2\\x80", 0},
    {"left out whole", "a\xe2\x80\xae", 13, "a", 0x202e},
    {"fits", "a\xe2\x80\xae", 14, "a\\xE2\\x80\\xAE", 0x202e},
};

static void test_show(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof shown / sizeof shown[0]; i++) {
        char out[21];

        memset(out, 'x', sizeof out);
        (void)utf8_show(shown[i].in, out, shown[i].size);
        if (strcmp(out, shown[i].want) != 0)
            fail_msg("%s: \"%s\"", shown[i].label, out);
        assert_int_equal(out[shown[i].size], 'x');
        assert_int_equal(utf8_find_hidden(shown[i].in), shown[i].hidden);
    }
}

/* Time spans: what is read, and how they are written. */

#define REFUSED (-1)

static const struct {
    const char *label, *in;
    int64_t ms;
} parsed[] = {
    {"milliseconds", "500ms", 500},
    {"seconds", "5s", 5000},
    {"minutes", "10m", 600000},
    {"hours", "1h", 3600000},
    {"days", "7d", INT64_C(604800000)},
    {"weeks", "2w", INT64_C(1209600000)},
    {"zero", "0s", 0},
    {"years", "36500d", INT64_C(3153600000000)},
    {"no unit", "5", REFUSED},
    {"no number", "s", REFUSED},
    {"empty", "", REFUSED},
    {"a sign", "-5s", REFUSED},
    {"a plus", "+5s", REFUSED},
    {"a fraction", "1.5s", REFUSED},
    {"a blank", "5 s", REFUSED},
    {"a blank before", " 5s", REFUSED},
    {"text behind", "5sec", REFUSED},
    {"two spans", "1h30m", REFUSED},
    {"upper case", "5S", REFUSED},
    {"too long for a human", "99999999w", REFUSED},
    {"too many digits", "9999999999999999999s", REFUSED},
};

static const struct {
    const char *label;
    int64_t ms;
    const char *text;
} written[] = {
    {"zero", 0, "0s"},         {"milliseconds", 1500, "1500ms"},
    {"seconds", 90000, "90s"}, {"minutes", 600000, "10m"},
    {"hours", 7200000, "2h"},  {"days, not weeks", INT64_C(604800000), "7d"},
};

static void test_span_parse(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof parsed / sizeof parsed[0]; i++) {
        int64_t ms = REFUSED;
        int rc = span_parse(parsed[i].in, &ms);

        if (rc != (parsed[i].ms == REFUSED ? -1 : 0) || ms != parsed[i].ms)
            fail_msg("%s: %d, %" PRId64, parsed[i].label, rc, ms);
    }
}

static void test_span_text(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof written / sizeof written[0]; i++) {
        char text[SPAN_TEXT_SIZE];
        int64_t again;

        span_text(written[i].ms, text);
        assert_string_equal(text, written[i].text);
        assert_int_equal(span_parse(text, &again), 0);
        assert_true(again == written[i].ms);
    }
}

/* RFC 4648, 10; and less than all of it. */
static void test_base32(void **state)
{
    static const char *const want[] = {"",        "my",       "mzxq",      "mzxw6",
                                       "mzxw6yq", "mzxw6ytb", "mzxw6ytboi"};
    char out[32];

    (void)state;
    for (size_t size = 0; size < sizeof want / sizeof want[0]; size++) {
        text_base32((const uint8_t *)"foobar", size, (8 * size + 4) / 5, out);
        assert_string_equal(out, want[size]);
    }
    text_base32((const uint8_t *)"foobar", 6, 6, out);
    assert_string_equal(out, "mzxw6y");
}

static const struct {
    const char *text, *want; /* NULL: none */
    size_t size;
} urls[] = {
    {"Listed, see https://bl.test/?ip=192.0.2.1 or http://b.test",
     "https://bl.test/?ip=192.0.2.1", 64},
    {"<a href='http://bl.test/'>", "http://bl.test/", 64},
    {"http://bl.test", "http://bl.test", 15},
    {"http://bl.test", NULL, 14},
    {"listed", NULL, 64},
    {"", NULL, 64},
};

static void test_find_url(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        char out[64] = "before";
        bool found = text_find_url(urls[i].text, out, urls[i].size);

        assert_int_equal(found, urls[i].want != NULL);
        assert_string_equal(out, found ? urls[i].want : "before");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_convert),   cmocka_unit_test(test_cut),
        cmocka_unit_test(test_show),      cmocka_unit_test(test_span_parse),
        cmocka_unit_test(test_span_text), cmocka_unit_test(test_find_url),
        cmocka_unit_test(test_base32),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
