/* SPDX-License-Identifier: BSD-2-Clause */
#include "tally.h"

#include <inttypes.h>
#include <string.h>

#include "tool.h"

static const char *const outcome_names[OUTCOME_COUNT] = {"continue", "accept", "reject",
                                                         "tempfail"};

void tally_reply(struct tally *tally, const char *reply)
{
    if (tally->reply != NULL || reply == NULL)
        return;
    tally->reply = strdup(reply);
    if (tally->reply == NULL)
        die("out of memory");
}

void tally_print(struct tally *tally, FILE *out)
{
    fputs("\"verdicts\":{", out);
    for (int i = 0; i < OUTCOME_COUNT; i++)
        fprintf(out, "%s\"%s\":%" PRIu64, i > 0 ? "," : "", outcome_names[i],
                tally->outcomes[i]);
    fputs("},\"reply\":", out);
    json_text(tally->reply != NULL ? tally->reply : "", out);
    fputc(',', out);
    samples_print(&tally->session, "session_us", out);
    fputc(',', out);
    samples_print(&tally->verdict, "verdict_us", out);
    fputc(',', out);
    samples_print(&tally->rcpt, "rcpt_us", out);
}
