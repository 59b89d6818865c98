/* SPDX-License-Identifier: BSD-2-Clause */
#include "known/public_resolvers.h"

#include <stdbool.h>
#include <string.h>

static const char *const public_resolvers[] = {
    "8.8.8.8:53",                /* Google */
    "8.8.4.4:53",                /* Google */
    "1.1.1.1:53",                /* Cloudflare */
    "1.0.0.1:53",                /* Cloudflare */
    "9.9.9.9:53",                /* Quad9 */
    "149.112.112.112:53",        /* Quad9 */
    "208.67.222.222:53",         /* OpenDNS */
    "208.67.220.220:53",         /* OpenDNS */
    "[2001:4860:4860::8888]:53", /* Google */
    "[2001:4860:4860::8844]:53", /* Google */
    "[2606:4700:4700::1111]:53", /* Cloudflare */
    "[2606:4700:4700::1001]:53", /* Cloudflare */
    "[2620:fe::fe]:53",          /* Quad9 */
};

/* Whether one of the servers is this one, and not only the end or the beginning of one.
 */
static bool is_among(const char *servers, const char *server)
{
    size_t length = strlen(server);

    for (const char *at = strstr(servers, server); at != NULL;
         at = strstr(at + 1, server))
        if ((at == servers || at[-1] == ',') && (at[length] == '\0' || at[length] == ','))
            return true;
    return false;
}

const char *public_resolver_next(const char *servers, size_t *index)
{
    while (servers != NULL &&
           *index < sizeof public_resolvers / sizeof public_resolvers[0]) {
        const char *server = public_resolvers[(*index)++];

        if (is_among(servers, server))
            return server;
    }
    return NULL;
}
