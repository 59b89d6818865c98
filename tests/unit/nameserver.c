/* SPDX-License-Identifier: BSD-2-Clause */
#include "nameserver.h"

#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <fcntl.h>

extern char **environ;

struct nameserver {
    pid_t pid;
    FILE *in, *out; /* its input and output */
    char address[32];
    char log[64];
};

static void spawn(struct nameserver *ns, int in, int out)
{
    const char *srcdir = getenv("srcdir");
    char script[4096];
    char *argv[] = {"/usr/bin/python3", script, "--control", "--log", ns->log, NULL};
    posix_spawn_file_actions_t actions;

    snprintf(script, sizeof script, "%s/tests/nameserver.py", srcdir ? srcdir : ".");
    assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
    assert_int_equal(posix_spawn_file_actions_adddup2(&actions, in, 0), 0);
    assert_int_equal(posix_spawn_file_actions_adddup2(&actions, out, 1), 0);
    assert_int_equal(posix_spawn(&ns->pid, argv[0], &actions, NULL, argv, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
}

struct nameserver *nameserver_new(const char *rules)
{
    struct nameserver *ns = calloc(1, sizeof *ns);
    int in[2], out[2], port;
    char line[32];

    assert_non_null(ns);
    snprintf(ns->log, sizeof ns->log, "/tmp/nameserver-XXXXXX");
    int log = mkstemp(ns->log);
    assert_true(log >= 0);
    close(log);
    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    spawn(ns, in[0], out[1]);
    close(in[0]);
    close(out[1]);
    ns->in = fdopen(in[1], "w");
    ns->out = fdopen(out[0], "r");
    assert_non_null(ns->in);
    assert_non_null(ns->out);
    assert_non_null(fgets(line, sizeof line, ns->out));
    assert_int_equal(sscanf(line, "port %d", &port), 1);
    snprintf(ns->address, sizeof ns->address, "127.0.0.1:%d", port);
    nameserver_rules(ns, rules);
    return ns;
}

void nameserver_free(struct nameserver *ns)
{
    if (ns == NULL)
        return;
    fclose(ns->in);
    waitpid(ns->pid, NULL, 0);
    fclose(ns->out);
    unlink(ns->log);
    free(ns);
}

const char *nameserver_address(const struct nameserver *ns)
{
    return ns->address;
}

void nameserver_command(struct nameserver *ns, const char *command)
{
    char answer[256] = "";

    assert_true(fprintf(ns->in, "%s\n", command) > 0);
    assert_int_equal(fflush(ns->in), 0);
    assert_non_null(fgets(answer, sizeof answer, ns->out));
    assert_string_equal(answer, "ok\n");
}

void nameserver_rules(struct nameserver *ns, const char *rules)
{
    char *command;

    assert_true(asprintf(&command, "rules %s", rules) > 0);
    nameserver_command(ns, command);
    free(command);
}

size_t nameserver_queries(struct nameserver *ns, const char *name)
{
    FILE *log = fopen(ns->log, "r");
    char asked[256];
    size_t count = 0;

    assert_non_null(log);
    while (fscanf(log, "%255s %*s %*s %*d\n", asked) == 1)
        count += name[0] == '\0' || strcmp(asked, name) == 0;
    fclose(log);
    return count;
}

size_t nameserver_ports(struct nameserver *ns)
{
    FILE *log = fopen(ns->log, "r");
    bool *seen = calloc(65536, sizeof *seen);
    size_t count = 0;
    unsigned port;

    assert_non_null(log);
    assert_non_null(seen);
    while (fscanf(log, "%*s %*s %*s %u\n", &port) == 1) {
        count += !seen[port & 65535];
        seen[port & 65535] = true;
    }
    free(seen);
    fclose(log);
    return count;
}
