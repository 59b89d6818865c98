/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/replay_rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "base/domain.h"
#include "base/text.h"
#include "blocklist/blocklist.h"
#include "policy/verdict.h"

#define FINDINGS_MAX 20000
#define FOLDED_MAX   1000000 /* a minute's flood has fewer */
#define DAY_S        86400

struct replay_held {
    UT_hash_handle hh;
    size_t finding; /* its index */
    char key[];
};

struct replay_waiting {
    journal_id id;
    int64_t at_ms; /* of its verdict */
    struct octets octets;
};

/* --- what was found before --- */

static struct replay_finding *held_of(const struct replay_rules *r,
                                      const struct replay_held *table, const char *key)
{
    struct replay_held *held;

    HASH_FIND_STR(table, key, held);
    return held != NULL ? &r->findings[held->finding] : NULL;
}

static void hold(struct replay_rules *r, struct replay_held **table, const char *key,
                 size_t finding)
{
    size_t length = strlen(key);
    struct replay_held *held;

    HASH_FIND_STR(*table, key, held);
    if (held == NULL) {
        held = calloc(1, sizeof *held + length + 1);
        if (held == NULL) {
            r->failed = true;
            return;
        }
        memcpy(held->key, key, length);
        HASH_ADD_KEYPTR(hh, *table, held->key, length, held);
    }
    held->finding = finding;
}

static void held_clear(struct replay_held **table)
{
    struct replay_held *held, *next;

    HASH_ITER (hh, *table, held, next) {
        HASH_DEL(*table, held);
        free(held);
    }
}

/* The listing that holds for an entry now. NULL: none. */
static struct replay_finding *listed(const struct replay_rules *r, const char *entry)
{
    struct replay_finding *finding = held_of(r, r->by_entry, entry);

    return finding != NULL && finding->until_s > r->now_s ? finding : NULL;
}

static struct replay_finding *listed_address(const struct replay_rules *r,
                                             const struct mail_address *address)
{
    struct entry entry;

    return entry_of_address(address, &entry) == 0 ? listed(r, entry.text) : NULL;
}

/* As blocklist_lookup looks up senders; rules list no domains. */
static struct replay_finding *listed_sender(const struct replay_rules *r,
                                            const struct mail_address *sender)
{
    struct replay_finding *finding = listed_address(r, sender);
    struct mail_address other = *sender;
    char *plus = strchr(other.local, '+');

    if (finding == NULL && r->config->blocklist.strip_tags && plus != NULL &&
        plus != other.local) {
        *plus = '\0';
        finding = listed_address(r, &other);
    }
    for (int n = 0; finding == NULL && r->config->blocklist.strip_verp &&
                    rewritten_without_recipient(sender->local, n, other.local);
         n++)
        finding = listed_address(r, &other);
    if (finding == NULL && rewritten_inside(sender, &other))
        finding = listed_address(r, &other);
    return finding;
}

/* The listing that would decide about a message. NULL: none. */
static struct replay_finding *listed_message(const struct replay_rules *r,
                                             const struct record *record,
                                             const struct mail_address *sender)
{
    struct replay_finding *finding = NULL;
    struct network network;
    struct entry entry;

    if (r->by_entry == NULL || record->entry_action != BLOCKLIST_NONE)
        return NULL;
    if (sender != NULL)
        finding = listed_sender(r, sender);
    if (finding == NULL && record->login[0] != '\0' &&
        entry_of_user(record->login, &entry) == 0)
        finding = listed(r, entry.text);
    if (finding == NULL && record->has_client) {
        network_of(&record->client, record->client.family == 4 ? 32 : 64, &network);
        if (entry_of_network(&network, &entry) == 0)
            finding = listed(r, entry.text);
    }
    return finding;
}

/* --- what is made of a finding --- */

/* What rules have listed lately. */
static struct guard_made made_lately(const struct replay_rules *r, const char *entry)
{
    struct guard_made made = {.active = INT64_MAX};

