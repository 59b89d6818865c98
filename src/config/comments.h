/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CONFIG_COMMENTS_H
#define CONFIG_COMMENTS_H

/* Overwrites the comments in a conf file's text with blanks, because libconfuse 3.3
 * counts three lines for one that ends in a comment, and takes no comment inside of a
 * statement. Line ends stay. Returns 0, or the line in which a string or a comment begins
 * that never ends, with what is missing there in *missing. Any thread. */
int comments_blank(char *text, const char **missing);

#endif
