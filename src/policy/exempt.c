/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/exempt.h"

#include <string.h>
#include <strings.h>

static bool matches(const struct exempt_address *list, size_t count,
                    const struct mail_address *address)
{
    for (size_t i = 0; i < count; i++) {
        const struct exempt_address *e = &list[i];

        if (e->local != NULL && strcasecmp(e->local, address->local) != 0)
            continue;
        if (e->domain != NULL && strcmp(e->domain, address->domain) != 0)
            continue;
        return true;
    }
    return false;
}

bool exempt_recipient(const struct config *config, const char *recipient)
{
    struct mail_address address;

    /* user%there@here: an MTA may hand it on to there, who is not exempt */
    return mail_address_parse(recipient, &address) == 0 &&
           strpbrk(address.local, "%!@") == NULL &&
           matches(config->exempt.recipients, config->exempt.recipient_count, &address);
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
        matches(config->exempt.senders, config->exempt.sender_count, &envelope->sender))
        return "sender";
    return NULL;
}
