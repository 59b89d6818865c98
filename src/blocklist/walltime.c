/* SPDX-License-Identifier: BSD-2-Clause */
#include "blocklist/walltime.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/text.h"

#define SECOND_NS 1000000000LL

static int64_t read_clock(clockid_t id)
{
    struct timespec ts;

    clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * SECOND_NS + ts.tv_nsec;
}

static int64_t system_wall(void *context)
{
    (void)context;
    return read_clock(CLOCK_REALTIME);
}

static int64_t system_steady(void *context)
{
    (void)context;
    return read_clock(CLOCK_BOOTTIME);
}

static const struct blocklist_clock system_clock = {system_wall, system_steady, NULL};

static int64_t wall(const struct walltime *walltime)
{
    return walltime->clock->wall_ns(walltime->clock->context);
}

static int64_t steady(const struct walltime *walltime)
{
    return walltime->clock->steady_ns(walltime->clock->context);
}

static void hold(struct walltime *walltime, int64_t jump_ns)
{
    char span[SPAN_TEXT_SIZE];

    atomic_store(&walltime->jump_ns, jump_ns);
    atomic_store(&walltime->jumped_at_ns, steady(walltime));
    span_text(llabs(jump_ns) / SECOND_NS * 1000, span);
    log_warning("blocklist: clock=%s by=%s: entries begin by the later and end by the "
                "earlier time",
                jump_ns > 0 ? "jumped-forward" : "jumped-back", span);
}

void walltime_init(struct walltime *walltime, const struct blocklist_clock *clock,
                   time_t last_seen)
{
    int64_t now, rest;

    walltime->clock = clock != NULL ? clock : &system_clock;
    now = wall(walltime);
    rest = now - (int64_t)last_seen * SECOND_NS;
    atomic_store(&walltime->offset_ns, now - steady(walltime));
    atomic_store(&walltime->jump_ns, 0);
    if (last_seen == 0 ||
        (rest >= -WALLTIME_JUMP_S * SECOND_NS && rest <= WALLTIME_REST_S * SECOND_NS))
        return;
    atomic_fetch_sub(&walltime->offset_ns, rest);
    hold(walltime, rest);
}

time_t walltime_now(const struct walltime *walltime)
{
    return (time_t)((steady(walltime) + atomic_load(&walltime->offset_ns)) / SECOND_NS);
}

static time_t wall_s(const struct walltime *walltime)
{
    return (time_t)(wall(walltime) / SECOND_NS);
}

time_t walltime_later(const struct walltime *walltime)
{
    time_t ours = walltime_now(walltime), theirs = wall_s(walltime);

    return ours > theirs ? ours : theirs;
}

time_t walltime_earlier(const struct walltime *walltime)
{
    time_t ours = walltime_now(walltime), theirs = wall_s(walltime);

    return ours < theirs ? ours : theirs;
}

static void follow(struct walltime *walltime, int64_t offset_ns)
{
    atomic_store(&walltime->offset_ns, offset_ns);
    if (atomic_exchange(&walltime->jump_ns, 0) != 0)
        log_notice("blocklist: clock=trusted");
}

void walltime_trust(struct walltime *walltime)
{
    follow(walltime, wall(walltime) - steady(walltime));
}

/* The clocks are read once: what is followed is what was looked at. */
void walltime_tick(struct walltime *walltime)
{
    int64_t now = steady(walltime);
    int64_t offset = wall(walltime) - now;
    int64_t ahead = offset - atomic_load(&walltime->offset_ns);
    int64_t known = atomic_load(&walltime->jump_ns);

    if (llabs(ahead) <= WALLTIME_JUMP_S * SECOND_NS) {
        follow(walltime, offset); /* in step, or it came back by itself */
        return;
    }
    if (known == 0 || llabs(ahead - known) > WALLTIME_JUMP_S * SECOND_NS)
        hold(walltime, ahead);
    else if (now - atomic_load(&walltime->jumped_at_ns) >= WALLTIME_HOLD_S * SECOND_NS)
        follow(walltime, offset);
}

void walltime_warning(const struct walltime *walltime, char *out, size_t size)
{
    int64_t jump = atomic_load(&walltime->jump_ns);
    char span[SPAN_TEXT_SIZE];

    if (size > 0)
        out[0] = '\0';
    if (jump == 0)
        return;
    span_text(llabs(jump) / SECOND_NS * 1000, span);
    text_sentence(out, size,
                  "the clock jumped %s by %s: for a day or until \"rblctl reload\" "
                  "entries begin by "
                  "the later and end by the earlier of the two times",
                  jump > 0 ? "forward" : "back", span);
}
