/* SPDX-License-Identifier: BSD-2-Clause */
#include "known/milter_ports.h"

#include <stddef.h>
#include <string.h>

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
