/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/codes.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATTERN_SIZE  256 /* the longest pattern between two commas */
#define SPANS_MAX     32  /* alternatives within one pair of brackets */
#define PATTERNS_MAX  1024
#define ERROR_NETWORK 0x7fffffu /* 127.255.255.0/24 */

/* What one octet of a pattern may be: Postfix's [2;4;10..11] is three spans. */
struct octet {
    struct {
        uint8_t first, last;
    } spans[SPANS_MAX];
    size_t count;
};

/* How far the reading of one expression is. */
struct reader {
    struct codes *out;
    char *error;
    size_t error_size;
};

static int fail(struct reader *r, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static int fail(struct reader *r, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(r->error, r->error_size, format, args);
    va_end(args);
    return -1;
}

static int add_pattern(struct reader *r, const struct code_pattern *pattern)
{
    struct code_pattern *grown;

    if (r->out->count >= PATTERNS_MAX)
        return fail(r, "too many codes: expected at most %d", PATTERNS_MAX);
    grown = realloc(r->out->patterns, (r->out->count + 1) * sizeof *grown);
    if (grown == NULL)
        return fail(r, "out of memory");
    r->out->patterns = grown;
    grown[r->out->count++] = *pattern;
    return 0;
}

/* Reads 0 to 255 at *p, without zeros in front (is 010 ten or eight?), and moves on. */
static bool read_octet(const char **p, uint8_t *out)
{
    size_t digits = strspn(*p, "0123456789");
    unsigned value = 0;

    if (digits == 0 || digits > 3 || (digits > 1 && **p == '0'))
        return false;
    for (size_t i = 0; i < digits; i++)
        value = value * 10 + (unsigned)((*p)[i] - '0');
    *p += digits;
    *out = (uint8_t)value;
    return value <= 255;
}

/* "[2..11]" or "[2;4;10..11]", *p behind the bracket. */
static bool read_brackets(const char **p, struct octet *out)
{
    for (out->count = 0; out->count < SPANS_MAX;) {
        uint8_t first, last;

        if (!read_octet(p, &first))
            return false;
        last = first;
        if (strncmp(*p, "..", 2) == 0) {
            *p += 2;
            if (!read_octet(p, &last) || last < first)
                return false;
        }
        out->spans[out->count].first = first;
        out->spans[out->count++].last = last;
        if (**p == ']') {
            (*p)++;
            return true;
        }
        if (*(*p)++ != ';')
            return false;
    }
    return false;
}

static bool read_any_octet(const char **p, struct octet *out)
{
    uint8_t value;

    if (**p == '[') {
        (*p)++;
        return read_brackets(p, out);
    }
    out->count = 1;
    if (**p == '*') {
        (*p)++;
        out->spans[0].first = 0;
        out->spans[0].last = 255;
        return true;
    }
    if (!read_octet(p, &value))
        return false;
    out->spans[0].first = out->spans[0].last = value;
    return true;
}

/* Reads an address of four octets. Returns what follows it, or NULL if it is none. */
static const char *read_address(const char *text, struct octet octets[static 4])
{
    for (int i = 0; i < 4; i++) {
        if (i > 0 && *text++ != '.')
            return NULL;
        if (!read_any_octet(&text, &octets[i]))
            return NULL;
    }
    return text;
}

static bool is_single(const struct octet *o)
{
    return o->count == 1 && o->spans[0].first == o->spans[0].last;
}

static bool is_single_address(const struct octet octets[static 4])
{
    return is_single(&octets[0]) && is_single(&octets[1]) && is_single(&octets[2]) &&
           is_single(&octets[3]);
}

static bool starts_with_127(const struct octet octets[static 4])
{
    return is_single(&octets[0]) && octets[0].spans[0].first == 127;
}

static uint32_t address_value(const struct octet octets[static 4])
{
    uint32_t value = 0;

    for (int i = 0; i < 4; i++)
        value = value << 8 | octets[i].spans[0].first;
    return value;
}

static int add_range(struct reader *r, const char *text, uint32_t first, uint32_t last)
{
    struct code_pattern pattern = {.kind = CODE_RANGE, .first = first, .last = last};

    if (first > last)
        return fail(r, "\"%s\": expected the smaller address first", text);
    if (first >> 8 == ERROR_NETWORK)
        return fail(r,
                    "\"%s\": 127.255.255.0 to 127.255.255.255 say that the list refuses "
                    "to answer, they are never a listing",
                    text);
    return add_pattern(r, &pattern);
}

/* Each combination of the octets' spans is a pattern of its own. */
static int add_octets(struct reader *r, const struct octet octets[static 4])
{
    size_t total = octets[1].count * octets[2].count * octets[3].count;

    for (size_t n = 0; n < total; n++) {
        struct code_pattern pattern = {.kind = CODE_OCTETS};
        size_t rest = n;

        for (int i = 3; i >= 0; i--) {
            size_t pick = rest % octets[i].count;

            pattern.octets_first[i] = octets[i].spans[pick].first;
            pattern.octets_last[i] = octets[i].spans[pick].last;
            rest /= octets[i].count;
        }
        if (add_pattern(r, &pattern) != 0)
            return -1;
    }
    return 0;
}

static int read_bit(struct reader *r, const char *text)
{
    struct code_pattern pattern = {.kind = CODE_BIT};
    const char *p = text + 1;

    if (!read_octet(&p, &pattern.bit) || *p != '\0' || pattern.bit == 0 ||
        (pattern.bit & (pattern.bit - 1)) != 0)
        return fail(r, "\"%s\": expected a bit: &1, &2, &4, &8, &16, &32, &64 or &128",
                    text);
    return add_pattern(r, &pattern);
}

static int read_pattern(struct reader *r, const char *text)
{
    struct octet first[4], last[4];
    const char *end;

    if (text[0] == '&')
        return read_bit(r, text);
    end = read_address(text, first);
    if (end == NULL)
        goto malformed;
    if (!starts_with_127(first))
        goto outside;
    if (*end == '\0') {
        if (!is_single_address(first))
            return add_octets(r, first);
        return add_range(r, text, address_value(first), address_value(first));
    }
    end += strspn(end, " \t");
    if (*end++ != '-')
        goto malformed;
    end = read_address(end + strspn(end, " \t"), last);
    if (end == NULL || *end != '\0' || !is_single_address(first) ||
        !is_single_address(last))
        goto malformed;
    if (!starts_with_127(last))
        goto outside;
    return add_range(r, text, address_value(first), address_value(last));
malformed:
    return fail(r,
                "\"%s\": expected codes such as 127.0.0.2, 127.0.0.4-127.0.0.7, "
                "127.0.*.3, 127.0.0.[2;4..7] or &8",
                text);
outside:
    return fail(r,
                "\"%s\": expected codes within 127.0.0.0/8: no other answer is a "
                "listing (RFC 5782)",
                text);
}

/* Copies the text up to the next comma without the blanks around it. Returns what
 * follows, with NULL in *next at the end, or -1 if it is too long. */
static int cut_pattern(const char *text, char out[static PATTERN_SIZE], const char **next)
{
    size_t length = strcspn(text, ",");

    *next = text[length] == ',' ? text + length + 1 : NULL;
    while (length > 0 && strchr(" \t", *text) != NULL) {
        text++;
        length--;
    }
    while (length > 0 && strchr(" \t", text[length - 1]) != NULL)
        length--;
    if (length >= PATTERN_SIZE)
        return -1;
    memcpy(out, text, length);
    out[length] = '\0';
    return 0;
}

int codes_parse(const char *text, struct codes *out, char *error, size_t error_size)
{
    struct reader r = {out, error, error_size};
    char pattern[PATTERN_SIZE];

    *out = (struct codes){0};
    while (text != NULL) {
        if (cut_pattern(text, pattern, &text) != 0) {
            fail(&r, "a code longer than %d characters", PATTERN_SIZE - 1);
            goto failed;
        }
        if (read_pattern(&r, pattern) != 0)
            goto failed;
    }
    return 0;
failed:
    codes_free(out);
    return -1;
}

void codes_free(struct codes *codes)
{
    free(codes->patterns);
    *codes = (struct codes){0};
}

static bool pattern_matches(const struct code_pattern *p, uint32_t answer)
{
    switch (p->kind) {
    case CODE_RANGE:
        return answer >= p->first && answer <= p->last;
    case CODE_OCTETS:
        for (int i = 0; i < 4; i++) {
            uint8_t octet = (uint8_t)(answer >> (24 - 8 * i));

            if (octet < p->octets_first[i] || octet > p->octets_last[i])
                return false;
        }
        return true;
    case CODE_BIT:
        return (answer & p->bit) != 0;
    }
    abort();
}

bool codes_match(const struct codes *codes, struct in_addr answer)
{
    uint32_t value = ntohl(answer.s_addr);

    /* a parked domain or a lying resolver, and a list that refuses our queries: whatever a
     * range, a free octet or a bit would make of them */
    if (value >> 24 != 127 || value >> 8 == ERROR_NETWORK)
        return false;
    for (size_t i = 0; i < codes->count; i++)
        if (pattern_matches(&codes->patterns[i], value))
            return true;
    return false;
}

bool codes_have_bits(const struct codes *codes)
{
    for (size_t i = 0; i < codes->count; i++)
        if (codes->patterns[i].kind == CODE_BIT)
            return true;
    return false;
}
