/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char hex_digits[] = "0123456789ABCDEF";

bool text_clean(const char *in, char *out, size_t size)
{
    size_t used = 0;

    for (; *in != '\0'; in++) {
        unsigned char c = (unsigned char)*in;
        bool plain = c >= 0x20 && c < 0x7f;

        if (used + (plain ? 1 : 4) >= size)
            break;
        if (plain) {
            out[used++] = *in;
            continue;
        }
        out[used++] = '\\';
        out[used++] = 'x';
        out[used++] = hex_digits[c >> 4];
        out[used++] = hex_digits[c & 15];
    }
    out[used] = '\0';
    return *in == '\0';
}

static bool is_unreserved(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c != '\0' && strchr("-._~", c) != NULL);
}

bool text_percent_encode(const char *in, char *out, size_t size)
{
    size_t used = 0;

    for (; *in != '\0'; in++) {
        unsigned char c = (unsigned char)*in;
        bool plain = is_unreserved(c);

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

void text_sentence(char *out, size_t size, const char *format, ...)
{
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(out, size, format, args);
    va_end(args);
    if (n < 0)
        out[0] = '\0';
}
