/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DNSBL_PROBER_H
#define DNSBL_PROBER_H

/* The lists ever configured, and the thread that checks their health: at the start, every
 * health.interval, and when a suspicion was raised. Events raise a suspicion, a
 * health check settles it, and only its result changes a state:
 *
 *   healthy --suspicion--> held --check: well--> healthy
 *                           |------not well------> disabled --check: well--> healthy
 *
 * A health check that is not well is repeated half a second later before it disables; one
 * that no server answered is the servers' fault and changes nothing. */

#include "dnsbl/health_check.h"
#include "dnsbl/list_state.h"
#include "dnsbl/list_stats.h"
#include "dnsbl/witnesses.h"

struct prober;

/* What is known of one list; lives as long as the prober. */
struct watched {
    struct list_state state;
    struct list_stats stats;
    atomic_int_fast64_t checked_at; /* wall clock, s: the last one's end; 0: none yet */
    /* The prober's own: */
    struct watched *next;
    struct config *config; /* a reference; NULL: in no configuration now */
    const struct list *list;
    struct upstream *upstream;
    int64_t due_ms; /* CLOCK_MONOTONIC */
    struct health_check check;
    bool checking;
    char name[];
};

/* folder is where the states and the witnesses are kept, with a "/" at its end; read
 * here. NULL: nowhere. Returns NULL without memory. */
struct prober *prober_new(const char *folder);
void prober_free(struct prober *prober); /* after prober_stop and the resolver */

/* Starts the thread. Returns 0, or -1. */
int prober_start(struct prober *prober, struct resolver *resolver);

/* Ends it, and writes the files. May be called without a start. */
void prober_stop(struct prober *prober);

struct witnesses *prober_witnesses(struct prober *prober);

/* The list of that name, made if there is none, checked from now on as that list of
 * config (of which it keeps a reference). NULL: no memory. Any thread. */
struct watched *prober_watch(struct prober *prober, struct config *config,
                             const struct list *list, struct upstream *upstream);

/* Ends the health checks of all lists that are not of config. Any thread. */
void prober_forget_others(struct prober *prober, const struct config *config);

/* Waits until the list has been checked, deadline_ms (CLOCK_MONOTONIC) at the longest;
 * check_now: until one that begins now has ended. Any thread but the prober's. */
void prober_wait(struct prober *prober, struct watched *watched, bool check_now,
                 int64_t deadline_ms);

/* Writes the state file, and perhaps the witnesses': what is acknowledged to an admin
 * must survive a kill. Any thread. */
void prober_save(struct prober *prober, bool witnesses_too);

#endif
