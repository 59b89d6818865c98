#include "policy/session.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "policy/exempt.h"
#include "policy/reply.h"

#define ALLOW_LISTS_MS 500

struct session *session_new(struct policy *policy)
{
    struct session *session = calloc(1, sizeof *session);

    if (session == NULL)
        return NULL;
    session->inquiry = inquiry_new(policy);
    if (session->inquiry == NULL) {
        free(session);
        return NULL;
    }
    session->policy = policy_ref(policy);
    return session;
}

void session_free(struct session *session)
{
    if (session == NULL)
        return;
    inquiry_free(session->inquiry);
    policy_unref(session->policy);
    free(session);
}

/* Asks the sender blocklist about all that is known. */
static void ask_blocklist(struct session *session)
{
    const struct facts *f = &session->facts;
    struct blocklist_subjects subjects = {
        .client = f->has_client ? &f->client : NULL,
        .client_name = f->client_name,
        .helo = f->helo,
        .sender = f->has_sender ? &f->sender : NULL,
        .login = f->login,
    };

    session->listed = BLOCKLIST_NONE;
    if (session->policy->blocklist != NULL)
        session->listed =
            blocklist_ask(session->policy->blocklist, &subjects, &session->match);
}

/* New facts are there: asks the blocklist, and, where it has not decided and nothing
 * exempts, the lists. */
static int ask_lists(struct session *session, enum stage stage)
{
    session->decided = false;
    ask_blocklist(session);
    if (session->listed != BLOCKLIST_NONE ||
        exempt_reason(session->policy->config, &session->facts) != NULL)
        return 0;
    return inquiry_ask(session->inquiry, stage, &session->facts);
}

int session_connect(struct session *session, const struct ipaddr *client,
                    const char *name)
{
    inquiry_forget(session->inquiry, STAGE_CONNECT);
    facts_connect(&session->facts, client, name);
    return ask_lists(session, STAGE_CONNECT);
}

int session_helo(struct session *session, const char *helo)
{
    inquiry_forget(session->inquiry, STAGE_HELO);
    facts_helo(&session->facts, helo);
    return ask_lists(session, STAGE_HELO);
}

int session_mail(struct session *session, const char *sender, const char *login)
{
    inquiry_forget(session->inquiry, STAGE_MAIL);
    facts_mail(&session->facts, sender, login);
    return ask_lists(session, STAGE_MAIL);
}

/* The listing that weighs most; the first of equals, as the conf file has them. */
static const struct question *heaviest(const struct inquiry *inquiry)
{
    const struct question *best = NULL;

    for (const struct question *q = inquiry_next(inquiry, NULL); q != NULL;
         q = inquiry_next(inquiry, q)) {
        if (!q->counted || question_weight(q) <= 0)
            continue;
        if (best == NULL || question_weight(q) > question_weight(best) ||
            (question_weight(q) == question_weight(best) && q->dnsbl < best->dnsbl))
            best = q;
    }
    return best;
}

/* Asks for the list's reason and waits for it, by the deadline at the latest: only for
 * what is about to be refused. */
static void fetch_reason(struct session *session, const struct wait *wait)
{
    if (inquiry_ask_reason(session->inquiry, session->decision.deciding,
                           &session->facts) == 0)
        inquiry_wait_reason(session->inquiry, wait);
}

/* The score of the lists, waited for. */
static void decide_by_score(struct session *session, const struct wait *wait)
{
    struct decision *d = &session->decision;
    struct tally tally;

    inquiry_wait(session->inquiry, wait);
    tally = inquiry_settle(session->inquiry, wait);
    inquiry_account(session->inquiry, &tally);
    d->score = tally.score;
    d->verdict = verdict_of(session->policy->config, tally.score);
    if (d->verdict < VERDICT_TEMPFAIL)
        return;
    d->deciding = heaviest(session->inquiry);
    fetch_reason(session, wait);
    reply_for_list(session, d->reply);
}

const struct decision *session_decide(struct session *session,
                                      int (*on_wait)(void *context), void *context)
{
    const struct config *config = session->policy->config;
    struct decision *d = &session->decision;
    int64_t began_ms = clock_ms();
    struct wait wait = {.deadline_ms = began_ms + config->resolver.deadline_ms,
                        .facts = &session->facts,
                        .on_wait = on_wait,
                        .context = context};

    if (session->decided)
        return d;
    *d = (struct decision){.verdict = VERDICT_ACCEPT, .listed = session->listed};
    switch (session->listed) {
    case BLOCKLIST_ALLOW:
        d->match = session->match;
        break;
    case BLOCKLIST_BLOCK:
        d->match = session->match;
        d->verdict = VERDICT_REJECT;
        reply_for_blocklist(session, d->reply);
        break;
    case BLOCKLIST_NONE:
        d->exempt = exempt_reason(config, &session->facts);
        if (d->exempt == NULL)
            decide_by_score(session, &wait);
        break;
    }
    d->took_ms = (int)(clock_ms() - began_ms);
    session->decided = true;
    return d;
}

static bool has_allow_list(const struct dnsbl_set *lists)
{
    for (size_t i = 0; i < lists->count; i++)
        if (lists->items[i].least < 0)
            return true;
    return false;
}

void session_await_allow_lists(struct session *session, int (*on_wait)(void *context),
                               void *context)
{
    struct wait wait = {.deadline_ms = clock_ms() + ALLOW_LISTS_MS,
                        .what = WAIT_ALLOW_LISTS,
                        .facts = &session->facts,
                        .on_wait = on_wait,
                        .context = context};

    if (has_allow_list(&session->policy->lists))
        inquiry_wait(session->inquiry, &wait);
}
