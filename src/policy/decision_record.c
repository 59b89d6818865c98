/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/decision_record.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/text.h"
#include "journal/journal.h"
#include "policy/tally.h"

/* So much of recipients is kept in the session before it is handed over. */
#define OCTETS_MAX 4096

#define LATE_MAX 64 /* answers that came after the verdict; more are not kept */

/* Whether the verdict would have been milder without it. */
static bool has_decided(const struct session *session, const struct dnsbl_lookup *l)
{
    const struct config *config = session->policy->config;
    const struct decision *d = &session->decision;
    int weight = lookup_weight(l);

    return l->counted && weight > 0 &&
           verdict_of(config, d->score - weight) < verdict_of(config, d->score);
}

/* The list that alone refused it: its weight is enough, that of the others is not. NULL:
 * none. */
static const char *decision_alone(const struct session *session)
{
    int reject = session->policy->config->verdict.reject;
    const struct decision *d = &session->decision;

    if (d->verdict != VERDICT_REJECT || d->listed != BLOCKLIST_NONE || reject <= 0)
        return NULL;
    for (const struct dnsbl_lookup *l = lookups_next(session->lookups, NULL); l != NULL;
         l = lookups_next(session->lookups, l))
        if (l->counted && lookup_weight(l) >= reject &&
            d->score - lookup_weight(l) < reject)
            return l->dnsbl->list->name;
    return NULL;
}

/* Of headers, which are not kept else: without the local part where those are not kept. */
static const char *header_subject(const struct session *session,
                                  const struct dnsbl_lookup *l)
{
    const char *text, *at;

    if (check_stage(l->check) != STAGE_EOM || session->envelope.headers == NULL)
        return "";
    text = subject_text(l->check, l->index, &session->envelope);
    at = strrchr(text, '@');
    return session->policy->config->journal.local_parts || at == NULL ? text : at;
}

/* What had no answer when the verdict was given is not touched, as it may arrive now, but
 * where it is known to have. */
static void fill_answer(struct record_answer *a, const struct session *session,
                        const struct dnsbl_lookup *l, int64_t now_ms, bool has_arrived)
{
    *a = (struct record_answer){
        .list = (unsigned)(l->dnsbl->list - session->policy->config->lists),
        .check = (uint8_t)l->check,
        .state = RESULT_FAILED,
        .status = DNS_NOT_ASKED,
        .late = l->late,
        .subject = header_subject(session, l),
        .monitor = l->dnsbl->list->mode == LIST_MONITOR,
        .ms = session->decision.took_ms,
    };
    if (!has_arrived)
        return;
    a->counted = l->counted;
    a->state = (uint8_t)l->result.state;
    a->status = (uint8_t)l->status;
    a->cached = l->cached;
    a->stale = l->stale;
    a->decided = has_decided(session, l);
    a->weight = l->counted ? lookup_weight(l) : 0;
    a->ms = l->took_ms;
    a->skip = l->skip;
    if (l->cached && l->came_ms > 0)
        a->age_s = (int)((now_ms - l->came_ms) / 1000);
    if (l->answer == NULL)
        return;
    a->ttl_s = (int)((l->answer->expires_ms - now_ms) / 1000);
    a->address_count = l->answer->address_count;
    a->addresses = l->answer->addresses;
}

static void fill_head(struct record *r, const struct session *session, enum stage stage)
{
    const struct envelope *e = &session->envelope;
    const struct config *config = session->policy->config;
    const struct decision *d = &session->decision;
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    *r = (struct record){.at_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000,
                         .stage = (uint8_t)stage,
                         .reject = config->verdict.reject,
                         .tempfail = config->verdict.tempfail,
                         .tag = config->verdict.tag,
                         .configuration =
                             journal_configuration_number(session->policy->configuration),
                         .has_client = e->has_client,
                         .client = e->client,
                         .client_name = e->client_name,
                         .helo = e->helo_text,
                         .sender = e->sender_text,
                         .login = e->login,
                         .exempt = session->decided ? d->exempt : "recipient"};
    if (!session->decided)
        return;
    r->verdict = (uint8_t)d->verdict;
    r->score = d->score;
    r->missing = d->missing;
    r->took_ms = d->took_ms;
    if (d->listed == BLOCKLIST_NONE)
        return;
    r->entry_action = (uint8_t)d->listed;
    r->entry_subject = (uint8_t)d->match.subject;
    r->entry = d->match.key;
    r->entry_reason = d->match.reason;
    r->entry_since = (int64_t)d->match.since;
}

/* All lookups of the message. Returns them, to be freed; NULL: none, or no memory. */
static struct record_answer *fill_answers(struct record *r, const struct session *session)
{
    const struct dnsbl_lookup *l;
    struct record_answer *answers;
    int64_t now_ms = clock_ms();
    size_t count = 0;

