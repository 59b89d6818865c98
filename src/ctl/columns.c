/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/columns.h"

#include <string.h>

const struct column entry_columns[] = {
    {"entry", "ENTRY", COLUMN_TEXT},   {"action", "ACTION", COLUMN_TEXT},
    {"source", "SOURCE", COLUMN_TEXT}, {"since", "SINCE", COLUMN_TIME},
    {"expires", "ENDS", COLUMN_TIME},  {"hits", "HITS", COLUMN_NUMBER},
    {"reason", "REASON", COLUMN_TEXT}, {"kind", NULL, COLUMN_TEXT},
    {"who", NULL, COLUMN_TEXT},        {"last_hit", NULL, COLUMN_TIME},
};
const size_t entry_column_count = sizeof entry_columns / sizeof entry_columns[0];

const char *entry_color(const json_t *row)
{
    const char *action = json_string_value(json_object_get(row, "action"));

    return action != NULL && strcmp(action, "allow") == 0 ? "green" : "red";
}

const struct column event_columns[] = {
    {"at", "WHEN", COLUMN_TIME},       {"who", "WHO", COLUMN_TEXT},
    {"change", "CHANGE", COLUMN_TEXT}, {"entry", "ENTRY", COLUMN_TEXT},
    {"action", "ACTION", COLUMN_TEXT}, {"source", "SOURCE", COLUMN_TEXT},
    {"reason", "REASON", COLUMN_TEXT}, {"uid", NULL, COLUMN_NUMBER},
    {"before", NULL, COLUMN_TEXT},     {"after", NULL, COLUMN_TEXT},
};
const size_t event_column_count = sizeof event_columns / sizeof event_columns[0];
