/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DAEMON_PROCESS_H
#define DAEMON_PROCESS_H

/* The signals that the main thread waits for: USR1 reloads; TERM, INT and HUP stop.
 *
 * libmilter waits for the last three in a thread of its own and ends the process by its
 * own way when it gets one. The kernel hands a signal of the process to the main thread
 * first, if that has it unblocked (Linux, signal.c, complete_signal): so the main thread
 * never blocks them, not even in the handler, which passes them on through a pipe. */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

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

/* What systemd is notified of (sd_notify); nothing where it did not start us, or in a build
 * without it. */

/* state as sd_notify takes it: "READY=1", "RELOADING=1", "STOPPING=1", "WATCHDOG=1". */
void notify(const char *state);

/* How often the watchdog wants to hear of us, ms; 0: not at all. */
int64_t notify_watchdog_ms(void);

/* The background, and the pid file. At the start, one thread. */

/* Forks: the parent waits until the child is ready or has failed, and exits with 0 or 1.
 * Returns in the child the descriptor for detach_ready, or -1 when it cannot fork. */
int detach(void);

/* Lets the waiting parent know that the start succeeded, and lets go of the terminal. */
void detach_ready(int fd);

/* Writes our pid into the file and locks it for our life, so that no second daemon starts
 * with it. Returns the descriptor that holds the lock (kept until the end), or -1 with
 * the reason logged. */
int pidfile_lock(const char *path);

/* Takes the file away again, where we may. */
void pidfile_remove(const char *path, int fd);

/* The user that the daemon runs as. At the start, by the main thread. */

struct user {
    char name[64];
    uid_t uid;
    gid_t gid;
    bool change; /* we are root, and shall not stay it */
};

/* Finds the user by name; "" is who we are. Not root, we are who we are, whatever the
 * name says. Returns 0, or -1 with the reason logged. */
int user_find(const char *name, struct user *out);

/* Becomes the user, with all its groups, so that all that is made from now on is the
 * user's; the way back stays open to user_run_as_root. Returns 0, or -1 with the reason
 * logged. */
int user_enter(const struct user *user);

/* Runs function(context) as root, in this thread alone: what other threads make meanwhile
 * is still the user's. Returns what it returns, or -1 with the reason logged. */
int user_run_as_root(const struct user *user, int (*function)(void *context),
                     void *context);

/* Gives up root permanently, in all threads; after user_enter. Returns 0, or -1 with the
 * reason logged. */
int user_become(const struct user *user);

#endif
