/* SPDX-License-Identifier: BSD-2-Clause */
/* libmilter's callbacks: fetch the session, add to its envelope, ask for the decision,
 * reply. What decides is in policy/. */

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "milter/state.h"
#include "policy/decision_record.h"
#include "policy/verdict.h"
#include "policy/verdict_log.h"

/* The session, which leave is to be called for; NULL where there is none, and during a
 * stop, when nothing of ours may be touched. */
static struct connection *enter(SMFICTX *ctx)
{
    struct connection *c;

    if (!milter_enter())
        return NULL;
    c = smfi_getpriv(ctx);
    if (c == NULL)
        milter_leave();
    return c;
}

/* Whether this thread of the pool has run a callback before: then it takes what it does
 * from the queue, and was not started for it. */
static _Thread_local bool has_run;

/* What this thread is at, of those that something could hang in. */
static _Thread_local struct progress *under_way;

static void begin(enum stage stage)
{
    under_way = &milter.progress[stage];
    progress_begin(under_way);
}

static void end(void)
{
    if (under_way != NULL)
        progress_end(under_way);
    under_way = NULL;
}

static sfsistat leave(sfsistat status)
{
    end();
    has_run = true;
    milter_leave();
    return status;
}

/* The "continue" of a stage, which is nothing where no reply was negotiated. */
static sfsistat go_on(const struct connection *c, unsigned long silent_flag)
{
    return c->silent & silent_flag ? SMFIS_NOREPLY : SMFIS_CONTINUE;
}

/* The answer of a stage where enter gave no session. What was negotiated may be read, as
 * nobody frees it after a stop. At RCPT and the end what is not judged because of the
 * stop is to come again. */
static sfsistat no_session(SMFICTX *ctx, unsigned long silent_flag, bool is_judged_here)
{
    const struct connection *c = smfi_getpriv(ctx);

    if (c != NULL && c->silent & silent_flag)
        return SMFIS_NOREPLY;
    return is_judged_here && atomic_load(&milter.stopping) ? SMFIS_TEMPFAIL
                                                           : SMFIS_CONTINUE;
}

/* Without memory or descriptors nothing is known, so nothing may be refused with 5xx. The
 * answer at CONNECT ends the MTA's asking for that session. */
static sfsistat turn_away(struct connection *c, const char *why)
{
    static struct log_limit limit;
    unsigned held_back;
    struct policy *policy = policy_slot_get(milter.slot);
    enum on_error on_error = policy->config->milter.on_error;

    policy_unref(policy);
    atomic_fetch_add(&milter.turned_away, 1);
    if (c != NULL)
        c->turned_away = true;
    if (log_limit_pass(&limit, 10000, &held_back))
        log_error("milter: a session is not judged (on-error=%s): %s, held-back=%u",
                  on_error == ON_ERROR_ACCEPT ? "accept" : "tempfail", why, held_back);
    if (c != NULL && c->silent & SMFIP_NR_CONN)
        return SMFIS_NOREPLY;
    return on_error == ON_ERROR_ACCEPT ? SMFIS_ACCEPT : SMFIS_TEMPFAIL;
}

/* What is answered at RCPT and at the end of the message after that. */
static sfsistat turned_away_reply(const struct connection *c, unsigned long silent_flag)
{
    bool accept = c->session->policy->config->milter.on_error == ON_ERROR_ACCEPT;

    if (c->silent & silent_flag)
        return SMFIS_NOREPLY;
    return accept ? SMFIS_CONTINUE : SMFIS_TEMPFAIL;
}

/* A stage without memory goes on: what is not queried does not count. */
static void note_queried(int rc, const char *stage)
{
    static struct log_limit limit;
    unsigned held_back;

    if (rc != 0 && log_limit_pass(&limit, 10000, &held_back))
        log_error("milter: no memory to query the lists at %s, held-back=%u", stage,
                  held_back);
}

static const struct decision *decide(struct connection *c)
{
    struct pool_wait wait = {.wakeup = &milter.wakeup};
    const struct decision *d;

    atomic_fetch_add(&milter.waiting, 1);
    d = session_decide(c->session, pool_wakeup_on_wait, &wait);
    atomic_fetch_sub(&milter.waiting, 1);
    return d;
}

