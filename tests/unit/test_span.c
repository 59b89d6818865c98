/* SPDX-License-Identifier: BSD-2-Clause */
/* Time spans: what is read, and how they are written. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/span.h"

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

static void test_parse(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof parsed / sizeof parsed[0]; i++) {
        int64_t ms = REFUSED;
        int rc = span_parse(parsed[i].in, &ms);

        if (rc != (parsed[i].ms == REFUSED ? -1 : 0) || ms != parsed[i].ms)
            fail_msg("%s: %d, %" PRId64, parsed[i].label, rc, ms);
    }
}

static void test_text(void **state)
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
