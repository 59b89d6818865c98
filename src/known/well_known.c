/* SPDX-License-Identifier: BSD-2-Clause */
#include "known/well_known.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

const char *milter_port_owner(const char *port)
{
    static const struct {
        const char *port, *owner;
    } rows[] = {
        {"7357", "clamav-milter"}, {"8890", "OpenDKIM or OpenDMARC"},
        {"8891", "OpenDKIM"},      {"8892", "OpenDKIM or OpenARC"},
        {"8893", "OpenDMARC"},     {"8895", "another rblmilter"},
        {"9900", "rmilter"},       {"11332", "rspamd"},
        {"12301", "OpenDKIM"},     {"12345", "SpamAssassin's milter"},
        {"54321", "OpenDMARC"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (strcmp(rows[i].port, port) == 0)
            return rows[i].owner;
    return NULL;
}

static const char *const public_resolvers[] = {
    "8.8.8.8:53",
    "8.8.4.4:53",
    "1.1.1.1:53",
    "1.0.0.1:53",
    "9.9.9.9:53",
    "149.112.112.112:53",
    "208.67.222.222:53",
    "208.67.220.220:53",
    "[2001:4860:4860::8888]:53",
    "[2001:4860:4860::8844]:53",
    "[2606:4700:4700::1111]:53",
    "[2606:4700:4700::1001]:53",
    "[2620:fe::fe]:53",
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

bool role_is_everybodys(const char *local)
{
    static const char *const roles[] = {"postmaster", "abuse", "mailer-daemon"};

    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++)
        if (strcasecmp(local, roles[i]) == 0)
            return true;
    return false;
}
