/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/session.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "policy/reply.h"
#include "policy/tally.h"
#include "policy/verdict.h"

#define ALLOW_LISTS_MS 500
#define DAY_S          86400
#define LATER_PART     5 /* of the deadline: kept for MAIL, and for headers */

struct session *session_new(struct policy *policy, bool is_dry_run)
{
    struct session *session = calloc(1, sizeof *session);

    if (session == NULL)
        return NULL;
    session->lookups = lookups_new(policy, is_dry_run);
    if (session->lookups == NULL) {
        free(session);
        return NULL;
    }
    session->is_dry_run = is_dry_run;
    session->policy = policy_ref(policy);
    return session;
}

void session_free(struct session *session)
{
    if (session == NULL)
        return;
    free(session->kept.octets.bytes);
    free(session->headers);
    lookups_free(session->lookups);
    policy_unref(session->policy);
    free(session);
}

/* Looks all that is known up in the sender blocklist. */
static void query_blocklist(struct session *session)
{
    const struct envelope *e = &session->envelope;
    struct blocklist_subjects subjects = {
        .client = e->has_client ? &e->client : NULL,
        .client_name = e->client_name,
        .helo = e->helo,
        .sender = e->has_sender ? &e->sender : NULL,
        .login = e->login,
    };

    session->listed = BLOCKLIST_NONE;
    if (session->policy->blocklist == NULL)
        return;
    session->blocklist_changes = blocklist_changes(session->policy->blocklist);
    session->listed =
        blocklist_lookup(session->policy->blocklist, &subjects, &session->match);
}

bool session_recheck(struct session *session)
{
    if (session->policy->blocklist == NULL || session->listed != BLOCKLIST_NONE ||
        session->blocklist_changes == blocklist_changes(session->policy->blocklist))
        return false;
    query_blocklist(session);
    if (session->listed == BLOCKLIST_NONE)
        return false;
    session->decided = false;
    return true;
}

/* The envelope has grown: queries the blocklist, and, unless that decides or the mail is
 * exempt, the DNS lists. */
static int query_lists(struct session *session, enum stage stage)
{
    if (stage == STAGE_CONNECT || session->stage >= STAGE_MAIL)
        session->waited_ms = 0; /* another message */
    session->stage = stage;
    session->decided = false;
    query_blocklist(session);
    if (!session->is_dry_run &&
        (session->listed != BLOCKLIST_NONE ||
         exempt_reason(session->policy->config, &session->envelope) != NULL))
        return 0;
    return lookups_start(session->lookups, stage, &session->envelope);
}

int session_connect(struct session *session, const struct ipaddr *client,
                    const char *name)
{
    lookups_forget(session->lookups, STAGE_CONNECT);
    envelope_connect(&session->envelope, client, name);
    return query_lists(session, STAGE_CONNECT);
}

int session_helo(struct session *session, const char *helo)
{
    lookups_forget(session->lookups, STAGE_HELO);
    envelope_helo(&session->envelope, helo);
    return query_lists(session, STAGE_HELO);
}

int session_mail(struct session *session, const char *sender, const char *login)
{
    lookups_forget(session->lookups, STAGE_MAIL);
    envelope_mail(&session->envelope, sender, login);
    session->id = 0;
    if (session->headers != NULL)
        session->headers->from_count = session->headers->reply_to_count = 0;
    return query_lists(session, STAGE_MAIL);
}

void session_header(struct session *session, const char *name, const char *value)
{
    bool is_from = strcasecmp(name, "From") == 0;
    struct message_headers *h;

    if (!session->policy->judges_headers ||
        (!is_from && strcasecmp(name, "Reply-To") != 0))
        return;
    if (session->headers == NULL)
        session->headers = calloc(1, sizeof *session->headers);
    h = session->headers;
    if (h == NULL)
        return; /* no memory: what is not looked up does not count */
    if (is_from)
        h->from_count += header_addresses_parse(value, h->from + h->from_count,
                                                HEADER_ADDRESSES - h->from_count);
    else
        h->reply_to_count += header_addresses_parse(
            value, h->reply_to + h->reply_to_count, HEADER_ADDRESSES - h->reply_to_count);
}

/* Looks From: up in the sender blocklist, where no other entry has decided. */
static void query_blocklist_about_from(struct session *session)
{
    const struct message_headers *h = session->headers;

    if (session->policy->blocklist == NULL ||
        !session->policy->config->blocklist.header_from)
        return;
    for (size_t i = 0; i < h->from_count && session->listed == BLOCKLIST_NONE; i++) {
        struct blocklist_subjects subjects = {.sender = &h->from[i].address};
        enum blocklist_verdict verdict =
            blocklist_lookup(session->policy->blocklist, &subjects, &session->match);

        if (verdict == BLOCKLIST_NONE || verdict == BLOCKLIST_ALLOW)
            continue;
        session->listed = verdict;
        session->match.subject = BLOCKLIST_BY_FROM;
        session->from_listed = (unsigned)i;
    }
}

