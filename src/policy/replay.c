/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/replay_parts.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "blocklist/blocklist.h"
#include "dnsbl/result.h"
#include "policy/verdict.h"

static bool texts_equal(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

bool replay_has_address(const struct exempt_address *list, size_t count,
                        const struct exempt_address *address)
{
    for (size_t i = 0; i < count; i++) {
        const struct exempt_address *a = &list[i];

        if ((a->local == NULL) == (address->local == NULL) &&
            (a->local == NULL || strcasecmp(a->local, address->local) == 0) &&
            texts_equal(a->domain, address->domain))
            return true;
    }
    return false;
}

static bool has_all(const struct exempt_address *list, size_t count,
                    const struct exempt_address *others, size_t other_count)
{
    for (size_t i = 0; i < other_count; i++)
        if (!replay_has_address(list, count, &others[i]))
            return false;
    return true;
}

static bool sets_equal(const struct exempt_address *a, size_t a_count,
                       const struct exempt_address *b, size_t b_count)
{
    return has_all(a, a_count, b, b_count) && has_all(b, b_count, a, a_count);
}

static void map_list(struct replay_list *l, const struct list *list,
                     const struct config *then)
{
    l->list = list;
    result_bounds(list, &l->least, &l->most);
    for (size_t i = 0; i < then->list_count; i++) {
        const struct list *old = &then->lists[i];

        if (strcmp(old->name, list->name) != 0)
            continue;
        l->then = old;
        l->then_index = i;
        l->same_query = texts_equal(old->zone_text, list->zone_text) &&
                        old->hash == list->hash &&
                        old->organizational == list->organizational;
        return;
    }
}

struct replay *replay_new(const struct config *config, const struct config *then)
{
    struct replay *replay = calloc(1, sizeof *replay);

    if (replay == NULL)
        return NULL;
    replay->lists = calloc(config->list_count + 1, sizeof *replay->lists);
    if (replay->lists == NULL) {
        free(replay);
        return NULL;
    }
    replay->config = config;
    for (size_t i = 0; i < config->list_count; i++)
        if (config->lists[i].mode == LIST_ENFORCE)
            map_list(&replay->lists[replay->count++], &config->lists[i], then);
    replay->same_strip = config->blocklist.strip_tags == then->blocklist.strip_tags &&
                         config->blocklist.strip_verp == then->blocklist.strip_verp;
    replay->same_senders = sets_equal(config->exempt.senders, config->exempt.sender_count,
                                      then->exempt.senders, then->exempt.sender_count);
    replay->same_recipients =
        sets_equal(config->exempt.recipients, config->exempt.recipient_count,
                   then->exempt.recipients, then->exempt.recipient_count);
    return replay;
}

void replay_free(struct replay *replay)
{
    if (replay != NULL)
        free(replay->lists);
    free(replay);
}

/* --- the case --- */

int replay_case_set(struct replay_case *c, const struct record *record,
                    const struct config *then)
{
    size_t room = then->list_count * CHECK_COUNT;

    if (room > c->answer_room) {
        void *grown = realloc(c->answers, room * sizeof *c->answers);

        if (grown == NULL)
            return -1;
        c->answers = grown;
        c->answer_room = room;
    }
    c->record = record;
    c->then = then;
    if (room > 0)
        memset(c->answers, 0, room * sizeof *c->answers);
    for (size_t i = 0; i < record->answer_count; i++) {
        const struct record_answer *a = &record->answers[i];

        if (a->list < then->list_count && a->check < CHECK_COUNT)
            c->answers[a->list * CHECK_COUNT + a->check] = a;
    }
    c->envelope.has_client = record->has_client;
    c->envelope.client = record->client;
    if (!text_copy(record->client_name, c->envelope.client_name,
                   sizeof c->envelope.client_name))
        c->envelope.client_name[0] = '\0';
    if (!text_copy(record->login, c->envelope.login, sizeof c->envelope.login))
        text_copy("?", c->envelope.login, sizeof c->envelope.login);
    c->helo_known = c->sender_known = c->envelope.has_sender = false;
    c->asked_all = record->exempt[0] == '\0' && record->entry_action == BLOCKLIST_NONE;
    return 0;
}

void replay_case_clear(struct replay_case *c)
{
    free(c->answers);
    *c = (struct replay_case){0};
}

void replay_know_helo(struct replay_case *c)
{
    if (!c->helo_known && domain_canonical(c->record->helo, c->envelope.helo) != 0)
        c->envelope.helo[0] = '\0';
    c->helo_known = true;
}

void replay_know_sender(struct replay_case *c)
{
    if (c->sender_known)
        return;
    c->sender_known = true;
    c->envelope.has_sender =
        c->record->stage >= STAGE_MAIL &&
        mail_address_parse(c->record->sender[0] != '\0' ? c->record->sender : "<>",
                           &c->envelope.sender) == 0;
}

/* An address of which only a hash was kept (journal local-parts = false). */
static bool is_hidden(const char *address)
{
    return address[0] == '~' && strcspn(address + 1, "@") == 26;
}

uint64_t replay_mix(uint64_t hash, uint64_t value)
{
    hash = (hash ^ value) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 29;
}

void replay_widen(struct replayed *out, enum verdict verdict)
{
    if (verdict < out->mildest)
        out->mildest = verdict;
    if (verdict > out->severest)
        out->severest = verdict;
}

/* Replaces a range by a wider one, and says why. */
static void doubt(struct replayed *out, enum verdict mildest, enum verdict severest,
                  enum replay_unknown unknown)
{
    out->silent = replay_mix(out->silent, 0x100u + unknown);
    if (mildest >= out->mildest && severest <= out->severest)
        return;
    replay_widen(out, mildest);
    replay_widen(out, severest);
    out->unknown = unknown;
    out->list = NULL;
}

/* --- who is exempt --- */

/* Whether that address could be the one that only a hash was kept of. */
static bool may_be(const struct exempt_address *address, const char *hidden)
{
    const char *domain = hidden + strcspn(hidden, "@");

    return address->local != NULL &&
           (address->domain == NULL ||
            (*domain == '@' && strcmp(domain + 1, address->domain) == 0));
}

/* Why the lists do not count now; *sure is cleared where the sender's local part, which is
 * not kept, would have to be known. */
static const char *exempt_of(const struct replay *replay, struct replay_case *c,
                             bool *sure)
{
    const struct exempt_address *list = replay->config->exempt.senders;
    const struct exempt_address *then = c->then->exempt.senders;
    size_t count = replay->config->exempt.sender_count;
    size_t then_count = c->then->exempt.sender_count;
    const struct record *r = c->record;
    const char *reason;

    if (count > 0)
        replay_know_sender(c);
    reason = exempt_reason(replay->config, &c->envelope);
    if (reason != NULL || !is_hidden(r->sender))
        return reason;
    if (strcmp(r->exempt, "sender") == 0) {
        *sure = has_all(list, count, then, then_count);
        return *sure ? "sender" : NULL;
    }
    /* what was looked for then, and not found, is none of those that were there */
    for (size_t i = 0; i < count; i++)
        if (may_be(&list[i], r->sender) &&
            !(r->exempt[0] == '\0' && replay_has_address(then, then_count, &list[i])))
            *sure = false;
    return NULL;
}

/* Whether the recipient is exempt now; *sure is cleared where its local part, which is not
 * kept, would have to be known. */
static bool recipient_exempt(const struct replay *replay, const struct config *then,
                             const struct record_recipient *recipient, bool *sure)
{
    const struct config *config = replay->config;
    const struct exempt_address *list = config->exempt.recipients;
    size_t count = config->exempt.recipient_count;

    if (replay->same_recipients)
        return recipient->outcome == RECIPIENT_EXEMPT;
    if (!is_hidden(recipient->text))
        return exempt_recipient(config, recipient->text);
    if (exempt_recipient(config, recipient->text)) /* by its domain */
        return true;
    if (recipient->outcome == RECIPIENT_EXEMPT) {
        if (!has_all(list, count, then->exempt.recipients, then->exempt.recipient_count))
            *sure = false;
        return true;
    }
    for (size_t i = 0; i < count; i++)
        if (!replay_has_address(then->exempt.recipients, then->exempt.recipient_count,
                                &list[i]) &&
            may_be(&list[i], recipient->text))
            *sure = false;
    return false;
}

/* --- the message --- */

/* The sender blocklist's word, as it was; at a stage at which its subject was not known
 * yet, none. Returns whether it decides. */
static bool judge_entry(const struct record *r, enum stage upto, struct replayed *out)
{
    static const enum stage known_at[] = {[BLOCKLIST_BY_SENDER] = STAGE_MAIL,
                                          [BLOCKLIST_BY_CLIENT] = STAGE_CONNECT,
                                          [BLOCKLIST_BY_CLIENT_NAME] = STAGE_CONNECT,
                                          [BLOCKLIST_BY_HELO] = STAGE_HELO,
                                          [BLOCKLIST_BY_LOGIN] = STAGE_MAIL};

    if (r->entry_action == BLOCKLIST_NONE ||
        (r->entry_subject < sizeof known_at / sizeof known_at[0] &&
         known_at[r->entry_subject] > upto))
        return false;
    out->mildest = out->severest = (enum verdict)r->verdict;
    return true;
}

/* Whether the blocklist would look the sender up in more, or fewer, ways than it did. */
static bool is_stripped_otherwise(const struct replay *replay, const struct record *r)
{
    return !replay->same_strip &&
           (r->entry_action == BLOCKLIST_NONE ||
            r->entry_subject == BLOCKLIST_BY_SENDER) &&
           (is_hidden(r->sender) || strpbrk(r->sender, "+=") != NULL);
}

/* The verdict at one stage, recipients left out. */
static void judge_stage(const struct replay *replay, struct replay_case *c,
                        enum stage upto, struct replayed *out)
{
    const struct record *r = c->record;
    bool sure = true;

    *out = (struct replayed){0};
    if (!judge_entry(r, upto, out)) {
        out->exempt = exempt_of(replay, c, &sure);
        if (out->exempt == NULL)
            replay_judge_score(replay, c, upto, out);
        if (!sure) {
            doubt(out, VERDICT_ACCEPT, VERDICT_ACCEPT, UNKNOWN_LOCAL_PART);
            out->silent = replay_mix(out->silent, replay->same_senders ? 1 : 2);
        }
    }
    if (upto >= STAGE_MAIL && is_stripped_otherwise(replay, r))
        doubt(out, VERDICT_ACCEPT, VERDICT_REJECT, UNKNOWN_BLOCKLIST);
}

static bool is_refused_by_entry(const struct record *r)
{
    return r->entry_action != BLOCKLIST_NONE && r->verdict >= VERDICT_TEMPFAIL;
}

/* Whether the lists' verdict may be given before MAIL; not sure where only the allow
 * entries of then could decide it (session_lists_are_due). */
static bool is_due(const struct config *config, const struct record *r, enum stage stage)
{
    return stage >= STAGE_MAIL || is_refused_by_entry(r) ||
           (!config->exempt.authenticated && config->exempt.sender_count == 0 &&
            r->entry_action != BLOCKLIST_ALLOW);
}

/* What becomes of a message that an exempt recipient saves at its end: it is tagged, where
 * there is a threshold for that at all (response_headers). */
static enum verdict saved_at_end(const struct record *r, int tag, enum verdict verdict)
{
    if (verdict < VERDICT_TEMPFAIL)
        return verdict;
    return tag != 0 && r->entry_action == BLOCKLIST_NONE ? VERDICT_TAG : VERDICT_ACCEPT;
}

/* What recipients make of the verdict: at RCPT no exempt one is refused, at the end of the
 * message one saves it. */
static void judge_recipients(const struct replay *replay, const struct replay_case *c,
                             struct replayed *out)
{
    const struct record *r = c->record;
    const struct config *config = replay->config;
    bool at_end = config->milter.reject_at == STAGE_EOM, sure = true, saved;
    size_t count = 0;

    for (size_t i = 0; i < r->recipient_count; i++) {
        if (r->recipients[i].outcome == RECIPIENT_BY_MTA)
            continue;
        count++;
        out->exempt_recipients +=
            recipient_exempt(replay, c->then, &r->recipients[i], &sure);
    }
    saved = out->exempt_recipients > 0 && (at_end || out->exempt_recipients == count);
    /* what never came to its end has nothing to be refused there */
    if (at_end && r->stage == STAGE_RCPT && r->verdict < VERDICT_TEMPFAIL &&
        r->end != END_MESSAGE) {
        out->mildest = out->severest = (enum verdict)r->verdict;
        return;
    }
    if (!saved && strcmp(r->exempt, "recipient") == 0)
        doubt(out, VERDICT_ACCEPT, VERDICT_REJECT, UNKNOWN_NOT_JUDGED);
    else if (saved && !at_end && sure)
        out->mildest = out->severest = VERDICT_ACCEPT;
    else if (saved && sure) {
        out->mildest = saved_at_end(r, config->verdict.tag, out->mildest);
        out->severest = saved_at_end(r, config->verdict.tag, out->severest);
    }
    if (!sure)
        doubt(out, VERDICT_ACCEPT, out->severest, UNKNOWN_LOCAL_PART);
}

/* Stages before the recipients at which the verdict may be given: up to the one that
 * refuses. Returns whether one does; *unsure: one may. */
static bool judge_early(const struct replay *replay, struct replay_case *c,
                        struct replayed *out, bool *unsure)
{
    enum stage last = c->record->stage < STAGE_MAIL ? c->record->stage : STAGE_MAIL;

    *unsure = false;
    for (enum stage stage = replay->config->milter.reject_at; stage <= last; stage++) {
        if (!is_due(replay->config, c->record, stage))
            continue;
        judge_stage(replay, c, stage, out);
        if (out->mildest >= VERDICT_TEMPFAIL &&
            (stage == STAGE_MAIL || last < STAGE_MAIL || is_refused_by_entry(c->record)))
            return true;
        *unsure |= out->severest >= VERDICT_TEMPFAIL;
    }
    return false;
}

/* The whole message, stage by stage. */
static void judge_message(const struct replay *replay, struct replay_case *c,
                          struct replayed *out)
{
    const struct record *r = c->record;
    enum stage due = replay->config->milter.reject_at;
    bool unsure;

    if (judge_early(replay, c, out, &unsure))
        return;
    judge_stage(replay, c, STAGE_EOM, out);
    if (r->stage < STAGE_RCPT) {
        if (due > r->stage || r->stage < STAGE_MAIL)
            doubt(out, VERDICT_ACCEPT, VERDICT_REJECT, UNKNOWN_LATER_FACTS);
    } else if (due >= STAGE_RCPT) {
        judge_recipients(replay, c, out);
    }
    if (due < STAGE_RCPT && strcmp(r->exempt, "recipient") == 0)
        doubt(out, VERDICT_ACCEPT, VERDICT_REJECT, UNKNOWN_NOT_JUDGED);
    if (unsure)
        doubt(out, out->mildest, VERDICT_REJECT, UNKNOWN_LATER_FACTS);
}

void replay_judge(const struct replay *replay, struct replay_case *c,
                  struct replayed *out)
{
    judge_message(replay, c, out);
    if (out->mildest == out->severest)
        out->unknown = UNKNOWN_NOTHING;
    else if (strcmp(c->record->exempt, "recipient") == 0)
        out->unknown = UNKNOWN_NOT_JUDGED; /* no list's answer is kept */
    else
        return;
    out->list = NULL;
}

enum verdict replay_was(const struct record *record)
{
    enum verdict verdict = (enum verdict)record->verdict;

    for (size_t i = 0; record->stage == STAGE_EOM && i < record->recipient_count; i++)
        if (record->recipients[i].outcome == RECIPIENT_EXEMPT)
            return saved_at_end(record, record->tag, verdict);
    return verdict;
}

bool replay_is_same(const struct replay *a, const struct replayed *of_a,
                    const struct replay *b, const struct replayed *of_b)
{
    const struct config *x = a->config, *y = b->config;

    return x->verdict.reject == y->verdict.reject &&
           x->verdict.tempfail == y->verdict.tempfail &&
           x->verdict.tag == y->verdict.tag &&
           x->milter.reject_at == y->milter.reject_at &&
           texts_equal(of_a->exempt, of_b->exempt) &&
           of_a->exempt_recipients == of_b->exempt_recipients &&
           of_a->silent == of_b->silent && of_a->tally.score == of_b->tally.score &&
           of_a->tally.least == of_b->tally.least &&
           of_a->tally.most == of_b->tally.most &&
           of_a->tally.missing == of_b->tally.missing;
}
