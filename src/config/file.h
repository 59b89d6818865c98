/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CONFIG_FILE_H
#define CONFIG_FILE_H

#include <stddef.h>
#include <sys/stat.h>

#define FILE_ERROR_SIZE 256

/* Reads a regular file whole. Returns its text, which the caller frees, or NULL with a
 * sentence in error: it cannot be opened, is a folder, is larger than max or holds a NUL
 * byte. st, unless NULL, gets what fstat said of it. Any thread. */
char *file_text(const char *path, size_t max, struct stat *st,
                char error[static FILE_ERROR_SIZE]);

/* Overwrites the comments in a conf file's text with blanks, because libconfuse 3.3
 * counts three lines for one that ends in a comment, and takes no comment inside of a
 * statement. Line ends stay. Returns 0, or the line in which a string or a comment begins
 * that never ends, with what is missing there in *missing. Any thread. */
int comments_blank(char *text, const char **missing);

#endif