    if (!session->decided || session->decision.listed != BLOCKLIST_NONE)
        return NULL;
    for (l = lookups_next(session->lookups, NULL); l != NULL;
         l = lookups_next(session->lookups, l))
        count++;
    answers = count > 0 ? calloc(count, sizeof *answers) : NULL;
    if (answers == NULL)
        return NULL;
    for (l = lookups_next(session->lookups, NULL); l != NULL;
         l = lookups_next(session->lookups, l))
        fill_answer(&answers[r->answer_count++], session, l, now_ms, l->counted);
    r->answers = answers;
    return answers;
}

static bool is_kept(const struct session *session, bool refused)
{
    return session->id != 0 && session->policy->journal != NULL &&
           journal_keeps(session->policy->journal, refused);
}

static void hand_over(struct session *session, const char *alone)
{
    struct kept *kept = &session->kept;

    if (kept->octets.used > 0)
        journal_put(session->policy->journal, session->id, kept->refused, &kept->octets,
                    session->policy->configuration, alone);
    kept->octets.used = 0;
    kept->octets.failed = false;
}

/* The head, before the recipients that are there already. */
static void put_head(struct session *session, enum stage stage)
{
    struct kept *kept = &session->kept;
    struct octets recipients = kept->octets;
    char reason[REPLY_TEXT_SIZE] = "";
    struct record record;
    struct record_answer *answers;

    kept->octets = (struct octets){0};
    fill_head(&record, session, stage);
    answers = fill_answers(&record, session);
    if (session->decided && session->decision.deciding != NULL) {
        lookups_reason(session->lookups, reason, sizeof reason);
        record.reason = reason;
    }
    record_add_head(&kept->octets, &record);
    octets_add(&kept->octets, recipients.bytes, recipients.used);
    free(recipients.bytes);
    free(answers);
}

/* What has arrived since the verdict, which did not wait for it. */
static void add_late(struct session *session)
{
    struct record_answer late[LATE_MAX];
    int64_t now_ms = clock_ms();
    size_t count = 0;

    if (!session->decided)
        return;
    for (const struct dnsbl_lookup *l = lookups_next(session->lookups, NULL);
         l != NULL && count < LATE_MAX; l = lookups_next(session->lookups, l))
        if (!l->counted && lookups_is_answered(session->lookups, l))
            fill_answer(&late[count++], session, l, now_ms, true);
    if (count > 0)
        record_add_late(&session->kept.octets, late, count);
}

void decision_record_verdict(struct session *session, enum stage stage)
{
    struct kept *kept = &session->kept;
    enum verdict verdict = session->decision.verdict;
    bool refused = verdict != VERDICT_ACCEPT;

    /* at the end of the message the headers may have been judged, too */
    if (session->id == 0 ||
        (kept->has_head && kept->verdict == verdict && stage != STAGE_EOM))
        return;
    if (!is_kept(session, refused)) {
        free(kept->octets.bytes); /* recipients of what is not kept */
        kept->octets = (struct octets){0};
        return;
    }
    kept->has_head = true;
    kept->verdict = verdict;
    kept->refused = refused;
    put_head(session, stage);
    if (stage < STAGE_RCPT || stage == STAGE_EOM)
        hand_over(session, decision_alone(session));
    else
        kept->alone = decision_alone(session);
}

void decision_record_recipient(struct session *session, const char *recipient,
                               enum recipient_outcome outcome, const char *detail)
{
    struct kept *kept = &session->kept;
    char text[ENVELOPE_SIZE];
    struct record_recipient one = {.text = text, .outcome = outcome, .detail = detail};

    if (session->policy->journal == NULL)
        return;
    /* who tries many that the MTA does not know gets no verdict that would take them */
    if (outcome == RECIPIENT_BY_MTA && !kept->has_head && kept->octets.used > OCTETS_MAX)
        return;
    if (session->id == 0)
        session->id = journal_draw(session->policy->journal);
    if (session->id == 0)
        return;
    if (kept->has_head || !session->decided) {
        envelope_address_text(recipient, text);
        record_add_recipient(&kept->octets, &one);
    }
    if (kept->has_head && (outcome == RECIPIENT_REFUSED || !kept->first_handed ||
                           kept->octets.used > OCTETS_MAX)) {
        kept->first_handed = true;
        hand_over(session, kept->alone);
        kept->alone = NULL;
    }
}

void decision_record_end(struct session *session, enum message_end end)
{
    struct kept *kept = &session->kept;

    if (session->policy->journal != NULL && !kept->has_head && kept->octets.used > 0 &&
        end == END_MESSAGE && !session->decided && is_kept(session, false)) {
        kept->has_head = true; /* all recipients were exempt */
        put_head(session, STAGE_RCPT);
    }
    if (kept->has_head) {
        add_late(session);
        record_add_end(&kept->octets, end, session->envelope.queue_id);
        hand_over(session, kept->alone);
    }
    free(kept->octets.bytes);
    *kept = (struct kept){0};
}
