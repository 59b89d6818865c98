/* SPDX-License-Identifier: BSD-2-Clause */
/* Ids of decisions: as they are written, read back as people write them, and drawn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "journal/id.h"

#define NOON 1795608000 /* 2026-11-25 12:00 UTC */

static const struct {
    const char *label, *text,
        *same; /* same: an id that reads as the same; NULL: refused */
} read_back[] = {
    {"as it is written", "7K3M-9QFT-2XWD", "7K3M-9QFT-2XWD"},
    {"lower case", "7k3m-9qft-2xwd", "7K3M-9QFT-2XWD"},
    {"no hyphens", "7K3M9QFT2XWD", "7K3M-9QFT-2XWD"},
    {"spaces", "7K3M 9QFT 2XWD", "7K3M-9QFT-2XWD"},
    {"as in the reply", "[7K3M-9QFT-2XWD]", "7K3M-9QFT-2XWD"},
    {"o for 0, i and l for 1", "oiLI-9QFT-2XWD", "0111-9QFT-2XWD"},
    {"a letter that is none", "7K3U-9QFT-2XWD", NULL},
    {"one too few", "7K3M-9QFT-2XW", NULL},
    {"one too many", "7K3M-9QFT-2XWDD", NULL},
    {"empty", "", NULL},
    {"hyphens alone", "----", NULL},
    {"of the year 0", "0000-00FT-2XWD", NULL},
    {"8 bits", "7K3M-9QFT-2XW\xc3\xbc", NULL},
};

static void test_read_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof read_back / sizeof read_back[0]; i++) {
        char text[JOURNAL_ID_SIZE];
        journal_id id = 0;
        int rc = journal_id_parse(read_back[i].text, &id);

        if ((rc == 0) != (read_back[i].same != NULL))
            fail_msg("%s: %d", read_back[i].label, rc);
        if (rc != 0)
            continue;
        journal_id_text(id, text);
        assert_string_equal(text, read_back[i].same);
    }
}

/* A second's ids are all different, say their second and node, and read back. */
static void test_drawn(void **state)
{
    struct journal_ids *ids = journal_ids_new();
    uint8_t *seen = calloc(1, 1u << 21);

    (void)state;
    assert_non_null(ids);
    assert_non_null(seen);
    for (unsigned i = 0; i < 200000; i++) {
        journal_id again = 0, id = journal_ids_draw(ids, NOON, i % 64 == 0 ? 63 : 5);
        char text[JOURNAL_ID_SIZE];
        uint32_t random = (uint32_t)(id & 0xffffff);

        assert_int_equal(journal_id_time(id), NOON);
        assert_int_equal(journal_id_node(id), i % 64 == 0 ? 63 : 5);
        assert_false(seen[random / 8] & 1u << random % 8);
        seen[random / 8] |= (uint8_t)(1u << random % 8);
        journal_id_text(id, text);
        assert_int_equal(journal_id_parse(text, &again), 0);
        assert_true(again == id);
    }
    free(seen);
    journal_ids_free(ids);
}

/* Every day of 30 years, the last second of each included: ids ascend with time. */
static void test_years(void **state)
{
    struct journal_ids *ids = journal_ids_new();
    journal_id last = 0;

    (void)state;
    assert_non_null(ids);
    for (time_t at = JOURNAL_EPOCH + 86399; at < JOURNAL_EPOCH + 30L * 365 * 86400;
         at += 86400 * 37) {
        journal_id id = journal_ids_draw(ids, at, 0), least, most;

        assert_true(id > last);
        assert_int_equal(journal_id_time(id), at);
        journal_id_range(at, &least, &most);
        assert_true(least <= id && id <= most);
        last = id;
    }
    assert_true(journal_ids_draw(ids, JOURNAL_EPOCH, 0) == 0); /* a clock that is wrong */
    assert_true(journal_ids_draw(ids, 1000, 0) == 0);
    journal_ids_free(ids);
}

static const struct {
    const char *label, *a, *b;
    bool near;
} near[] = {
    {"the same", "7K3M-9QFT-2XWD", "7K3M-9QFT-2XWD", false},
    {"one letter", "7K3M-9QFT-2XWD", "7K3M-9QFT-2XVD", true},
    {"two neighbours changed about", "7K3M-9QFT-2XWD", "7K3M-9QFT-2WXD", true},
    {"two letters", "7K3M-9QFT-2XWD", "7K3M-9QFT-2WWC", false},
};

static void test_near(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof near / sizeof near[0]; i++) {
        journal_id a = 0, b = 0;

        assert_int_equal(journal_id_parse(near[i].a, &a), 0);
        assert_int_equal(journal_id_parse(near[i].b, &b), 0);
        if (journal_id_is_near(a, b) != near[i].near)
            fail_msg("%s", near[i].label);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read_back),
        cmocka_unit_test(test_drawn),
        cmocka_unit_test(test_years),
        cmocka_unit_test(test_near),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
