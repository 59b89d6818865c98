/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

/* Text beyond ASCII, as SMTPUTF8 (RFC 6531) brings it. Any thread. */

#include <stdbool.h>
#include <stddef.h>

/* Copies in to out in one form: lower case and normalised, so that two spellings of a
 * text that look the same are the same bytes. What it wrote it leaves as it is when
 * asked again. Returns false, with out empty, when in is no UTF-8 or would not fit. */
bool utf8_canonical(const char *in, char *out, size_t size);

/* Whether text is UTF-8 without control characters. */
bool utf8_is_clean(const char *text);

#endif
