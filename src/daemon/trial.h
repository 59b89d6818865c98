/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DAEMON_TRIAL_H
#define DAEMON_TRIAL_H

/* rblctl dnsbl try: what a list that is not configured would have said of the clients of
 * the last hour. Paced, and bounded in time; one at a time; it stops where mail needs the
 * resolver. */

#include <jansson.h>
#include <stddef.h>

/* A control_daemon's dnsbl_try; context is a struct daemon. */
json_t *trial_run(void *context, const char *zone, char *error, size_t error_size);

#endif
