/* SPDX-License-Identifier: BSD-2-Clause */
/* What would list half the world, or was meant as a pattern (entry_too_wide). */

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "blocklist/entry.h"
#include "known/providers.h"

unsigned entry_widest(int family)
{
    return family == 4 ? 8 : 19;
}

static bool name_too_wide(const char *name, bool allow,
                          const struct suffix_list *suffixes, char *why)
{
    bool suffix = suffixes != NULL ? suffix_list_registered(suffixes, name) == NULL
                                   : strchr(name, '.') == NULL;

    if (suffix) {
        text_sentence(
            why, ENTRY_ERROR_SIZE,
            "%s is a top-level domain or public suffix: the names below it belong "
            "to many",
            name);
        return true;
    }
    if (!allow && provider_is_large(name)) {
        text_sentence(why, ENTRY_ERROR_SIZE,
                      "%s is a large provider's domain: list the address instead", name);
        return true;
    }
    return false;
}

static bool network_too_wide(const struct network *network, bool allow,
                             const struct entry_limits *limits, char *why)
{
    unsigned widest = entry_widest(network->base.family);
    char text[NETWORK_TEXT_SIZE], own[NETWORK_TEXT_SIZE];

    network_text(network, text);
    if (network->prefix < widest) {
        text_sentence(why, ENTRY_ERROR_SIZE, "%s is too wide: expected /%u or longer",
                      text, widest);
        return true;
    }
    for (size_t i = 0; !allow && i < limits->exempt_count; i++) {
        const struct network *exempt = &limits->exempt[i];

        if (!network_contains(network, &exempt->base) &&
            !network_contains(exempt, &network->base))
            continue;
        network_text(exempt, own);
        text_sentence(why, ENTRY_ERROR_SIZE, "%s overlaps %s of your exempt networks",
                      text, own);
        return true;
    }
    return false;
}

/* A local part or login may hold a "*" or "?", but who writes one here nearly always
 * means a pattern, and there are none. */
static bool is_pattern(const char *text, const char *end, char *why)
{
    size_t length = (size_t)(end - text);
    const char *mark = strpbrk(text, "*?");

    if (mark == NULL || mark >= end)
        return false;
    if (length == 1 && *end == '@')
        text_sentence(why, ENTRY_ERROR_SIZE,
                      "there are no patterns: to list all addresses of the domain, list "
                      "%s",
                      end + 1);
    else
        text_sentence(why, ENTRY_ERROR_SIZE,
                      "there are no patterns, and only few names really hold a \"%c\": "
                      "list each address, or its domain",
                      *mark);
    return true;
}

static const char *local_end(const char *text)
{
    const char *at = strrchr(text, '@');

    return at != NULL ? at : text + strlen(text);
}

static bool is_wide_itself(const struct entry *entry, bool allow,
                           const struct entry_limits *limits,
                           char why[static ENTRY_ERROR_SIZE])
{
    struct network network;

    why[0] = '\0';
    switch (entry->kind) {
    case ENTRY_ADDRESS:
        if (strcmp(entry->text, "<>") != 0)
            return is_pattern(entry->text, local_end(entry->text), why);
        text_sentence(why, ENTRY_ERROR_SIZE,
                      "<> is the null sender: every bounce and many a report has it");
        return true;
    case ENTRY_DOMAIN:
        return name_too_wide(entry->text, allow, limits->suffixes, why);
    case ENTRY_HOST:
        return name_too_wide(entry->text + strlen("host:"), allow, limits->suffixes, why);
    case ENTRY_NETWORK:
        return entry_network(entry, &network) == 0 &&
               network_too_wide(&network, allow, limits, why);
    case ENTRY_USER:
        return is_pattern(entry->text + strlen("user:"), local_end(entry->text), why);
    }
    return false;
}

bool entry_too_wide(const struct entry *entry, bool allow,
                    const struct entry_limits *limits, char why[static ENTRY_ERROR_SIZE])
{
    return is_wide_itself(entry, allow, limits, why) ||
           (!allow && limits->is_in_use != NULL &&
            limits->is_in_use(limits->context, entry, why));
}
