/* SPDX-License-Identifier: BSD-2-Clause */
/* The log's thread: order, a reader that hangs, what is lost and how it is told. */
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"

#define THREADS     4
#define EACH        2000  /* with all threads' in one batch: none can be lost */
#define LONG_SIZE   1000  /* a record's line, a long one */
#define PATIENCE_MS 60000 /* on a machine that does other things, too */
#define QUICK_MS    5000  /* nobody waited for a reader that never reads */
#define LINES_MOST  100000

/* What the reader has got. While the gate is shut it takes no line. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool shut, stands; /* stands: before the shut gate, with a line in hand */
    char *lines[LINES_MOST];
    size_t count;
} reader = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void read_line(enum log_level level, time_t when, const char *text)
{
    (void)level;
    (void)when;
    pthread_mutex_lock(&reader.lock);
    while (reader.shut) {
        reader.stands = true;
        pthread_cond_broadcast(&reader.changed);
        pthread_cond_wait(&reader.changed, &reader.lock);
    }
    reader.stands = false;
    if (reader.count < LINES_MOST)
        reader.lines[reader.count++] = strdup(text);
    pthread_mutex_unlock(&reader.lock);
}

static void shut_gate(bool shut)
{
    pthread_mutex_lock(&reader.lock);
    reader.shut = shut;
    pthread_cond_broadcast(&reader.changed);
    pthread_mutex_unlock(&reader.lock);
}

static int forget_lines(void **state)
{
    (void)state;
    for (size_t i = 0; i < reader.count; i++)
        free(reader.lines[i]);
    reader.count = 0;
    return 0;
}

static bool put_numbered(int number)
{
    char text[LONG_SIZE + 1];

    snprintf(text, sizeof text, "%0*d", LONG_SIZE, number);
    return log_put(LOG_LEVEL_INFO, 0, text);
}

/* Starts the thread and lets it stand before the shut gate with line 0 in hand. */
static void start_shut(void)
{
    shut_gate(true);
    assert_int_equal(log_start_with(read_line), 0);
    assert_true(put_numbered(0));
    pthread_mutex_lock(&reader.lock);
    while (!reader.stands)
        pthread_cond_wait(&reader.changed, &reader.lock);
    pthread_mutex_unlock(&reader.lock);
}

static void test_without_thread(void **state)
{
    (void)state;
    assert_false(put_numbered(1));
    assert_int_equal(log_start_with(read_line), 0);
    assert_true(put_numbered(2));
    log_stop_within(PATIENCE_MS);
    assert_false(put_numbered(3));
    assert_int_equal(reader.count, 1);
    assert_int_equal(atoi(reader.lines[0]), 2);
}

static void *put_many(void *context)
{
    char text[32];

    for (int i = 0; i < EACH; i++) {
        snprintf(text, sizeof text, "%d %d", *(int *)context, i);
        log_put(LOG_LEVEL_INFO, 0, text);
    }
    return NULL;
}

static void test_order(void **state)
{
    pthread_t threads[THREADS];
    int numbers[THREADS], next[THREADS] = {0}, thread, line;

    (void)state;
    assert_int_equal(log_start_with(read_line), 0);
    for (int t = 0; t < THREADS; t++) {
        numbers[t] = t;
        assert_int_equal(pthread_create(&threads[t], NULL, put_many, &numbers[t]), 0);
    }
    for (int t = 0; t < THREADS; t++)
        pthread_join(threads[t], NULL);
    assert_true(log_flush_within(PATIENCE_MS));
    assert_int_equal(reader.count, THREADS * EACH);
    log_stop_within(PATIENCE_MS);
    for (size_t i = 0; i < reader.count; i++) {
        assert_int_equal(sscanf(reader.lines[i], "%d %d", &thread, &line), 2);
        assert_int_equal(line, next[thread]++);
    }
    assert_int_equal(log_lost(), 0);
}

/* More than the ring holds, while the reader takes nothing. */
static void test_full(void **state)
{
    int total = 3 * (int)(LOG_RING_BYTES / LONG_SIZE);
    uint64_t lost_before = log_lost(), lost;
    int64_t begin_ms = clock_ms();
    char expected[128];
    size_t kept;

    (void)state;
    start_shut();
    for (int i = 1; i < total; i++)
        assert_true(put_numbered(i));
    assert_false(log_flush_within(50));
    assert_true(clock_ms() - begin_ms < QUICK_MS);
    lost = log_lost() - lost_before;
    kept = (size_t)total - lost;
    /* half of it: the other half has line 0 alone */
    assert_in_range(kept, LOG_RING_BYTES / 2 / (LONG_SIZE + 64),
                    1 + LOG_RING_BYTES / 2 / LONG_SIZE);

    shut_gate(false);
    assert_true(log_flush_within(PATIENCE_MS));
    put_numbered(total);
    log_stop_within(PATIENCE_MS);
    assert_int_equal(reader.count, kept + 2);
    for (size_t i = 0; i < kept; i++)
        assert_int_equal(atoi(reader.lines[i]), i);
    snprintf(expected, sizeof expected,
             "log: %d lines were lost: the log's reader was too slow", (int)lost);
    assert_string_equal(reader.lines[kept], expected);
    assert_int_equal(atoi(reader.lines[kept + 1]), total);
    assert_int_equal(log_lost() - lost_before, lost);
}

/* Short lines fit where a long one did not: they are lost, too, as the line that says so
 * comes after what was kept. */
