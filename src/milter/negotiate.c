/* SPDX-License-Identifier: BSD-2-Clause */
/* What is wanted of the MTA: macros, actions, which stages get a reply; what is never read
 * is not sent. */
#include <stdlib.h>

#include "base/log.h"
#include "journal/journal.h"
#include "milter/state.h"

#define NEVER_READ (SMFIP_NOBODY | SMFIP_NOEOH | SMFIP_NOUNKNOWN)

/* A stage at which a lookup starts gets its "continue" at once; one at which nothing does
 * gets no reply. */
static unsigned long silent_stages(const struct policy *policy)
{
    static const struct {
        enum stage stage;
        unsigned long flag;
    } stages[] = {
        {STAGE_CONNECT, SMFIP_NR_CONN},
        {STAGE_HELO, SMFIP_NR_HELO},
        {STAGE_MAIL, SMFIP_NR_MAIL},
        {STAGE_RCPT, SMFIP_NR_RCPT},
    };
    unsigned long flags = SMFIP_NR_HDR;

    for (size_t i = 0; i < sizeof stages / sizeof stages[0]; i++)
        if (!policy_queries_at(policy, stages[i].stage) &&
            !policy_is_due_at(policy, stages[i].stage))
            flags |= stages[i].flag;
    return flags;
}

/* Only what is read. Postfix replaces its main.cf's list of macros for these stages. */
static void request_macros(SMFICTX *ctx)
{
    static const struct {
        int stage;
        const char *macros;
    } wanted[] = {
        {SMFIM_CONNECT, "j {client_name} {client_resolve}"},
        {SMFIM_ENVFROM, "i {auth_authen} {mail_addr}"},
        {SMFIM_ENVRCPT, "i {rcpt_mailer} {rcpt_host} {rcpt_addr}"},
        {SMFIM_EOM, "i"},
    };

    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
        if (smfi_setsymlist(ctx, wanted[i].stage, (char *)wanted[i].macros) != MI_SUCCESS)
            log_debug("milter: the MTA's own list of macros stays for stage %d",
                      wanted[i].stage);
}

static struct connection *connection_new(struct policy *policy)
{
    struct connection *c = calloc(1, sizeof *c);

    if (c == NULL)
        return NULL;
    c->session = session_new(policy, false);
    if (c->session == NULL) {
        free(c);
        return NULL;
    }
    return c;
}

/* Recipients that the MTA itself has refused are wanted for the journal, and for rules. */
static bool wants_refused(const struct policy *policy)
{
    return (policy->journal != NULL && journal_keeps(policy->journal, true)) ||
           (policy->rules != NULL && rules_count(policy->rules));
}

/* What we ask of an MTA that offers these actions and protocol flags. */
static void negotiate(SMFICTX *ctx, unsigned long f0, unsigned long f1,
                      unsigned long *pf0, unsigned long *pf1)
{
    struct policy *policy = policy_slot_get(milter.slot);
    struct connection *c = connection_new(policy);
    unsigned long never = NEVER_READ, actions = SMFIF_SETSYMLIST;
    bool tags = policy->config->verdict.tag > 0;

    /* DATA is of no use to us. But Postfix sends its macros even where it does not send
     * DATA itself, and over TCP its next packet, the end of the message, then waits until
     * they are acknowledged: 40 ms a message, as both Nagle and the delayed ACK have it.
     * An answer to DATA carries the ACK. */
    if (!milter.over_tcp)
        never |= SMFIP_NODATA;
    /* to take out forged headers of our names, and where something checks From: */
    if (!tags && !policy->judges_headers)
        never |= SMFIP_NOHDRS;
    if (tags)
        actions |= SMFIF_ADDHDRS | SMFIF_CHGHDRS;
    if (dnsbl_set_has_allow_list(&policy->lists)) /* Authentication-Results */
        actions |= SMFIF_ADDHDRS;
    *pf0 = actions & f0;
    *pf1 |= never & f1; /* libmilter has put what has no callback here */
    if (c != NULL) {
        c->silent = silent_stages(policy) & f1;
        *pf1 |= c->silent;
        /* A second negotiation on one connection replaces the first. (Without a first
         * one, a close would be taken for a wakeup that came through.) */
        if (smfi_getpriv(ctx) != NULL)
            milter_close(ctx);
        smfi_setpriv(ctx, c);
        if (*pf0 & SMFIF_SETSYMLIST) {
            request_macros(ctx);
            /* the macros tell them apart */
            c->hears_refused = (f1 & SMFIP_RCPT_REJ) != 0 && wants_refused(policy);
            *pf1 |= c->hears_refused ? SMFIP_RCPT_REJ : 0;
        }
    }
    policy_unref(policy);
}

sfsistat milter_negotiate(SMFICTX *ctx, unsigned long f0, unsigned long f1,
                          unsigned long f2, unsigned long f3, unsigned long *pf0,
                          unsigned long *pf1, unsigned long *pf2, unsigned long *pf3)
{
    (void)f2;
    (void)f3;
    *pf0 = *pf2 = *pf3 = 0;
    if (milter_enter()) {
        negotiate(ctx, f0, f1, pf0, pf1);
        milter_leave();
    }
    return SMFIS_CONTINUE;
}
