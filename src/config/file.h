/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CONFIG_FILE_H
#define CONFIG_FILE_H

/* A conf file's text, and the key files that it names. Inside of config/ only. */

#include <stddef.h>
#include <sys/stat.h>

#include "config/parse.h"

#define FILE_ERROR_SIZE 256

/* Reads a regular file whole. Returns its text, which the caller frees, or NULL with a
 * sentence in error: it cannot be opened, is a folder, is larger than max or holds a NUL
 * byte. st, unless NULL, gets what fstat said of it. Any thread. */
char *file_text(const char *path, size_t max, struct stat *st,
                char error[static FILE_ERROR_SIZE]);

/* Reads a list's key from a file of its own (key-file), in which it is the only line that
 * is neither empty nor a comment ("#"). Returns the key, which the caller frees, or NULL
 * after an error was reported at the location. A file that anyone but its owner can
 * change, or anyone outside of its group can read, is an error too, but its key is
 * returned, so that the rest of the list can be checked. One thread, as report_error. */
char *file_read_key(const char *path, struct report *report, struct location location);

/* Overwrites the comments in a conf file's text with blanks, because libconfuse 3.3
 * counts three lines for one that ends in a comment, and takes no comment inside of a
 * statement. Line ends stay. Returns 0, or the line in which a string or a comment begins
 * that never ends, with what is missing there in *missing. Any thread. */
int comments_blank(char *text, const char **missing);

#endif
