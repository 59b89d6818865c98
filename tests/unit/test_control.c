/* SPDX-License-Identifier: BSD-2-Clause */
/* The server of the control socket: who is served when, whose the socket is, the stop. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "control_helper.h"

/* Slow commands, more than may run at a time, do not hold up a quick one. */
static void test_slow_beside_quick(void **state)
{
    struct fixture *f = *state;
    int slow[20], fd;

    for (int i = 0; i < 20; i++) {
        slow[i] = dial(f->path);
        say(slow[i], SLOW_REQUEST);
    }
    fd = dial(f->path);
    for (int i = 0; i < 10; i++) {
        say(fd, STATUS_REQUEST);
        expect(fd, STATUS_ANSWER);
    }
    /* none of the later ones can be done yet: the quick ones did not wait for them */
    assert_int_equal(recv(slow[19], &(char){0}, 1, MSG_DONTWAIT), -1);
    for (int i = 0; i < 20; i++) {
        expect(slow[i], "done");
        close(slow[i]);
    }
    close(fd);
}

/* More clients than places, all quiet: a new one is served all the same. */
static void test_many_quiet(void **state)
{
    enum { MANY = 900 };
    struct fixture *f = *state;
    int quiet[MANY], fd;

    for (int i = 0; i < MANY; i++)
        quiet[i] = dial(f->path);
    fd = dial(f->path);
    assert_int_not_equal(fd, -1);
    say(fd, STATUS_REQUEST);
    expect(fd, STATUS_ANSWER);
    close(fd);
    for (int i = 0; i < MANY; i++)
        close(quiet[i]);
}

/* Those whose command runs, or waits for its turn, stay where all places are taken. */
static void test_busy_ones_stay(void **state)
{
    enum { FEW = 15 };
    struct fixture *f = *state;
    struct rlimit limit, few;
    int busy[FEW], fd;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    few = limit;
    few.rlim_cur = 4 * FEW;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    control_restart(f, 0, 0);
    setrlimit(RLIMIT_NOFILE, &limit);
    for (int i = 0; i < FEW; i++) {
        busy[i] = dial(f->path);
        say(busy[i], SLOW_REQUEST SLOW_REQUEST);
    }
    fd = dial(f->path);
    say(fd, STATUS_REQUEST);
    expect(fd, STATUS_ANSWER);
    for (int i = 0; i < FEW; i++) {
        expect(busy[i], "done");
        expect(busy[i], "done");
        close(busy[i]);
    }
    close(fd);
}

static void test_out_of_descriptors(void **state)
{
    struct fixture *f = *state;
    struct rlimit limit, none;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0), first_free;

    snprintf(address.sun_path, sizeof address.sun_path, "%s", f->path);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    first_free = dup(fd);
    close(first_free);
    none = limit;
    none.rlim_cur = (rlim_t)first_free;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    say(fd, STATUS_REQUEST);
    usleep(300 * 1000);
    assert_int_equal(recv(fd, &(char){0}, 1, MSG_DONTWAIT), -1);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    expect(fd, STATUS_ANSWER);
    close(fd);
}

static void test_live_socket_stays(void **state)
{
    struct fixture *f = *state;
    char error[256] = "", name[80];
    int other;

    assert_null(control_begin(f->path, 0, 0, error, sizeof error));
    assert_non_null(strstr(error, "another"));

    /* also where it is another program's, without our lock */
    snprintf(name, sizeof name, "%s.lock", f->path);
    unlink(name);
    assert_null(control_begin(f->path, 0, 0, error, sizeof error));
    assert_non_null(strstr(error, "another process"));
    other = dial(f->path);
    assert_int_not_equal(other, -1);
    close(other);
}

static void test_stale_socket_goes(void **state)
{
    struct fixture *f = *state;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char error[256] = "";
    struct stat st;
    int fd;

    control_free(f->control);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", f->path);
    fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    close(fd); /* it stays in the file system */
    f->control = control_begin(f->path, 0, 0, error, sizeof error);
    assert_non_null(f->control);
    assert_int_equal(stat(f->path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0660);
}

static void test_other_file_stays(void **state)
{
    struct fixture *f = *state;
    char error[256] = "";
    FILE *file;

    control_free(f->control);
    file = fopen(f->path, "w");
    assert_non_null(file);
    fclose(file);
    f->control = control_begin(f->path, 0, 0, error, sizeof error);
    assert_null(f->control);
    assert_non_null(strstr(error, "not a socket"));
    assert_int_equal(unlink(f->path), 0);
}

/* Stopping answers what runs. */
static void test_stop_while_running(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f->path);

    say(fd, SLOW_REQUEST);
    usleep(100 * 1000);
    control_stop(f->control);
    expect(fd, "done");
    close(fd);
}

/* Those that wait for their turn are refused, one that does not end is not waited for. */
static void test_stop_is_bounded(void **state)
{
    enum { MANY = 12 };
    struct fixture *f = *state;
    int fds[MANY], refused = 0;
    char line[256];

    control_restart(f, 0, 300);
    atomic_store(&endless_ends, false);
    for (int i = 0; i < MANY; i++) {
        fds[i] = dial(f->path);
        say(fds[i], ENDLESS_REQUEST);
    }
    usleep(100 * 1000);
    assert_false(control_stop(f->control));
    atomic_store(&endless_ends, true);
    for (int i = 0; i < MANY; i++) {
        refused += !hear(fds[i], line, sizeof line) || strstr(line, "stops") != NULL;
        close(fds[i]);
    }
    assert_true(refused > 0 && refused < MANY);
    assert_true(control_stop(f->control));
}

#define TEST(name)                                                                       \
    cmocka_unit_test_setup_teardown(name, control_set_up, control_tear_down)

int main(void)
{
    /* clang-format off */
    const struct CMUnitTest tests[] = {
        TEST(test_slow_beside_quick),
        TEST(test_many_quiet),
        TEST(test_busy_ones_stay),
        TEST(test_out_of_descriptors),
        TEST(test_live_socket_stays),
        TEST(test_stale_socket_goes),
        TEST(test_other_file_stays),
        TEST(test_stop_while_running),
        TEST(test_stop_is_bounded),
    };
    /* clang-format on */
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) ==
        0) { /* for test_many_quiet: both ends are ours */
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
