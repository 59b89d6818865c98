/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "daemon/notify.h"

#ifdef HAVE_SYSTEMD
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#include "base/log.h"

void notify(const char *state)
{
    struct timespec ts;
    int rc;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    /* systemd wants the time with a reload, to tell it from an older one */
    if (strcmp(state, "RELOADING=1") == 0)
        rc = sd_notifyf(0, "%s\nMONOTONIC_USEC=%" PRId64, state,
                        (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000);
    else
        rc = sd_notify(0, state);
    if (rc < 0)
        log_debug("sd_notify %s: %s", state, strerror(-rc));
}

int64_t notify_watchdog_ms(void)
{
    uint64_t interval_us = 0;

    return sd_watchdog_enabled(0, &interval_us) > 0 ? (int64_t)(interval_us / 2000) : 0;
}

#else

void notify(const char *state)
{
    (void)state;
}

int64_t notify_watchdog_ms(void)
{
    return 0;
}

#endif
