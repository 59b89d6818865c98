/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef KNOWN_PUBLIC_RESOLVERS_H
#define KNOWN_PUBLIC_RESOLVERS_H

/* Resolvers that the world shares: nearly every free list blocks them, or answers them
 * with an error code. Any thread. */

#include <stddef.h>

/* The next public resolver among servers ("192.0.2.1:53,[2001:db8::1]:53"; NULL is fine),
 * counting on from *index, which begins as 0; NULL: no more. */
const char *public_resolver_next(const char *servers, size_t *index);

#endif
