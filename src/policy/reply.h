/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef POLICY_REPLY_H
#define POLICY_REPLY_H

/* The reply to mail that is refused or deferred: its codes, and its text from the conf
 * file's templates, plain ASCII on one line, whatever strangers put into names, addresses
 * and reasons. Any thread. */

#include "policy/session.h"

struct reply_code {
    const char *code;     /* of three digits (RFC 5321, 4.2) */
    const char *enhanced; /* enhanced status code (RFC 3463) */
};

/* The codes for mail that is refused (VERDICT_REJECT), else those that defer it. */
struct reply_code reply_code_of(enum verdict verdict);

/* The text for what the lists decided: session->decision.deciding. */
void reply_for_list(struct session *session, char out[static REPLY_TEXT_SIZE]);

/* The text for what the sender blocklist decided: session->match. */
void reply_for_blocklist(struct session *session, char out[static REPLY_TEXT_SIZE]);

#endif
