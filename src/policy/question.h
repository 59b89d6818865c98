#ifndef POLICY_QUESTION_H
#define POLICY_QUESTION_H

/* Which list is asked about what, and when. Any thread; no state. */

#include <stdbool.h>

#include "config/config.h"
#include "policy/facts.h"

/* The stage at which the list's question about that check starts: STAGE_CONNECT,
 * STAGE_HELO or STAGE_MAIL; STAGE_RCPT where it waits for other lists (after); -1 where
 * the list does not ask about it. */
int question_stage(const struct list *list, enum check check);

/* Writes the name to ask for. Returns 0, or -1 if there is nothing to ask: the subject is
 * not known, says nothing to the outside (a private address, a name without a dot, a
 * literal), or the list does not want it (IPv6, ordinary senders). */
int question_name(const struct list *list, enum check check, const struct facts *facts,
                  const struct suffix_list *suffixes, char out[static DOMAIN_SIZE]);

/* The subject's text for replies and logs: an address, a name. Borrowed from facts. */
const char *question_subject(enum check check, const struct facts *facts);

/* "Client host", "Sender domain" …: the class in a reply. */
const char *question_class(enum check check);

#endif
