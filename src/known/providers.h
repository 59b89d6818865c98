/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef KNOWN_PROVIDERS_H
#define KNOWN_PROVIDERS_H

/* Mailbox providers with so many users that no reason holds against all of them: of the
 * world, and the large ones of each country. Any thread. */

#include <stdbool.h>

/* Whether a domain (canonical) is one of theirs. */
bool provider_is_large(const char *domain);

/* The large provider that a host's name (canonical) is below, or is; NULL: none. Points
 * into name, which may be NULL. */
const char *provider_of_host(const char *name);

#endif
