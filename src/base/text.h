/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

/* Strangers' text on its way into a log line, a reply or a URL. Any thread. */

#include <stdbool.h>
#include <stddef.h>

/* Copies in to out: control characters and 8-bit ones become \xNN. What does not fit
 * is left out at a whole character. Returns false when something was left out.
 * size is at least 1. */
bool text_clean(const char *in, char *out, size_t size);

/* Copies in to out for a URL: all but unreserved characters (RFC 3986, 2.3) become
 * %NN. Returns false when it would not fit; out is then empty. */
bool text_percent_encode(const char *in, char *out, size_t size);

/* Copies in with A-Z as a-z (ASCII only). Returns false when it would not fit; out is
 * then empty. */
bool text_lower(const char *in, char *out, size_t size);

/* Copies a text that must fit whole. Returns false when it does not; out is then
 * empty: a cut name would ask about someone else. */
bool text_copy(const char *in, char *out, size_t size);

/* Writes a sentence for people; what does not fit is cut off. size is at least 1. */
void text_sentence(char *out, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
