/* SPDX-License-Identifier: BSD-2-Clause */
/* Addresses of sockets, and whose a unix socket is that exists. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/endpoint.h"

static const struct {
    const char *text, *want; /* "address port" or a path; "" none */
} cases[] = {
    {"inet:8891@127.0.0.2", "127.0.0.2 8891"},
    {"inet:8891", "127.0.0.1 8891"}, /* it listens everywhere */
    {"inet:8891@0.0.0.0", "127.0.0.1 8891"},
    {"inet6:8891@::1", "::1 8891"},
    {"inet6:8891@::", "::1 8891"},
    {"inet:8891@::1", ""},
    {"inet:12345678901234567890@127.0.0.1", ""},
    {"unix:/run/a.sock", "/run/a.sock"},
    {"local:/run/a.sock", "/run/a.sock"},
    {"/run/a.sock", "/run/a.sock"},
};

static void show(const struct endpoint *e, char *out, size_t size)
{
    const struct sockaddr_in *in = (const struct sockaddr_in *)&e->addr;
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&e->addr;
    const struct sockaddr_un *un = (const struct sockaddr_un *)&e->addr;
    bool is_4 = e->addr.ss_family == AF_INET;
    char address[INET6_ADDRSTRLEN];

    if (e->addr.ss_family == AF_UNIX) {
        snprintf(out, size, "%s", un->sun_path);
        return;
    }
    inet_ntop(e->addr.ss_family,
              is_4 ? (const void *)&in->sin_addr : (const void *)&in6->sin6_addr, address,
              sizeof address);
    snprintf(out, size, "%s %d", address, ntohs(is_4 ? in->sin_port : in6->sin6_port));
}

static void test_parse(void **state)
{
    struct endpoint endpoint;
    char shown[128];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        shown[0] = '\0';
        if (endpoint_parse(cases[i].text, &endpoint) == 0)
            show(&endpoint, shown, sizeof shown);
        if (strcmp(shown, cases[i].want) != 0)
            fail_msg("%s: \"%s\"", cases[i].text, shown);
    }
}

static void test_long_path(void **state)
{
    struct sockaddr_un *un = NULL;
    char path[sizeof un->sun_path + 1];
    struct endpoint endpoint;

    (void)state;
    memset(path, 'a', sizeof path);
    path[sizeof path - 1] = '\0';
    assert_int_equal(endpoint_of_path(path, &endpoint), -1);
    path[sizeof path - 2] = '\0';
    assert_int_equal(endpoint_of_path(path, &endpoint), 0);
}

/* --- a unix socket's path --- */

static char folder[] = "/tmp/endpoint-XXXXXX", path[64];

static int set_up(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(path, sizeof path, "%s/a.sock", folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

/* Returns the socket, bound there, or listening. */
static int make_socket(int type, bool listening)
{
    struct endpoint endpoint;
    int fd = socket(AF_UNIX, type, 0);

    assert_int_equal(endpoint_of_path(path, &endpoint), 0);
    unlink(path);
    assert_int_equal(bind(fd, (struct sockaddr *)&endpoint.addr, endpoint.length), 0);
    if (listening)
        assert_int_equal(listen(fd, 0), 0);
    return fd;
}

/* Checks that the path is free: with "", or why not; and that nothing of another's goes. */
static void check(bool remove_stale, const char *why)
{
    char error[256] = "";
    struct endpoint endpoint;
    int rc;

    assert_int_equal(endpoint_of_path(path, &endpoint), 0);
    rc = unix_socket_check(&endpoint, remove_stale, error, sizeof error);
    assert_int_equal(rc, why[0] == '\0' ? 0 : -1);
    if (strstr(error, why) == NULL)
        fail_msg("\"%s\", not \"%s\"", error, why);
    if (why[0] != '\0')
        assert_non_null(strstr(error, path));
}

static bool exists(void)
{
    struct stat st;

    return lstat(path, &st) == 0;
}

static void test_free_or_stale(void **state)
{
    (void)state;
    unlink(path);
    check(false, "");
    check(true, "");
    close(make_socket(SOCK_STREAM, true));
    check(false, "");
    assert_true(exists());
    check(true, "");
    assert_false(exists());
}

static void test_live(void **state)
{
    int fd = make_socket(SOCK_STREAM, true), clients[4];
    struct endpoint endpoint;

    (void)state;
    check(true, "in use by another process");
    /* also when its queue is full */
    assert_int_equal(endpoint_of_path(path, &endpoint), 0);
    for (size_t i = 0; i < 4; i++) {
        clients[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)connect(clients[i], (struct sockaddr *)&endpoint.addr, endpoint.length);
    }
    check(true, "in use by another process");
    for (size_t i = 0; i < 4; i++)
        close(clients[i]);
    close(fd);
    fd = make_socket(SOCK_DGRAM, false); /* no stream, but somebody's */
    check(true, "in use by another process");
    close(fd);
    assert_true(exists());
}

static void test_another_file(void **state)
{
    (void)state;
    unlink(path);
    assert_int_equal(symlink("/nowhere", path), 0);
    check(true, "is not a socket");
    assert_true(exists());
    unlink(path);
    assert_int_equal(mkdir(path, 0700), 0);
    check(true, "is not a socket");
    assert_int_equal(rmdir(path), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),         cmocka_unit_test(test_long_path),
        cmocka_unit_test(test_free_or_stale), cmocka_unit_test(test_live),
        cmocka_unit_test(test_another_file),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
