/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MILTER_PROGRESS_H
#define MILTER_PROGRESS_H

/* Whether the callbacks of one stage still return. Each may wait, but where none returns
 * for long though some are under way, something hangs. Zero-initialise; any thread. */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct progress {
    atomic_uint in_flight;
    _Atomic int64_t moved_ms; /* when one returned, or the first of them began */
};

/* Around each callback. */
void progress_begin(struct progress *progress);
void progress_end(struct progress *progress);

/* Whether callbacks are under way, and none has returned for longer than bound_ms. */
bool progress_is_stuck(const struct progress *progress, int64_t bound_ms);

#endif
