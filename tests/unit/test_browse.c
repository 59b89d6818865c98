/* SPDX-License-Identifier: BSD-2-Clause */
/* Looking through the list: filters, orders, pages. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "blocklist/store.h"
#include "blocklist_helper.h"

struct words {
    char text[1024];
    unsigned rows;
};

static bool take(void *context, const struct blocklist_row *row)
{
    struct words *words = context;

    words->rows++;
    strcat(words->text, row->allow ? "!" : "");
    strcat(words->text, row->entry);
    strcat(words->text, " ");
    return true;
}

static const struct {
    const char *label;
    struct blocklist_criteria criteria;
    const char *want;
} cases[] = {
    {"all",
     {.pattern = NULL},
     "192.0.2.0/24 a.example a.example !a.example anna@a.example host:a.example "
     "user:anna "},
    {"a pattern", {.pattern = "*ANNA*"}, "anna@a.example user:anna "},
    {"from the start",
     {.pattern = "a*"},
     "a.example a.example !a.example anna@a.example "},
    {"one entry", {.pattern = "A.Example."}, "a.example a.example !a.example "},
    {"one network", {.pattern = "192.0.2.7/24"}, "192.0.2.0/24 "},
    {"a kind", {.kinds = 1u << ENTRY_HOST}, "host:a.example "},
    {"a kind without a prefix",
     {.kinds = 1u << ENTRY_DOMAIN},
     "a.example a.example !a.example "},
    {"a kind and a pattern",
     {.kinds = 1u << ENTRY_ADDRESS, .pattern = "*example"},
     "anna@a.example "},
    {"a kind and a pattern of no such",
     {.kinds = 1u << ENTRY_NETWORK, .pattern = "*example"},
     ""},
    {"two kinds",
     {.kinds = 1u << ENTRY_USER | 1u << ENTRY_NETWORK},
     "192.0.2.0/24 user:anna "},
    {"a source", {.source = "feed"}, "a.example host:a.example "},
    {"a source by entry",
     {.source = "feed", .sort = BLOCKLIST_SORT_ENTRY},
     "a.example host:a.example "},
    {"no such source", {.source = "nobody"}, ""},
    {"a reason", {.reason = "TES", .pattern = "u*"}, "user:anna "},
    {"no such reason", {.reason = "nothing"}, ""},
    {"since", {.since = START_TIME + 50}, "host:a.example anna@a.example 192.0.2.0/24 "},
    {"expiring", {.expiring = START_TIME + 200}, "user:anna anna@a.example "},
    {"expiring soon", {.expiring = START_TIME + 150}, "user:anna "},
    {"by since",
     {.sort = BLOCKLIST_SORT_SINCE},
     "host:a.example anna@a.example 192.0.2.0/24 user:anna !a.example a.example "
     "a.example "},
    {"by end",
     {.sort = BLOCKLIST_SORT_EXPIRES},
     "user:anna anna@a.example 192.0.2.0/24 "},
    {"by hits",
     {.sort = BLOCKLIST_SORT_HITS},
     "user:anna 192.0.2.0/24 !a.example a.example a.example "},
};

static void fill(struct box *box)
{
    static const struct {
        const char *text, *source;
        int64_t expires_in;
        unsigned hits;
        bool allow;
    } rows[] = {{"a.example", "manual", 0, 1, false},
                {"a.example", "feed", 0, 0, false},
                {"a.example", "manual", 0, 0, true},
                {"user:anna", "manual", 110, 9, false},
                {"192.0.2.0/24", "manual", 400, 2, false},
                {"anna@a.example", "manual", 100, 0, false},
                {"host:a.example", "feed", 0, 0, false},
                {"gone.example", "manual", 1, 5, false}};

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct blocklist_match match = {.subject = BLOCKLIST_BY_SENDER};

        if (i == 4)
            box_pass(box, 60);
        assert_int_equal(
            box_add(box, rows[i].text, rows[i].allow, rows[i].source, rows[i].expires_in),
            BLOCKLIST_OK);
        snprintf(match.key, sizeof match.key, "%s", rows[i].text);
        for (unsigned k = 0; k < rows[i].hits; k++)
            blocklist_hit(box->blocklist, &match);
    }
    box_pass(box, 5); /* the last one is over, whether taken off or not */
    for (int i = 0; i < 100 && box_number(box, "SELECT count(*) FROM hit") < 4; i++)
        flusher_work(box->blocklist);
}

