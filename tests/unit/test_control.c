/* SPDX-License-Identifier: BSD-2-Clause */
/* The server of the control socket with commands of the test's own: who is served when.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
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

#define LARGE (16 * 1024 * 1024)

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

/* Takes until it is told to end. */
static atomic_bool told;
static json_t *endless(struct control_session *session, const json_t *request)
{
    (void)session;
    (void)request;
    while (!atomic_load(&told))
        usleep(1000);
    return json_pack("{s:b}", "ok", 1);
}

/* More than any socket's buffers take. */
static json_t *large(struct control_session *session, const json_t *request)
{
    char *text = calloc(1, LARGE + 1);
    json_t *answer;

    (void)session;
    (void)request;
    memset(text, 'x', LARGE);
    answer = json_pack("{s:b, s:s}", "ok", 1, "text", text);
    free(text);
    return answer;
}

static void session_end(struct control_session *session)
{
    free(session->kept);
}

/* clang-format off */
static const struct command rows[] = {
    {"status", RIGHT_READ, false, status},
    {"slow", RIGHT_READ, true, slow},
    {"nothing", RIGHT_READ, false, nothing},
    {"count", RIGHT_READ, false, count},
    {"endless", RIGHT_WRITE, true, endless},
    {"large", RIGHT_READ, true, large},
};
/* clang-format on */
static const struct command_table table = {
    .rows = rows, .count = sizeof rows / sizeof rows[0], .session_end = session_end};

/* Patience and stop in ms; 0: as in use. */
static struct control *start_with(const char *path, int patience_ms, int stop_ms,
                                  char *error, size_t error_size)
{
    struct control_settings settings = {.socket = path,
                                        .uid = geteuid(),
                                        .gid = getegid(),
                                        .patience_ms = patience_ms,
                                        .stop_ms = stop_ms};
    struct control *control = control_new(&settings, error, error_size);

    if (control != NULL &&
        (control_listen(control) != 0 || control_start(control, &table) != 0)) {
        control_free(control);
        return NULL;
    }
    return control;
}

static struct control *start(const char *path, char *error, size_t error_size)
{
    return start_with(path, 0, 0, error, error_size);
}

static void restart(struct fixture *f, int patience_ms, int stop_ms)
{
    char error[256];

    control_free(f->control);
    f->control = start_with(f->path, patience_ms, stop_ms, error, sizeof error);
    assert_non_null(f->control);
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
    restart(f, 0, 0);
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

/* A byte now and then makes no request: all of it has one deadline. */
static void test_request_has_a_deadline(void **state)
{
    struct fixture *f = *state;
    int fd;

    restart(f, 300, 0);
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

    restart(f, 300, 0);
    fd = dial(f->path);
    say(fd, "{\"command\":\"large\"}\n");
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

    restart(f, 0, 300);
    atomic_store(&told, false);
    for (int i = 0; i < MANY; i++) {
        fds[i] = dial(f->path);
        say(fds[i], "{\"command\":\"endless\"}\n");
    }
    usleep(100 * 1000);
    assert_false(control_stop(f->control));
    atomic_store(&told, true);
    for (int i = 0; i < MANY; i++) {
        refused += !hear(fds[i], line, sizeof line) || strstr(line, "stops") != NULL;
        close(fds[i]);
    }
    assert_true(refused > 0 && refused < MANY);
    assert_true(control_stop(f->control));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

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
