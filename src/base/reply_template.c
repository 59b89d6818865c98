/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/reply_template.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define LITERAL SIZE_MAX

/* A piece is a run of literal text, or a variable. */
struct piece {
    size_t variable;      /* index into names, or LITERAL */
    size_t start, length; /* of a literal, in source */
};

struct reply_template {
    char *source;
    struct piece *pieces;
    size_t count;
};

static void add_piece(struct reply_template *t, size_t variable, size_t start,
                      size_t length)
{
    if (variable == LITERAL && length == 0)
        return;
    t->pieces[t->count++] = (struct piece){variable, start, length};
}

/* Reads the variable at source[at], which is "%{". Returns the length of all of it,
 * with its index in *variable, or 0 with error set. */
static size_t read_variable(const struct reply_template *t, size_t at,
                            const char *const *names, size_t *variable, char *error,
                            size_t error_size)
{
    const char *name = t->source + at + 2;
    const char *end = strchr(name, '}');
    char known[512];
    struct buffer expected = buffer_over(known, sizeof known);

    if (end == NULL) {
        snprintf(error, error_size, "\"%%{\" without \"}\"");
        return 0;
    }
    size_t length = (size_t)(end - name);
    for (size_t i = 0; names[i] != NULL; i++) {
        if (strlen(names[i]) == length && memcmp(names[i], name, length) == 0) {
            *variable = i;
            return length + 3;
        }
    }
    for (size_t i = 0; names[i] != NULL; i++)
        buffer_add(&expected, "%s%%{%s}", i > 0 ? ", " : "", names[i]);
    snprintf(error, error_size, "unknown \"%%{%.*s}\", expected one of %s",
             (int)(length < 64 ? length : 64), name, known);
    return 0;
}

static int compile(struct reply_template *t, const char *const *names, char *error,
                   size_t error_size)
{
    size_t literal = 0, i = 0, variable;

    while (t->source[i] != '\0') {
        if (t->source[i] != '%') {
            i++;
            continue;
        }
        add_piece(t, LITERAL, literal, i - literal);
        if (t->source[i + 1] == '%') {
            add_piece(t, LITERAL, i, 1);
            i += 2;
        } else if (t->source[i + 1] == '{') {
            size_t length = read_variable(t, i, names, &variable, error, error_size);

            if (length == 0)
                return -1;
            add_piece(t, variable, 0, 0);
            i += length;
        } else {
            snprintf(
                error, error_size,
                "a single \"%%\", expected \"%%{name}\", or \"%%%%\" for a percent sign");
            return -1;
        }
        literal = i;
    }
    add_piece(t, LITERAL, literal, i - literal);
    return 0;
}

struct reply_template *reply_template_new(const char *text, const char *const *names,
                                          char *error, size_t error_size)
{
    struct reply_template *t = calloc(1, sizeof *t);
    size_t length = strlen(text);

    if (t != NULL) {
        t->source = strdup(text);
        t->pieces =
            calloc(length + 1, sizeof *t->pieces); /* a piece is a character at least */
    }
    if (t == NULL || t->source == NULL || t->pieces == NULL) {
        snprintf(error, error_size, "out of memory");
        goto fail;
    }
    if (compile(t, names, error, error_size) != 0)
        goto fail;
    return t;
fail:
    reply_template_free(t);
    return NULL;
}

void reply_template_free(struct reply_template *t)
{
    if (t == NULL)
        return;
    free(t->source);
    free(t->pieces);
    free(t);
}

const char *reply_template_source(const struct reply_template *t)
{
    return t->source;
}

bool reply_template_expand(const struct reply_template *t, const char *const *values,
                           char *out, size_t size)
{
    size_t used = 0;

    for (size_t i = 0; i < t->count; i++) {
        const struct piece *p = &t->pieces[i];
        bool literal = p->variable == LITERAL;
        const char *text = literal ? t->source + p->start : values[p->variable];
        size_t length = literal ? p->length : (text != NULL ? strlen(text) : 0);
        size_t room = size - 1 - used;

        if (length > 0)
            memcpy(out + used, text, length < room ? length : room);
        used += length < room ? length : room;
        if (length > room) {
            out[used] = '\0';
            return false;
        }
    }
    out[used] = '\0';
    return true;
}
