/* SPDX-License-Identifier: BSD-2-Clause */
#include "control/request.h"

#include <inttypes.h>
#include <stdio.h>

#include "control/protocol.h"

static int wrong(const char *name, const char *expected, json_t **answer)
{
    *answer =
        protocol_error_answer(PROTOCOL_USAGE, "\"%s\": expected %s", name, expected);
    return -1;
}

int request_text(const json_t *request, const char *name, const char **out,
                 json_t **answer)
{
    const json_t *value = json_object_get(request, name);

    if (!json_is_string(value))
        return wrong(name, "a text", answer);
    *out = json_string_value(value);
    return 0;
}

int request_optional_text(const json_t *request, const char *name, const char **out,
                          json_t **answer)
{
    if (json_object_get(request, name) == NULL)
        return 0;
    return request_text(request, name, out, answer);
}

int request_optional_number(const json_t *request, const char *name, int64_t max,
                            int64_t *out, json_t **answer)
{
    const json_t *value = json_object_get(request, name);
    char expected[64];

    if (value == NULL)
        return 0;
    if (!json_is_integer(value) || json_integer_value(value) < 0 ||
        json_integer_value(value) > max) {
        snprintf(expected, sizeof expected, "a whole number from 0 to %" PRId64, max);
        return wrong(name, expected, answer);
    }
    *out = json_integer_value(value);
    return 0;
}

int request_optional_span(const json_t *request, const char *name, int64_t *out,
                          json_t **answer)
{
    return request_optional_number(request, name, PROTOCOL_SPAN_MAX_S, out, answer);
}

int request_optional_flag(const json_t *request, const char *name, bool *out,
                          json_t **answer)
{
    const json_t *value = json_object_get(request, name);

    if (value == NULL)
        return 0;
    if (!json_is_boolean(value))
        return wrong(name, "true or false", answer);
    *out = json_is_true(value);
    return 0;
}

int request_texts(const json_t *request, const char *name, size_t max, const json_t **out,
                  json_t **answer)
{
    const json_t *array = json_object_get(request, name);
    const json_t *value;
    size_t i;

    if (!json_is_array(array) || json_array_size(array) == 0)
        return wrong(name, "an array of texts", answer);
    if (json_array_size(array) > max) {
        *answer = protocol_error_answer(PROTOCOL_USAGE, "\"%s\": at most %zu", name, max);
        return -1;
    }
    json_array_foreach (array, i, value) {
        if (!json_is_string(value))
            return wrong(name, "an array of texts", answer);
    }
    *out = array;
    return 0;
}
