/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef KNOWN_PROVIDERS_H
#define KNOWN_PROVIDERS_H

/* Mailbox providers with so many users that no reason holds against all of them: of the
 * world, and the large ones of each country; and public resolvers. Any thread. */

#include <stdbool.h>
#include <stddef.h>

/* Whether a domain (canonical) is a mailbox provider's. */
bool provider_is_large(const char *domain);

/* The large provider that a host's name (canonical) is below, or is; NULL: none. Points
 * into name, which may be NULL. */
const char *provider_of_host(const char *name);

/* The next public resolver among servers ("192.0.2.1:53,[2001:db8::1]:53"; NULL is fine),
 * counting on from *index, which begins as 0; NULL: no more. Nearly every free list blocks
 * these, or answers them with an error code. */
const char *public_resolver_next(const char *servers, size_t *index);

#endif
