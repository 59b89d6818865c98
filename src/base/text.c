/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/text.h"

#include <inttypes.h>
#include <libpsl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Lower case can come out of normalising and the other way round (a square "MHz" becomes
 * "MHz", then "mhz"); more rounds than this no text needs. */
#define ROUNDS_MAX 4

static const char hex_digits[] = "0123456789ABCDEF";

/* Writes \xNN, without an end. Returns its length. */
static size_t put_hex(unsigned char c, char *out)
{
    out[0] = '\\';
    out[1] = 'x';
    out[2] = hex_digits[c >> 4];
    out[3] = hex_digits[c & 15];
    return 4;
}

bool text_clean(const char *in, char *out, size_t size)
{
    size_t used = 0;

    for (; *in != '\0'; in++) {
        unsigned char c = (unsigned char)*in;
        bool plain = c >= 0x20 && c < 0x7f;

        if (used + (plain ? 1 : 4) >= size)
            break;
        if (plain)
            out[used++] = *in;
        else
            used += put_hex(c, out + used);
    }
    out[used] = '\0';
    return *in == '\0';
}

bool text_percent_encode(const char *in, char *out, size_t size)
{
    size_t used = 0;

    for (; *in != '\0'; in++) {
        unsigned char c = (unsigned char)*in;
        bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
                     (c >= 'a' && c <= 'z') || strchr("-._~", c) != NULL;

        if (used + (plain ? 1 : 3) >= size) {
            out[0] = '\0';
            return false;
        }
        if (plain) {
            out[used++] = *in;
            continue;
        }
        out[used++] = '%';
        out[used++] = hex_digits[c >> 4];
        out[used++] = hex_digits[c & 15];
    }
    out[used] = '\0';
    return true;
}

void text_base32(const uint8_t *in, size_t size, size_t letters, char *out)
{
    static const char digits[] = "abcdefghijklmnopqrstuvwxyz234567";

    for (size_t i = 0; i < letters; i++) {
        size_t at = 5 * i / 8;
        unsigned pair = (unsigned)in[at] << 8 | (at + 1 < size ? in[at + 1] : 0);

        out[i] = digits[pair >> (11 - 5 * i % 8) & 31];
    }
    out[letters] = '\0';
}

bool text_is_ascii(const char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text >= 0x80)
            return false;
    return true;
}

bool text_lower(const char *in, char *out, size_t size)
{
    if (!text_copy(in, out, size))
        return false;
    for (char *p = out; *p != '\0'; p++)
        if (*p >= 'A' && *p <= 'Z')
            *p = (char)(*p - 'A' + 'a');
    return true;
}

bool text_copy(const char *in, char *out, size_t size)
{
    size_t length = strlen(in);

    if (length >= size) {
        out[0] = '\0';
        return false;
    }
    memcpy(out, in, length + 1);
    return true;
}

bool text_find_url(const char *text, char *out, size_t size)
{
    const char *start = strstr(text, "http");
    size_t length = start != NULL ? strcspn(start, " \"'<>") : 0;

    if (length == 0 || length >= size)
        return false;
    memcpy(out, start, length);
    out[length] = '\0';
    return true;
}

/* Reads the character at text. Returns its number of bytes, 0 where it is none (RFC 3629:
 * no overlong forms, no surrogates, nothing beyond U+10FFFF). */
static size_t read_character(const unsigned char *text, unsigned long *out)
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
        *out = code;
        return i == more + 1 && code >= forms[more].min && code <= 0x10ffff &&
                       (code < 0xd800 || code > 0xdfff)
                   ? i
                   : 0;
    }
    return 0;
}

static size_t character_length(const unsigned char *text)
{
    unsigned long code;

    return read_character(text, &code);
}

/* Takes a character off the end that is not all there. */
static void end_at_character(char *text)
{
    size_t length = strlen(text), start = length;

    while (start > 0 && length - start < 3 && (text[start - 1] & 0xc0) == 0x80)
        start--;
    if (start > 0 && (text[start - 1] & 0xc0) == 0xc0 &&
        character_length((const unsigned char *)text + start - 1) == 0)
        text[start - 1] = '\0';
}

void text_sentence_of(char *out, size_t size, const char *format, va_list args)
{
    int n = vsnprintf(out, size, format, args);

    if (n < 0)
        out[0] = '\0';
    else if ((size_t)n >= size)
        end_at_character(out);
}

void text_sentence(char *out, size_t size, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    text_sentence_of(out, size, format, args);
    va_end(args);
}

struct buffer buffer_over(char *memory, size_t size)
{
    memory[0] = '\0';
    return (struct buffer){.text = memory, .size = size};
}

void buffer_add(struct buffer *buffer, const char *format, ...)
{
    size_t room = buffer->size - buffer->used;
    va_list args;
    int n;

    if (buffer->cut)
        return; /* nothing goes behind a gap */
    va_start(args, format);
    n = vsnprintf(buffer->text + buffer->used, room, format, args);
    va_end(args);
    if (n < 0 || (size_t)n >= room) {
        end_at_character(buffer->text);
        buffer->used = strlen(buffer->text);
        buffer->cut = true;
        return;
    }
    buffer->used += (size_t)n;
}

