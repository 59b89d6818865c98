/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CONFIG_PARSE_H
#define CONFIG_PARSE_H

/* The conf file and what it includes, read by libconfuse into its cfg_t, with all values
 * as texts, and the line of each. libconfuse's lexer has global state: from parse_file to
 * parse_free no other thread may use it. Inside of config/ only. */

#include <confuse.h>
#include <stdbool.h>

#include "config/config.h"
#include "config/options.h"

struct mark; /* where a value is */

struct parse {
    cfg_t *cfg;    /* NULL: there was no memory */
    bool closed;   /* a text of config_print: nothing outside of it is read */
    bool complete; /* false: a syntax error ended it, cfg has what precedes it */
    struct report *report;
    const char *path; /* of the main file; borrowed */
    char **files;     /* names of all files; locations point to them */
    size_t file_count;
    const char *file; /* the one being read */
    unsigned depth;   /* of includes */
    bool at_end;      /* the file was read to its end */
    struct mark *marks;
    size_t mark_count, mark_room;
};

/* Reads the file at path with all that it includes, and reports each file that cannot be
 * read and the first syntax error. With text, which path names in messages, that is read
 * instead: it cannot include a file or name a variable of the environment, as a stranger
 * may have written it. parse_free in any case. */
void parse_file(struct parse *parse, const char *path, const char *text,
                struct report *report);

void parse_free(struct parse *parse);

/* Where the value number index of a section's option is in the files; if it does not,
 * where the section begins, as far as known, or else the file. option NULL: the section.
 */
struct location parse_location(const struct parse *parse, cfg_t *section,
                               const char *option, unsigned index);

/* path as seen from the folder of the main file. The caller frees; NULL: no memory. */
char *parse_relative(const struct parse *parse, const char *path);

/* Errors and warnings of a conf file on their way to the caller of config_load. One
 * thread. Inside of config/ only. */

struct location {
    const char *file;
    int line; /* 0: the file as a whole */
};

struct report {
    config_report *report;
    void *context;
    unsigned errors; /* reported so far */
};

/* Reports "FILE:LINE: TEXT". TEXT must say what was expected. */
void report_error(struct report *r, struct location location, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Reports "FILE:LINE: warning: TEXT". */
void report_warning(struct report *r, struct location location, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
