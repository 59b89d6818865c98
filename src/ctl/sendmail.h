/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CTL_SENDMAIL_H
#define CTL_SENDMAIL_H

/* What sendmail.cf says about this milter: the milter itself cannot see it. */

#include <jansson.h>

/* Appends findings (see doctor.c) about the milter that listens on socket, as
 * rblmilter.conf writes it. Appends none where there is no sendmail.cf, or none that
 * whoever runs rblctl may read. */
void sendmail_findings(const char *socket, json_t *findings);

#endif