/* FNV-1a, with the last step of MurmurHash3 to spread it over all bits. */
uint64_t octets_hash(const void *octets, size_t size, uint64_t start)
{
    const unsigned char *bytes = octets;
    uint64_t hash = start;

    for (size_t i = 0; i < size; i++)
        hash = (hash ^ bytes[i]) * 0x100000001b3ULL;
    hash = (hash ^ (hash >> 33)) * 0xff51afd7ed558ccdULL;
    hash = (hash ^ (hash >> 33)) * 0xc4ceb9fe1a85ec53ULL;
    return hash ^ (hash >> 33);
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

    if (text_is_ascii(in))
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

/* C1, and Unicode's Default_Ignorable_Code_Point, in which all of Bidi_Control is, without
 * the variation selectors; line and paragraph separators, interlinear annotations. */
static const unsigned long hidden[][2] = {
    {0x80, 0x9f},       {0xad, 0xad},       {0x34f, 0x34f},     {0x61c, 0x61c},
    {0x115f, 0x1160},   {0x17b4, 0x17b5},   {0x180e, 0x180e},   {0x200b, 0x200f},
    {0x2028, 0x202e},   {0x2060, 0x206f},   {0x3164, 0x3164},   {0xfeff, 0xfeff},
    {0xffa0, 0xffa0},   {0xfff0, 0xfffb},   {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a},
    {0xe0000, 0xe00ff}, {0xe01f0, 0xe0fff},
};

bool utf8_is_hidden(unsigned long code)
{
    for (size_t i = 0; i < sizeof hidden / sizeof hidden[0]; i++)
        if (code >= hidden[i][0] && code <= hidden[i][1])
            return true;
    return false;
}

unsigned long utf8_find_hidden(const char *text)
{
    const unsigned char *p = (const unsigned char *)text;
    unsigned long code;
    size_t length;

    for (; *p != '\0'; p += length > 0 ? length : 1) {
        length = read_character(p, &code);
        if (length > 1 && utf8_is_hidden(code))
            return code;
    }
    return 0;
}

bool utf8_show(const char *in, char *out, size_t size)
{
    size_t used = 0, length;
    unsigned long code;

    for (; *in != '\0'; in += length) {
        bool plain;

        length = read_character((const unsigned char *)in, &code);
        plain = length > 0 && code >= 0x20 && code != 0x7f && !utf8_is_hidden(code);
        length = length > 0 ? length : 1;
        if (used + (plain ? length : 4 * length) >= size)
            break;
        if (plain) {
            memcpy(out + used, in, length);
            used += length;
            continue;
        }
        for (size_t i = 0; i < length; i++)
            used += put_hex((unsigned char)in[i], out + used);
    }
    out[used] = '\0';
    return *in == '\0';
}

#define SPAN_MAX_MS (INT64_C(1000) * 366 * 86400 * 1000)

static const struct unit {
    const char *name;
    int64_t ms;
} units[] = {
    {"w", INT64_C(7) * 86400 * 1000},
    {"d", INT64_C(86400) * 1000},
    {"h", 3600 * 1000},
    {"m", 60 * 1000},
    {"s", 1000},
    {"ms", 1},
};
static const size_t unit_count = sizeof units / sizeof units[0];

int span_parse(const char *text, int64_t *ms)
{
    size_t digits = strspn(text, "0123456789");
    int64_t value = 0;

    if (digits == 0 || digits > 15)
        return -1;
    for (size_t i = 0; i < digits; i++)
        value = value * 10 + (text[i] - '0');
    for (size_t i = 0; i < unit_count; i++) {
        if (strcmp(text + digits, units[i].name) != 0)
            continue;
        if (value > SPAN_MAX_MS / units[i].ms)
            return -1;
        *ms = value * units[i].ms;
        return 0;
    }
    return -1;
}

void span_text(int64_t ms, char out[static SPAN_TEXT_SIZE])
{
    size_t i = 1; /* no weeks: "7d" is what people write */

    if (ms == 0) {
        snprintf(out, SPAN_TEXT_SIZE, "0s");
        return;
    }
    while (i + 1 < unit_count && ms % units[i].ms != 0)
        i++;
    snprintf(out, SPAN_TEXT_SIZE, "%" PRId64 "%s", ms / units[i].ms, units[i].name);
}

int json_file_replace(const char *path, const json_t *root)
{
    char *temporary = NULL;
    FILE *file = NULL;
    int rc = -1;

    if (asprintf(&temporary, "%s.new", path) < 0)
        return -1;
    file = fopen(temporary, "we");
    if (file == NULL)
        goto out;
    if (json_dumpf(root, file, JSON_INDENT(1) | JSON_SORT_KEYS) == 0 &&
        fflush(file) == 0 && fsync(fileno(file)) == 0)
        rc = 0;
    if (fclose(file) != 0)
        rc = -1;
    if (rc == 0)
        rc = rename(temporary, path);
out:
    free(temporary);
    return rc;
}

int json_show(const json_t *value, FILE *out, size_t flags)
{
    char *text = json_dumps(value, flags);
    int rc;

    if (text == NULL)
        return -1;
    if (utf8_find_hidden(text) != 0)
        rc = json_dumpf(value, out, flags | JSON_ENSURE_ASCII);
    else
        rc = fputs(text, out) < 0 ? -1 : 0;
    free(text);
    return rc;
}
