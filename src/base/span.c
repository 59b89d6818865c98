/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/span.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

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