int session_headers_end(struct session *session)
{
    const struct message_headers *h = session->headers;

    if (h == NULL || h->from_count + h->reply_to_count == 0 ||
        session->listed != BLOCKLIST_NONE)
        return 0;
    session->envelope.headers = h;
    session->stage = STAGE_EOM;
    session->decided = false;
    query_blocklist_about_from(session);
    if (session->listed != BLOCKLIST_NONE ||
        exempt_reason(session->policy->config, &session->envelope) != NULL)
        return 0;
    return lookups_start(session->lookups, STAGE_EOM, &session->envelope);
}

/* The listing that weighs most; the first of equals, as the conf file has them. */
static const struct dnsbl_lookup *heaviest(const struct lookups *lookups)
{
    const struct dnsbl_lookup *best = NULL;

    for (const struct dnsbl_lookup *l = lookups_next(lookups, NULL); l != NULL;
         l = lookups_next(lookups, l)) {
        if (!l->counted || lookup_weight(l) <= 0)
            continue;
        if (best == NULL || lookup_weight(l) > lookup_weight(best) ||
            (lookup_weight(l) == lookup_weight(best) && l->dnsbl < best->dnsbl))
            best = l;
    }
    return best;
}

/* Whether an allow list speaks for the client, or might have, had it been heard. */
static bool is_spoken_for(const struct session *session)
{
    const struct dnsbl_set *lists = &session->policy->lists;
    bool ipv6 = session->envelope.client.family == 6;

    for (size_t i = 0; i < lists->count; i++)
        if (lists->items[i].least < 0 && !dnsbl_counts(&lists->items[i], ipv6))
            return true;
    for (const struct dnsbl_lookup *l = lookups_next(session->lookups, NULL); l != NULL;
         l = lookups_next(session->lookups, l))
        if (l->dnsbl->least < 0 && l->check == CHECK_CLIENT &&
            !(l->counted && l->result.state == RESULT_NOT_LISTED))
            return true;
    return false;
}

/* Of what is refused: allow lists are tried on clients that block lists name. Not on
 * those that they have: what lying block lists name would accuse honest allow lists. */
static void note_named(const struct session *session)
{
    const struct dnsbl_lookup *l = session->decision.deciding;

    if (!session->is_dry_run && l != NULL && l->check == CHECK_CLIENT && !l->cached &&
        !is_spoken_for(session))
        witnesses_named(prober_witnesses(session->policy->prober),
                        &session->envelope.client,
                        witnesses_list_bit(l->dnsbl->list->name));
}

/* Who is refused now, and was accepted days ago, bears no witness any more. */
static void note_judged(const struct session *session, bool accepted)
{
    const struct envelope *e = &session->envelope;
    bool is_named = e->has_client && (!accepted || e->client_name[0] != '\0');

    witnesses_judged(prober_witnesses(session->policy->prober), accepted,
                     is_named ? &e->client : NULL, e->has_sender ? &e->sender : NULL,
                     lookups_listed_bits(session->lookups), (int)(time(NULL) / DAY_S));
}

/* The score of the lists, waited for. */
static void decide_by_score(struct session *session, const struct wait *wait)
{
    struct decision *d = &session->decision;
    struct tally tally;

    lookups_wait(session->lookups, wait);
    tally = lookups_settle(session->lookups, wait);
    lookups_account(session->lookups, &tally);
    d->score = tally.score;
    d->missing = tally.missing;
    d->verdict = verdict_of_tally(session->policy->config, tally.score, tally.missing);
    if (d->verdict < VERDICT_TEMPFAIL)
        return;
    d->deciding = heaviest(session->lookups);
    note_named(session);
    if (!session->is_dry_run)
        note_judged(session, false);
    lookups_fetch_reason(session->lookups, d->deciding, wait);
    reply_for_list(session, d->reply);
}

/* How long the current message may still wait at this stage. */
static int patience_ms(const struct session *session)
{
    int most_ms = session->policy->config->resolver.deadline_ms;
    int later = (session->stage < STAGE_MAIL) +
                (session->policy->judges_headers && session->stage < STAGE_EOM);

    if (!session->is_dry_run)
        most_ms -= later * most_ms / LATER_PART;
    return most_ms > session->waited_ms ? most_ms - session->waited_ms : 0;
}

