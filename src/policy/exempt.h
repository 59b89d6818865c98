/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef POLICY_EXEMPT_H
#define POLICY_EXEMPT_H

/* Who is exempt. Any thread; no state. */

#include <stdbool.h>

#include "config/config.h"
#include "policy/envelope.h"

/* Whether the recipient, as in RCPT TO, is one that is never refused. */
bool exempt_recipient(const struct config *config, const char *recipient);

/* Why the DNS lists do not count for this session: "network", "authenticated", "sender";
 * NULL if they do. What is not known yet is no reason. */
const char *exempt_reason(const struct config *config, const struct envelope *envelope);

#endif
