/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/pages.h"

#include <stdio.h>

#include "base/jsonfile.h"
#include "control/protocol.h"
#include "ctl/table.h"

enum outcome pages_ask(struct ctl *ctl, json_t *request, const char *rows,
                       const char *cursor, int64_t limit, pages_each *each, void *context)
{
    enum outcome outcome = OUTCOME_DONE;
    const json_t *next = NULL;
    json_t *answer;

    do {
        if (limit != -1)
            json_object_set_new(request, "limit",
                                json_integer(limit < PROTOCOL_PAGE_ROWS
                                                 ? (json_int_t)limit
                                                 : PROTOCOL_PAGE_ROWS));
        answer = ctl_ask_page(ctl, json_incref(request), &outcome);
        if (answer == NULL)
            break;
        outcome = each(context, json_object_get(answer, rows));
        if (limit != -1)
            limit -= (int64_t)json_array_size(json_object_get(answer, rows));
        next = json_object_get(answer, cursor);
        if (next != NULL)
            json_object_set(request, cursor, (json_t *)next);
        json_decref(answer);
    } while (next != NULL && outcome == OUTCOME_DONE && limit != 0);
    json_decref(request);
    return outcome;
}

struct printing {
    struct table *table; /* NULL: JSON */
    bool ascii;
    size_t count;
};

static enum outcome print_page(void *context, const json_t *rows)
{
    struct printing *p = context;
    const json_t *row;
    size_t i;

    json_array_foreach (rows, i, row) {
        if (p->table != NULL) {
            if (table_add(p->table, row) != 0)
                return ctl_error(OUTCOME_REFUSED, "no memory");
            continue;
        }
        fputs(p->count++ == 0 ? "\n    " : ",\n    ", stdout);
        json_show(row, stdout, JSON_COMPACT | (p->ascii ? JSON_ENSURE_ASCII : 0));
    }
    if (p->table != NULL && table_print(p->table) != 0)
        return OUTCOME_REFUSED;
    return ferror(stdout) ? OUTCOME_REFUSED : OUTCOME_DONE;
}

enum outcome pages_print(struct ctl *ctl, json_t *request, const char *rows,
                         const char *cursor, int64_t limit,
                         const struct pages_output *output)
{
    struct printing printing = {.ascii = ctl->terminal};
    enum outcome outcome;

    if (ctl->json) {
        printf("{\"%s\": [", output->name);
    } else {
        printing.table = table_new(output->columns, output->column_count, output->chosen,
                                   output->color, ctl->terminal);
        if (printing.table == NULL) {
            json_decref(request);
            return OUTCOME_USAGE;
        }
    }
    outcome = pages_ask(ctl, request, rows, cursor, limit, print_page, &printing);
    if (ctl->json && outcome == OUTCOME_DONE)
        fputs("\n]}\n", stdout);
    table_free(printing.table);
    return outcome;
}
