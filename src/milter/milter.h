/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MILTER_MILTER_H
#define MILTER_MILTER_H

/* The milter: what Postfix and sendmail connect to. There is one a process, as libmilter
 * has it. */

#include <stdbool.h>
#include <stdint.h>

#include "policy/policy.h"
#include "policy/verdict.h"

/* Registers with libmilter, and sees that nobody has the socket of the configuration, so
 * that a second daemon ends before it has touched anything. config is borrowed for the
 * call, slot for the life of the process; it must be filled when milter_run is called.
 * Returns 0, or -1 with the reason logged. */
int milter_prepare(const struct config *config, struct policy_slot *slot);

/* Opens the socket, with its mode and group, and the real user for its owner: MTAs can
 * connect from now on. A stale unix socket is replaced, one that somebody listens on
 * never. After milter_prepare, and, as it may take root's rights, with them. Changes the
 * umask of the process for a moment: no thread may make a file then whose mode hangs on
 * it. Returns 0, or -1 with the reason logged. */
int milter_open(const struct config *config);

/* Serves to the end of the process. Returns only if libmilter ended by itself: -1 if it
 * failed, else 0. Blocks. */
int milter_run(void);

/* Ends the judging: callbacks that arrive from now on are answered at once, without
 * touching anything of ours. Waits until those under way have returned, no later than
 * deadline_ms (CLOCK_MONOTONIC), and removes a unix socket. Returns whether all have.
 * libmilter itself goes on until _exit: its own stop can hang (docs/design.md). Any
 * thread, once; milter_run may not have begun yet. */
bool milter_stop(int64_t deadline_ms);

/* Whether callbacks of some stage are under way and none of that stage has returned for
 * longer than bound_ms, which is to be more than they may wait. Any thread. */
bool milter_is_stuck(int64_t bound_ms);

struct milter_stats {
    uint64_t connections, messages;
    uint64_t unnamed; /* of the connections: the MTA sent no macro with the name */
    uint64_t verdicts[VERDICT_REJECT + 1];
    uint64_t blocklisted;   /* of the rejects: by the sender blocklist */
    uint64_t turned_away;   /* sessions not judged: no descriptors, no memory */
    unsigned open, waiting; /* sessions now; callbacks that wait for a verdict */
};
void milter_stats(struct milter_stats *out); /* any thread */

const char *milter_library_version(char out[static 32]);

#endif
