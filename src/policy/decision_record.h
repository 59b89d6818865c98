/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef POLICY_DECISION_RECORD_H
#define POLICY_DECISION_RECORD_H

/* From a session to the journal: what is kept of a message, handed over at its first
 * verdict, and what follows as it comes. For the session's thread; nothing waits. */

#include "journal/record.h"
#include "policy/session.h"

/* The decision just made, at that stage: kept whole, once a message (again where it has
 * become another verdict). */
void decision_record_verdict(struct session *session, enum stage stage);

/* A recipient (as in RCPT TO, with <> or not), and what became of it; detail is the MTA's
 * x.y.z where it refused it itself, else "". What was refused is handed over at once. */
void decision_record_recipient(struct session *session, const char *recipient,
                               enum recipient_outcome outcome, const char *detail);

/* The message is over. Does nothing where nothing is kept of it. */
void decision_record_end(struct session *session, enum message_end end);

#endif
