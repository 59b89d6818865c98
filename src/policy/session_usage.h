/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef POLICY_SESSION_USAGE_H
#define POLICY_SESSION_USAGE_H

/* From a session to the rules' counters. For the session's thread; nothing waits. All do
 * nothing where there are no rules. */

#include "policy/session.h"

/* Whether rules count anything: what only they need is then asked of the MTA. */
bool session_is_counted(const struct session *session);

/* A recipient that we let pass: mailer is {rcpt_mailer}, NULL where the MTA does not say. */
void session_count_accepted(struct session *session, const char *recipient,
                            const char *mailer);

/* One that the MTA has refused itself, with its x.y.z and its text; NULL: unknown. */
void session_count_refused_by_mta(struct session *session, const char *recipient,
                                  const char *status, const char *text);

/* The message was refused, or put off, as session->decision says. */
void session_count_refused(struct session *session);

/* The message is over. Does nothing where nothing was counted. */
void session_count_end(struct session *session, bool accepted);

#endif
