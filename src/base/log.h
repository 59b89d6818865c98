/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BASE_LOG_H
#define BASE_LOG_H

/* The log: one event, one line. Strangers' text is cleaned on its way: control and
 * 8-bit characters become \xNN, so that no line can be broken or forged. A thread writes
 * the lines, in their order, so that nobody waits for the log's reader. Any thread;
 * log_open, log_start and log_stop belong to the main one. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

enum log_level {
    LOG_LEVEL_ERROR,
    LOG_LEVEL_WARNING,
    LOG_LEVEL_NOTICE,
    LOG_LEVEL_INFO,
    LOG_LEVEL_DEBUG
};

enum log_target {
    LOG_TARGET_AUTO,
    LOG_TARGET_JOURNAL,
    LOG_TARGET_SYSLOG,
    LOG_TARGET_STDERR
};

/* Where lines go from now on and up to which level. AUTO: the journal where systemd
 * started us (JOURNAL_STREAM), standard error in the foreground, else syslog
 * (facility mail). May be called again after a reload. */
void log_open(enum log_target target, enum log_level level, bool foreground);

/* Starts the log's thread; until then, and after log_stop, log_line writes by itself. To
 * be called after a fork, as the child has no threads. */
void log_start(void);

/* Waits until the lines so far are written, but no longer than a second. Any thread. */
void log_flush(void);

/* Writes what is left and ends the thread, within a second: lines that the reader has not
 * taken by then are given up, and later ones are dropped. */
void log_stop(void);

/* How many lines were dropped since the start because the log's reader was too slow. */
uint64_t log_lost(void);

/* Whether a line of that level would be written: for lines that cost something. */
bool log_wants(enum log_level level);

void log_line(enum log_level level, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#define log_error(...)   log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_notice(...)  log_line(LOG_LEVEL_NOTICE, __VA_ARGS__)
#define log_info(...)    log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)   log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)

/* Caps a line that repeats: one per interval, the others are counted. Zero-initialise;
 * any thread. */
struct log_limit {
    _Atomic long long next_ms; /* CLOCK_MONOTONIC */
    _Atomic unsigned held_back;
};

/* Returns true when the line may be written, with the number of those held back since
 * the last one in *held_back. */
bool log_limit_pass(struct log_limit *limit, int interval_ms, unsigned *held_back);

/* Between those who log and the log's reader lines wait in memory. A reader that hangs
 * holds up the log's thread and nobody else: what no longer fits is dropped and counted.
 * What follows is for log.c and its test, which has a reader of its own. */

#define LOG_RING_BYTES ((size_t)1024 * 1024)

/* Writes one line to wherever the log goes; may block. */
typedef void log_writer(enum log_level level, time_t when, const char *text);

/* Starts the thread, which calls write for each line from now on. Returns 0, or -1 if
 * there can be none: log_put goes on to take nothing. */
int log_start_with(log_writer *write);

/* Takes a copy of the line. Returns false where no thread writes, before the start and
 * after a stop: then it is the caller's to write. Any thread; never waits for the reader.
 */
bool log_put(enum log_level level, time_t when, const char *text);

/* log_flush and log_stop with another bound. Where the reader hangs, the thread is left to
 * itself by a stop, and all further lines are dropped. log_flush_within returns whether all
 * is written. */
bool log_flush_within(int timeout_ms);
void log_stop_within(int timeout_ms);

#endif
