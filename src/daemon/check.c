/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/check.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "control/protocol.h"
#include "daemon/daemon.h"
#include "policy/session.h"
#include "policy/subject.h"

/* The list's reason for one listing; each is looked up alone, as a person waits, not a
 * message. */
static void fetch_reason(struct session *session, const struct dnsbl_lookup *l,
                         const struct wait *wait, char *out, size_t size)
{
    out[0] = '\0';
    lookups_forget(session->lookups, STAGE_EOM); /* the reason before */
    if (lookups_start_reason(session->lookups, l, &session->envelope) != 0)
        return;
    lookups_wait_reason(session->lookups, wait);
    lookups_reason(session->lookups, out, size);
    lookups_forget(session->lookups, STAGE_EOM);
}

/* The first URL in a reason: most operators put their delisting page there. */
static void find_url(const char *reason, char *out, size_t size)
{
    const char *start = strstr(reason, "http");

    out[0] = '\0';
    if (start == NULL)
        return;
    size_t length = strcspn(start, " \"'<>");
    if (length < size) {
        memcpy(out, start, length);
        out[length] = '\0';
    }
}

/* What the list says now; behind it the state for which it does not count. */
static const char *state_of(const struct dnsbl_lookup *l)
{
    if (!l->counted)
        return "no-answer";
    if (l->skip != NULL)
        return l->skip;
    if (l->result.state == RESULT_FAILED)
        return dns_status_name(l->status);
    return result_state_name(l->result.state);
}

static json_t *row_of(struct session *session, const struct dnsbl_lookup *l,
                      const struct wait *wait)
{
    char code[INET_ADDRSTRLEN] = "", reason[REPLY_TEXT_SIZE] = "", url[256] = "";

    if (l->counted && l->result.code.s_addr != 0)
        inet_ntop(AF_INET, &l->result.code, code, sizeof code);
    if (l->counted && l->result.state == RESULT_LISTED) {
        fetch_reason(session, l, wait, reason, sizeof reason);
        find_url(reason, url, sizeof url);
    }
    return json_pack("{s:s, s:o, s:o, s:s, s:s, s:o, s:i, s:o, s:o, s:i, s:b}", "subject",
                     check_name(l->check), "what",
                     protocol_text(subject_text(l->check, &session->envelope)), "list",
                     protocol_text(l->dnsbl->list->name), "state", state_of(l), "code",
                     code, "label", protocol_text(l->result.label), "weight",
                     lookup_weight(l), "reason", protocol_text(reason), "url",
                     protocol_text(url), "ms", l->took_ms, "cached", l->cached);
}

/* Every list about every subject, exempt or not, once all have answered. */
static json_t *rows_of(struct session *session)
{
    struct lookups *lookups = session->lookups;
    int deadline_ms = session->policy->config->resolver.deadline_ms;
    struct wait wait = {.deadline_ms = clock_ms() + deadline_ms,
                        .what = WAIT_ALL,
                        .envelope = &session->envelope};
    const struct dnsbl_lookup *l;
    json_t *rows = json_array();

    lookups_wait(lookups, &wait);
    lookups_settle(lookups, &wait);
    wait.deadline_ms = clock_ms() + deadline_ms;
    for (l = lookups_next(lookups, NULL); l != NULL; l = lookups_next(lookups, l))
        protocol_append(&rows, row_of(session, l, &wait));
    return rows;
}

static const char *subject_name(enum blocklist_subject subject)
{
    static const char *const names[] = {"sender", "client", "client-name", "helo",
                                        "login"};

    return names[subject];
}

static json_t *blocklist_row(const struct decision *d)
{
    json_t *rows = json_array();

    if (d->listed != BLOCKLIST_NONE)
        protocol_append(&rows, json_pack("{s:s, s:o, s:s, s:o, s:I}", "subject",
                                         subject_name(d->match.subject), "entry",
                                         protocol_text(d->match.key), "action",
                                         d->listed == BLOCKLIST_BLOCK ? "block" : "allow",
                                         "reason", protocol_text(d->match.reason),
                                         "since", (json_int_t)d->match.since));
    return rows;
}

static bool is_given(const struct control_question *question, enum check check)
{
    switch (check) {
    case CHECK_CLIENT:
        return question->client != NULL;
    case CHECK_CLIENT_NAME:
        return question->client_name != NULL;
    case CHECK_HELO:
        return question->helo != NULL;
    case CHECK_SENDER_DOMAIN:
    case CHECK_SENDER:
        return question->sender != NULL;
    }
    abort();
}

/* What lists ask about, but nobody has named: a real message may meet more. */
static json_t *not_given(const struct policy *policy,
                         const struct control_question *question)
{
    json_t *names = json_array();

    for (int check = 0; check < CHECK_COUNT; check++) {
        bool asked = false;

        for (size_t i = 0; i < policy->lists.count && !asked; i++)
            asked = subject_stage(policy->lists.items[i].list, (enum check)check) >= 0;
        if (asked && !is_given(question, (enum check)check))
            protocol_append(&names, json_string(check_name((enum check)check)));
    }
    return names;
}

/* The reply as the client would see it; "" of an accepting verdict. */
static void reply_line(const struct decision *d, char *out, size_t size)
{
    bool for_good = d->verdict == VERDICT_REJECT;

    out[0] = '\0';
    if (d->verdict >= VERDICT_TEMPFAIL)
        snprintf(out, size, "%s %s", for_good ? "554 5.7.1" : "451 4.7.1", d->reply);
}

static json_t *answer_of(struct session *session, json_t *rows)
{
    const struct config *config = session->policy->config;
    const struct decision *d = session_decide(session, NULL, NULL);
    char reply[REPLY_TEXT_SIZE + 16];

    reply_line(d, reply, sizeof reply);
    return json_pack("{s:s, s:i, s:i, s:s, s:o, s:o, s:o}", "verdict",
                     verdict_name(d->verdict), "score", d->score, "threshold",
                     config->verdict.reject, "exempt", d->exempt != NULL ? d->exempt : "",
                     "reply", protocol_text(reply), "rows", rows, "blocklist",
                     blocklist_row(d));
}

json_t *check_message(void *context, const struct control_question *question, char *error,
                      size_t error_size)
{
    struct daemon *daemon = context;
    struct policy *policy = policy_slot_get(&daemon->slot);
    struct session *session = session_new(policy, true);
    json_t *rows, *out = NULL;

    if (session == NULL) {
        snprintf(error, error_size, "out of memory");
        goto out;
    }
    /* what cannot be asked for want of memory shows as missing rows */
    if (session_connect(session, question->client, question->client_name) != 0 ||
        (question->helo != NULL && session_helo(session, question->helo) != 0) ||
        ((question->sender != NULL || question->login != NULL) &&
         session_mail(session, question->sender != NULL ? question->sender : "",
                      question->login) != 0)) {
        snprintf(error, error_size, "out of memory");
        goto out;
    }
    if (question->sender == NULL)
        session->envelope.has_sender = false;
    rows = rows_of(session);
    out = answer_of(session, rows);
    protocol_set(&out, "not_given", not_given(policy, question));
out:
    session_free(session);
    policy_unref(policy);
    return out;
}
