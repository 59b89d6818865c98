/* SPDX-License-Identifier: BSD-2-Clause */
#include "control_helper.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

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

atomic_bool endless_ends;

static json_t *endless(struct control_session *session, const json_t *request)
{
    (void)session;
    (void)request;
    while (!atomic_load(&endless_ends))
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

struct control *control_begin(const char *path, int patience_ms, int stop_ms, char *error,
                              size_t error_size)
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

void control_restart(struct fixture *f, int patience_ms, int stop_ms)
{
    char error[256];

    control_free(f->control);
    f->control = control_begin(f->path, patience_ms, stop_ms, error, sizeof error);
    assert_non_null(f->control);
}

int control_set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    char error[256];

    strcpy(f->directory, "/tmp/rbl-control-XXXXXX");
    if (mkdtemp(f->directory) == NULL)
        return -1;
    snprintf(f->path, sizeof f->path, "%s/sock", f->directory);
    f->control = control_begin(f->path, 0, 0, error, sizeof error);
    *state = f;
    return f->control == NULL ? -1 : 0;
}

int control_tear_down(void **state)
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

int dial(const char *path)
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

void say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

bool hear(int fd, char *out, size_t size)
{
    size_t used = 0;

    while (used + 1 < size && recv(fd, out + used, 1, 0) == 1)
        if (out[used++] == '\n')
            break;
    out[used] = '\0';
    return used > 0;
}

void expect(int fd, const char *part)
{
    char line[2048];

    if (!hear(fd, line, sizeof line) || strstr(line, part) == NULL)
        fail_msg("expected %s, heard %s", part, line);
}
