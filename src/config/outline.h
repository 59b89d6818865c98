#ifndef CONFIG_OUTLINE_H
#define CONFIG_OUTLINE_H

/* The outline of the conf files: where each section, option and value stands, and all
 * mistakes of structure. It reads ahead of libconfuse, which ends at the first mistake,
 * keeps no places, and takes a file that ends inside of a section. One thread. */

#include <stdbool.h>

#include "config/options.h"
#include "config/report.h"

struct outline;

struct outline *outline_new(void); /* NULL: out of memory */
void outline_free(struct outline *outline);

/* Reads the text of file (both borrowed; file must outlive the outline), notes all
 * places and tells all mistakes of structure: unknown names, signs missing or too many,
 * a section that has no end, two lists of one title. What it told of is overwritten with
 * blanks, so that libconfuse reads on behind it. Returns 0, or -1: out of memory. */
int outline_read(struct outline *outline, struct report *report, const char *file,
                 char *text);

/* The place of something named by its path, parts joined with OUTLINE_JOIN: a section's
 * name, its title, an option's name, the number of a value in a list: "list", "zen",
 * "codes", "127.0.0.2", "weight". The last one, if it was written several times. False
 * if it was not written. */
#define OUTLINE_JOIN "\n"
bool outline_find(const struct outline *outline, const char *path, struct place *out);

/* Notes a place; path becomes the outline's. NULL says that there was no memory for it:
 * the outline is not whole any more. */
void outline_add(struct outline *outline, char *path, struct place place);
bool outline_is_whole(const struct outline *outline);

/* Joins two parts of a path; parent NULL: the file. The caller frees; NULL: no memory. */
char *outline_join(const char *parent, const char *part);

#endif
