/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BASE_IDNA_H
#define BASE_IDNA_H

/* Names beyond ASCII. Any thread. */

#include <stdbool.h>
#include <stddef.h>

/* Writes the A-labels of a name in UTF-8, in lower case. What IDNA2008 forbids, but
 * registries sell and MTAs resolve all the same (emoji, for one), is mapped by UTS 46
 * (non-transitional), and what is not known to that either is encoded as it is (RFC
 * 3492), but for spaces, controls and marks of direction. Returns false where it is no
 * name, or does not fit. */
bool idna_to_ascii(const char *text, char *out, size_t size);

#endif
