#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "config/report.h"

#define CHECK_MS    10000 /* well below systemd's watchdog: the main thread waits */
#define OUTPUT_SIZE 65536

/* A process of our own binary, "-t -c path": all it says comes to the pipe out. */
static int start_check(const char *path, int out, pid_t *pid)
{
    char *const argv[] = {"rblmilter", "-t", "-c", (char *)path, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    sigset_t none;
    int rc = posix_spawn_file_actions_init(&actions);

    if (rc != 0)
        return rc;
    rc = posix_spawnattr_init(&attr);
    if (rc != 0) {
        posix_spawn_file_actions_destroy(&actions);
        return rc;
    }
    sigemptyset(&none); /* the daemon's threads block what stops it */
    if ((rc = posix_spawnattr_setsigmask(&attr, &none)) == 0 &&
        (rc = posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK)) == 0 &&
        (rc = posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null",
                                               O_WRONLY, 0)) == 0 &&
        (rc = posix_spawn_file_actions_adddup2(&actions, out, STDERR_FILENO)) == 0 &&
        (rc = posix_spawn_file_actions_addclosefrom_np(&actions, 3)) == 0)
        rc = posix_spawn(pid, "/proc/self/exe", &actions, &attr, argv, environ);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&actions);
    return rc;
}

/* Reads until the other end is closed, out is full or the time is over. */
static void read_output(int fd, char out[static OUTPUT_SIZE], int64_t deadline_ms)
{
    size_t used = 0;

    while (used < OUTPUT_SIZE - 1) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        int64_t left = deadline_ms - clock_ms();
        ssize_t n;

        if (left <= 0)
            break;
        if (poll(&p, 1, (int)left) <= 0)
            continue;
        n = read(fd, out + used, OUTPUT_SIZE - 1 - used);
        if (n <= 0)
            break;
        used += (size_t)n;
    }
    out[used] = '\0';
}

/* Its exit status, or -1. It is ended if it does not end by itself. */
static int end_check(pid_t pid, int64_t deadline_ms)
{
    const struct timespec pause = {.tv_nsec = 10 * 1000 * 1000};
    int status;
    pid_t ended;

    while ((ended = waitpid(pid, &status, WNOHANG)) == 0 && clock_ms() < deadline_ms)
        nanosleep(&pause, NULL);
    if (ended == 0) {
        kill(pid, SIGKILL);
        ended = waitpid(pid, &status, 0);
    }
    return ended == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void report_lines(char *output, config_report *report, void *context)
{
    char *line;

    while ((line = strsep(&output, "\n")) != NULL)
        if (*line != '\0')
            report(context, line);
}

/* Returns 0 if the child found the file good. */
static int check_in_child(const char *path, config_report *report, void *context)
{
    struct report r = {report, context, 0};
    struct place place = {path, 0};
    int64_t deadline_ms = clock_ms() + CHECK_MS;
    int ends[2] = {-1, -1}, rc = -1, status, error;
    char *output = malloc(OUTPUT_SIZE);
    pid_t pid;

    if (output == NULL || pipe2(ends, O_CLOEXEC) != 0) {
        report_mistake(&r, place, "cannot be checked: %s", strerror(errno));
        goto out;
    }
    error = start_check(path, ends[1], &pid);
    if (error != 0) {
        report_mistake(&r, place, "cannot be checked: %s", strerror(error));
        goto out;
    }
    close(ends[1]);
    ends[1] = -1;
    read_output(ends[0], output, deadline_ms);
    status = end_check(pid, deadline_ms);
    rc = status == 0 ? 0 : -1;
    if (rc != 0) {
        report_lines(output, report, context);
        if (output[0] == '\0')
            report_mistake(&r, place, "the check of it failed (exit status %d)", status);
    }
out:
    if (ends[0] >= 0)
        close(ends[0]);
    if (ends[1] >= 0)
        close(ends[1]);
    free(output);
    return rc;
}

struct config *config_reload(const char *path, config_report *report, void *context)
{
    if (check_in_child(path, report, context) != 0)
        return NULL;
    return config_load(path, report, context);
}