/* Counts a message's verdict, however many recipients it is given for. */
static void account(struct connection *c, const struct decision *d)
{
    const struct envelope *envelope = &c->session->envelope;

    if (c->verdict_counted)
        return;
    c->verdict_counted = true;
    atomic_fetch_add(&milter.verdicts[d->verdict], 1);
    if (d->listed == BLOCKLIST_BLOCK)
        atomic_fetch_add(&milter.blocklisted, 1);
    if (d->listed != BLOCKLIST_NONE && c->session->policy->blocklist != NULL)
        blocklist_hit(c->session->policy->blocklist, &d->match);
    if (d->verdict == VERDICT_ACCEPT && d->listed == BLOCKLIST_NONE)
        session_accepted(c->session);
    /* those that no list decides about are no use to try one on */
    if (envelope->has_client && d->exempt == NULL && d->listed != BLOCKLIST_ALLOW &&
        milter.slot->recent != NULL)
        recent_note(milter.slot->recent, &envelope->client, d->verdict, clock_ms());
}

/* The verdict at a stage before the recipients; an accepting one is not final, so it is
 * not logged. */
static sfsistat early_verdict(SMFICTX *ctx, struct connection *c, enum stage stage,
                              unsigned long silent_flag)
{
    const struct decision *d;

    if (!policy_is_due_at(c->session->policy, stage) ||
        (c->session->listed == BLOCKLIST_NONE &&
         !session_lists_are_due(c->session, stage)))
        return go_on(c, silent_flag);
    d = decide(c);
    if (d->verdict < VERDICT_TEMPFAIL)
        return go_on(c, silent_flag);
    account(c, d);
    verdict_log_write(c->session, NULL, false);
    decision_record_verdict(c->session, stage);
    session_count_refused(c->session);
    return response_refuse(ctx, d);
}

/* The client's name where the MTA says that it leads back to the address: Postfix by
 * {client_name}, sendmail by {client_resolve}. */
static const char *confirmed_name(SMFICTX *ctx)
{
    const char *resolved = smfi_getsymval(ctx, "{client_resolve}");
    const char *name = smfi_getsymval(ctx, "{client_name}");

    if (resolved == NULL && name == NULL)
        atomic_fetch_add(&milter.unnamed, 1);
    if (resolved != NULL && strcmp(resolved, "OK") != 0)
        return NULL;
    if (name == NULL || strcmp(name, "unknown") == 0 || name[0] == '[')
        return NULL;
    return name;
}

sfsistat milter_connect(SMFICTX *ctx, char *hostname, _SOCK_ADDR *addr)
{
    struct connection *c = enter(ctx);
    struct ipaddr client;
    bool known = ipaddr_from_sockaddr((const struct sockaddr *)addr, &client) == 0;

    (void)hostname; /* not confirmed */
    if (c == NULL)  /* out of memory, or the daemon stops */
        return milter_enter() ? leave(turn_away(NULL, "out of memory"))
                              : no_session(ctx, SMFIP_NR_CONN, true);
    begin(STAGE_CONNECT);
    atomic_fetch_add(&milter.connections, 1);
    if (!c->open_counted) {
        c->open_counted = true;
        if (atomic_fetch_add(&milter.open, 1) >= milter.max_open)
            return leave(
                turn_away(c, "too many sessions for the descriptors we may have"));
    }
    note_queried(session_connect(c->session, known ? &client : NULL, confirmed_name(ctx)),
                 "connect");
    return leave(early_verdict(ctx, c, STAGE_CONNECT, SMFIP_NR_CONN));
}

sfsistat milter_helo(SMFICTX *ctx, char *helo)
{
    struct connection *c = enter(ctx);

    if (c == NULL)
        return no_session(ctx, SMFIP_NR_HELO, false);
    begin(STAGE_HELO);
    if (c->turned_away)
        return leave(go_on(c, SMFIP_NR_HELO));
    note_queried(session_helo(c->session, helo), "helo");
    return leave(early_verdict(ctx, c, STAGE_HELO, SMFIP_NR_HELO));
}

/* The message is over, for all that is kept and counted of it. */
static void end_message(struct connection *c, enum message_end how)
{
    decision_record_end(c->session, how);
    session_count_end(c->session, how == END_MESSAGE);
}

