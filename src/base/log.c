/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
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
#include "base/text.h"

#define LINE_SIZE 4096 /* syslog daemons cut at 8192 or below; a record fits */
#define FLUSH_MS  1000 /* the longest that a stop waits for the log's reader */

static const int level_priorities[] = {LOG_ERR, LOG_WARNING, LOG_NOTICE, LOG_INFO,
                                       LOG_DEBUG};

/* A process has one log, as it has one standard error. */
static _Atomic enum log_target current_target = LOG_TARGET_STDERR;
static _Atomic enum log_level current_level = LOG_LEVEL_INFO;

void log_open(enum log_target target, enum log_level level, bool foreground)
{
    const char *journal = getenv("JOURNAL_STREAM");
    unsigned long long device, inode;
    struct stat st;

    /* systemd sets JOURNAL_STREAM to device:inode of what it connected stderr to; a child
     * whose stderr was redirected inherits the variable, hence the comparison. */
    if (target == LOG_TARGET_AUTO && journal != NULL &&
        sscanf(journal, "%llu:%llu", &device, &inode) == 2 &&
        fstat(STDERR_FILENO, &st) == 0 && st.st_dev == device && st.st_ino == inode)
        target = LOG_TARGET_JOURNAL;
    if (target == LOG_TARGET_AUTO)
        target = foreground ? LOG_TARGET_STDERR : LOG_TARGET_SYSLOG;
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

/* To the target of this moment; waits for its reader. */
static void write_line(enum log_level level, time_t when, const char *line)
{
    char prefix[64] = "";
    struct tm tm;

    switch (atomic_load(&current_target)) {
    case LOG_TARGET_AUTO: /* log_open resolved it */
    case LOG_TARGET_STDERR:
        if (localtime_r(&when, &tm) != NULL)
            strftime(prefix, sizeof prefix, "%b %e %H:%M:%S rblmilter: ", &tm);
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

/* Two batches: lines are put into one while the other is written. */
struct batch {
    char bytes[LOG_RING_BYTES / 2];
    size_t used;
    uint64_t lines, lost; /* lost: those that came after it was full */
};

/* The prefix of each line in a batch. */
struct head {
    time_t when;
    enum log_level level;
    size_t size; /* of the text, with its end */
};

enum way {
    TO_CALLER, /* no thread writes */
    TO_THREAD,
    TO_NOBODY /* stopped while the reader hung */
};

static struct batch batches[2];

/* All of it under the lock, but for lost. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t filled, written;
    pthread_t thread;
    log_writer *write;
    enum way way;
    struct batch *filling;
    uint64_t lines_put, lines_written;
    bool stopping;
    atomic_uint_fast64_t lost;
} ring = {.lock = PTHREAD_MUTEX_INITIALIZER,
          .filled = PTHREAD_COND_INITIALIZER,
          .written = PTHREAD_COND_INITIALIZER,
          .filling = &batches[0]};

static void write_batch(const struct batch *batch)
{
    struct head head;
    char text[128];

    for (size_t at = 0; at < batch->used; at += sizeof head + head.size) {
        memcpy(&head, batch->bytes + at, sizeof head);
        ring.write(head.level, head.when, batch->bytes + at + sizeof head);
    }
    if (batch->lost == 0)
        return;
    snprintf(text, sizeof text,
             "log: %" PRIu64 " lines were lost: the log's reader was too slow",
             batch->lost);
    ring.write(LOG_LEVEL_WARNING, time(NULL), text);
}

/* The thread. It holds the lock but for the writing. */
static void *write_lines(void *context)
{
    struct batch *full;

    pthread_mutex_lock(&ring.lock);
    for (;;) {
        while (ring.filling->used == 0 && !ring.stopping)
            pthread_cond_wait(&ring.filled, &ring.lock);
        if (ring.filling->used == 0)
            break;
        full = ring.filling;
        ring.filling = full == &batches[0] ? &batches[1] : &batches[0];
        pthread_mutex_unlock(&ring.lock);
        write_batch(full);
        pthread_mutex_lock(&ring.lock);
        ring.lines_written += full->lines;
        full->used = 0;
        full->lines = full->lost = 0;
        pthread_cond_broadcast(&ring.written);
    }
    pthread_mutex_unlock(&ring.lock);
    return context;
}

int log_start_with(log_writer *write)
{
    sigset_t all, old;
    int rc;

    ring.write = write;
    ring.stopping = false;
    /* signals are for the threads that wait for them */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    rc = pthread_create(&ring.thread, NULL, write_lines, NULL);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (rc != 0)
        return -1;
    pthread_mutex_lock(&ring.lock);
    ring.way = TO_THREAD;
    pthread_mutex_unlock(&ring.lock);
    return 0;
}

/* Lock held. Once a line was lost, none goes in before it is said how many. */
static void put(const struct head *head, const char *text)
{
    struct batch *batch = ring.filling;

    if (batch->lost > 0 ||
        batch->used + sizeof *head + head->size > sizeof batch->bytes) {
        batch->lost++;
        atomic_fetch_add(&ring.lost, 1);
        return;
    }
    if (batch->used == 0)
        pthread_cond_signal(&ring.filled);
    memcpy(batch->bytes + batch->used, head, sizeof *head);
    memcpy(batch->bytes + batch->used + sizeof *head, text, head->size);
    batch->used += sizeof *head + head->size;
    batch->lines++;
    ring.lines_put++;
}

bool log_put(enum log_level level, time_t when, const char *text)
{
    struct head head = {.when = when, .level = level, .size = strlen(text) + 1};
    enum way way;

    pthread_mutex_lock(&ring.lock);
    way = ring.way;
    if (way == TO_THREAD)
        put(&head, text);
    pthread_mutex_unlock(&ring.lock);
    if (way == TO_NOBODY)
        atomic_fetch_add(&ring.lost, 1);
    return way != TO_CALLER;
}

/* Lock held. Returns false when the time has come. */
static bool wait_for_batch(int64_t until_ms)
{
    struct timespec until = clock_timespec(until_ms);

    return pthread_cond_clockwait(&ring.written, &ring.lock, CLOCK_MONOTONIC, &until) ==
           0;
}

bool log_flush_within(int timeout_ms)
{
    int64_t until_ms = clock_ms() + timeout_ms;
    uint64_t wanted;
    bool written;

    pthread_mutex_lock(&ring.lock);
    wanted = ring.lines_put;
    while (ring.lines_written < wanted)
        if (!wait_for_batch(until_ms))
            break;
    written = ring.lines_written >= wanted;
    pthread_mutex_unlock(&ring.lock);
    return written;
}

void log_stop_within(int timeout_ms)
{
    int64_t until_ms = clock_ms() + timeout_ms;
    bool running, written;

    pthread_mutex_lock(&ring.lock);
    running = ring.way == TO_THREAD;
    while (running && ring.lines_written < ring.lines_put)
        if (!wait_for_batch(until_ms))
            break;
    written = ring.lines_written == ring.lines_put;
    if (running)
        ring.way = written ? TO_CALLER : TO_NOBODY;
    ring.stopping = true;
    pthread_cond_signal(&ring.filled);
    pthread_mutex_unlock(&ring.lock);
    if (!running)
        return;
    if (written)
        pthread_join(ring.thread, NULL);
    else
        pthread_detach(ring.thread);
}

uint64_t log_lost(void)
{
    return atomic_load(&ring.lost);
}

void log_start(void)
{
    if (log_start_with(write_line) != 0)
        log_warning("log: no thread for it: mail waits for the log's reader");
}

void log_flush(void)
{
    (void)log_flush_within(FLUSH_MS); /* what is late is written later */
}

void log_stop(void)
{
    log_stop_within(FLUSH_MS);
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
    if (!log_put(level, now, line))
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
