/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef POLICY_SUBJECT_H
#define POLICY_SUBJECT_H

/* Which list is asked about what, and when. Any thread; no state. */

#include <stdbool.h>

#include "config/config.h"
#include "policy/envelope.h"

/* The stage at which the list's question about that check starts: STAGE_CONNECT,
 * STAGE_HELO or STAGE_MAIL, STAGE_EOM of headers; STAGE_RCPT where it waits for other lists (after); -1 where
 * the list does not ask about it. */
int subject_stage(const struct list *list, enum check check);

/* How many subjects of that kind the session has: 1, or, of headers, as many as they have
 * addresses. */
unsigned subject_count(enum check check, const struct envelope *envelope);

/* Writes the name to ask for; index counts the addresses of a header, else it is 0. Returns 0, or -1 if there is nothing to ask: the subject is
 * not known, says nothing to the outside (a private address, a name without a dot, a
 * literal), or the list does not want it (IPv6, ordinary senders). */
int subject_query_name(const struct list *list, enum check check, unsigned index,
                       const struct envelope *envelope,
                       const struct suffix_list *suffixes, char out[static DOMAIN_SIZE]);

/* The subject's text for replies and logs: an address, a name. Borrowed from envelope. */
const char *subject_text(enum check check, unsigned index,
                         const struct envelope *envelope);

/* "Client host", "Sender domain" …: the class in a reply. */
const char *subject_class(enum check check);

#endif
