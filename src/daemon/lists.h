/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DAEMON_LISTS_H
#define DAEMON_LISTS_H

/* rblctl dnsbl: the lists, and an admin's word about one. The functions of a
 * control_daemon; context is a struct daemon. */

#include <jansson.h>
#include <stddef.h>

json_t *dnsbl_rows(void *context);
json_t *dnsbl_change(void *context, const char *action, const char *name, const char *who,
                     char *error, size_t error_size);

#endif
