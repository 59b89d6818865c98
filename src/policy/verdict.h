/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef POLICY_VERDICT_H
#define POLICY_VERDICT_H

/* From a score to a verdict, and who is exempt from it. Any thread; no state. */

#include <stdbool.h>

#include "config/config.h"
#include "policy/envelope.h"

/* In the order of their severity. */
enum verdict { VERDICT_ACCEPT, VERDICT_TAG, VERDICT_TEMPFAIL, VERDICT_REJECT };

/* The score so far, between which bounds the answers still open can move it, and what the
 * allow lists that were not heard could have taken off (0 or less). */
struct tally {
    int score, least, most, missing;
};

/* The verdict of a score by the configured thresholds; the severest whose threshold is
 * reached. */
enum verdict verdict_of(const struct config *config, int score);

/* The same, but where allow lists that were not heard could have kept the score below
 * reject, it is put off, not refused. */
enum verdict verdict_of_tally(const struct config *config, int score, int missing);

/* "accept", "tag", "tempfail", "reject". */
const char *verdict_name(enum verdict verdict);

/* Whether the recipient, as in RCPT TO, is one that is never refused. */
bool exempt_recipient(const struct config *config, const char *recipient);

/* Why the DNS lists do not count for this session: "network", "authenticated", "sender";
 * NULL if they do. What is not known yet is no reason. */
const char *exempt_reason(const struct config *config, const struct envelope *envelope);

#endif
