/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/verdict_log.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "policy/tally.h"

void verdict_log_lists(const struct session *session, const char *separator,
                       char out[static VERDICT_LISTS_SIZE])
{
    struct buffer line = buffer_over(out, VERDICT_LISTS_SIZE);
    char code[INET_ADDRSTRLEN];

    for (const struct dnsbl_lookup *l = lookups_next(session->lookups, NULL); l != NULL;
         l = lookups_next(session->lookups, l)) {
        if (!l->counted || l->result.state != RESULT_LISTED ||
            inet_ntop(AF_INET, &l->result.code, code, sizeof code) == NULL)
            continue;
        buffer_add(&line, "%s%s(%s:%d%s)", line.used > 0 ? separator : "",
                   l->dnsbl->list->name, code, lookup_weight(l),
                   l->stale ? ":stale" : "");
    }
}

/* The lists whose answer did not come or could not be used: why a score is what it is. */
static void add_failures(struct buffer *line, const struct session *session)
{
    const char *lead = " failed=";

    for (const struct dnsbl_lookup *l = lookups_next(session->lookups, NULL); l != NULL;
         l = lookups_next(session->lookups, l)) {
        const char *why = NULL;

        if (!l->counted)
            why = l->late ? "no-answer" : "not-awaited";
        else if (l->skip != NULL)
            why = l->skip;
        else if (l->result.state == RESULT_FAILED)
            why = dns_status_name(l->status);
        else if (l->result.state == RESULT_ERROR || l->result.state == RESULT_FOREIGN)
            why = result_state_name(l->result.state);
        if (why == NULL)
            continue;
        buffer_add(line, "%s%s(%s)", lead, l->dnsbl->list->name, why);
        lead = ",";
    }
}

/* A stranger's text in angle brackets: without what could be taken for the end of it. */
static void add_stranger(struct buffer *line, const char *name, const char *text)
{
    char clean[2 * ENVELOPE_SIZE];

    text_clean(text, clean, sizeof clean);
    for (char *p = clean; *p != '\0'; p++)
        if (*p == '<' || *p == '>' || *p == ' ')
            *p = '?';
    buffer_add(line, " %s=<%s>", name, clean);
}

static void add_decision(struct buffer *line, const struct session *session)
{
    const struct decision *d = &session->decision;
    const struct config *config = session->policy->config;
    char lists[VERDICT_LISTS_SIZE], reason[BLOCKLIST_REASON_SIZE];

    if (d->listed != BLOCKLIST_NONE) {
        text_clean(d->match.reason, reason, sizeof reason);
        add_stranger(line, d->listed == BLOCKLIST_ALLOW ? "allowed" : "blocklist",
                     d->match.key);
        if (reason[0] != '\0')
            buffer_add(line, " reason=\"%s\"", reason);
        return;
    }
    if (d->exempt != NULL) {
        buffer_add(line, " exempt=%s", d->exempt);
        return;
    }
    buffer_add(line, " score=%d/%d", d->score, config->verdict.reject);
    if (d->verdict == VERDICT_TEMPFAIL && d->missing < 0)
        buffer_add(line, " unheard=%d", d->missing); /* it is put off for this */
    verdict_log_lists(session, ",", lists);
    if (lists[0] != '\0')
        buffer_add(line, " lists=%s", lists);
    add_failures(line, session);
}

void verdict_log_write(const struct session *session, const char *recipient,
                       bool exempt_recipient)
{
    const struct envelope *e = &session->envelope;
    const struct decision *d = &session->decision;
    enum verdict verdict = exempt_recipient ? VERDICT_ACCEPT : d->verdict;
    enum log_level level = verdict == VERDICT_ACCEPT ? LOG_LEVEL_INFO : LOG_LEVEL_NOTICE;
    char text[4096], to[ENVELOPE_SIZE], id[JOURNAL_ID_SIZE];
    struct buffer line = buffer_over(text, sizeof text);

    if (!log_wants(level))
        return;
    if (e->queue_id[0] != '\0')
        buffer_add(&line, "%s: ", e->queue_id);
    buffer_add(&line, "%s: client=%s[%s]", verdict_name(verdict),
               e->client_name[0] != '\0' ? e->client_name : "unknown", e->client_text);
    if (e->has_sender || e->sender_text[0] != '\0')
        add_stranger(&line, "from", e->sender_text);
    if (recipient != NULL) {
        envelope_address_text(recipient, to);
        add_stranger(&line, "to", to);
    }
    add_stranger(&line, "helo", e->helo_text);
    if (e->login[0] != '\0')
        add_stranger(&line, "login", e->login);
    if (exempt_recipient)
        buffer_add(&line, " exempt=recipient");
    else
        add_decision(&line, session);
    if (session->id != 0) {
        journal_id_text(session->id, id);
        buffer_add(&line, " id=%s", id);
    }
    buffer_add(&line, " %dms", d->took_ms);
    log_line(level, "%s", text);
}

/* Of an allow list that is healthy and counts (in monitor it changes no message); it may
 * have answered after the verdict. */
static bool is_listed_well(const struct dnsbl_lookup *l)
{
    return l->result.state == RESULT_LISTED && l->result.weight < 0 &&
           l->dnsbl->least < 0 &&
           dnsbl_believes(l->dnsbl, l->ipv6, l->result.state, l->came_ms);
}

bool verdict_log_dnswl(const struct session *session, const char *host,
                       char out[static VERDICT_LISTS_SIZE])
{
    struct buffer line = buffer_over(out, VERDICT_LISTS_SIZE);
    char code[INET_ADDRSTRLEN];
    bool any = false;

    buffer_add(&line, "%s", host);
    for (const struct dnsbl_lookup *l = lookups_next(session->lookups, NULL); l != NULL;
         l = lookups_next(session->lookups, l)) {
        if (l->check != CHECK_CLIENT || l->skip != NULL ||
            !lookups_is_answered(session->lookups, l) || !is_listed_well(l) ||
            inet_ntop(AF_INET, &l->result.code, code, sizeof code) == NULL)
            continue;
        buffer_add(&line, ";\n\tdnswl=pass dns.zone=%s policy.ip=%s",
                   l->dnsbl->list->zone_shown, code);
        any = true;
    }
    return any && !line.cut;
}
