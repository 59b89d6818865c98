/* SPDX-License-Identifier: BSD-2-Clause */
#include "control/protocol.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

static const char *const error_names[PROTOCOL_ERROR_COUNT] = {
    [PROTOCOL_USAGE] = "usage",     [PROTOCOL_DENIED] = "denied",
    [PROTOCOL_REFUSED] = "refused", [PROTOCOL_BUSY] = "busy",
    [PROTOCOL_FAILED] = "failed",   [PROTOCOL_NO_ENTRY] = "no-entry",
};

const char *protocol_error_name(enum protocol_error error)
{
    return error_names[error];
}

int protocol_error_parse(const char *name, enum protocol_error *out)
{
    for (int i = 0; i < PROTOCOL_ERROR_COUNT; i++)
        if (strcmp(name, error_names[i]) == 0) {
            *out = (enum protocol_error)i;
            return 0;
        }
    return -1;
}

json_t *protocol_error_answer(enum protocol_error error, const char *format, ...)
{
    char text[1024];
    va_list args;

    va_start(args, format);
    text_sentence_of(text, sizeof text, format, args);
    va_end(args);
    return json_pack("{s:b, s:s, s:o}", "ok", 0, "error", protocol_error_name(error),
                     "text", protocol_text(text));
}

json_t *protocol_text(const char *text)
{
    json_t *value = json_string(text);
    char *ascii;

    if (value != NULL)
        return value;
    ascii = strdup(text);
    if (ascii == NULL)
        return NULL;
    for (char *p = ascii; *p != '\0'; p++)
        if ((unsigned char)*p >= 0x80)
            *p = '?';
    value = json_string(ascii);
    free(ascii);
    return value;
}

static void spoil(json_t **built)
{
    json_decref(*built);
    *built = NULL;
}

void protocol_set(json_t **object, const char *name, json_t *value)
{
    if (json_object_set_new(*object, name, value) != 0)
        spoil(object);
}

void protocol_append(json_t **array, json_t *value)
{
    if (json_array_append_new(*array, value) != 0)
        spoil(array);
}

json_t *protocol_read(const char *line, size_t length, char *error, size_t error_size)
{
    json_error_t where;
    json_t *message = json_loadb(line, length, JSON_REJECT_DUPLICATES, &where);

    if (message == NULL) {
        snprintf(error, error_size, "not a JSON object at character %d: %s",
                 where.position, where.text);
        return NULL;
    }
    if (!json_is_object(message)) {
        json_decref(message);
        snprintf(error, error_size, "expected a JSON object");
        return NULL;
    }
    return message;
}

char *protocol_write(const json_t *message, size_t *length)
{
    char *text = json_dumps(message, JSON_COMPACT);
    char *line;

    if (text == NULL)
        return NULL;
    *length = strlen(text);
    line = realloc(text, *length + 2);
    if (line == NULL) {
        free(text);
        return NULL;
    }
    memcpy(line + *length, "\n", 2);
    *length += 1;
    return line;
}

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
