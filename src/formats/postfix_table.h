/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FORMATS_POSTFIX_TABLE_H
#define FORMATS_POSTFIX_TABLE_H

/* What postfix.c and postfix_cidr.c share. */

#include "formats/lookup_table.h"

/* A line "key action text" taken apart in its place, with what the action does. It has a
 * bad line, and is a hole, where an entry cannot do it. */
struct postfix_rule {
    char *key;
    bool empty; /* no action: Postfix passes over the line */
    struct lookup_line line;
};

void postfix_rule_read(struct format_reader *reader, const struct logical_line *line,
                       char *key, char *rest, struct postfix_rule *out);

/* Takes all lines of a cidr: table. */
void postfix_cidr_read(struct format_reader *reader);

#endif
