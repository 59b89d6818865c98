/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_CONFIG_HELPER_H
#define TESTS_CONFIG_HELPER_H

/* Conf files in a folder of the test's own, and what was told of them. Everything here
 * fails the test that goes wrong. */

#include <sys/types.h>

#include "config/config.h"

#define TOLD_SIZE 16384

/* All lines that were told, with the folder's name left out. */
struct told {
    char text[TOLD_SIZE];
};

/* A config_report whose context is a struct told. */
void config_tell(void *context, const char *text);

/* The folder, with key files and files to include: for cmocka_run_group_tests. */
int set_up_folder(void **state);
int tear_down_folder(void **state);

/* The path of a file in it; good until the next call. */
const char *path_of(const char *name);
void write_file(const char *name, const char *text, mode_t mode);

/* Loads text as main.conf; told begins empty. */
struct config *load(const char *text, struct told *told);

/* The same of what must be taken without a word. */
struct config *load_good(const char *text);

/* Reads a text that names no file, without a folder; warnings are no matter. */
struct config *config_of(const char *text);

#endif
