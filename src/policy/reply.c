/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/reply.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/text.h"

#define VALUE_SIZE 256 /* a subject longer than that is cut in replies, not in logs */
#define URL_SIZE   400

struct reply_code reply_code_of(enum verdict verdict)
{
    return verdict == VERDICT_REJECT ? (struct reply_code){"554", "5.7.1"}
                                     : (struct reply_code){"451", "4.7.1"};
}

/* All that templates may name, cleaned; the pointers go to reply_template_expand. */
struct values {
    char text[REPLY_VARIABLE_COUNT][VALUE_SIZE];
    char reason[REPLY_TEXT_SIZE];
    char url[URL_SIZE];
    const char *pointers[REPLY_VARIABLE_COUNT];
};

static void set_value(struct values *v, enum reply_variable variable, const char *text)
{
    text_clean(text, v->text[variable], sizeof v->text[variable]);
    v->pointers[variable] = v->text[variable];
}

static void set_session_values(struct values *v, const struct session *session)
{
    const struct envelope *envelope = &session->envelope;
    char id[JOURNAL_ID_SIZE] = "";

    if (session->id != 0)
        journal_id_text(session->id, id);
    set_value(v, REPLY_ID, id);
    set_value(v, REPLY_CLIENT, envelope->client_text);
    set_value(v, REPLY_HELO, envelope->helo_text);
    set_value(v, REPLY_SENDER, envelope->sender_text);
}

/* The URL with all its values percent-encoded; without them if it would grow too long, so
 * that it still leads to the page. */
static void set_url(struct values *v, const struct reply_template *url)
{
    char encoded[REPLY_VARIABLE_COUNT][3 * VALUE_SIZE];
    const char *pointers[REPLY_VARIABLE_COUNT] = {NULL};
    static const char *const none[REPLY_VARIABLE_COUNT] = {NULL};

    for (int i = 0; i < REPLY_VARIABLE_COUNT; i++) {
        if (v->pointers[i] == NULL)
            continue;
        text_percent_encode(v->pointers[i], encoded[i], sizeof encoded[i]);
        pointers[i] = encoded[i];
    }
    if (url == NULL)
        v->url[0] = '\0';
    else if (!reply_template_expand(url, pointers, v->url, sizeof v->url))
        reply_template_expand(url, none, v->url, sizeof v->url);
    v->pointers[REPLY_URL] = v->url;
}

#define ID_SIZE (JOURNAL_ID_SIZE + 3) /* " [7K3M-9QFT-2XWD]" */

/* Expands, and takes away what an empty value leaves at the end: "…; ". The id follows,
 * which no text is so long as to push out. */
static void expand(const struct values *v, const struct reply_template *template,
                   bool with_id, char out[static REPLY_TEXT_SIZE])
{
    const char *id = v->text[REPLY_ID];
    size_t size = REPLY_TEXT_SIZE - (with_id && id[0] != '\0' ? ID_SIZE : 0), length;
    char raw[REPLY_TEXT_SIZE];

    reply_template_expand(template, v->pointers, raw, size);
    text_clean(raw, out, size);
    length = strlen(out);
    while (length > 0 && strchr(" ;:,-", out[length - 1]) != NULL)
        out[--length] = '\0';
    if (size < REPLY_TEXT_SIZE)
        snprintf(out + length, ID_SIZE, "%s[%.14s]", length > 0 ? " " : "", id);
}

void reply_for_list(struct session *session, char out[static REPLY_TEXT_SIZE])
{
    const struct dnsbl_lookup *l = session->decision.deciding;
    const struct config *config = session->policy->config;
    const struct reply_template *template = l->dnsbl->list->reply;
    struct values v = {0};
    char code[INET_ADDRSTRLEN] = "";

    if (template == NULL)
        template = config->reply.by_check[l->check];
    if (template == NULL)
        template = config->reply.list;
    inet_ntop(AF_INET, &l->result.code, code, sizeof code);
    set_session_values(&v, session);
    set_value(&v, REPLY_CLASS, subject_class(l->check));
    set_value(&v, REPLY_WHAT, subject_text(l->check, l->index, &session->envelope));
    set_value(&v, REPLY_LIST, l->dnsbl->list->name);
    set_value(&v, REPLY_CODE, code);
    set_value(&v, REPLY_LABEL, l->result.label);
    lookups_reason(session->lookups, v.reason, sizeof v.reason);
    v.pointers[REPLY_REASON] = v.reason;
    set_url(&v, config->reply.url);
    expand(&v, template, config->reply.id, out);
}

/* What of the envelope the entry is about, as lists are queried for it. */
static enum check blocked_check(enum blocklist_subject subject)
{
    switch (subject) {
    case BLOCKLIST_BY_SENDER:
    case BLOCKLIST_BY_LOGIN:
        return CHECK_SENDER;
    case BLOCKLIST_BY_CLIENT:
        return CHECK_CLIENT;
    case BLOCKLIST_BY_CLIENT_NAME:
        return CHECK_CLIENT_NAME;
    case BLOCKLIST_BY_HELO:
        return CHECK_HELO;
    case BLOCKLIST_BY_FROM:
        return CHECK_FROM;
    }
    abort();
}

void reply_for_blocklist(struct session *session, char out[static REPLY_TEXT_SIZE])
{
    const struct config *config = session->policy->config;
    const struct envelope *envelope = &session->envelope;
    enum check check = blocked_check(session->match.subject);
    /* it is about who sends, not about whose mail it is */
    bool names_client = check != CHECK_SENDER && check != CHECK_FROM;
    const char *what = envelope->client_text;
    struct values v = {0};
    char since[32] = "";
    struct tm tm;

    if (check == CHECK_SENDER)
        what = envelope->sender_text[0] != '\0' ? envelope->sender_text : "<>";
    else if (check == CHECK_FROM)
        what = subject_text(check, session->from_listed, envelope);

    if (localtime_r(&session->match.since, &tm) != NULL)
        strftime(since, sizeof since, "%Y-%m-%d", &tm);
    set_session_values(&v, session);
    set_value(&v, REPLY_CLASS, subject_class(check));
    set_value(&v, REPLY_WHAT, what);
    set_value(&v, REPLY_LIST, "blocklist");
    set_value(&v, REPLY_KEY, session->match.key);
    set_value(&v, REPLY_SINCE, since);
    text_clean(session->match.reason, v.reason, sizeof v.reason);
    v.pointers[REPLY_REASON] = v.reason;
    set_url(&v, config->reply.url);
    expand(&v, names_client ? config->reply.blocklist_client : config->reply.blocklist,
           config->reply.id, out);
}
