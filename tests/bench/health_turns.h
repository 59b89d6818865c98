/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BENCH_HEALTH_TURNS_H
#define BENCH_HEALTH_TURNS_H

/* The simulated clock, the prober's thread, and the answers to its health checks. The
 * linker hands over what asks for the time, waits for it, or sends a query (local.mk:
 * --wrap). The prober's thread and the caller's run in turns, so that each run is the
 * same. */

#include "health_host.h"

extern int64_t turns_now_ms; /* since the simulation's begin; CLOCK_MONOTONIC is ahead */

/* For a new host, from 0 on. Ends the program without memory. */
void turns_begin(struct host *host);

/* Right after prober_start: waits until its thread has gone to sleep. */
void turns_started(void);

/* After prober_stop: forgets the queries that are open. */
void turns_end(void);

/* Lets time go on to the next thing that is due by until_ms, and does it. impatient: ten
 * ms are due, too. Returns false, and the time is until_ms, where nothing is. */
bool turns_next(int64_t until_ms, bool impatient);

/* The list's number; whether it lies about that client, or domain, now; an answer
 * (borrowed). */
int turns_list(const struct list *list);
bool turns_lies(int list, uint32_t id, bool ipv6);
struct dns_answer *turns_answer(bool listed);

struct ipaddr turns_address(uint32_t id);
void turns_domain(uint32_t id, char out[static WITNESS_NAME]);

#endif
