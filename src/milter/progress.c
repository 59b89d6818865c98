/* SPDX-License-Identifier: BSD-2-Clause */
#include "milter/progress.h"

#include "base/clock.h"

/* The time is set before the count is changed, so that whoever sees a callback under way
 * sees no older time than its own. */
void progress_begin(struct progress *progress)
{
    if (atomic_load(&progress->in_flight) == 0)
        atomic_store(&progress->moved_ms, clock_ms());
    atomic_fetch_add(&progress->in_flight, 1);
}

void progress_end(struct progress *progress)
{
    atomic_store(&progress->moved_ms, clock_ms());
    atomic_fetch_sub(&progress->in_flight, 1);
}

bool progress_is_stuck(const struct progress *progress, int64_t bound_ms)
{
    return atomic_load(&progress->in_flight) > 0 &&
           clock_ms() - atomic_load(&progress->moved_ms) > bound_ms;
}
