/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CONTROL_WORKERS_H
#define CONTROL_WORKERS_H

/* A fixed number of threads that run jobs in the order in which they came. */

/* Embed it in what is to be run. The workers own it from workers_submit until run is
 * called. */
struct job {
    void (*run)(struct job *job);
    struct job *next;
};

struct workers;

/* Starts count threads. Returns NULL with errno set. */
struct workers *workers_new(unsigned count);

/* Waits for the jobs that run; those still waiting are not run. NULL is fine. */
void workers_free(struct workers *workers);

/* Any thread. */
void workers_submit(struct workers *workers, struct job *job);

#endif
