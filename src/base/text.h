/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

/* Strangers' text on its way into a log line, a reply, a URL or JSON; sentences for
 * people, UTF-8, and spans of time. Any thread. */

#include <jansson.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Copies in to out: control characters and 8-bit ones become \xNN. What does not fit
 * is left out at a whole character. Returns false when something was left out.
 * size is at least 1. */
bool text_clean(const char *in, char *out, size_t size);

/* Copies in to out for a URL: all but unreserved characters (RFC 3986, 2.3) become
 * %NN. Returns false when it would not fit; out is then empty. */
bool text_percent_encode(const char *in, char *out, size_t size);

/* Writes the first letters of in as base32 (RFC 4648, in lower case, not padded): eight
 * for five octets. A last letter that in has not all bits for has zeros in their place. */
void text_base32(const uint8_t *in, size_t size, size_t letters, char *out);

/* Whether text has no 8-bit characters. */
bool text_is_ascii(const char *text);

/* Copies in with A-Z as a-z (ASCII only). Returns false when it would not fit; out is
 * then empty. */
bool text_lower(const char *in, char *out, size_t size);

/* Copies a text that must fit whole. Returns false when it does not; out is then
 * empty: a cut name would be someone else's. */
bool text_copy(const char *in, char *out, size_t size);

/* Copies the first URL in text: most operators of lists put their delisting page into the
 * reason. Returns false, with out untouched, where there is none or it would not fit. */
bool text_find_url(const char *text, char *out, size_t size);

/* Writes a sentence for people; what does not fit is cut off, at a whole character of
 * UTF-8. size is at least 1. */
void text_sentence(char *out, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void text_sentence_of(char *out, size_t size, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));

/* Text put together piece by piece in memory of the caller's, never beyond its end. */

struct buffer {
    char *text; /* always ended by NUL */
    size_t size, used;
    bool cut; /* something did not fit: it ends at a whole character, and stays so */
};

/* size is at least 1. Any thread; one at a time for a buffer. */
struct buffer buffer_over(char *memory, size_t size);

void buffer_add(struct buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* A hash of octets behind what start is the hash of: the same on all hosts. Strangers can
 * make octets that collide. */
#define OCTETS_HASH_START 0xcbf29ce484222325ULL
uint64_t octets_hash(const void *octets, size_t size, uint64_t start);

/* Text beyond ASCII, as SMTPUTF8 (RFC 6531) brings it. Any thread. */

/* Copies in to out in one form: lower case and normalised, so that two spellings of a
 * text that look the same are the same bytes. What it wrote it leaves as it is when
 * applied again. Returns false, with out empty, when in is no UTF-8 or would not fit. */
bool utf8_canonical(const char *in, char *out, size_t size);

/* Whether text is UTF-8 without control characters. */
bool utf8_is_clean(const char *text);

/* Whether a character is one that cannot be seen, or turns others round: C1, bidirectional
 * controls, what has no width. Variation selectors are none: they are a part of emoji. */
bool utf8_is_hidden(unsigned long code);

/* The first such character in text, or 0. */
unsigned long utf8_find_hidden(const char *text);

/* Copies in to out with what is hidden, control characters and broken bytes as \xNN. What
 * does not fit is left out at a whole character. Returns false when something was left out.
 * size is at least 1. */
bool utf8_show(const char *in, char *out, size_t size);

/* Time spans as the conf file and rblctl write them: "500ms", "5s", "10m", "1h",
 * "7d", "2w". Any thread. */

#define SPAN_TEXT_SIZE 32

/* Reads a whole number and one unit. Returns 0 with milliseconds in *ms, or -1 if the
 * text is no span (no unit, a sign, a fraction, more than 1000 years). */
int span_parse(const char *text, int64_t *ms);

/* Writes ms in the largest unit that divides it: 90000 -> "90s", 0 -> "0s". */
void span_text(int64_t ms, char out[static SPAN_TEXT_SIZE]);

/* A JSON file that is replaced as a whole, and JSON for people. Any thread, for different
 * files. */

/* Writes root beside the file, makes sure of it, and renames it into place, so that the
 * old text or the new one is there, also after a crash. Returns 0, or -1 (errno). */
int json_file_replace(const char *path, const json_t *root);

/* Writes it as json_dumpf does; where there is a character in it that cannot be seen
 * (utf8_is_hidden), all beyond ASCII is escaped. Returns 0 or -1. */
int json_show(const json_t *value, FILE *out, size_t flags);

#endif