/* What is of one message only; libmilter may leave abort out (docs/design.md). */
static void begin_message(struct connection *c)
{
    c->forged[FORGED_SCORE] = c->forged[FORGED_LISTS] = 0;
    c->recipient_exempt = false;
    c->accept_logged = false;
    c->verdict_counted = false;
}

/* The sender as the MTA has read it: clients may write one address in many ways, with
 * spaces and comments, as host!user or user%host. Where one of the two has no domain it
 * is the MTA's own. */
static const char *sender_read(SMFICTX *ctx, const char *argument)
{
    const char *read = smfi_getsymval(ctx, "{mail_addr}");
    bool whole =
        read != NULL && strchr(read, '@') != NULL && strpbrk(argument, "@!%") != NULL;

    return whole ? read : argument;
}

sfsistat milter_mail(SMFICTX *ctx, char **argv)
{
    struct connection *c = enter(ctx);

    if (c == NULL)
        return no_session(ctx, SMFIP_NR_MAIL, false);
    begin(STAGE_MAIL);
    if (c->turned_away)
        return leave(go_on(c, SMFIP_NR_MAIL));
    end_message(c, END_ABORTED);
    begin_message(c);
    atomic_fetch_add(&milter.messages, 1);
    note_queried(session_mail(c->session, sender_read(ctx, argv[0]),
                              smfi_getsymval(ctx, "{auth_authen}")),
                 "mail");
    return leave(early_verdict(ctx, c, STAGE_MAIL, SMFIP_NR_MAIL));
}

static void take_queue_id(SMFICTX *ctx, struct connection *c)
{
    const char *id = smfi_getsymval(ctx, "i");
    char *known = c->session->envelope.queue_id;

    if (id != NULL && !text_copy(id, known, QUEUE_ID_SIZE))
        known[0] = '\0';
}

static void log_accept(struct connection *c, const char *recipient)
{
    if (c->accept_logged)
        return;
    c->accept_logged = true;
    if (!c->session->policy->judges_headers) /* else they may still change it */
        account(c, &c->session->decision);
    verdict_log_write(c->session, recipient, false);
}

/* Whether the MTA has refused the recipient itself: it says so for the journal, and what
 * we answer counts for nothing. */
static bool is_refused_by_mta(SMFICTX *ctx, const struct connection *c)
{
    const char *mailer = c->hears_refused ? smfi_getsymval(ctx, "{rcpt_mailer}") : NULL;

    return mailer != NULL && strcmp(mailer, "error") == 0;
}

/* detail: its x.y.z (RFC 3463). */
static void note_refused_by_mta(SMFICTX *ctx, struct connection *c, const char *recipient)
{
    const char *status = smfi_getsymval(ctx, "{rcpt_host}");
    bool known = status != NULL && strspn(status, "0123456789.") == strlen(status);

    decision_record_recipient(c->session, recipient, RECIPIENT_BY_MTA,
                              known ? status : "");
    session_count_refused_by_mta(c->session, recipient, status,
                                 smfi_getsymval(ctx, "{rcpt_addr}"));
}

static void note_accepted(SMFICTX *ctx, struct connection *c, const char *recipient)
{
    decision_record_recipient(c->session, recipient, RECIPIENT_ACCEPTED, "");
    if (session_is_counted(c->session))
        session_count_accepted(c->session, recipient,
                               smfi_getsymval(ctx, "{rcpt_mailer}"));
}