    for (size_t i = r->count; i > 0 && r->findings[i - 1].at_s >= r->now_s - DAY_S; i--) {
        const struct replay_finding *f = &r->findings[i - 1];
        bool again = f->previous > 0 && r->findings[f->previous - 1].word == GUARD_LIST &&
                     r->findings[f->previous - 1].at_s >= r->now_s - DAY_S;

        if (f->word != GUARD_LIST)
            continue;
        made.hour += f->at_s >= r->now_s - 3600;
        made.day++;
        made.logins += !again && strncmp(f->entry, "user:", strlen("user:")) == 0 &&
                       strcmp(f->entry, entry) != 0;
    }
    /* who is active within a day is not known before */
    if (r->now_s >= r->begun_s + DAY_S)
        made.active =
            (int64_t)counters_active(r->counters, RULE_BY_LOGIN, r->now_s - DAY_S);
    return made;
}

/* As guard_judge, as far as it can be known of the past. */
static enum guard_word judge(struct replay_rules *r, size_t rule,
                             const struct entry *entry,
                             const struct usage_subject *subject,
                             char why[static GUARD_WHY_SIZE])
{
    struct blocklist_match match;
    struct guard_made made;

    why[0] = '\0';
    if (guard_entry(r->config, &r->limits, entry, why) == GUARD_NEVER)
        return GUARD_NEVER;
    if (r->blocklist != NULL &&
        blocklist_lookup_entry(r->blocklist, entry, &match) == BLOCKLIST_ALLOW) {
        text_sentence(why, GUARD_WHY_SIZE, "it is allowed by %s", match.key);
        return GUARD_NEVER;
    }
    if (guard_is_shared(entry, subject, why))
        return GUARD_PROPOSE;
    if (r->tripped_s[rule] != 0) {
        text_sentence(why, GUARD_WHY_SIZE, "the rule has tripped");
        return GUARD_PROPOSE;
    }
    made = made_lately(r, entry->text);
    if (!guard_over_caps(r->config, entry, &made, why))
        return GUARD_LIST;
    r->tripped_s[rule] = r->now_s;
    return GUARD_PROPOSE;
}

/* How often the rule has listed it within 90 days. */
static int steps_of(const struct replay_rules *r, size_t previous)
{
    int steps = 0;

    for (; previous > 0 && r->findings[previous - 1].at_s > r->now_s - RULE_STEPS_S;
         previous = r->findings[previous - 1].previous)
        steps += r->findings[previous - 1].word == GUARD_LIST;
    return steps;
}

static int add_finding(struct replay_rules *r, const struct replay_finding *finding)
{
    struct replay_finding *grown;
    size_t room = r->room > 0 ? 2 * r->room : 64;

    if (r->count == r->room) {
        grown =
            r->count < FINDINGS_MAX ? realloc(r->findings, room * sizeof *grown) : NULL;
        if (grown == NULL) {
            r->failed = true;
            return -1;
        }
        r->findings = grown;
        r->room = room;
    }
    r->findings[r->count++] = *finding;
    return 0;
}

static void decide(struct replay_rules *r, const struct finding *finding,
                   const struct usage_subject *subject, const char *text)
{
    size_t rule = (size_t)(finding->rule - r->config->rules);
    char error[ENTRY_ERROR_SIZE], key[32 + ENTRY_TEXT_SIZE];
    const struct replay_finding *last;
    struct replay_finding made = {
        .rule = rule, .at_s = r->now_s, .ids = {r->id}, .id_count = 1};
    struct entry entry;
    int step;

    if (entry_parse(text, &entry, error) != 0)
        return;
    (void)snprintf(key, sizeof key, "%zu %s", rule, entry.text);
    last = held_of(r, r->by_rule, key);
    if ((last != NULL && last->until_s > r->now_s) || listed(r, entry.text) != NULL)
        return;
    made.previous = last != NULL ? (size_t)(last - r->findings) + 1 : 0;
    step = steps_of(r, made.previous);
    made.action = rule_action_of(finding->rule, step);
    made.for_s = rule_span_of(finding->rule, step);
    made.word = judge(r, rule, &entry, subject, made.why);
    /* as long as it is listed, or proposed, nothing else is made of it */
    made.until_s = INT64_MAX;
    if (made.word != GUARD_LIST)
        made.until_s = r->now_s + PROPOSAL_S;
    else if (made.for_s > 0)
        made.until_s = r->now_s + made.for_s;
    text_copy(entry.text, made.entry, sizeof made.entry);
    text_copy(finding->because, made.because, sizeof made.because);
    if (add_finding(r, &made) != 0)
        return;
    hold(r, &r->by_rule, key, r->count - 1);
    if (made.word == GUARD_LIST) {
        hold(r, &r->by_entry, entry.text, r->count - 1);
        (void)counters_reset(r->counters, finding->rule->by, finding->key);
    }
}

