/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/shown.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>
#include <wctype.h>

#include "base/text.h"

void shown_text(const char *in, char *out, size_t size)
{
    size_t used = 0, left = strlen(in);
    mbstate_t state = {0};

    while (left > 0) {
        wchar_t wide;
        size_t n = mbrtowc(&wide, in, left, &state);
        bool plain = n > 0 && n <= left && iswprint((wint_t)wide) &&
                     !utf8_is_hidden((unsigned long)wide);

        if (!plain) {
            n = 1; /* byte by byte, whatever it was a part of */
            state = (mbstate_t){0};
        }
        if (used + (plain ? n : 4) >= size)
            break;
        if (plain) {
            memcpy(out + used, in, n);
            used += n;
        } else {
            used += (size_t)snprintf(out + used, size - used, "\\x%02X",
                                     (unsigned)(unsigned char)*in);
        }
        in += n;
        left -= n;
    }
    out[used] = '\0';
}

void shown_span(int64_t seconds, char out[static SPAN_TEXT_SIZE])
{
    if (seconds == 0)
        snprintf(out, SPAN_TEXT_SIZE, "forever");
    else if (seconds == 86400)
        snprintf(out, SPAN_TEXT_SIZE, "24h");
    else
        span_text(seconds * 1000, out);
}

void shown_distance(time_t at, time_t now, char *out, size_t size)
{
    static const struct {
        const char *name;
        int64_t seconds;
    } units[] = {{"year", 365 * 86400}, {"month", 30 * 86400}, {"week", 7 * 86400},
                 {"day", 86400},        {"hour", 3600},        {"minute", 60}};
    int64_t distance = (int64_t)at - (int64_t)now;
    int64_t seconds = distance < 0 ? -distance : distance;

    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        int64_t count = seconds / units[i].seconds;

        /* two of a unit at least, but for the smaller ones: "10 days", not "1 week" */
        if (count < (i < 3 ? 2 : 1))
            continue;
        snprintf(out, size, "%s%" PRId64 " %s%s%s", distance > 0 ? "in " : "", count,
                 units[i].name, count == 1 ? "" : "s", distance < 0 ? " ago" : "");
        return;
    }
    snprintf(out, size, distance > 0 ? "in a moment" : "just now");
}

void shown_time(time_t at, time_t now, char *out, size_t size)
{
    char clock[64], distance[64];
    struct tm tm;

    if (localtime_r(&at, &tm) == NULL ||
        strftime(clock, sizeof clock, "%Y-%m-%d %H:%M", &tm) == 0)
        snprintf(clock, sizeof clock, "%" PRId64, (int64_t)at);
    shown_distance(at, now, distance, sizeof distance);
    snprintf(out, size, "%s (%s)", clock, distance);
}

static bool ends_in(const char *text, const char *end)
{
    size_t length = strlen(text), end_length = strlen(end);

    return length > end_length && strcmp(text + length - end_length, end) == 0;
}

static void shown_bytes(int64_t bytes, char *out, size_t size)
{
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
    double value = (double)bytes;
    size_t i = 0;

    while (value >= 1024 && i + 1 < sizeof units / sizeof units[0]) {
        value /= 1024;
        i++;
    }
    snprintf(out, size, i == 0 ? "%.0f %s" : "%.1f %s", value, units[i]);
}

static void shown_seconds(int64_t seconds, char *out, size_t size)
{
    if (seconds >= 2 * 86400)
        snprintf(out, size, "%" PRId64 " days", seconds / 86400);
    else if (seconds >= 2 * 3600)
        snprintf(out, size, "%" PRId64 " hours", seconds / 3600);
    else if (seconds >= 2 * 60)
        snprintf(out, size, "%" PRId64 " minutes", seconds / 60);
    else
        snprintf(out, size, "%" PRId64 " seconds", seconds);
}

/* A number, by the unit that its name ends in. */
static void shown_number(const char *name, const json_t *value, char *out, size_t size)
{
    int64_t number = (int64_t)json_integer_value(value);
    bool is_time = ends_in(name, "_at") || strcmp(name, "since") == 0;

    if (!json_is_integer(value))
        snprintf(out, size, "%.2f", json_number_value(value));
    else if (is_time && number == 0)
        snprintf(out, size, "never");
    else if (is_time)
        shown_time((time_t)number, time(NULL), out, size);
    else if (ends_in(name, "_ms"))
        snprintf(out, size, "%" PRId64 " ms", number);
    else if (ends_in(name, "_s"))
        shown_seconds(number, out, size);
    else if (ends_in(name, "_bytes"))
        shown_bytes(number, out, size);
    else
        snprintf(out, size, "%" PRId64, number);
}

static void shown_value(const char *name, const json_t *value, char *out, size_t size)
{
    if (json_is_string(value))
        shown_text(json_string_value(value), out, size);
    else if (json_is_number(value))
        shown_number(name, value, out, size);
    else if (json_is_boolean(value))
        snprintf(out, size, "%s", json_is_true(value) ? "yes" : "no");
    else
        snprintf(out, size, "-");
}

/* "last_backup_at" -> "last backup", "wal_bytes" -> "wal size" */
static void shown_name(const char *name, char *out, size_t size)
{
    static const char *const endings[][2] = {
        {"_at", ""}, {"_s", ""}, {"_ms", ""}, {"_bytes", "_size"}};
    size_t length;

    shown_text(name, out, size);
    length = strlen(out);
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++)
        if (ends_in(out, endings[i][0])) {
            memcpy(out + length - strlen(endings[i][0]), endings[i][1],
                   strlen(endings[i][1]) + 1); /* never longer */
            break;
        }
    for (char *p = out; *p != '\0'; p++)
        if (*p == '_')
            *p = ' ';
}

static bool is_section(const json_t *value)
{
    return json_is_object(value) && json_object_size(value) > 0;
}

void shown_object(const json_t *object)
{
    char left[64], right[2048];
    const char *name;
    bool first = true;
    json_t *value;

    json_object_foreach ((json_t *)object, name, value) {
        if (json_is_object(value) || json_is_array(value))
            continue;
        shown_name(name, left, sizeof left);
        shown_value(name, value, right, sizeof right);
        printf("%-20s  %s\n", left, right);
        first = false;
    }
    json_object_foreach ((json_t *)object, name, value) {
        if (!is_section(value))
            continue;
        shown_name(name, left, sizeof left);
        printf("%s%s\n", first ? "" : "\n", left);
        shown_object(value);
        first = false;
    }
}

void shown_json(const json_t *document, bool terminal)
{
    /* On a terminal nothing but ASCII: control characters hide in Unicode too. */
    json_show(document, stdout, JSON_INDENT(2) | (terminal ? JSON_ENSURE_ASCII : 0));
    putchar('\n');
}
