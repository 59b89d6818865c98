/* SPDX-License-Identifier: BSD-2-Clause */
/* log: the audit trail. */

#include "ctl/commands.h"

#include "ctl/columns.h"
#include "ctl/pages.h"

enum outcome ctl_log(struct ctl *ctl, const struct arguments *arguments)
{
    struct pages_output output = {"events", event_columns, event_column_count,
                                  arguments->option[OPTION_OUTPUT], NULL};
    int64_t since_s, limit;
    json_t *request;

    if (arguments_span(arguments, OPTION_SINCE, &since_s) != 0 ||
        arguments_number(arguments, OPTION_LIMIT, &limit) != 0)
        return OUTCOME_USAGE;
    request = ctl_request("log");
    if (arguments->word_count > 0)
        ctl_set_text(&request, "pattern", arguments->words[0]);
    ctl_set_number(&request, "since_s", since_s);
    return pages_print(ctl, request, "events", "before_id", limit, &output);
}