static void found(void *context, const struct finding *finding,
                  const struct usage_subject *subject)
{
    const char *texts[RULE_ENTRIES];
    size_t count = rule_entries(finding->rule, subject, texts);

    for (size_t i = 0; i < count; i++)
        decide(context, finding, subject, texts[i]);
}

/* --- one decision --- */

/* Whether an entry of then decided about the message from its first recipient on. */
static bool had_entry(const struct record *record)
{
    if (record->entry_action == BLOCKLIST_NONE ||
        (record->stage == STAGE_EOM && record->entry_subject == BLOCKLIST_BY_FROM))
        return false;
    for (size_t i = 0; i < record->recipient_count; i++)
        if (record->stage == STAGE_RCPT && record->entry_action != BLOCKLIST_ALLOW &&
            record->recipients[i].outcome == RECIPIENT_ACCEPTED)
            return false; /* it was made in the middle */
    return true;
}

static bool is_allow_listed(const struct record *record)
{
    for (size_t i = 0; i < record->answer_count; i++)
        if (record->answers[i].counted && record->answers[i].check == CHECK_CLIENT &&
            record->answers[i].weight < 0)
            return true;
    return false;
}

/* Whether the lists refused it as a whole: before its recipients, or at its end. */
static bool is_refused_whole(const struct record *record)
{
    return record->entry_action == BLOCKLIST_NONE &&
           record->verdict >= VERDICT_TEMPFAIL &&
           (record->stage < STAGE_RCPT ||
            (record->stage == STAGE_EOM && record->end == END_REFUSED));
}

static void play_recipients(struct replay_rules *r, const struct usage *usage,
                            const struct record *record,
                            const struct mail_address *sender, struct replay_finding *by)
{
    uint64_t refused = 0;
    size_t known = r->count;

    for (size_t i = 0; i < record->recipient_count; i++) {
        const struct record_recipient *recipient = &record->recipients[i];

        if (known != r->count) { /* found in the middle */
            known = r->count;
            by = listed_message(r, record, sender);
        }
        if (recipient->outcome == RECIPIENT_ACCEPTED && by != NULL)
            refused++;
        else if (recipient->outcome == RECIPIENT_ACCEPTED)
            usage_recipient(usage, &r->message, recipient->text, "", USAGE_ACCEPTED,
                            r->now_s);
        else if (recipient->outcome == RECIPIENT_BY_MTA)
            usage_recipient(usage, &r->message, recipient->text, "",
                            usage_outcome_of(recipient->detail, ""), r->now_s);
        else if (recipient->outcome == RECIPIENT_REFUSED && by == NULL &&
                 record->entry_action == BLOCKLIST_NONE)
            usage_refused(usage, &r->message, r->now_s);
    }
    if (refused == 0)
        return;
    by = listed_message(r, record, sender); /* it may have moved */
    by->messages++;
    by->recipients += refused;
    if (by->id_count < REPLAY_IDS && by->ids[by->id_count - 1] != r->id)
        by->ids[by->id_count++] = r->id;
}

static void play(struct replay_rules *r, const struct record *record)
{
    struct usage usage = {.counters = r->counters,
                          .config = r->config,
                          .suffixes = r->suffixes,
                          .own = r->own,
                          .found = found,
                          .context = r};
    struct mail_address address;
    const struct mail_address *sender =
        record->stage >= STAGE_MAIL &&
                mail_address_parse(record->sender[0] != '\0' ? record->sender : "<>",
                                   &address) == 0
            ? &address
            : NULL;
    struct replay_finding *by = listed_message(r, record, sender);
    struct usage_envelope envelope = {
        .client = record->has_client ? &record->client : NULL,
        .client_name = record->client_name,
        .sender = sender,
        .login = record->login,
        .has_entry = by != NULL || had_entry(record),
        .is_allow_listed = is_allow_listed(record),
    };

    r->message.begun = false;
    usage_begin(&usage, &r->message, &envelope);
    play_recipients(r, &usage, record, sender, by);
    if (by == NULL && is_refused_whole(record))
        usage_refused(&usage, &r->message, r->now_s);
    if (record->end != END_OPEN)
        usage_end(&usage, &r->message, record->end == END_MESSAGE, r->now_s);
}

