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

enum verdict verdict_of_tally(const struct config *config, int score, int missing)
{
    enum verdict verdict = verdict_of(config, score);

    return verdict == VERDICT_REJECT &&
                   verdict_of(config, score + missing) != VERDICT_REJECT
               ? VERDICT_TEMPFAIL
               : verdict;
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
