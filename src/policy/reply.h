/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef POLICY_REPLY_H
#define POLICY_REPLY_H

/* The text of a refusal, from the conf file's templates. Plain ASCII on one line,
 * whatever strangers put into names, addresses and reasons. Any thread. */

#include "policy/session.h"

/* For what the lists decided: session->decision.deciding. */
void reply_for_list(struct session *session, char out[static REPLY_TEXT_SIZE]);

/* For what the sender blocklist decided: session->match. */
void reply_for_blocklist(struct session *session, char out[static REPLY_TEXT_SIZE]);

#endif
