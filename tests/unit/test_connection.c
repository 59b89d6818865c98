/* SPDX-License-Identifier: BSD-2-Clause */
/* A connection to the control socket: its requests, their answers and deadlines. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "control/protocol.h"
#include "control_helper.h"

static void test_answers(void **state)
{
    static const struct {
        const char *label, *request, *answer;
    } cases[] = {
        {"status", STATUS_REQUEST, STATUS_ANSWER},
        {"first of the session", COUNT_REQUEST, "\"count\":1"},
        {"second", COUNT_REQUEST, "\"count\":2"},
        {"no memory for an answer", "{\"command\":\"nothing\"}\n", "out of memory"},
        {"after it", STATUS_REQUEST, STATUS_ANSWER},
        {"no command", "{\"command\":\"nonsense\"}\n", "\"usage\""},
        {"no JSON", "status\n", "\"usage\""},
        {"empty line", "\n", "\"usage\""},
    };
    struct fixture *f = *state;
    int fd = dial(f->path);

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        say(fd, cases[i].request);
        expect(fd, cases[i].answer);
    }
    close(fd);
}

/* Several requests at once are answered in their order, also where the client has closed
 * its own side. */
static void test_pipelined(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f->path);
    char line[64];

    say(fd, STATUS_REQUEST COUNT_REQUEST STATUS_REQUEST);
    shutdown(fd, SHUT_WR);
    expect(fd, STATUS_ANSWER);
    expect(fd, "\"count\":1");
    expect(fd, STATUS_ANSWER);
    assert_false(hear(fd, line, sizeof line));
    close(fd);
}

static void test_in_pieces(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f->path);

    for (const char *p = STATUS_REQUEST; *p != '\0'; p++)
        assert_int_equal(send(fd, p, 1, MSG_NOSIGNAL), 1);
    expect(fd, STATUS_ANSWER);
    close(fd);
}

static void test_huge_line(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f->path);
    char *junk = malloc(PROTOCOL_REQUEST_MAX + 1);
    char line[64];

    memset(junk, 'x', PROTOCOL_REQUEST_MAX);
    junk[PROTOCOL_REQUEST_MAX] = '\0';
    say(fd, junk);
    expect(fd, "at most");
    assert_false(hear(fd, line, sizeof line));
    close(fd);
    free(junk);
}

/* A byte now and then makes no request: all of it has one deadline. */
static void test_request_has_a_deadline(void **state)
{
    struct fixture *f = *state;
    int fd;

    control_restart(f, 300, 0);
    fd = dial(f->path);
    for (int i = 0; i < 200; i++) {
        if (send(fd, "x", 1, MSG_NOSIGNAL) != 1) {
            close(fd);
            return;
        }
        usleep(50 * 1000);
    }
    fail_msg("it may send for as long as it likes");
}

/* The same of a client that reads a byte now and then. */
static void test_answer_has_a_deadline(void **state)
{
    struct fixture *f = *state;
    char *rest = malloc(LARGE);
    size_t got = 0;
    ssize_t n;
    int fd;

    control_restart(f, 300, 0);
    fd = dial(f->path);
    say(fd, LARGE_REQUEST);
    for (int i = 0; i < 200; i++) {
        assert_int_equal(recv(fd, rest, 1, 0), 1);
        got++;
        usleep(10 * 1000);
    }
    while ((n = recv(fd, rest, LARGE, 0)) > 0)
        got += (size_t)n;
    assert_true(got < LARGE);
    free(rest);
    close(fd);
}

/* The deepest nesting that is read fits on a connection's stack. */
static void test_deep_request(void **state)
{
    enum { DEPTH = 2040 };
    static char line[7 * DEPTH + 2];
    struct fixture *f = *state;
    int fd = dial(f->path);

    for (int i = 0; i < DEPTH; i++)
        memcpy(line + 5 * (size_t)i, "{\"a\":", 5);
    strcpy(line + 5 * DEPTH, "1");
    memset(line + 5 * DEPTH + 1, '}', DEPTH);
    strcpy(line + 6 * DEPTH + 1, "\n");
    say(fd, line);
    expect(fd, "expected a text");
    close(fd);
}

#define TEST(name)                                                                       \
    cmocka_unit_test_setup_teardown(name, control_set_up, control_tear_down)

int main(void)
{
    /* clang-format off */
    const struct CMUnitTest tests[] = {
        TEST(test_answers),
        TEST(test_pipelined),
        TEST(test_in_pieces),
        TEST(test_huge_line),
        TEST(test_deep_request),
        TEST(test_request_has_a_deadline),
        TEST(test_answer_has_a_deadline),
    };
    /* clang-format on */

    return cmocka_run_group_tests(tests, NULL, NULL);
}
