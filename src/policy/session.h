/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef POLICY_SESSION_H
#define POLICY_SESSION_H

/* One SMTP session as it is judged: its envelope, its lookups, and the decision about
 * the current message. Belongs to one thread at a time; knows nothing of libmilter. */

#include <stdbool.h>

#include "journal/record.h"
#include "policy/envelope.h"
#include "policy/lookups.h"
#include "policy/policy.h"
#include "policy/verdict.h"

/* An SMTP line is 512 octets at most (RFC 5321, 4.5.3.1.5): less "554 5.7.1 " and CRLF.
 */
#define REPLY_TEXT_SIZE 501

struct decision {
    enum verdict verdict;
    int score;   /* of the DNS lists, as far as they were queried and had answered */
    int missing; /* what allow lists that were not heard could have taken off it */
    const char *exempt; /* why the score did not count: "network" …; NULL if it did */
    enum blocklist_verdict listed;
    struct blocklist_match match; /* of listed */
    const struct dnsbl_lookup
        *deciding;               /* the heaviest listing, for the reply; NULL: none */
    int took_ms;                 /* that the verdict was waited for */
    char reply[REPLY_TEXT_SIZE]; /* of a refusal: the text after code and status */
};

/* What the journal keeps of the current message (decision_record.c). */
struct kept {
    struct octets octets; /* parts not handed over yet */
    const char *alone;    /* of a head in them: the list that alone refused */
    enum verdict verdict; /* of the head */
    bool has_head;        /* the verdict is in octets, or handed over */
    bool refused;         /* which of the day's files */
    bool first_handed;
};

struct session {
    struct policy *policy; /* a reference */
    struct envelope envelope;
    struct lookups *lookups;
    bool is_dry_run;               /* no mail: see lookups_new */
    enum blocklist_verdict listed; /* by the subjects known so far */
    struct blocklist_match match;
    struct message_headers *headers; /* owned; NULL: there were none */
    unsigned from_listed; /* of headers->from: what match is about (BLOCKLIST_BY_FROM) */
    bool decided;         /* about the current message */
    enum stage stage;     /* of what the MTA said last; RCPT says nothing new */
    int waited_ms;        /* of the current message's deadline, over all stages */
    struct decision decision;
    journal_id id; /* of the current message's decision; 0: none yet, or no journal */
    struct kept kept;
    uint64_t blocklist_changes; /* as of the last lookup in the blocklist */
    struct usage_message usage; /* what of the message is counted */
};

/* Takes a reference to policy of its own. is_dry_run: see lookups_new; every list is then
 * queried, exempt or not. NULL: no memory. */
struct session *session_new(struct policy *policy, bool is_dry_run);
void session_free(struct session *session); /* NULL is fine */

/* The envelope grows; the lookups that it then allows begin at once, and nothing is
 * waited for. The arguments are those of envelope.h. Return 0, or -1 without memory:
 * nothing of that stage is looked up then. */
int session_connect(struct session *session, const struct ipaddr *client,
                    const char *name);
int session_helo(struct session *session, const char *helo);
int session_mail(struct session *session, const char *sender, const char *login);

/* A header of the message: From: and Reply-To: are kept where something checks them, as
 * many addresses as HEADER_ADDRESSES of each. */
void session_header(struct session *session, const char *name, const char *value);

/* The end of the headers, at the end of the message: what lists and the blocklist say of
 * them is looked up, and the decision is made again where there is something to look up. An
 * entry about a From: may block, never allow: anyone can write one. Returns as the others.
 */
int session_headers_end(struct session *session);

/* Decides with what is known at this stage, waiting for what is open. All stages of a
 * message together wait no longer than the configured deadline; those before MAIL leave a
 * fifth of it, those before headers that are judged another. on_wait and context: see
 * struct wait. The decision holds until the next SMTP command; calling again repeats it. */
const struct decision *session_decide(struct session *session,
                                      int (*on_wait)(void *context), void *context);

/* Looks the message up in the blocklist again where that has changed since, for a message with
 * many recipients. Returns whether an entry decides now that did not: the next decision is
 * another one then. */
bool session_recheck(struct session *session);

/* Whether the DNS lists' verdict may be given at this stage: not before MAIL where the
 * sender or a login may exempt the message. */
bool session_lists_are_due(const struct session *session, enum stage stage);

/* Notes that the message was accepted: its client and its sender's domain may bear
 * witness about lists (witnesses.h). */
void session_accepted(const struct session *session);

/* At the end of a message: gives allow lists that could not change the verdict, and so
 * were not waited for, half a second more, so that the header can name them. */
void session_await_allow_lists(struct session *session, int (*on_wait)(void *context),
                               void *context);

/* --- the rules' counters: nothing waits; all do nothing where there are no rules --- */

/* Whether rules count anything: what only they need is then requested from the MTA. */
bool session_is_counted(const struct session *session);

/* A recipient that we let pass: mailer is {rcpt_mailer}, NULL where the MTA does not say. */
void session_count_accepted(struct session *session, const char *recipient,
                            const char *mailer);

/* One that the MTA has refused itself, with its x.y.z and its text; NULL: unknown. */
void session_count_refused_by_mta(struct session *session, const char *recipient,
                                  const char *status, const char *text);

/* The message was refused, or put off, as session->decision says. */
void session_count_refused(struct session *session);

/* The message is over. Does nothing where nothing was counted. */
void session_count_end(struct session *session, bool accepted);

#endif
