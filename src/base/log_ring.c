/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/log_ring.h"

#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

/* Two batches: lines are put into one while the other is written. */
struct batch {
    char bytes[LOG_RING_BYTES / 2];
    size_t used;
    uint64_t lines, lost; /* lost: those that came after it was full */
};

/* What stands before each line in a batch. */
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
    log_ring_write *write;
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

int log_ring_start(log_ring_write *write)
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

bool log_ring_put(enum log_level level, time_t when, const char *text)
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

bool log_ring_flush(int timeout_ms)
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

void log_ring_stop(int timeout_ms)
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

uint64_t log_ring_lost(void)
{
    return atomic_load(&ring.lost);
}
