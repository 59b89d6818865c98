/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/exempt.h"

#include <string.h>

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
