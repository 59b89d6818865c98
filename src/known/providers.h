/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef KNOWN_PROVIDERS_H
#define KNOWN_PROVIDERS_H

/* Mailbox providers with so many users that no reason holds against all of them: of the
 * world, and the large ones of each country. Any thread. */

#include <stdbool.h>

/* domain: canonical, lower case. */
bool provider_is_large(const char *domain);

#endif
