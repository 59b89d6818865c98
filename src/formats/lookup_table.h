/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FORMATS_LOOKUP_TABLE_H
#define FORMATS_LOOKUP_TABLE_H

/* A lookup table of another program, taken whole, since what a line does depends on the
 * others: a wider one, an exception, one that matches first. Of entries the nearest
 * decides, and there is none that says "go on": so an exception to a network is cut out
 * of it, and a name with an exception below it is refused. What comes out says the same
 * as the table for each subject, or is a bad line. For the files of this folder only. */

#include "formats/format_table.h"

enum lookup_action {
    LOOKUP_BLOCK,
    LOOKUP_TEMPFAIL,
    LOOKUP_ALLOW,
    LOOKUP_HOLE /* nothing is said of it; also of a line that was refused */
};

/* What of a name a line is about. An entry is always both. */
enum lookup_scope { LOOKUP_BOTH, LOOKUP_NAME, LOOKUP_BELOW };

struct lookup_line {
    unsigned long line; /* in the file */
    enum lookup_action action;
    enum lookup_scope scope;
    const char *reason; /* NULL: none. Borrowed for the call */
};

/* How the program reads its table. */
struct lookup_rules {
    bool first_match;  /* the first line that matches decides, not the nearest */
    bool holes_first;  /* of two lines of the same key the exception counts, not the first
                        */
    bool whole_octets; /* an IPv4 exception beats what is within it, up to whole octets */
};

struct lookup_table;

struct lookup_table *lookup_table_new(void); /* NULL: no memory */
void lookup_table_free(struct lookup_table *table);

/* Adds lines in the file's order. 0, or -1: no memory. */
int lookup_table_add(struct lookup_table *table, const struct lookup_line *line,
                     const struct entry *entry);

/* The same of several networks: all of them are one line of the file. Refused by a bad
 * line (and a hole then) where one is wider than may be listed and not all of the line:
 * its pieces would pass where the whole does not. */
int lookup_table_add_networks(struct lookup_table *table, struct format_reader *reader,
                              const struct lookup_line *line,
                              const struct network *networks, size_t count);

/* Hands over what the lines come to, in their order, and empties the table. Returns 0, or
 * -1: no memory. */
int lookup_table_give(struct lookup_table *table, struct format_reader *reader,
                      const struct lookup_rules *rules);

#endif
