/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DAEMON_DOCTOR_H
#define DAEMON_DOCTOR_H

/* rblctl doctor: what is wrong around the daemon, each with what to do. rblctl itself
 * adds what only Postfix's configuration says (src/ctl/doctor.c). */

#include <jansson.h>

/* A control_daemon's doctor; context is a struct daemon. Waits for the DNS. */
json_t *doctor_findings(void *context);

#endif
