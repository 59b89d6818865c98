/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BLOCKLIST_WALLTIME_H
#define BLOCKLIST_WALLTIME_H

/* The time that ends are reckoned from. It is the wall clock, but a jump of that clock
 * beyond WALLTIME_JUMP_S (a dead battery, a wrong time server) does not move it: it then
 * counts on by the steady clock, so that nobody is unlisted by mistake, until the new
 * time has stood for WALLTIME_HOLD_S or walltime_trust says that it is right. Any thread
 * may read it. */

#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define WALLTIME_JUMP_S (10 * 60)
#define WALLTIME_HOLD_S (24 * 3600)
/* At the start there is no steady clock to compare with, only when the database was last
 * in use: a longer rest than this counts as a jump too. */
#define WALLTIME_REST_S (30 * 24 * 3600)

/* Where the time comes from; tests bring their own. Nanoseconds. */
struct blocklist_clock {
    int64_t (*wall_ns)(void *context);
    int64_t (*steady_ns)(void *context); /* never jumps; counts while asleep */
    void *context;
};

struct walltime {
    const struct blocklist_clock *clock;
    _Atomic int64_t offset_ns;    /* our time is steady + offset */
    _Atomic int64_t jump_ns;      /* what the wall clock is ahead of us; 0: in step */
    _Atomic int64_t jumped_at_ns; /* steady */
};

/* last_seen: wall clock of the last use, 0 unknown. clock NULL: the system's. */
void walltime_init(struct walltime *walltime, const struct blocklist_clock *clock,
                   time_t last_seen);

/* Seconds. Where the wall clock jumped, nobody knows which of the two times is right: what
 * begins now begins by the later, and what has an end at or before the earlier is over. */
time_t walltime_now(const struct walltime *walltime);
time_t walltime_later(const struct walltime *walltime);
time_t walltime_earlier(const struct walltime *walltime);

/* Compares the clocks; called about once a second, by one thread. */
void walltime_tick(struct walltime *walltime);

/* Takes the wall clock's time as right. */
void walltime_trust(struct walltime *walltime);

/* Writes a sentence for `status`; "" when the clocks are in step. */
void walltime_warning(const struct walltime *walltime, char *out, size_t size);

#endif
