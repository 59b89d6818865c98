/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CONFIG_VALUES_H
#define CONFIG_VALUES_H

/* The code of each kind of option: from text into its field, back to text, and freed.
 * Inside of config/ only. */

#include <stddef.h>
#include <stdio.h>

#include "config/config.h"
#include "config/options.h"

#define EXPECTED_SIZE 512

/* An option's field, and its count, in the struct of its section. */
#define FIELD(type, option, base) ((type *)(void *)((char *)(base) + (option)->field))
#define COUNT(option, base)       ((size_t *)(void *)((char *)(base) + (option)->count))
#define CONST_FIELD(type, option, base)                                                  \
    ((const type *)(const void *)((const char *)(base) + (option)->field))
#define CONST_COUNT(option, base)                                                        \
    (*(const size_t *)(const void *)((const char *)(base) + (option)->count))

/* Reads one value into option's field of base; a list's value is added to the ones that
 * are there. Returns 0, or -1 with what was expected ("a time span such as …") in
 * expected, base as it was. */
int value_read(const struct option *option, const char *text, void *base,
               char expected[static EXPECTED_SIZE]);

/* Writes the field as the conf file would, in quotes or braces. KIND_NAMES is the
 * caller's. */
void value_write(const struct option *option, const void *base, FILE *out);

/* Writes text in quotes, so that libconfuse reads it back. */
void value_write_text(const char *text, FILE *out);

void exempt_addresses_free(struct exempt_address *addresses, size_t count);

/* Frees what the field owns; it is as empty as zeroed memory then. */
void value_free(const struct option *option, void *base);

#endif
