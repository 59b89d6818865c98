/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BASE_REPLY_TEMPLATE_H
#define BASE_REPLY_TEMPLATE_H

/* Text templates of the conf file: "%{name}" stands for a value, "%%" for a percent
 * sign. Compiled once, expanded for each reply. Any thread may expand. */

#include <stdbool.h>
#include <stddef.h>

struct reply_template;

/* Compiles text. names is the NULL-terminated table of what may be in braces; it is
 * borrowed and must outlive the template. Returns the template, or NULL with a sentence
 * in error that says what was wrong and what was expected. */
struct reply_template *reply_template_new(const char *text, const char *const *names,
                                          char *error, size_t error_size);

/* NULL is fine. */
void reply_template_free(struct reply_template *t);

/* The text it was compiled from; lives as long as the template. */
const char *reply_template_source(const struct reply_template *t);

/* Expands: values[i] belongs to names[i], NULL counts as empty. What does not fit is
 * left out; returns false then. size is at least 1. */
bool reply_template_expand(const struct reply_template *t, const char *const *values,
                           char *out, size_t size);

#endif
