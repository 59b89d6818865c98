/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef KNOWN_WELL_KNOWN_H
#define KNOWN_WELL_KNOWN_H

#include <stdbool.h>
#include <stddef.h>

/* Resolvers that the world shares: nearly every free list blocks them, or answers them
 * with an error code. Any thread. */

/* The next public resolver among servers ("192.0.2.1:53,[2001:db8::1]:53"; NULL is fine),
 * counting on from *index, which begins as 0; NULL: no more. */
const char *public_resolver_next(const char *servers, size_t *index);

/* Mailbox providers with so many users that no reason holds against all of them: of the
 * world, and the large ones of each country. Any thread. */

/* domain: canonical, lower case. */
bool provider_is_large(const char *domain);

/* The large provider that a host's name (canonical) is below, or NULL. Points into name. */
const char *provider_of_host(const char *name);

#endif
