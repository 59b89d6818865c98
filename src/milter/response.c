/* SPDX-License-Identifier: BSD-2-Clause */
/* Hands a decision to libmilter: the codes and the text of a refusal, and headers. */

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "milter/state.h"
#include "policy/reply.h"
#include "policy/verdict_log.h"

const char *const forged_names[2] = {"X-RBL-Score", "X-RBL-Lists"};

/* smfi_setreply takes no more (MAXREPLYLEN), with the end. */
#define SETREPLY_SIZE 981

/* The MTA looks for each header that is to go from the first one on: with thousands it
 * would be busy for hours. Nobody but whoever wants that sends so many. */
#define FORGED_MAX 100

/* Doubles every "%": Postfix takes one of a pair away, sendmail drops the whole text for
 * a single one. Those that there is no room for are left out: the id is at the end. */
static void double_percent(const char *text, char out[static SETREPLY_SIZE])
{
    size_t room = SETREPLY_SIZE - 1 - strlen(text), used = 0;

    _Static_assert(REPLY_TEXT_SIZE <= SETREPLY_SIZE, "any text fits");
    for (; *text != '\0'; text++) {
        if (*text == '%') {
            if (room == 0)
                continue;
            room--;
            out[used++] = '%';
        }
        out[used++] = *text;
    }
    out[used] = '\0';
}

sfsistat response_refuse(SMFICTX *ctx, const struct decision *decision)
{
    struct reply_code reply = reply_code_of(decision->verdict);
    char text[SETREPLY_SIZE];

    double_percent(decision->reply, text);
    if (smfi_setreply(ctx, (char *)reply.code, (char *)reply.enhanced, text) !=
        MI_SUCCESS)
        log_warning("milter: the reply's text was not taken: %s", decision->reply);
    return decision->verdict == VERDICT_REJECT ? SMFIS_REJECT : SMFIS_TEMPFAIL;
}

static void add_header(SMFICTX *ctx, const char *name, const char *value, bool first)
{
    int rc = first ? smfi_insheader(ctx, 0, (char *)name, (char *)value)
                   : smfi_addheader(ctx, (char *)name, (char *)value);

    if (rc != MI_SUCCESS)
        log_warning("milter: header %s was not added", name);
}

/* From the last to the first, as Postfix renumbers those behind each that goes (sendmail
 * does not). What is beyond the bound stays, before our own. */
static void remove_forged(SMFICTX *ctx, const char *name, unsigned count)
{
    if (count > FORGED_MAX) {
        log_notice("milter: a message with %u headers %s: the first %d are removed",
                   count, name, FORGED_MAX);
        count = FORGED_MAX;
    }
    for (unsigned i = count; i > 0; i--)
        if (smfi_chgheader(ctx, (char *)name, (int)i, NULL) != MI_SUCCESS)
            log_warning("milter: a forged header %s was not removed", name);
}

void response_headers(SMFICTX *ctx, const struct connection *connection)
{
    const struct session *session = connection->session;
    const char *host = smfi_getsymval(ctx, "j");
    char text[VERDICT_LISTS_SIZE], score[64], id[JOURNAL_ID_SIZE] = "";

    for (int k = 0; k < 2; k++)
        remove_forged(ctx, forged_names[k], connection->forged[k]);
    if (!session->decided)
        return;
    if (verdict_log_dnswl(session, host != NULL ? host : "localhost", text))
        add_header(ctx, "Authentication-Results", text, true);
    if (session->policy->config->verdict.tag == 0 ||
        session->decision.verdict == VERDICT_ACCEPT ||
        session->decision.listed != BLOCKLIST_NONE)
        return;
    if (session->id != 0)
        journal_id_text(session->id, id);
    snprintf(score, sizeof score, "%d/%d%s%s", session->decision.score,
             session->policy->config->verdict.reject, id[0] != '\0' ? "; id=" : "", id);
    verdict_log_lists(session, ", ", text);
    add_header(ctx, forged_names[FORGED_SCORE], score, false);
    add_header(ctx, forged_names[FORGED_LISTS], text, false);
}
