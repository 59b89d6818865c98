#ifndef CONFIG_PARSE_H
#define CONFIG_PARSE_H

/* The conf file and what it includes, read through libconfuse into its cfg_t, with all
 * options as texts, and the outline that says where they stand. Inside of config/ only;
 * one at a time (libconfuse's lexer has global state). */

#include <confuse.h>

#include "config/options.h"
#include "config/outline.h"
#include "config/report.h"

struct parse {
    cfg_t *cfg;
    struct outline *outline;
    struct report *report;
    const char *path; /* of the main file; borrowed */
    char **files;     /* names of all files; places point to them */
    size_t file_count;
    const char *file; /* the one being read */
    unsigned depth;   /* of includes */
};

/* Reads the file at path with all that it includes and tells what libconfuse or the
 * outline find. Returns 0 when there is a cfg to look at, also after mistakes, else -1
 * (told). parse_free in any case. */
int parse_file(struct parse *parse, const char *path, struct report *report);
void parse_free(struct parse *parse);

/* Where the option of a section (its path; NULL: the file itself) was written: its value
 * number index, if known, else the option, else the section, else the file. */
struct place parse_place(const struct parse *parse, const char *section,
                         const char *option, unsigned index);

/* path as seen from the folder of the main file. The caller frees; NULL: no memory. */
char *parse_relative(const struct parse *parse, const char *path);

#endif
