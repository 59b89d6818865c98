/* SPDX-License-Identifier: BSD-2-Clause */
#include "rules/others_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rules/shard.h"

void heard_free(struct heard *heard)
{
    for (size_t i = 0; heard != NULL && i < heard->count; i++)
        free(heard->windows[i].bits);
    free(heard);
}

/* A bitmap: the numbers of its bits where they are few, else hexadecimal. */
static json_t *bits_value(const uint64_t bits[static SKETCH_BITS / 64])
{
    char hex[SKETCH_BITS / 4 + 1];
    json_t *few = json_array();

    for (int i = 0; i < SKETCH_BITS; i++)
        if (bits[i / 64] >> (i % 64) & 1)
            (void)json_array_append_new(few, json_integer(i));
    if (json_array_size(few) <= 64)
        return few;
    json_decref(few);
    for (int i = 0; i < SKETCH_BITS / 64; i++)
        (void)snprintf(hex + (size_t)i * 16, 17, "%016llx", (unsigned long long)bits[i]);
    return json_string(hex);
}

/* {"first","last","windows":[[count, span, value, bits of a distinct one], …]}; a value is
 * null where the window was not wholly observed. */
char *heard_write(struct counters *counters, enum rule_by by, const char *key,
                  const struct counter_reading *reading, int64_t now_s)
{
    json_t *windows = json_array(), *body;
    char *text;

    for (size_t i = 0; i < reading->count; i++) {
        const struct counter_window *w = &reading->windows[i];
        uint64_t bits[SKETCH_BITS / 64] = {0};
        json_t *window = json_pack("[s, i]", rule_count_name(w->count), w->span_s);

        (void)json_array_append_new(window, w->since_s > now_s - w->span_s
                                                ? json_null()
                                                : json_integer(reading->values[i]));
        if (count_is_distinct(w->count) &&
            counters_bits(counters, by, key, w->count, w->span_s, now_s, bits))
            (void)json_array_append_new(window, bits_value(bits));
        (void)json_array_append_new(windows, window);
    }
    body = json_pack("{s:I, s:I, s:o}", "first", (json_int_t)reading->first_seen_s,
                     "last", (json_int_t)reading->last_seen_s, "windows", windows);
    text = json_dumps(body, JSON_COMPACT);
    json_decref(body);
    return text;
}

static int count_of(const char *name, enum rule_count *count)
{
    for (int i = 0; i < RULE_COUNT_COUNT; i++)
        if (strcmp(rule_count_name((enum rule_count)i), name) == 0) {
            *count = (enum rule_count)i;
            return 0;
        }
    return -1;
}

static bool read_bits(const json_t *value, uint64_t bits[static SKETCH_BITS / 64])
{
    const char *hex = json_string_value(value);
    const json_t *number;
    size_t i;

    json_array_foreach (value, i, number) {
        json_int_t bit = json_integer_value(number);

        if (!json_is_integer(number) || bit < 0 || bit >= SKETCH_BITS)
            return false;
        bits[bit / 64] |= UINT64_C(1) << (bit % 64);
    }
    if (hex == NULL)
        return json_is_array(value);
    if (strlen(hex) != SKETCH_BITS / 4 ||
        strspn(hex, "0123456789abcdef") != SKETCH_BITS / 4)
        return false;
    for (i = 0; i < SKETCH_BITS / 64; i++) {
        char word[17];

        (void)snprintf(word, sizeof word, "%.16s", hex + i * 16);
        bits[i] = strtoull(word, NULL, 16);
    }
    return true;
}

static bool read_window(const json_t *window, struct heard *heard)
{
    const char *name = json_string_value(json_array_get(window, 0));
    json_int_t span_s = json_integer_value(json_array_get(window, 1));
    const json_t *value = json_array_get(window, 2);
    uint64_t *bits = NULL;
    enum rule_count count;

    if (name == NULL || count_of(name, &count) != 0)
        return true; /* a newer host's */
    if (span_s <= 0 || span_s > 30 * 86400 ||
        !(json_is_null(value) ||
          (json_is_integer(value) && json_integer_value(value) >= 0 &&
           json_integer_value(value) <= UINT32_MAX)))
        return false;
    if (count_is_distinct(count)) {
        bits = calloc(1, SKETCH_OCTETS);
        if (bits == NULL || !read_bits(json_array_get(window, 3), bits)) {
            free(bits);
            return false;
        }
    }
    heard->windows[heard->count].bits = bits;
    heard->windows[heard->count].count = count;
    heard->windows[heard->count].span_s = (int)span_s;
    heard->windows[heard->count].value =
        json_is_null(value) ? -1 : json_integer_value(value);
    heard->count++;
    return true;
}

struct heard *heard_read(const char *text)
{
    json_t *body = strlen(text) <= HEARD_TEXT_MAX ? json_loads(text, 0, NULL) : NULL;
    const json_t *windows = json_object_get(body, "windows"), *window;
    size_t count = json_array_size(windows), i;
    struct heard *heard =
        count > 0 && count <= COUNTER_WINDOWS_MAX
            ? calloc(1, sizeof *heard + count * sizeof heard->windows[0])
            : NULL;

    if (heard != NULL) {
        heard->first_seen_s = json_integer_value(json_object_get(body, "first"));
        heard->last_seen_s = json_integer_value(json_object_get(body, "last"));
        json_array_foreach (windows, i, window)
            if (!read_window(window, heard)) {
                heard_free(heard);
                heard = NULL;
                break;
            }
    }
    json_decref(body);
    return heard;
}
