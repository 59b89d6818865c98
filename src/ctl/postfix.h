/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CTL_POSTFIX_H
#define CTL_POSTFIX_H

/* What Postfix's configuration says about this milter: the milter itself cannot see it.
 * Read with postconf(1), as whoever runs rblctl may. */

#include <jansson.h>
#include <stdbool.h>

/* Appends findings (see doctor.c) about the milter that listens on socket, as
 * rblmilter.conf writes it. Returns whether there is a Postfix; else it appends none. */
bool postfix_findings(const char *socket, json_t *findings);

#endif
