/* SPDX-License-Identifier: BSD-2-Clause */
/* The clients of the last hour: each once, bounded, the oldest go first. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "policy/policy.h"

#define PLACES (RECENT_SETS * RECENT_WAYS)

static void note(struct recent *recent, const char *text, enum verdict verdict,
                 int64_t at_ms)
{
    struct ipaddr client;

    assert_int_equal(ipaddr_parse(text, &client), 0);
    recent_note(recent, &client, verdict, at_ms);
}

static void each_once(void **state)
{
    struct recent *recent = recent_new();
    struct recent_client *clients;

    (void)state;
    note(recent, "192.0.2.1", VERDICT_ACCEPT, 1000);
    note(recent, "192.0.2.1", VERDICT_REJECT, 2000);
    note(recent, "2001:db8::1", VERDICT_TAG, 3000);
    note(recent, "10.0.0.1", VERDICT_ACCEPT, 4000); /* lists are never asked about it */
    assert_int_equal(recent_since(recent, 0, &clients), 2);
    for (int i = 0; i < 2; i++)
        assert_int_equal(clients[i].verdict,
                         clients[i].ip.family == 4 ? VERDICT_REJECT : VERDICT_TAG);
    free(clients);
    assert_int_equal(recent_since(recent, 2001, &clients), 1);
    assert_int_equal(clients[0].ip.family, 6);
    free(clients);
    recent_free(recent);
}

/* Of three times as many as there are places, the newest are kept, and few others. */
static void bounded(void **state)
{
    struct recent *recent = recent_new();
    struct recent_client *clients;
    size_t count, newest = 0;
    char text[32];

    (void)state;
    for (int i = 0; i < 3 * PLACES; i++) {
        snprintf(text, sizeof text, "%d.%d.%d.7", 20 + i / 65536, i / 256 % 256, i % 256);
        note(recent, text, VERDICT_ACCEPT, i + 1);
    }
    count = recent_since(recent, 0, &clients);
    assert_in_range(count, PLACES * 9 / 10, PLACES);
    for (size_t i = 0; i < count; i++)
        newest += clients[i].at_ms > 2 * PLACES;
    assert_true(newest > count * 3 / 4);
    free(clients);
    recent_free(recent);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_once),
        cmocka_unit_test(bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
