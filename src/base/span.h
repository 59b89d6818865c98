/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BASE_SPAN_H
#define BASE_SPAN_H

/* Time spans as the conf file and rblctl write them: "500ms", "5s", "10m", "1h",
 * "7d", "2w". Any thread. */

#include <stdint.h>

#define SPAN_TEXT_SIZE 32

/* Reads a whole number and one unit. Returns 0 with milliseconds in *ms, or -1 if the
 * text is no span (no unit, a sign, a fraction, more than 1000 years). */
int span_parse(const char *text, int64_t *ms);

/* Writes ms in the largest unit that divides it: 90000 -> "90s", 0 -> "0s". */
void span_text(int64_t ms, char out[static SPAN_TEXT_SIZE]);

#endif
