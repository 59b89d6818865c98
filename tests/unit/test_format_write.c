/* SPDX-License-Identifier: BSD-2-Clause */
/* Export formats: what each can express, and that what we write reads back as the same. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "format_helper.h"

static const char *const kinds[] = {
    "anna@domain.xyz", "\"a b\"@domain.xyz", "domain.xyz",       "192.0.2.0/24",
    "192.0.2.0/23",    "192.0.2.1",          "2001:db8::/32",    "2001:db8::1",
    "host:a.example",  "user:anna b",        "\"!x\"@c.example", "~x~@c.example"};
#define KIND_COUNT (sizeof kinds / sizeof kinds[0])
#define MARK_COUNT 3
static const char *const marks[MARK_COUNT] = {"", "!", "~"};

/* What each can express of the above: blocked ones, then allowed ones, then those that are
 * put off. */
static const struct {
    const char *format;
    unsigned written;
    const char *back; /* NULL: all, in order, with reasons */
} exports[] = {
    {"plain", MARK_COUNT *KIND_COUNT, NULL},
    {"csv", MARK_COUNT *KIND_COUNT, NULL},
    {"json", MARK_COUNT *KIND_COUNT, NULL},
    {"postfix", 6,
     "anna@domain.xyz=why, \"$\";domain.xyz=why, \"$\";192.0.2.0/24=why, \"$\";"
     "192.0.2.1=why, \"$\";2001:db8::1=why, \"$\";~x~@c.example=why, \"$\";"},
    {"rbldnsd", 6,
     "192.0.2.0/24=why, \"S\";192.0.2.0/23=why, \"S\";192.0.2.1=why, \"S\";"
     "2001:db8::/32=why, \"S\";2001:db8::1=why, \"S\";domain.xyz=why, \"S\";"},
};

static void expect_all(const char *format, const char *got)
{
    char want[4096] = "";

    for (int mark = 0; mark < MARK_COUNT; mark++)
        for (size_t k = 0; k < KIND_COUNT; k++) {
            strcat(want, marks[mark]);
            strcat(want, kinds[k]);
            if (strcmp(format, "plain") != 0)
                strcat(want, "=why, \"$\"@1900000000%feed");
            strcat(want, ";");
        }
    assert_string_equal(got, want);
}

static void test_write(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof exports / sizeof exports[0]; i++) {
        char *text = NULL;
        size_t length = 0;
        FILE *out = open_memstream(&text, &length);
        struct format_writer *writer =
            format_writer_new(format_find(exports[i].format), out);
        struct seen seen = {.stop_after = 0};
        /* Those of other programs: of two lines of one key only one can count */
        int marks_written = exports[i].back != NULL ? 1 : MARK_COUNT;
        unsigned written = 0;

        assert_non_null(writer);
        for (int mark = 0; mark < marks_written; mark++)
            for (size_t k = 0; k < KIND_COUNT; k++) {
                struct format_row row = {.allow = mark == 1,
                                         .tempfail = mark == 2,
                                         .source = "feed",
                                         .reason = "why, \"$\"",
                                         .since = 1800000000,
                                         .expires = 1900000000};
                char error[ENTRY_ERROR_SIZE];

                assert_int_equal(entry_parse(kinds[k], &row.entry, error), 0);
                written += format_writer_row(writer, &row) == 0;
            }
        assert_int_equal(format_writer_end(writer), 0);
        fclose(out);
        assert_int_equal(read_text(exports[i].format, text, length, &seen), 0);
        if (exports[i].back != NULL)
            assert_string_equal(seen.text, exports[i].back);
        else
            expect_all(exports[i].format, seen.text);
        if (written != exports[i].written)
            fail_msg("%s: %u written", exports[i].format, written);
        free(text);
    }
}

