/* SPDX-License-Identifier: BSD-2-Clause */
/* Code expressions. What is accepted matches only what a list may answer with, means the
 * same when read again, and a range's ends are matched. */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "config/codes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct in_addr address(uint32_t value)
{
    return (struct in_addr){htonl(value)};
}

static void check_ends(const struct codes *codes, const struct code_pattern *p)
{
    if (p->kind == CODE_RANGE && p->last >> 8 != 0x7fffff &&
        (!codes_match(codes, address(p->first)) || !codes_match(codes, address(p->last))))
        abort();
    if (p->kind == CODE_BIT && !codes_match(codes, address(0x7f000000u | p->bit)))
        abort();
}

static void check_answers(const struct codes *codes, const struct codes *again)
{
    for (uint32_t i = 0; i < 1024; i++) {
        uint32_t value = 0x7f000000u + (i & 255) + ((i >> 8) << 16);

        if (codes_match(codes, address(value)) != codes_match(again, address(value)))
            abort();
        if (codes_match(codes, address(0x7fffff00u + (i & 255))) ||
            codes_match(codes, address(0x0a000000u + i)) ||
            codes_match(codes, address(0x80000000u + i)))
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = strndup((const char *)data, size), error[256] = "";
    struct codes codes, again;

    if (text == NULL)
        return 0;
    if (codes_parse(text, &codes, error, sizeof error) != 0) {
        if (error[0] == '\0' || codes.patterns != NULL || codes.count != 0)
            abort();
    } else {
        if (codes.count == 0 || codes_parse(text, &again, error, sizeof error) != 0)
            abort();
        for (size_t i = 0; i < codes.count; i++)
            check_ends(&codes, &codes.patterns[i]);
        if (codes.count < 64)
            check_answers(&codes, &again);
        codes_free(&again);
    }
    codes_free(&codes);
    free(text);
    return 0;
}
