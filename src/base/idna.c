/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/idna.h"

#include <idn2.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

#define PREFIX "xn--"
/* The most that a label of 63 characters can be in UTF-8, and some */
#define LABEL_UTF8_SIZE  512
#define LABEL_CODES_MAX  64
#define LABEL_ASCII_SIZE 128

/* Reads one character of text, which is UTF-8. */
static const char *next_code(const char *text, uint32_t *out)
{
    const unsigned char *p = (const unsigned char *)text;
    int more = p[0] < 0x80 ? 0 : p[0] < 0xe0 ? 1 : p[0] < 0xf0 ? 2 : 3;

    *out = more == 0 ? p[0] : p[0] & (0x3fu >> more);
    for (int i = 1; i <= more; i++)
        *out = *out << 6 | (p[i] & 0x3fu);
    return text + more + 1;
}

/* Spaces, controls, marks of direction, full stops, and what is no character: in no
 * label. */
static bool is_unfit(uint32_t code)
{
    static const struct {
        uint32_t first, last;
    } ranges[] = {{0x80, 0xa0},     {0x61c, 0x61c},    {0x1680, 0x1680}, {0x2000, 0x200b},
                  {0x200e, 0x200f}, {0x2028, 0x202f},  {0x205f, 0x206f}, {0x3000, 0x3002},
                  {0xfe12, 0xfe12}, {0xff61, 0xff61},  {0xfdd0, 0xfdef}, {0xfeff, 0xfeff},
                  {0xfff9, 0xfffd}, {0xe0000, 0xe0fff}};

    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++)
        if (code >= ranges[i].first && code <= ranges[i].last)
            return true;
    return code == '.' || (code & 0xfffe) == 0xfffe;
}

static int read_codes(const char *text, uint32_t codes[static LABEL_CODES_MAX])
{
    int count = 0;

    while (*text != '\0') {
        if (count == LABEL_CODES_MAX)
            return -1;
        text = next_code(text, &codes[count]);
        if (is_unfit(codes[count++]))
            return -1;
    }
    return count;
}

/* RFC 3492, section 6.1. */
static unsigned adapt(unsigned delta, unsigned count, bool first)
{
    unsigned k = 0;

    delta = first ? delta / 700 : delta / 2;
    for (delta += delta / count; delta > 455; k += 36)
        delta /= 35;
    return k + 36 * delta / (delta + 38);
}

static char digit_of(unsigned digit)
{
    return (char)(digit < 26 ? 'a' + digit : '0' + digit - 26);
}

/* Writes delta as a number of variable length. Returns false where it does not fit. */
static bool write_delta(unsigned delta, unsigned bias, char **at, const char *end)
{
    for (unsigned k = 36;; k += 36) {
        unsigned t = k <= bias ? 1 : k >= bias + 26 ? 26 : k - bias;

        if (*at == end)
            return false;
        if (delta < t) {
            *(*at)++ = digit_of(delta);
            return true;
        }
        *(*at)++ = digit_of(t + (delta - t) % (36 - t));
        delta = (delta - t) / (36 - t);
    }
}

/* Punycode (RFC 3492, section 6.3). At most 64 codes of 21 bits: nothing overflows. */
static bool encode(const uint32_t *codes, int count, char *out, size_t size)
{
    uint32_t n = 0x80;
    unsigned delta = 0, bias = 72;
    int done = 0, basic;
    char *at = out;

    for (int i = 0; i < count; i++)
        if (codes[i] < 0x80)
            *at++ = (char)codes[i]; /* LABEL_CODES_MAX of them fit */
    done = basic = (int)(at - out);
    if (basic > 0)
        *at++ = '-';
    while (done < count) {
        uint32_t least = UINT32_MAX;

        for (int i = 0; i < count; i++)
            if (codes[i] >= n && codes[i] < least)
                least = codes[i];
        delta += (least - n) * (unsigned)(done + 1);
        n = least;
        for (int i = 0; i < count; i++) {
            if (codes[i] < n)
                delta++;
            if (codes[i] != n)
                continue;
            if (!write_delta(delta, bias, &at, out + size - 1))
                return false;
            bias = adapt(delta, (unsigned)done + 1, done == basic);
            delta = 0;
            done++;
        }
        delta++;
        n++;
    }
    *at = '\0';
    return true;
}

