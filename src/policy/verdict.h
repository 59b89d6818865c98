#ifndef POLICY_VERDICT_H
#define POLICY_VERDICT_H

/* From a score to a verdict. Any thread; no state. */

#include <stdbool.h>

#include "config/config.h"

/* In the order of their severity. */
enum verdict { VERDICT_ACCEPT, VERDICT_TAG, VERDICT_TEMPFAIL, VERDICT_REJECT };

/* The score so far, and between which bounds the answers still open can move it. */
struct tally {
    int score, least, most;
};

/* The verdict of a score by the configured thresholds; the severest whose threshold is
 * reached. */
enum verdict verdict_of(const struct config *config, int score);

/* Whether the answers still open cannot change the verdict. */
bool verdict_is_decided(const struct config *config, const struct tally *tally);

const char *verdict_name(
    enum verdict verdict); /* "accept", "tag", "tempfail", "reject" */

#endif
