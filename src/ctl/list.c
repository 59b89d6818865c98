/* SPDX-License-Identifier: BSD-2-Clause */
/* list. */

#include "ctl/commands.h"

#include <string.h>

#include "ctl/columns.h"
#include "ctl/pages.h"

/* "--kind address,user" -> ["address","user"] */
static json_t *kinds_value(const char *text)
{
    json_t *kinds = json_array();

    for (;;) {
        size_t length = strcspn(text, ",");

        json_array_append_new(kinds, json_stringn(text, length));
        if (text[length] == '\0')
            return kinds;
        text += length + 1;
    }
}

enum outcome ctl_list(struct ctl *ctl, const struct arguments *arguments)
{
    struct pages_output output = {"entries", entry_columns, entry_column_count,
                                  arguments->option[OPTION_OUTPUT], entry_color};
    int64_t since_s, expiring_s, limit;
    json_t *request;

    if (arguments_span(arguments, OPTION_SINCE, &since_s) != 0 ||
        arguments_span(arguments, OPTION_EXPIRING, &expiring_s) != 0 ||
        arguments_number(arguments, OPTION_LIMIT, &limit) != 0)
        return OUTCOME_USAGE;
    request = ctl_request("list");
    if (arguments->word_count > 0)
        ctl_set_text(&request, "pattern", arguments->words[0]);
    if (arguments->option[OPTION_KIND] != NULL)
        json_object_set_new(request, "kinds",
                            kinds_value(arguments->option[OPTION_KIND]));
    ctl_set_text(&request, "source", arguments->option[OPTION_SOURCE]);
    ctl_set_text(&request, "reason", arguments->option[OPTION_REASON]);
    ctl_set_text(&request, "sort", arguments->option[OPTION_SORT]);
    ctl_set_number(&request, "since_s", since_s);
    ctl_set_number(&request, "expiring_s", expiring_s);
    return pages_print(ctl, request, "rows", "cursor", limit, &output);
}