static void test_list(void **state)
{
    struct box box;

    (void)state;
    box_start(&box);
    box_open(&box, false);
    fill(&box);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (size_t limit = 1; limit < 9; limit++) {
            struct blocklist_cursor cursor = {.done = false};
            struct words words = {"", 0};
            unsigned pages = 0;

            while (!cursor.done && pages++ < 30) {
                unsigned before = words.rows;

                assert_int_equal(blocklist_list(box.blocklist, &cases[i].criteria,
                                                &cursor, limit, take, &words, box.error),
                                 BLOCKLIST_OK);
                assert_true(words.rows - before <= limit);
            }
            if (strcmp(words.text, cases[i].want) != 0)
                fail_msg("%s, %u a page: %s", cases[i].label, (unsigned)limit,
                         words.text);
        }
    }
    box_end(&box);
}

/* What is removed or added between two pages neither repeats nor hides the others. */
static void test_changes_between_pages(void **state)
{
    struct blocklist_criteria criteria = {.pattern = NULL};
    struct blocklist_cursor cursor = {.done = false};
    struct words words = {"", 0};
    struct box box;

    (void)state;
    box_start(&box);
    box_open(&box, false);
    assert_int_equal(box_add(&box, "b.example", false, NULL, 0), BLOCKLIST_OK);
    assert_int_equal(box_add(&box, "c.example", false, NULL, 0), BLOCKLIST_OK);
    assert_int_equal(box_add(&box, "d.example", false, NULL, 0), BLOCKLIST_OK);
    assert_int_equal(
        blocklist_list(box.blocklist, &criteria, &cursor, 2, take, &words, box.error),
        BLOCKLIST_OK);
    assert_int_equal(box_remove(&box, "c.example", NULL), BLOCKLIST_OK);
    assert_int_equal(box_add(&box, "a.example", false, NULL, 0), BLOCKLIST_OK);
    while (!cursor.done)
        assert_int_equal(
            blocklist_list(box.blocklist, &criteria, &cursor, 2, take, &words, box.error),
            BLOCKLIST_OK);
    assert_string_equal(words.text, "b.example c.example d.example ");
    box_end(&box);
}

static void test_sort_names(void **state)
{
    enum blocklist_sort sort;

    (void)state;
    assert_int_equal(blocklist_sort_parse("hits", &sort), 0);
    assert_int_equal(sort, BLOCKLIST_SORT_HITS);
    assert_int_equal(blocklist_sort_parse("entry", &sort), 0);
    assert_int_equal(sort, BLOCKLIST_SORT_ENTRY);
    assert_int_equal(blocklist_sort_parse("color", &sort), -1);
}

static bool count_event(void *context, const struct blocklist_event *event)
{
    assert_true(event->at >= START_TIME);
    ++*(unsigned *)context;
    return true;
}

static const struct {
    const char *label, *pattern;
    time_t since;
    unsigned want;
} logs[] = {
    {"all", NULL, 0, 9},
    {"since", NULL, START_TIME + 50, 5},
    {"a pattern", "*anna*", 0, 2},
    {"one entry", "A.example", 0, 3},
    {"nobody", "nobody@x.example", 0, 0},
};

static void test_log(void **state)
{
    struct box box;

    (void)state;
    box_start(&box);
    box_open(&box, false);
    fill(&box);
    for (int i = 0; i < 100 && box_number(&box, "SELECT count(*) FROM audit") < 9; i++)
        flusher_work(box.blocklist);
    for (size_t i = 0; i < sizeof logs / sizeof logs[0]; i++) {
        int64_t before = 0;
        unsigned count = 0, pages = 0;

        while (before >= 0 && pages++ < 30)
            assert_int_equal(blocklist_log(box.blocklist, logs[i].pattern, logs[i].since,
                                           &before, 2, count_event, &count, box.error),
                             BLOCKLIST_OK);
        if (count != logs[i].want)
            fail_msg("%s: %u lines", logs[i].label, count);
    }
    box_end(&box);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_changes_between_pages),
        cmocka_unit_test(test_sort_names),
        cmocka_unit_test(test_log),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
