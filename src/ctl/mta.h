/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CTL_MTA_H
#define CTL_MTA_H

/* What the MTA's configuration says about this milter: the milter itself cannot see it.
 * Read as whoever runs rblctl may: Postfix's with postconf(1), else sendmail.cf. What is
 * left of a sendmail beside a Postfix is not looked at. */

#include <jansson.h>

/* Appends findings (see doctor.c) about the milter that listens on socket, as
 * rblmilter.conf writes it. */
void mta_findings(const char *socket, json_t *findings);

#endif
