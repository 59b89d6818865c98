/* SPDX-License-Identifier: BSD-2-Clause */
/* The server of the control socket with commands of the test's own: who is served when.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "control/control.h"
#include "control/protocol.h"

struct fixture {
    char directory[32], path[64];
    struct control *control;
};

static json_t *status(struct control_session *session, const json_t *request)
{
    (void)session;
    (void)request;
    return json_pack("{s:b, s:{s:s}}", "ok", 1, "status", "version", "0");
}

static json_t *slow(struct control_session *session, const json_t *request)
{
    (void)session;
    (void)request;
    usleep(300 * 1000);
    return json_pack("{s:b, s:s}", "ok", 1, "slow", "done");
}

static json_t *nothing(struct control_session *session, const json_t *request)
{
    (void)session;
    (void)request;
    return NULL;
}

/* Counts the requests of a session. */
static json_t *count(struct control_session *session, const json_t *request)
{
    int *kept = session->kept == NULL ? calloc(1, sizeof *kept) : session->kept;

    (void)request;
    session->kept = kept;
    return json_pack("{s:b, s:i}", "ok", 1, "count", ++*kept);
}

static void session_end(struct control_session *session)
{
    free(session->kept);
}

static const struct command rows[] = {
    {"status", RIGHT_READ, false, status},
    {"slow", RIGHT_READ, true, slow},
    {"nothing", RIGHT_READ, false, nothing},
    {"count", RIGHT_READ, false, count},
};
static const struct command_table table = {
    .rows = rows, .count = sizeof rows / sizeof rows[0], .session_end = session_end};

static struct control *start(const char *path, char *error, size_t error_size)
{
    struct control_settings settings = {path, geteuid(), getegid()};
    struct control *control = control_new(&settings, error, error_size);

    if (control != NULL &&
        (control_listen(control) != 0 || control_start(control, &table) != 0)) {
        control_free(control);
        return NULL;
    }
    return control;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    char error[256];

    strcpy(f->directory, "/tmp/rbl-control-XXXXXX");
    if (mkdtemp(f->directory) == NULL)
        return -1;
    snprintf(f->path, sizeof f->path, "%s/sock", f->directory);
    f->control = start(f->path, error, sizeof error);
    *state = f;
    return f->control == NULL ? -1 : 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    char lock[80];

    control_free(f->control);
    snprintf(lock, sizeof lock, "%s.lock", f->path);
    unlink(lock);
    if (rmdir(f->directory) != 0) /* the socket is gone, too */
        return -1;
    free(f);
    return 0;
}

static int dial(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timeval patience = {.tv_sec = 10};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static void say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* Reads until a newline or the end; false at the end. */
static bool hear(int fd, char *out, size_t size)
{
    size_t used = 0;

    while (used + 1 < size && recv(fd, out + used, 1, 0) == 1)
        if (out[used++] == '\n')
            break;
    out[used] = '\0';
    return used > 0;
}

static void expect(int fd, const char *part)
{
    char line[2048];

    if (!hear(fd, line, sizeof line) || strstr(line, part) == NULL)
        fail_msg("expected %s, heard %s", part, line);
}

#define STATUS_REQUEST "{\"command\":\"status\"}\n"
#define COUNT_REQUEST  "{\"command\":\"count\"}\n"
#define SLOW_REQUEST   "{\"command\":\"slow\"}\n"
#define STATUS_ANSWER  "{\"ok\":true,\"status\":{\"version\":\"0\"}}"

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

/* Slow commands, more than there are workers, do not hold up a quick one. */
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

static void test_live_socket_stays(void **state)
{
    struct fixture *f = *state;
    char error[256] = "", name[80];
    int other;

    assert_null(start(f->path, error, sizeof error));
    assert_non_null(strstr(error, "another"));

    /* also where it is another program's, without our lock */
    snprintf(name, sizeof name, "%s.lock", f->path);
    unlink(name);
    assert_null(start(f->path, error, sizeof error));
    assert_non_null(strstr(error, "another program"));
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
    f->control = start(f->path, error, sizeof error);
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
    f->control = start(f->path, error, sizeof error);
    assert_null(f->control);
    assert_non_null(strstr(error, "no socket"));
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_answers),           TEST(test_pipelined),
        TEST(test_in_pieces),         TEST(test_huge_line),
        TEST(test_slow_beside_quick), TEST(test_many_quiet),
        TEST(test_live_socket_stays), TEST(test_stale_socket_goes),
        TEST(test_other_file_stays),  TEST(test_stop_while_running),
    };
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) ==
        0) { /* for test_many_quiet: both ends are ours */
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
