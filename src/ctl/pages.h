/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CTL_PAGES_H
#define CTL_PAGES_H

/* Long answers, page by page. */

#include "ctl/ctl.h"

/* What is done with a page. Returns DONE to go on. */
typedef enum outcome pages_each(void *context, const json_t *rows);

/* Asks with request (whose reference it takes) until there is no more or limit rows were
 * given (-1: no limit): rows is the name of the answer's array, cursor that of the member
 * that is handed back to get the next page. */
enum outcome pages_ask(struct ctl *ctl, json_t *request, const char *rows,
                       const char *cursor, int64_t limit, pages_each *each,
                       void *context);

/* How the pages of a command are printed: a table, or one JSON document. */
struct column;
struct pages_output {
    const char *name; /* of the JSON document's array */
    const struct column *columns;
    size_t column_count;
    const char *chosen; /* columns of the table: see table.h */
    const char *(*color)(const json_t *row);
};

/* As pages_ask, and prints them. */
enum outcome pages_print(struct ctl *ctl, json_t *request, const char *rows,
                         const char *cursor, int64_t limit,
                         const struct pages_output *output);

#endif
