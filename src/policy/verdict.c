/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/verdict.h"

#include <stdlib.h>
#include <string.h>

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

bool exempt_recipient(const struct config *config, const char *recipient)
{
    struct mail_address address;

    /* user%there@here: an MTA may hand it on to there, who is not exempt */
    return mail_address_parse(recipient, &address) == 0 &&
           strpbrk(address.local, "%!@") == NULL &&
           exempt_addresses_have(config->exempt.recipients,
                                 config->exempt.recipient_count, &address);
}

const char *exempt_reason(const struct config *config, const struct envelope *envelope)
{
    if (envelope->has_client)
        for (size_t i = 0; i < config->exempt.network_count; i++)
            if (network_contains(&config->exempt.networks[i], &envelope->client))
                return "network";
    if (config->exempt.authenticated && envelope->login[0] != '\0')
        return "authenticated";
    if (envelope->has_sender && !mail_address_is_null(&envelope->sender) &&
        exempt_addresses_have(config->exempt.senders, config->exempt.sender_count,
                              &envelope->sender))
        return "sender";
    return NULL;
}
