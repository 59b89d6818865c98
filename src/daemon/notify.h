/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DAEMON_NOTIFY_H
#define DAEMON_NOTIFY_H

/* What systemd is told (sd_notify); nothing where it did not start us, or in a build
 * without it. */

#include <stdint.h>

/* state as sd_notify takes it: "READY=1", "RELOADING=1", "STOPPING=1", "WATCHDOG=1". */
void notify(const char *state);

/* How often the watchdog wants to hear of us, ms; 0: not at all. */
int64_t notify_watchdog_ms(void);

#endif