/* Tables of other programs: Postfix puts off with 451, rbldnsd cannot. */
static void test_write_tempfail(void **state)
{
    static const struct {
        const char *format, *reason, *want;
    } rows[] = {{"postfix", "slow down", "a.example\t451 4.7.1 slow down\n"},
                {"postfix", "", "a.example\t451 4.7.1 Try again later\n"},
                {"rbldnsd", "slow down", NULL}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct format_row row = {.tempfail = true, .reason = rows[i].reason};
        char *text = NULL, error[ENTRY_ERROR_SIZE];
        size_t length = 0;
        FILE *out = open_memstream(&text, &length);
        struct format_writer *writer =
            format_writer_new(format_find(rows[i].format), out);

        assert_non_null(writer);
        assert_int_equal(entry_parse("a.example", &row.entry, error), 0);
        assert_int_equal(format_writer_row(writer, &row), rows[i].want == NULL);
        assert_int_equal(format_writer_end(writer), 0);
        fclose(out);
        if (rows[i].want != NULL)
            assert_string_equal(text, rows[i].want);
        else
            assert_null(strstr(text, "a.example"));
        free(text);
    }
}

/* What csv and json write, they read back as it was: also the spaces at its ends. */
static void test_reasons(void **state)
{
    static const char *const formats[] = {"csv", "json"};
    static const char *const reasons[] = {"a ", " a",  "a\t", "\ta",
                                          " ",  "a,b", "\"",  "#"};

    (void)state;
    for (size_t i = 0; i < 2 * sizeof reasons / sizeof reasons[0]; i++) {
        const char *format = formats[i % 2], *reason = reasons[i / 2];
        char *text = NULL, want[64], error[ENTRY_ERROR_SIZE];
        size_t length = 0;
        FILE *out = open_memstream(&text, &length);
        struct format_writer *writer = format_writer_new(format_find(format), out);
        struct format_row row = {.source = "feed", .reason = reason};
        struct seen seen = {.stop_after = 0};

        assert_non_null(writer);
        assert_int_equal(entry_parse("a.example", &row.entry, error), 0);
        assert_int_equal(format_writer_row(writer, &row), 0);
        assert_int_equal(format_writer_end(writer), 0);
        fclose(out);
        assert_int_equal(read_text(format, text, length, &seen), 0);
        snprintf(want, sizeof want, "a.example=%s%%feed;", reason);
        if (strcmp(seen.text, want) != 0)
            fail_msg("%s: want \"%s\", got \"%s\"", format, want, seen.text);
        free(text);
    }
}

static void test_empty(void **state)
{
    (void)state;
    for (const char *const *name = format_names(); *name != NULL; name++) {
        struct seen seen = {.stop_after = 0};
        char *text = NULL;
        size_t length = 0;
        FILE *out = open_memstream(&text, &length);

        assert_string_equal(format_name(format_find(*name)), *name);
        if (format_can_export(format_find(*name))) {
            assert_int_equal(
                format_writer_end(format_writer_new(format_find(*name), out)), 0);
        }
        fclose(out);
        if (length > 0)
            assert_int_equal(read_text(*name, text, length, &seen), 0);
        assert_string_equal(seen.text, "");
        free(text);
    }
    assert_null(format_find("xml"));
}

static void test_full_disk(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof exports / sizeof exports[0]; i++) {
        FILE *out = fopen("/dev/full", "w");
        struct format_writer *writer;
        struct format_row row = {.since = 1800000000};
        char error[ENTRY_ERROR_SIZE];

        if (out == NULL)
            skip();
        writer = format_writer_new(format_find(exports[i].format), out);
        assert_int_equal(entry_parse("192.0.2.1", &row.entry, error), 0);
        (void)format_writer_row(writer, &row);
        assert_int_equal(format_writer_end(writer), -1);
        fclose(out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_write),     cmocka_unit_test(test_write_tempfail),
        cmocka_unit_test(test_reasons),   cmocka_unit_test(test_empty),
        cmocka_unit_test(test_full_disk),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
