/* SPDX-License-Identifier: BSD-2-Clause */
/* How long the others wait for the host that fills an empty database, by a clock and a server
 * of the test's. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "farm/parts.h"

static int64_t now_ms;
static const char *said[2]; /* seq, and whether this host may go on */

int __wrap_clock_gettime(clockid_t clock, struct timespec *out);
PGresult *__wrap_connection_query(struct connection *connection, const char *sql,
                                  int count, const char *const *values);

int __wrap_clock_gettime(clockid_t clock, struct timespec *out)
{
    (void)clock;
    *out = clock_timespec(now_ms);
    return 0;
}

PGresult *__wrap_connection_query(struct connection *connection, const char *sql,
                                  int count, const char *const *values)
{
    PGresAttDesc columns[2] = {{.name = (char[]){"seq"}}, {.name = (char[]){"may"}}};
    PGresult *result = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);

    (void)connection;
    (void)sql;
    (void)count;
    (void)values;
    assert_int_equal(PQsetResultAttrs(result, 2, columns), 1);
    for (int i = 0; i < 2; i++)
        assert_int_equal(
            PQsetvalue(result, 0, i, (char *)(uintptr_t)said[i], (int)strlen(said[i])),
            1);
    return result;
}

/* clang-format off */
static const struct {
    const char *label;
    struct { int at_s; const char *seq, *may; int wait; } steps[8];
} histories[] = {
    {"this host has the lock", {{1, "0", "t", 0}}},
    {"another has it, and is done", {{1, "0", "f", 1}, {2, "500", "f", 1}, {3, "6000", "t", 0}}},
    {"it stands still for 30 s",
     {{1, "0", "f", 1}, {2, "500", "f", 1}, {32, "500", "f", 1}, {33, "500", "f", 0}}},
    {"it never began", {{1, "0", "f", 1}, {31, "0", "f", 1}, {32, "0", "f", 0}}},
    {"slow is not still",
     {{1, "0", "f", 1}, {29, "5", "f", 1}, {58, "9", "f", 1}, {87, "9", "f", 1}, {89, "9", "f", 0}}},
    {"slow for more than 5 minutes",
     {{1, "0", "f", 1}, {100, "5", "f", 1}, {200, "9", "f", 1}, {301, "11", "f", 1}, {302, "12", "f", 0}}},
    {"the next wait begins anew",
     {{1, "7", "f", 1}, {32, "7", "f", 0}, {40, "7", "f", 1}, {70, "7", "f", 1}, {71, "7", "f", 0}}},
};
/* clang-format on */

static void test_histories(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof histories / sizeof histories[0]; i++) {
        struct farm farm = {.fill_seq = -1,
                            .stopping = true}; /* so that nothing is logged */

        pthread_mutex_init(&farm.lock, NULL);
        for (size_t k = 0; histories[i].steps[k].seq != NULL; k++) {
            now_ms = histories[i].steps[k].at_s * 1000;
            said[0] = histories[i].steps[k].seq;
            said[1] = histories[i].steps[k].may;
            if (database_fill_wait(&farm) != histories[i].steps[k].wait)
                fail_msg("%s: after %d s", histories[i].label,
                         histories[i].steps[k].at_s);
            /* what rblctl says meanwhile */
            if (histories[i].steps[k].wait == 1)
                assert_non_null(strstr(farm.status.error, "another host fills it"));
        }
        pthread_mutex_destroy(&farm.lock);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_histories)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
