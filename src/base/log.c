/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/log.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log_ring.h"
#include "base/text.h"

#define LINE_SIZE 4096 /* syslog daemons cut at 8192 or below; a record fits */
#define FLUSH_MS  1000 /* the longest that a stop waits for the log's reader */

static const int level_priorities[] = {LOG_ERR, LOG_WARNING, LOG_NOTICE, LOG_INFO,
                                       LOG_DEBUG};

/* A process has one log, as it has one standard error. */
static _Atomic enum log_target current_target = LOG_TARGET_STDERR;
static _Atomic enum log_level current_level = LOG_LEVEL_INFO;

/* systemd sets JOURNAL_STREAM to device:inode of what it connected stderr to; a
 * child whose stderr was redirected inherits the variable, hence the comparison. */
static bool stderr_is_journal(void)
{
    const char *text = getenv("JOURNAL_STREAM");
    unsigned long long device, inode;
    struct stat st;

    if (text == NULL || sscanf(text, "%llu:%llu", &device, &inode) != 2)
        return false;
    return fstat(STDERR_FILENO, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

void log_open(enum log_target target, enum log_level level, bool foreground)
{
    if (target == LOG_TARGET_AUTO) {
        if (stderr_is_journal())
            target = LOG_TARGET_JOURNAL;
        else
            target = foreground ? LOG_TARGET_STDERR : LOG_TARGET_SYSLOG;
    }
    /* libmilter writes to syslog by itself, so it is opened in any case */
    openlog("rblmilter", LOG_PID | LOG_NDELAY, LOG_MAIL);
    atomic_store(&current_target, target);
    atomic_store(&current_level, level);
}

bool log_wants(enum log_level level)
{
    return level <= atomic_load_explicit(&current_level, memory_order_relaxed);
}

/* Whole, whatever the reader takes at a time; nothing can be done about a log that
 * cannot be written. */
static void write_all(const char *bytes, size_t size)
{
    struct pollfd ready = {.fd = STDERR_FILENO, .events = POLLOUT};
    ssize_t n;

    for (size_t done = 0; done<size; done += n> 0 ? (size_t)n : 0) {
        n = write(STDERR_FILENO, bytes + done, size - done);
        if (n >= 0 || errno == EINTR)
            continue;
        /* whoever started us may have left it non-blocking */
        if (errno != EAGAIN || (poll(&ready, 1, -1) < 0 && errno != EINTR))
            return;
    }
}

static void write_stderr(const char *prefix, const char *line)
{
    char out[LINE_SIZE + 64];
    int n = snprintf(out, sizeof out, "%s%s\n", prefix, line);

    if (n < 0)
        return;
    if ((size_t)n >= sizeof out)
        n = (int)sizeof out - 1;
    /* at once, so that lines of two threads do not mix where no log thread runs */
    write_all(out, (size_t)n);
}

static void timestamp(time_t when, char out[static 64])
{
    struct tm tm;

    out[0] = '\0';
    if (localtime_r(&when, &tm) != NULL)
        strftime(out, 64, "%b %e %H:%M:%S rblmilter: ", &tm);
}

/* To the target of this moment; waits for its reader. */
static void write_line(enum log_level level, time_t when, const char *line)
{
    char prefix[64];

    switch (atomic_load(&current_target)) {
    case LOG_TARGET_AUTO: /* log_open resolved it */
    case LOG_TARGET_STDERR:
        timestamp(when, prefix);
        write_stderr(prefix, line);
        break;
    case LOG_TARGET_JOURNAL:
        snprintf(prefix, sizeof prefix, "<%d>", level_priorities[level]);
        write_stderr(prefix, line);
        break;
    case LOG_TARGET_SYSLOG:
        syslog(level_priorities[level], "%s", line);
        break;
    }
}

void log_start(void)
{
    if (log_ring_start(write_line) != 0)
        log_warning("log: no thread for it: mail waits for the log's reader");
}

void log_flush(void)
{
    log_ring_flush(FLUSH_MS);
}

void log_stop(void)
{
    log_ring_stop(FLUSH_MS);
}

uint64_t log_lost(void)
{
    return log_ring_lost();
}

void log_line(enum log_level level, const char *format, ...)
{
    char raw[LINE_SIZE], line[LINE_SIZE];
    va_list args;
    time_t now;

    if (!log_wants(level))
        return;
    now = time(NULL);
    va_start(args, format);
    if (vsnprintf(raw, sizeof raw, format, args) < 0)
        raw[0] = '\0';
    va_end(args);
    text_clean(raw, line, sizeof line);
    if (!log_ring_put(level, now, line))
        write_line(level, now, line);
}

bool log_limit_pass(struct log_limit *limit, int interval_ms, unsigned *held_back)
{
    long long now = clock_ms(), next = atomic_load(&limit->next_ms);

    if (now < next ||
        !atomic_compare_exchange_strong(&limit->next_ms, &next, now + interval_ms)) {
        atomic_fetch_add(&limit->held_back, 1);
        return false;
    }
    *held_back = atomic_exchange(&limit->held_back, 0);
    return true;
}
