/* SPDX-License-Identifier: BSD-2-Clause */
/* resolv.conf: which servers are used, in what order, and what is named as not used. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "dns/upstream.h"

static const struct {
    const char *label, *text;
    const char *servers; /* with spaces between */
    const char *dropped;
} files[] = {
    {"one", "nameserver 192.0.2.1\n", "192.0.2.1:53", ""},
    {"both families, in order", "nameserver ::1\nnameserver 192.0.2.1\n",
     "[::1]:53 192.0.2.1:53", ""},
    {"link-local", "nameserver fe80::1%eth0\n", "[fe80::1%eth0]:53", ""},
    {"link-local without an interface", "nameserver fe80::1\nnameserver ::1\n",
     "[::1]:53", "line 1: fe80::1"},
    {"a name", "search a.example\nnameserver ns.example\nnameserver 192.0.2.1 # x\n",
     "192.0.2.1:53", "line 2: ns.example"},
    {"more than are used",
     "nameserver 192.0.2.1\nnameserver 192.0.2.2\nnameserver 192.0.2.3\nnameserver "
     "192.0.2.4\n",
     "192.0.2.1:53 192.0.2.2:53 192.0.2.3:53", "line 4: 192.0.2.4"},
    {"comments and other lines", "# nameserver 192.0.2.9\n; x\noptions edns0\n",
     "127.0.0.1:53", ""},
    {"nothing", "", "127.0.0.1:53", ""},
};

static void test_files(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char path[] = "/tmp/rblmilter-resolv-XXXXXX", dropped[128], all[512] = "";
        char servers[3][ENDPOINT_SIZE];
        int fd = mkstemp(path);
        size_t length = strlen(files[i].text), count;

        assert_true(fd >= 0);
        assert_int_equal(write(fd, files[i].text, length), (ssize_t)length);
        close(fd);
        count = resolv_conf_servers(path, servers, 3, dropped, sizeof dropped);
        unlink(path);
        for (size_t j = 0; j < count; j++)
            snprintf(all + strlen(all), sizeof all - strlen(all), "%s%s",
                     j > 0 ? " " : "", servers[j]);
        if (strcmp(all, files[i].servers) != 0 || strcmp(dropped, files[i].dropped) != 0)
            fail_msg("%s: \"%s\", dropped \"%s\"", files[i].label, all, dropped);
    }
}

static void test_no_file(void **state)
{
    char servers[3][ENDPOINT_SIZE], dropped[128];

    (void)state;
    assert_int_equal(
        resolv_conf_servers("/nowhere/resolv.conf", servers, 3, dropped, sizeof dropped),
        1);
    assert_string_equal(servers[0], "127.0.0.1:53");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_no_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
