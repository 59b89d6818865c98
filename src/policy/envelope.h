/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef POLICY_ENVELOPE_H
#define POLICY_ENVELOPE_H

/* What the MTA said of a session and its message so far; which list is queried about what
 * of it, and when. Plain values; an envelope belongs to one session, which only one thread
 * works on at a time. */

#include <stdbool.h>

#include "base/domain.h"
#include "base/ipaddr.h"
#include "config/config.h"
#include "policy/header_address.h"

#define HELO_SIZE     256 /* shown; longer ones are cut in the log only */
#define ENVELOPE_SIZE 321 /* 64 + @ + 255, RFC 5321 4.5.3.1, and the end */
#define LOGIN_SIZE    256
#define QUEUE_ID_SIZE 64

/* What the headers of a message name. */
struct message_headers {
    struct header_address from[HEADER_ADDRESSES], reply_to[HEADER_ADDRESSES];
    size_t from_count, reply_to_count;
};

struct envelope {
    bool has_client; /* false: a local socket or an unknown family */
    struct ipaddr client;
    char client_text[IPADDR_TEXT_SIZE]; /* "" without one */
    char client_name[DOMAIN_SIZE];      /* forward-confirmed, canonical; else "" */
    char helo_text[HELO_SIZE];          /* as it came */
    char helo[DOMAIN_SIZE];             /* canonical; "" when it is no name */
    /* of the message: */
    bool has_sender;
    char sender_text[ENVELOPE_SIZE]; /* as it came, without <> */
    struct mail_address sender;
    char login[LOGIN_SIZE]; /* "" : not logged in */
    char queue_id[QUEUE_ID_SIZE];
    const struct message_headers *headers; /* borrowed; NULL: not known, or not wanted */
};

/* client is NULL for a local socket or an unknown family; name is the client's name where
 * the MTA confirmed it, else NULL. */
void envelope_connect(struct envelope *envelope, const struct ipaddr *client,
                      const char *name);

/* Ends the current message, too (RFC 5321, 4.1.4). */
void envelope_helo(struct envelope *envelope, const char *helo);

/* Begins a message: sender as in MAIL FROM, with or without <>; login NULL when none. */
void envelope_mail(struct envelope *envelope, const char *sender, const char *login);

/* Copies an envelope address without its <> for showing, cut where too long. */
void envelope_address_text(const char *address, char out[static ENVELOPE_SIZE]);

/* --- subjects: any thread; no state --- */

/* The stage at which the list is queried about that check: STAGE_CONNECT, STAGE_HELO or
 * STAGE_MAIL, STAGE_EOM of headers; STAGE_RCPT where it waits for other lists (after); -1
 * where it is not queried about it. */
int subject_stage(const struct list *list, enum check check);

/* How many subjects of that kind the session has: 1, or, of headers, as many as they have
 * addresses. */
unsigned subject_count(enum check check, const struct envelope *envelope);

/* Writes the name to query; index counts the addresses of a header, else it is 0. Returns
 * 0, or -1 if there is nothing to query: the subject is not known, says nothing to the
 * outside (a private address, a name without a dot, a literal), or the list does not want
 * it (IPv6, ordinary senders). */
int subject_query_name(const struct list *list, enum check check, unsigned index,
                       const struct envelope *envelope,
                       const struct suffix_list *suffixes, char out[static DOMAIN_SIZE]);

/* The subject's text for replies and logs: an address, a name. Borrowed from envelope. */
const char *subject_text(enum check check, unsigned index,
                         const struct envelope *envelope);

/* "Client host", "Sender domain" …: the class in a reply. */
const char *subject_class(enum check check);

#endif
