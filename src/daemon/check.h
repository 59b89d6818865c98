/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DAEMON_CHECK_H
#define DAEMON_CHECK_H

/* rblctl check: what the blocklist and every list say of a message now. */

#include <jansson.h>

#include "control/control.h"

/* A control_daemon's check; context is a struct daemon. Waits for the DNS. */
json_t *check_message(void *context, const struct control_question *question, char *error,
                      size_t error_size);

#endif