const struct decision *session_decide(struct session *session,
                                      int (*on_wait)(void *context), void *context)
{
    const struct config *config = session->policy->config;
    struct decision *d = &session->decision;
    int64_t began_ms = clock_ms();
    struct wait wait = {.what = session->is_dry_run ? WAIT_ALL : WAIT_VERDICT,
                        .envelope = &session->envelope,
                        .on_wait = on_wait,
                        .context = context};

    if (session->decided)
        return d;
    wait.deadline_ms = began_ms + patience_ms(session);
    *d = (struct decision){.verdict = VERDICT_ACCEPT, .listed = session->listed};
    if (session->id == 0 && !session->is_dry_run && session->policy->journal != NULL)
        session->id = journal_draw(session->policy->journal);
    if (session->listed == BLOCKLIST_NONE) {
        d->exempt = exempt_reason(config, &session->envelope);
        if (d->exempt == NULL)
            decide_by_score(session, &wait);
    } else {
        d->match = session->match;
        if (session->listed != BLOCKLIST_ALLOW) {
            d->verdict =
                session->listed == BLOCKLIST_BLOCK ? VERDICT_REJECT : VERDICT_TEMPFAIL;
            reply_for_blocklist(session, d->reply);
        }
    }
    d->took_ms = (int)(clock_ms() - began_ms);
    session->waited_ms += d->took_ms;
    session->decided = true;
    return d;
}

/* What only MAIL shows may exempt a message from the DNS lists. */
bool session_lists_are_due(const struct session *session, enum stage stage)
{
    const struct config *config = session->policy->config;

    return stage >= STAGE_MAIL ||
           (!config->exempt.authenticated && config->exempt.sender_count == 0 &&
            !(session->policy->blocklist != NULL &&
              blocklist_has_allow_entries(session->policy->blocklist)));
}

void session_accepted(const struct session *session)
{
    const struct envelope *e = &session->envelope;

    if (session->decision.exempt == NULL)
        note_judged(session, true);
    else if (e->has_sender && e->login[0] != '\0')
        witnesses_own_sender(prober_witnesses(session->policy->prober), &e->sender,
                             (int)(time(NULL) / DAY_S));
}

void session_await_allow_lists(struct session *session, int (*on_wait)(void *context),
                               void *context)
{
    int left_ms = patience_ms(session);
    struct wait wait = {
        .deadline_ms = clock_ms() + (left_ms < ALLOW_LISTS_MS ? left_ms : ALLOW_LISTS_MS),
        .what = WAIT_ALLOW_LISTS,
        .envelope = &session->envelope,
        .on_wait = on_wait,
        .context = context};

    if (dnsbl_set_has_allow_list(&session->policy->lists))
        lookups_wait(session->lookups, &wait);
}

/* --- counting for rules --- */

bool session_is_counted(const struct session *session)
{
    return session->policy->rules != NULL && rules_count(session->policy->rules);
}

/* Whether a list of good senders has the client. */
static bool is_allow_listed(const struct session *session)
{
    for (const struct dnsbl_lookup *l = lookups_next(session->lookups, NULL); l != NULL;
         l = lookups_next(session->lookups, l))
        if (l->counted && l->check == CHECK_CLIENT && lookup_weight(l) < 0)
            return true;
    return false;
}

/* The message's counts, begun. */
static struct usage_message *message_of(struct session *session,
                                        const struct usage *usage)
{
    const struct envelope *e = &session->envelope;
    struct usage_envelope envelope = {
        .client = e->has_client ? &e->client : NULL,
        .client_name = e->client_name,
        .sender = e->has_sender ? &e->sender : NULL,
        .login = e->login,
        .has_entry = session->listed != BLOCKLIST_NONE,
    };

    if (!session->usage.begun) {
        envelope.is_allow_listed = is_allow_listed(session);
        usage_begin(usage, &session->usage, &envelope);
    }
    return &session->usage;
}

static void count_recipient(struct session *session, const char *recipient,
                            const char *mailer, enum usage_outcome outcome)
{
    struct usage usage;

    if (!session_is_counted(session))
        return;
    usage = rules_usage(session->policy->rules, session->policy->config);
    usage_recipient(&usage, message_of(session, &usage), recipient,
                    mailer != NULL ? mailer : "", outcome, time(NULL));
}

void session_count_accepted(struct session *session, const char *recipient,
                            const char *mailer)
{
    count_recipient(session, recipient, mailer, USAGE_ACCEPTED);
}

void session_count_refused_by_mta(struct session *session, const char *recipient,
                                  const char *status, const char *text)
{
    count_recipient(
        session, recipient, "",
        usage_outcome_of(status != NULL ? status : "", text != NULL ? text : ""));
}

void session_count_refused(struct session *session)
{
    struct usage usage;

    if (!session_is_counted(session) || session->listed != BLOCKLIST_NONE)
        return;
    usage = rules_usage(session->policy->rules, session->policy->config);
    usage_refused(&usage, message_of(session, &usage), time(NULL));
}

void session_count_end(struct session *session, bool accepted)
{
    struct usage usage;

    if (!session->usage.begun)
        return;
    usage = rules_usage(session->policy->rules, session->policy->config);
    usage_end(&usage, &session->usage, accepted, time(NULL));
}
