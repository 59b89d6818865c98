/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CTL_SHOWN_H
#define CTL_SHOWN_H

/* How values are shown to people. */

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "base/text.h"

/* Copies in to out; what the locale cannot print, and every control character, becomes
 * \xNN: strangers write reasons and names. What does not fit is left out at a whole
 * character. */
void shown_text(const char *in, char *out, size_t size);

/* The local time and how far it is from now: "2026-11-24 05:54 (3 days ago)",
 * "2026-12-24 05:54 (in 4 weeks)". */
void shown_time(time_t at, time_t now, char *out, size_t size);

/* How long an entry holds: "1h", "24h", "forever" (0 seconds). */
void shown_span(int64_t seconds, char out[static SPAN_TEXT_SIZE]);

/* "3 days ago", "in 2 hours", "now". */
void shown_distance(time_t at, time_t now, char *out, size_t size);

/* Prints an object for people: one line a member, sections below it after an empty line
 * with their name. Members whose names end in "_at" are times, in "_s" and "_ms" spans,
 * in "_bytes" sizes. */
void shown_object(const json_t *object);

/* Prints a JSON document on standard output. */
void shown_json(const json_t *document, bool terminal);

#endif
