/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef POLICY_VERDICT_LOG_H
#define POLICY_VERDICT_LOG_H

/* What is written about a verdict: the log line and the headers. Any thread. */

#include <stdbool.h>

#include "policy/session.h"

/* Writes the one log line of a verdict, shaped as Postfix's: refusals as notices, the
 * rest as info. recipient is as in RCPT TO, NULL where there is none yet;
 * exempt_recipient: the decision did not apply to it. */
void verdict_log_write(const struct session *session, const char *recipient,
                       bool exempt_recipient);

#define VERDICT_LISTS_SIZE 900 /* a header line is 998 at most (RFC 5322, 2.1.1) */

/* Writes the listings that counted: "zen(127.0.0.2:8), psbl(127.0.0.2:2)". */
void verdict_log_lists(const struct session *session, const char *separator,
                       char out[static VERDICT_LISTS_SIZE]);

/* Writes the value of an Authentication-Results header (RFC 8904) if an allow list has
 * the client or a name; returns false if none has. host names this server. */
bool verdict_log_dnswl(const struct session *session, const char *host,
                       char out[static VERDICT_LISTS_SIZE]);

#endif
