/* SPDX-License-Identifier: BSD-2-Clause */
/* In what two configurations differ. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "config_helper.h"
#include "policy/replay_change.h"

#define VERDICT "verdict { reject = 8 tag = 4 }\n"
#define BL      "list \"bl\" { zone = \"bl.example\" weight = 8 }\n"
#define TWO     "list \"two\" { zone = \"two.example\" weight = 4 }\n"
#define WL      "list \"wl\" { zone = \"wl.example\" weight = -5 }\n"
#define THEN    VERDICT BL TWO WL

static const struct {
    const char *now, *want; /* the texts, with "; " between */
} changed[] = {
    {THEN, ""},
    {"verdict { reject = 10 tempfail = 6 tag = 0 }\n" BL TWO WL,
     "reject 8 -> 10; tempfail 0 -> 6; tag 4 -> 0"},
    {VERDICT BL WL "list \"two\" { zone = \"two.example\" weight = 8 }", "two 4 -> 8"},
    {VERDICT BL WL
     "list \"two\" { zone = \"two.example\" weight = 8 mode = \"monitor\" }",
     "two 4 -> 8, enforce -> monitor"},
    {VERDICT BL WL, "two removed"},
    {THEN "list \"new\" { zone = \"new.example\" }", "new new"},
    {VERDICT BL WL "list \"two\" { zone = \"two.example\" weight = 4"
                   " codes \"127.0.0.2\" { weight = 4 } }",
     "two codes"},
    {VERDICT BL WL "list \"two\" { zone = \"2.example\" weight = 4 ipv6 = false"
                   " check = { \"helo\" } }",
     "two zone, check, ipv6"},
    {THEN "exempt { networks = { \"::1\", \"192.0.2.0/24\" } authenticated = false"
          " senders = { \"a@b.example\" } recipients = { \"abuse\" } }",
     "exempt authenticated gone; exempt 127.0.0.0/8 gone; exempt 192.0.2.0/24 new; "
     "exempt sender a@b.example new; exempt recipient postmaster gone"},
    {THEN "milter { reject-at = \"eom\" }", "reject-at rcpt -> eom"},
    {THEN "resolver { deadline = \"2s\" }", ""},
};

static void test_changes(void **state)
{
    struct config *then = config_of(THEN);

    (void)state;
    for (size_t i = 0; i < sizeof changed / sizeof changed[0]; i++) {
        struct config *now = config_of(changed[i].now);
        struct replay_changes changes;
        char got[1024] = "";
        size_t used = 0;

        assert_int_equal(replay_changes_find(&changes, then, now), 0);
        for (size_t k = 0; k < changes.count; k++)
            used += (size_t)snprintf(got + used, sizeof got - used, "%s%s",
                                     k > 0 ? "; " : "", changes.items[k].text);
        assert_string_equal(got, changed[i].want);
        /* a file with one change: without it, nothing has changed */
        if (changes.count == 1) {
            struct replay_changes none;

            assert_int_equal(replay_changes_find(&none, then, &changes.items[0].undone),
                             0);
            for (size_t k = 0; k < none.count;
                 k++) /* a list that is off is still there */
                assert_string_equal(none.items[k].text, "new new");
            replay_changes_clear(&none);
        }
        replay_changes_clear(&changes);
        config_unref(now);
    }
    config_unref(then);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_changes)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