sfsistat milter_rcpt(SMFICTX *ctx, char **argv)
{
    struct connection *c = enter(ctx);
    const struct decision *d;

    if (c == NULL)
        return no_session(ctx, SMFIP_NR_RCPT, true);
    begin(STAGE_RCPT);
    if (c->turned_away)
        return leave(turned_away_reply(c, SMFIP_NR_RCPT));
    if (is_refused_by_mta(ctx, c)) {
        note_refused_by_mta(ctx, c, argv[0]);
        return leave(go_on(c, SMFIP_NR_RCPT));
    }
    take_queue_id(ctx, c);
    if (exempt_recipient(c->session->policy->config, argv[0])) {
        c->recipient_exempt = true;
        verdict_log_write(c->session, argv[0], true);
        if (c->session->decided) /* before RCPT, perhaps: it is kept all the same */
            decision_record_verdict(c->session, STAGE_RCPT);
        decision_record_recipient(c->session, argv[0], RECIPIENT_EXEMPT, "");
        return leave(go_on(c, SMFIP_NR_RCPT));
    }
    if (!policy_is_due_at(c->session->policy, STAGE_RCPT)) {
        note_accepted(ctx, c, argv[0]);
        return leave(go_on(c, SMFIP_NR_RCPT));
    }
    if (session_recheck(c->session))
        c->verdict_counted = c->accept_logged = false;
    d = decide(c);
    decision_record_verdict(c->session, STAGE_RCPT);
    if (d->verdict < VERDICT_TEMPFAIL) {
        log_accept(c, argv[0]);
        note_accepted(ctx, c, argv[0]);
        return leave(go_on(c, SMFIP_NR_RCPT));
    }
    account(c, d);
    verdict_log_write(c->session, argv[0], false);
    decision_record_recipient(c->session, argv[0], RECIPIENT_REFUSED, "");
    session_count_refused(c->session);
    return leave(response_refuse(ctx, d));
}

/* See negotiate in negotiate.c. */
sfsistat milter_data(SMFICTX *ctx)
{
    (void)ctx;
    return SMFIS_CONTINUE;
}

sfsistat milter_header(SMFICTX *ctx, char *name, char *value)
{
    struct connection *c = enter(ctx);

    if (c == NULL)
        return no_session(ctx, SMFIP_NR_HDR, false);
    session_header(c->session, name, value);
    for (int k = 0; k < 2 && c->session->policy->config->verdict.tag > 0; k++)
        if (strcasecmp(name, forged_names[k]) == 0)
            c->forged[k]++;
    return leave(go_on(c, SMFIP_NR_HDR));
}

sfsistat milter_eom(SMFICTX *ctx)
{
    struct connection *c = enter(ctx);
    struct pool_wait wait = {.wakeup = &milter.wakeup};
    const struct policy *policy;
    const struct decision *d;

    if (c == NULL)
        return no_session(ctx, 0, true);
    policy = c->session->policy;
    begin(STAGE_EOM);
    if (c->turned_away)
        return leave(turned_away_reply(c, 0));
    take_queue_id(ctx, c);
    if (policy->config->milter.reject_at == STAGE_EOM || policy->judges_headers) {
        note_queried(session_headers_end(c->session), "the end of the headers");
        d = decide(c);
        decision_record_verdict(c->session, STAGE_EOM);
        /* one reply for all recipients: an exempt one among them saves the message */
        if (d->verdict >= VERDICT_TEMPFAIL && !c->recipient_exempt) {
            account(c, d);
            verdict_log_write(c->session, NULL, false);
            session_count_refused(c->session);
            end_message(c, END_REFUSED);
            return leave(response_refuse(ctx, d));
        }
        log_accept(c, NULL);
        account(c, d);
    }
    /* only where a header of ours may come of it */
    if (c->session->decided && c->session->decision.exempt == NULL)
        session_await_allow_lists(c->session, pool_wakeup_on_wait, &wait);
    end(); /* what now waits, waits for the MTA to read */
    response_headers(ctx, c);
    end_message(c, END_MESSAGE);
    return leave(SMFIS_CONTINUE);
}

sfsistat milter_abort(SMFICTX *ctx)
{
    struct connection *c = enter(ctx);

    if (c == NULL)
        return SMFIS_CONTINUE;
    end_message(c, END_ABORTED);
    begin_message(c);
    return leave(SMFIS_CONTINUE);
}

/* May be called with the pool's lock held, so it must not block; may come twice, and for
 * a connection that never said anything. */
sfsistat milter_close(SMFICTX *ctx)
{
    struct connection *c = smfi_getpriv(ctx);

    if (c == NULL) {
        pool_wakeup_arrived(&milter.wakeup, has_run);
        has_run = true;
        return SMFIS_CONTINUE;
    }
    /* during a stop, too: nobody else has it, and what it uses outlives the stop */
    smfi_setpriv(ctx, NULL);
    if (c->open_counted)
        atomic_fetch_sub(&milter.open, 1);
    end_message(c, END_CONNECTION);
    session_free(c->session);
    free(c);
    has_run = true;
    return SMFIS_CONTINUE;
}
