/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "daemon/process.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifdef HAVE_SYSTEMD
#include <systemd/sd-daemon.h>
#endif

#include "base/log.h"
#include "base/text.h"

static const int ours[] = {SIGUSR1, SIGTERM, SIGINT, SIGHUP};
static const size_t our_count = sizeof ours / sizeof ours[0];

static int signal_pipe[2] = {-1, -1}; /* a handler is handed nothing */

static sigset_t our_set(void)
{
    sigset_t set;

    sigemptyset(&set);
    for (size_t i = 0; i < our_count; i++)
        sigaddset(&set, ours[i]);
    return set;
}

void signals_block(void)
{
    sigset_t set = our_set();

    pthread_sigmask(SIG_BLOCK, &set, NULL);
}

/* A full pipe holds thousands of signals already: one more is no news. */
void signals_put(int number)
{
    unsigned char byte = (unsigned char)number;
    int saved = errno;

    if (write(signal_pipe[1], &byte, 1) < 0)
        errno = saved;
    errno = saved;
}

int signals_open(void)
{
    struct sigaction action = {.sa_handler = signals_put,
                               .sa_flags = SA_RESTART | SA_NODEFER};
    sigset_t set = our_set();

    if (pipe2(signal_pipe, O_CLOEXEC | O_NONBLOCK) != 0)
        return -1;
    sigemptyset(&action.sa_mask); /* one that it blocks would be libmilter's */
    for (size_t i = 0; i < our_count; i++)
        if (sigaction(ours[i], &action, NULL) != 0)
            return -1;
    return pthread_sigmask(SIG_UNBLOCK, &set, NULL) == 0 ? 0 : -1;
}

int signals_wait(int64_t timeout_ms)
{
    struct pollfd ready = {.fd = signal_pipe[0], .events = POLLIN};
    unsigned char byte;

    /* interrupted by a handler, the pipe has something: the read says */
    if (poll(&ready, 1, (int)timeout_ms) == 0)
        return 0;
    return read(signal_pipe[0], &byte, 1) == 1 ? byte : 0;
}

#ifdef HAVE_SYSTEMD

void notify(const char *state)
{
    struct timespec ts;
    int rc;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    /* systemd wants the time with a reload, to tell it from an older one */
    if (strcmp(state, "RELOADING=1") == 0)
        rc = sd_notifyf(0, "%s\nMONOTONIC_USEC=%" PRId64, state,
                        (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000);
    else
        rc = sd_notify(0, state);
    if (rc < 0)
        log_debug("sd_notify %s: %s", state, strerror(-rc));
}

int64_t notify_watchdog_ms(void)
{
    uint64_t interval_us = 0;

    return sd_watchdog_enabled(0, &interval_us) > 0 ? (int64_t)(interval_us / 2000) : 0;
}

#else

void notify(const char *state)
{
    (void)state;
}

int64_t notify_watchdog_ms(void)
{
    return 0;
}

#endif

int detach(void)
{
    int ends[2];
    ssize_t n;
    char byte;
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
        /* The child writes one byte when it is ready; the pipe closes without one when it
         * has failed. */
        do
            n = read(ends[0], &byte, 1);
        while (n < 0 && errno == EINTR);
        _exit(n == 1 ? 0 : 1);
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

int user_find(const char *name, struct user *out)
{
    struct passwd *pw;

    *out = (struct user){.uid = geteuid(), .gid = getegid()};
    if (name[0] == '\0' || out->uid != 0)
        return 0;
    pw = getpwnam(name);
    if (pw == NULL || !text_copy(name, out->name, sizeof out->name)) {
        log_error("user = \"%s\": no such user; make one, or set user = \"\" to stay who "
                  "starts it",
                  name);
        return -1;
    }
    out->uid = pw->pw_uid;
    out->gid = pw->pw_gid;
    out->change = pw->pw_uid != 0;
    return 0;
}

static int fail(const struct user *user)
{
    log_error("cannot become user %s: %s", user->name, strerror(errno));
    return -1;
}

int user_enter(const struct user *user)
{
    if (!user->change)
        return 0;
    if (initgroups(user->name, user->gid) != 0 ||
        setresgid(user->gid, user->gid, user->gid) != 0 ||
        setresuid(user->uid, user->uid, 0) != 0)
        return fail(user);
    return 0;
}

/* The C library's setresuid changes all threads, the kernel's only the one that calls. */
static int set_own_euid(uid_t uid)
{
#ifdef SYS_setresuid32
    return (int)syscall(SYS_setresuid32, (uid_t)-1, uid, (uid_t)-1);
#else
    return (int)syscall(SYS_setresuid, (uid_t)-1, uid, (uid_t)-1);
#endif
}

int user_run_as_root(const struct user *user, int (*function)(void *context),
                     void *context)
{
    int rc;

    if (!user->change)
        return function(context);
    if (set_own_euid(0) != 0) {
        log_error("cannot be root again for the sockets: %s", strerror(errno));
        return -1;
    }
    rc = function(context);
    return set_own_euid(user->uid) == 0 ? rc : fail(user);
}

int user_become(const struct user *user)
{
    if (!user->change)
        return 0;
    if (setresuid(user->uid, user->uid, user->uid) != 0)
        return fail(user);
    if (setuid(0) == 0) {
        log_error("user %s could become root again", user->name);
        return -1;
    }
    return 0;
}
