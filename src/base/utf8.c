/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/utf8.h"

#include <libpsl.h>
#include <string.h>

#include "base/text.h"

/* Lower case can come out of normalising and the other way round (a square "MHz" becomes
 * "MHz", then "mhz"); more rounds than this no text needs. */
#define ROUNDS_MAX 4

static bool is_ascii(const char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text >= 0x80)
            return false;
    return true;
}

/* The number of bytes of the character at text, 0 where it is none (RFC 3629: no overlong
 * forms, no surrogates, nothing beyond U+10FFFF). */
static size_t character_length(const unsigned char *text)
{
    static const struct {
        unsigned char mask, lead;
        unsigned long min;
    } forms[] = {
        {0x80, 0, 0}, {0xe0, 0xc0, 0x80}, {0xf0, 0xe0, 0x800}, {0xf8, 0xf0, 0x10000}};

    for (size_t more = 0; more < sizeof forms / sizeof forms[0]; more++) {
        unsigned long code = text[0] & ~(unsigned long)forms[more].mask & 0xff;
        size_t i;

        if ((text[0] & forms[more].mask) != forms[more].lead)
            continue;
        for (i = 1; i <= more && (text[i] & 0xc0) == 0x80; i++)
            code = code << 6 | (text[i] & 0x3fu);
        return i == more + 1 && code >= forms[more].min && code <= 0x10ffff &&
                       (code < 0xd800 || code > 0xdfff)
                   ? i
                   : 0;
    }
    return 0;
}

/* libpsl lets broken text pass as it is. */
static bool is_valid(const char *text)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t length;

    for (; *p != '\0'; p += length)
        if ((length = character_length(p)) == 0)
            return false;
    return true;
}

bool utf8_canonical(const char *in, char *out, size_t size)
{
    char *lower = NULL;
    bool stable = false;

    if (is_ascii(in))
        return text_lower(in, out, size);
    out[0] = '\0';
    if (!is_valid(in) || !text_copy(in, out, size))
        return false;
    for (int round = 0; round < ROUNDS_MAX && !stable; round++) {
        if (psl_str_to_utf8lower(out, "utf-8", NULL, &lower) != PSL_SUCCESS ||
            lower == NULL)
            break;
        stable = strcmp(out, lower) == 0;
        if (!stable && !text_copy(lower, out, size))
            break;
        psl_free_string(lower);
        lower = NULL;
    }
    psl_free_string(lower);
    if (!stable)
        out[0] = '\0';
    return stable;
}

bool utf8_is_clean(const char *text)
{
    for (const char *p = text; *p != '\0'; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            return false;
    return is_valid(text);
}
