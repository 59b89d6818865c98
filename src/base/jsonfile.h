/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BASE_JSONFILE_H
#define BASE_JSONFILE_H

/* A JSON file that is replaced as a whole, and JSON for people. Any thread, for different
 * files. */

#include <jansson.h>
#include <stdio.h>

/* Writes root beside the file, makes sure of it, and renames it into place, so that the
 * old text or the new one is there, also after a crash. Returns 0, or -1 (errno). */
int json_file_replace(const char *path, const json_t *root);

/* Writes it as json_dumpf does; where there is a character in it that cannot be seen
 * (utf8_is_hidden), all beyond ASCII is escaped. Returns 0 or -1. */
int json_show(const json_t *value, FILE *out, size_t flags);

#endif