static void test_nothing_passes_what_is_lost(void **state)
{
    uint64_t lost_before = log_lost(), lost;

    (void)state;
    start_shut();
    while (log_lost() == lost_before)
        put_numbered(1);
    log_put(LOG_LEVEL_INFO, 0, "short");
    lost = log_lost() - lost_before;
    assert_int_equal(lost, 2);
    shut_gate(false);
    log_stop_within(PATIENCE_MS);
    assert_non_null(strstr(reader.lines[reader.count - 1], "2 lines were lost"));
    for (size_t i = 0; i < reader.count; i++)
        assert_string_not_equal(reader.lines[i], "short");
}

static void *log_many(void *context)
{
    for (int i = 0; i < EACH; i++)
        log_error("%d line", *(int *)context);
    return NULL;
}

/* Where lines go changes while they flow: none is lost or broken. */
static void test_reload(void **state)
{
    pthread_t threads[2];
    int numbers[2] = {0, 1}, saved = dup(STDERR_FILENO), count = 0;
    FILE *file = tmpfile();
    char line[256], *found;

    (void)state;
    assert_non_null(file);
    dup2(fileno(file), STDERR_FILENO);
    log_open(LOG_TARGET_STDERR, LOG_LEVEL_INFO, true);
    log_start();
    for (int t = 0; t < 2; t++)
        assert_int_equal(pthread_create(&threads[t], NULL, log_many, &numbers[t]), 0);
    for (int i = 0; i < 200; i++)
        log_open(i % 2 ? LOG_TARGET_STDERR : LOG_TARGET_JOURNAL,
                 i % 3 ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR, true);
    for (int t = 0; t < 2; t++)
        pthread_join(threads[t], NULL);
    log_stop();
    dup2(saved, STDERR_FILENO);
    close(saved);
    rewind(file);
    for (; fgets(line, sizeof line, file) != NULL; count++) {
        found = strstr(line, " line\n");
        assert_non_null(found);
        assert_true(strncmp(line, "<3>", 3) == 0 || strstr(line, "rblmilter: ") != NULL);
    }
    fclose(file);
    assert_int_equal(count, 2 * EACH);
}

/* What comes out of a pipe, to its end. */
struct pipe_reader {
    int fd;
    size_t used;
    char text[3 * LOG_RING_BYTES];
};

static void *read_to_end(void *context)
{
    struct pipe_reader *r = context;
    ssize_t n;

    while ((n = read(r->fd, r->text + r->used, sizeof r->text - 1 - r->used)) > 0)
        r->used += (size_t)n;
    r->text[r->used] = '\0';
    return NULL;
}

/* Standard error becomes a pipe; returns the end to read from. */
static int open_pipe(void)
{
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    /* as whoever starts us may leave it */
    assert_int_equal(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    log_open(LOG_TARGET_STDERR, LOG_LEVEL_INFO, true);
    return ends[0];
}

/* A pipe that nobody reads, and then somebody does: each line is whole and at its place,
 * or one that says how many are missing there. */
static void test_pipe(void **state)
{
    static struct pipe_reader r;
    int saved = dup(STDERR_FILENO), total = 3 * (int)(LOG_RING_BYTES / LONG_SIZE);
    int next = 0, number, lost;
    int64_t begin_ms = clock_ms();
    char format[32], mark;
    pthread_t thread;

    (void)state;
    r.fd = open_pipe();
    log_start();
    for (int i = 0; i < total; i++)
        log_info("<%0*d>", LONG_SIZE, i);
    assert_true(clock_ms() - begin_ms < QUICK_MS);
    assert_int_equal(pthread_create(&thread, NULL, read_to_end, &r), 0);
    assert_true(log_flush_within(PATIENCE_MS));
    log_stop();
    dup2(saved, STDERR_FILENO); /* the pipe's end */
    close(saved);
    pthread_join(thread, NULL);
    close(r.fd);

    snprintf(format, sizeof format, "rblmilter: <%%%dd%%c", LONG_SIZE);
    for (char *line = r.text; (line = strstr(line, "rblmilter: ")) != NULL; line++)
        if (sscanf(line, "rblmilter: log: %d lines were lost", &lost) == 1) {
            next += lost;
        } else {
            assert_int_equal(sscanf(line, format, &number, &mark), 2);
            assert_int_equal(number, next++);
            assert_int_equal(mark, '>');
        }
    assert_int_equal(next, total);
    assert_non_null(strstr(r.text, " lines were lost: the log's reader was too slow\n"));
}

/* The last one, as the thread is left behind. */
static void test_stop_without_reader(void **state)
{
    uint64_t lost_before;
    int64_t begin_ms = clock_ms();

    (void)state;
    start_shut();
    log_stop_within(100);
    assert_in_range(clock_ms() - begin_ms, 100, QUICK_MS);
    lost_before = log_lost();
    assert_true(put_numbered(1));
    assert_int_equal(log_lost(), lost_before + 1);
    log_stop_within(PATIENCE_MS);
    assert_true(clock_ms() - begin_ms < QUICK_MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_without_thread, forget_lines),
        cmocka_unit_test_teardown(test_order, forget_lines),
        cmocka_unit_test_teardown(test_full, forget_lines),
        cmocka_unit_test_teardown(test_nothing_passes_what_is_lost, forget_lines),
        cmocka_unit_test(test_reload),
        cmocka_unit_test(test_pipe),
        cmocka_unit_test(test_stop_without_reader),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
