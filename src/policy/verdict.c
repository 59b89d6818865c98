/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/verdict.h"

#include <stdlib.h>

enum verdict verdict_of(const struct config *config, int score)
{
    if (config->verdict.reject > 0 && score >= config->verdict.reject)
        return VERDICT_REJECT;
    if (config->verdict.tempfail > 0 && score >= config->verdict.tempfail)
        return VERDICT_TEMPFAIL;
    if (config->verdict.tag > 0 && score >= config->verdict.tag)
        return VERDICT_TAG;
    return VERDICT_ACCEPT;
}

static enum verdict bounded(const struct config *config, int score, int missing)
{
    enum verdict verdict = verdict_of(config, score);

    return verdict == VERDICT_REJECT &&
                   verdict_of(config, score + missing) != VERDICT_REJECT
               ? VERDICT_TEMPFAIL
               : verdict;
}

enum verdict verdict_of_tally(const struct config *config, const struct tally *tally)
{
    return bounded(config, tally->score, tally->missing);
}

bool verdict_is_decided(const struct config *config, const struct tally *tally)
{
    /* more score is never a milder verdict, so the ends of the range decide */
    return bounded(config, tally->least, tally->missing) ==
           bounded(config, tally->most, tally->missing);
}

const char *verdict_name(enum verdict verdict)
{
    switch (verdict) {
    case VERDICT_ACCEPT:
        return "accept";
    case VERDICT_TAG:
        return "tag";
    case VERDICT_TEMPFAIL:
        return "tempfail";
    case VERDICT_REJECT:
        return "reject";
    }
    abort();
}
