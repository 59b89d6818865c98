/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DAEMON_DETACH_H
#define DAEMON_DETACH_H

/* The background, and the pid file. At the start, one thread. */

/* Forks: the parent waits until the child is ready or has failed, and exits with 0 or 1.
 * Returns in the child the descriptor for detach_ready, or -1 when it cannot fork. */
int detach(void);

/* Tells the waiting parent that all is well, and lets go of the terminal. */
void detach_ready(int fd);

/* Writes our pid into the file and locks it for our life, so that no second daemon starts
 * with it. Returns the descriptor that holds the lock (kept until the end), or -1 with
 * the reason logged. */
int pidfile_lock(const char *path);

/* Takes the file away again, where we may. */
void pidfile_remove(const char *path, int fd);

#endif
