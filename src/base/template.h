#ifndef BASE_TEMPLATE_H
#define BASE_TEMPLATE_H

/* Text templates of the conf file: "%{name}" stands for a value, "%%" for a percent
 * sign. Compiled once, expanded for each reply. Any thread may expand. */

#include <stdbool.h>
#include <stddef.h>

struct template;

/* Compiles text. names is the NULL-terminated table of what may stand in braces; it is
 * borrowed and must outlive the template. Returns the template, or NULL with a sentence
 * in error that says what was wrong and what was expected. */
struct template *template_new(const char *text, const char *const *names, char *error,
                              size_t error_size);

/* NULL is fine. */
void template_free(struct template *t);

/* The text it was compiled from; lives as long as the template. */
const char *template_source(const struct template *t);

/* Whether names[index] is used in it. */
bool template_uses(const struct template *t, size_t index);

/* Expands: values[i] belongs to names[i], NULL counts as empty. What does not fit is
 * left out; returns false then. size is at least 1. */
bool template_expand(const struct template *t, const char *const *values, char *out,
                     size_t size);

#endif