/* The characters of which UTS 46 once made others (its "deviations"), and now none. */
static size_t deviation_length(const char *text)
{
    static const char *const deviations[] = {"\xc3\x9f", "\xcf\x82", "\xe2\x80\x8c",
                                             "\xe2\x80\x8d"};

    for (size_t i = 0; i < sizeof deviations / sizeof deviations[0]; i++)
        if (strncmp(text, deviations[i], strlen(deviations[i])) == 0)
            return strlen(deviations[i]);
    return 0;
}

/* Maps what is between deviations by UTS 46. libidn2 does so for what IDNA2008
 * forbids in transitional mode only, which would change the deviations; and gives it as
 * an A-label. */
static bool map_piece(const char *piece, char *out, size_t size)
{
    char *ascii = NULL, *unicode = NULL;
    bool mapped =
        idn2_to_ascii_8z(piece, &ascii, IDN2_NFC_INPUT | IDN2_TRANSITIONAL) == IDN2_OK &&
        idn2_to_unicode_8z8z(ascii, &unicode, 0) == IDN2_OK &&
        text_copy(unicode, out, size);

    idn2_free(ascii);
    idn2_free(unicode);
    return mapped || utf8_canonical(piece, out, size);
}

static bool map_label(const char *label, char out[static LABEL_UTF8_SIZE])
{
    char piece[LABEL_UTF8_SIZE];
    size_t used = 0;

    out[0] = '\0';
    while (*label != '\0') {
        size_t length = 0, deviation = deviation_length(label);

        while (deviation == 0 && label[length] != '\0' &&
               deviation_length(label + length) == 0)
            length++;
        if (deviation > 0)
            length = deviation;
        if (length >= sizeof piece)
            return false;
        memcpy(piece, label, length);
        piece[length] = '\0';
        if (deviation > 0 ? !text_copy(piece, out + used, LABEL_UTF8_SIZE - used)
                          : !map_piece(piece, out + used, LABEL_UTF8_SIZE - used))
            return false;
        used += strlen(out + used);
        label += length;
    }
    return true;
}

static bool label_to_ascii(const char *label, char *out, size_t size)
{
    char mapped[LABEL_UTF8_SIZE], code[LABEL_ASCII_SIZE];
    uint32_t codes[LABEL_CODES_MAX];
    char *ascii = NULL;
    int count, n;
    bool strict;

    if (text_is_ascii(label))
        return text_lower(label, out, size);
    strict = idn2_to_ascii_8z(label, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) ==
                 IDN2_OK &&
             text_lower(ascii, out, size);
    idn2_free(ascii);
    if (strict)
        return true;
    if (!map_label(label, mapped) || (count = read_codes(mapped, codes)) <= 0)
        return false;
    if (text_is_ascii(mapped))
        return text_lower(mapped, out, size);
    if (!encode(codes, count, code, sizeof code))
        return false;
    n = snprintf(out, size, PREFIX "%s", code);
    return n > 0 && (size_t)n < size;
}

/* The length of a full stop at text, in one of its four forms; 0 where there is none. */
static size_t dot_length(const char *text)
{
    if (*text == '.')
        return 1;
    return strncmp(text, "\xe3\x80\x82", 3) == 0 ||
                   strncmp(text, "\xef\xbc\x8e", 3) == 0 ||
                   strncmp(text, "\xef\xbd\xa1", 3) == 0
               ? 3
               : 0;
}

bool idna_to_ascii(const char *text, char *out, size_t size)
{
    char label[LABEL_UTF8_SIZE];
    size_t used = 0;

    out[0] = '\0';
    if (!utf8_is_clean(text))
        return false;
    for (;;) {
        size_t length = 0, dot;

        while (text[length] != '\0' && dot_length(text + length) == 0)
            length++;
        dot = dot_length(text + length);
        if (length >= sizeof label)
            return false;
        memcpy(label, text, length);
        label[length] = '\0';
        if (!label_to_ascii(label, out + used, size - used))
            return false;
        used += strlen(out + used);
        if (dot == 0)
            return true;
        if (!text_copy(".", out + used, size - used))
            return false;
        used++;
        text += length + dot;
    }
}
