/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BASE_LOG_RING_H
#define BASE_LOG_RING_H

/* The lines between those who log and the log's reader, and the thread that writes them.
 * A reader that hangs holds up that thread and nobody else: then lines wait here, a
 * megabyte of them, and what no longer fits is dropped and counted. There is one a
 * process. For log.c only. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "base/log.h"

#define LOG_RING_BYTES ((size_t)1024 * 1024)

/* Writes one line to wherever the log goes; may block. */
typedef void log_ring_write(enum log_level level, time_t when, const char *text);

/* Starts the thread, which calls write for each line from now on. Returns 0, or -1 if
 * there can be none: log_ring_put goes on to take nothing. */
int log_ring_start(log_ring_write *write);

/* Takes a copy of the line. Returns false where no thread writes, before the start and
 * after a stop: then it is the caller's to write. Any thread; never waits for the reader.
 */
bool log_ring_put(enum log_level level, time_t when, const char *text);

/* Waits until what was put so far is written, timeout_ms at the longest. Returns whether
 * it is. Any thread. */
bool log_ring_flush(int timeout_ms);

/* Writes what is left and ends the thread, within timeout_ms. Where the reader hangs, the
 * thread is left to itself, and all further lines are dropped. */
void log_ring_stop(int timeout_ms);

/* How many lines were dropped since the process began. Any thread. */
uint64_t log_ring_lost(void);

#endif
