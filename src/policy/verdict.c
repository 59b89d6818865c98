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

bool verdict_is_decided(const struct config *config, const struct tally *tally)
{
    /* more score is never a milder verdict, so the ends of the range tell */
    return verdict_of(config, tally->least) == verdict_of(config, tally->most);
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
