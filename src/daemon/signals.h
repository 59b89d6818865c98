/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DAEMON_SIGNALS_H
#define DAEMON_SIGNALS_H

/* The signals that the main thread waits for: USR1 reloads; TERM, INT and HUP stop.
 *
 * libmilter waits for the last three in a thread of its own and ends the process by its
 * own way when it gets one. The kernel hands a signal of the process to the main thread
 * first, if that has it unblocked (Linux, signal.c, complete_signal): so the main thread
 * never blocks them, not even in the handler, which passes them on through a pipe. */

#include <stdint.h>

/* Blocks them: before the first thread is started, so that all of ours have them blocked.
 */
void signals_block(void);

/* Lets them come to the main thread, which calls this before libmilter's threads are
 * started; those that came meanwhile are there then. Returns 0, or -1 with errno set. */
int signals_open(void);

/* The next signal, or 0 after timeout_ms. Main thread. */
int signals_wait(int64_t timeout_ms);

/* Puts a number in line as if it were a signal. Any thread. */
void signals_put(int number);

#endif
