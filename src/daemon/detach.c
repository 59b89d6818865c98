/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/detach.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/log.h"

/* The parent's part: the child writes one byte when it is ready; the pipe closes without
 * one when it has failed. */
static _Noreturn void wait_for_child(int fd)
{
    char byte;
    ssize_t n;

    do
        n = read(fd, &byte, 1);
    while (n < 0 && errno == EINTR);
    _exit(n == 1 ? 0 : 1);
}

int detach(void)
{
    int ends[2];
    pid_t pid;

    if (pipe2(ends, O_CLOEXEC) != 0)
        return -1;
    pid = fork();
    if (pid < 0) {
        close(ends[0]);
        close(ends[1]);
        return -1;
    }
    if (pid > 0) {
        close(ends[1]);
        wait_for_child(ends[0]);
    }
    close(ends[0]);
    if (setsid() < 0)
        log_warning("setsid: %s", strerror(errno));
    return ends[1];
}

void detach_ready(int fd)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    log_flush(); /* the lines of the start still go to the terminal */
    if (chdir("/") != 0)
        log_warning("chdir /: %s", strerror(errno));
    if (null >= 0) {
        dup2(null, STDIN_FILENO);
        dup2(null, STDOUT_FILENO);
        dup2(null, STDERR_FILENO);
        close(null);
    }
    if (write(fd, "", 1) != 1)
        log_warning("the parent has not waited");
    close(fd);
}

int pidfile_lock(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);

    if (fd < 0) {
        log_error("%s: %s", path, strerror(errno));
        return -1;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        log_error("%s: another rblmilter holds it", path);
        close(fd);
        return -1;
    }
    if (ftruncate(fd, 0) != 0 || dprintf(fd, "%ld\n", (long)getpid()) < 0) {
        log_error("%s: %s", path, strerror(errno));
        close(fd);
        return -1;
    }
    return fd;
}

void pidfile_remove(const char *path, int fd)
{
    /* the directory may be root's, and we are not any more: then it stays, unlocked */
    if (unlink(path) != 0)
        log_debug("%s: %s", path, strerror(errno));
    close(fd);
}