/* --- all of them --- */

int replay_rules_begin(struct replay_rules *r)
{
    r->tripped_s = calloc(r->config->rule_count + 1, sizeof *r->tripped_s);
    return r->tripped_s != NULL ? 0 : -1;
}

static void take_one(struct replay_rules *r, const struct record *record)
{
    int64_t at_s = (int64_t)journal_id_time(record->id);
    struct counter_layout layouts[RULE_BY_COUNT];

    if (r->counters == NULL) {
        if (record->verdict != VERDICT_ACCEPT)
            return;
        rule_set_layouts(r->config, layouts);
        r->counters = counters_new((size_t)r->config->automatic.max_keys, layouts, at_s);
        r->begun_s = at_s;
        if (r->counters == NULL) {
            r->failed = true;
            return;
        }
    }
    r->id = record->id;
    r->now_s = at_s > r->now_s ? at_s : r->now_s;
    r->decisions += 1 + record->folded;
    for (uint64_t n = 0; n <= record->folded && n <= FOLDED_MAX && !r->failed; n++)
        play(r, record);
}

static int by_verdict(const void *a, const void *b)
{
    const struct replay_waiting *x = a, *y = b;

    return x->at_ms != y->at_ms ? (x->at_ms < y->at_ms ? -1 : 1)
                                : (x->id > y->id) - (x->id < y->id);
}

int replay_rules_end(struct replay_rules *r)
{
    struct record record;

    if (r->waiting_count > 1)
        qsort(r->waiting, r->waiting_count, sizeof r->waiting[0], by_verdict);
    for (size_t i = 0; i < r->waiting_count; i++) {
        struct replay_waiting *w = &r->waiting[i];

        if (w->octets.failed) {
            r->failed = true;
        } else if (record_decode(w->octets.bytes, w->octets.used, &record) == 0) {
            record.id = w->id;
            take_one(r, &record);
            record_clear(&record);
        }
        free(w->octets.bytes);
    }
    r->waiting_count = 0;
    return r->failed ? -1 : 0;
}

int replay_rules_take(struct replay_rules *r, const struct record *record)
{
    size_t room = r->waiting_room > 0 ? 2 * r->waiting_room : 64;
    struct replay_waiting *w;

    if (r->waiting_count > 0 &&
        journal_id_time(r->waiting[0].id) != journal_id_time(record->id) &&
        replay_rules_end(r) != 0)
        return -1;
    if (r->failed)
        return -1;
    if (r->waiting_count == r->waiting_room) {
        w = realloc(r->waiting, room * sizeof *w);
        if (w == NULL)
            return -1;
        r->waiting = w;
        r->waiting_room = room;
    }
    w = &r->waiting[r->waiting_count++];
    *w = (struct replay_waiting){.id = record->id, .at_ms = record->at_ms};
    record_add_head(&w->octets, record);
    for (size_t i = 0; i < record->recipient_count; i++)
        record_add_recipient(&w->octets, &record->recipients[i]);
    record_add_end(&w->octets, record->end, record->queue_id);
    if (record->folded > 0)
        record_add_folded(&w->octets, record->folded, record->folded_last_ms);
    return 0;
}

void replay_rules_gap(struct replay_rules *r, int64_t ended_s)
{
    (void)replay_rules_end(r); /* a failure shows at the next one */
    if (r->counters != NULL)
        counters_unobserved(r->counters, ended_s, false);
}

void replay_rules_clear(struct replay_rules *r)
{
    held_clear(&r->by_rule);
    held_clear(&r->by_entry);
    for (size_t i = 0; i < r->waiting_count; i++)
        free(r->waiting[i].octets.bytes);
    free(r->waiting);
    counters_free(r->counters);
    free(r->findings);
    free(r->tripped_s);
    r->counters = NULL;
    r->findings = NULL;
    r->tripped_s = NULL;
    r->waiting = NULL;
    r->waiting_count = r->waiting_room = 0;
}
