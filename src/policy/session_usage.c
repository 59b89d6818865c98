/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/session_usage.h"

#include <time.h>

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
    const struct envelope *f = &session->envelope;
    struct usage_envelope envelope = {
        .client = f->has_client ? &f->client : NULL,
        .client_name = f->client_name,
        .sender = f->has_sender ? &f->sender : NULL,
        .login = f->login,
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
    struct usage usage = rules_usage(session->policy->rules, session->policy->config);

    usage_recipient(&usage, message_of(session, &usage), recipient,
                    mailer != NULL ? mailer : "", outcome, time(NULL));
}

void session_count_accepted(struct session *session, const char *recipient,
                            const char *mailer)
{
    if (session_is_counted(session))
        count_recipient(session, recipient, mailer, USAGE_ACCEPTED);
}

void session_count_refused_by_mta(struct session *session, const char *recipient,
                                  const char *status, const char *text)
{
    if (session_is_counted(session))
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
