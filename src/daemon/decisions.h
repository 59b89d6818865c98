/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DAEMON_DECISIONS_H
#define DAEMON_DECISIONS_H

/* What rblctl's commands have of the decisions of the journal: which of them a word finds,
 * and each as JSON. Any thread. */

#include <jansson.h>

#include "blocklist/entry.h"
#include "journal/search.h"

enum wanted_kind {
    WANTED_ADDRESS,
    WANTED_DOMAIN,
    WANTED_CLIENT, /* an address or a network */
    WANTED_LOGIN,
    WANTED_QUEUE_ID
};

/* What is looked for, by the form of the word that was given. */
struct wanted {
    enum wanted_kind kind;
    char value[TOKEN_ADDRESS_SIZE];
    struct network network;      /* of WANTED_CLIENT */
    char entry[ENTRY_TEXT_SIZE]; /* as an entry of the blocklist; "" it cannot be one */
};

/* Returns 0, or -1 with a sentence in error. */
int wanted_read(const char *text, struct wanted *out, char *error, size_t size);

/* The values of a journal_query for it, which point into it. Returns how many. */
size_t wanted_values(const struct wanted *wanted,
                     struct day_value out[static DAY_VALUES]);

/* Whether a record that the journal proposes is one of them; key is the journal's. */
bool wanted_finds(const struct wanted *wanted, const struct record *r,
                  const uint8_t *key);

/* Whether one of its recipients is that address, or one of "@domain". */
bool record_has_recipient(const struct record *r, const char *address,
                          const uint8_t *key);

/* Whether this client is shown local parts and logins (control.local-parts). */
struct control_session;
bool decisions_show_local_parts(const struct control_session *session);

/* {"id","at_ms","node","verdict","stage","score","threshold","missing","took_ms",
 *  "client","client_name","helo","sender","login","queue_id","end","exempt",
 *  "entry","entry_action","entry_subject","entry_reason","entry_since",
 *  "recipients":[{"recipient","outcome","detail"}, …],
 *  "lists":[{"list","subject","what","state","addresses":[…],"weight","source","ttl_s",
 *            "age_s","ms","note"}, …],
 *  "reason","configuration","folded","folded_last_ms","stands_for" (asked for was a folded
 *  one),"false":null or {"at","login","reason"}}
 * with_local_parts: false puts "*" in place of local parts and logins. A new reference, or
 * NULL without memory. */
json_t *decision_json(const struct journal_found *found, bool with_local_parts);

/* An entry as this reader may see it: out, with "*" in place of a login or a local part. */
#define DECISION_SHOWN_SIZE 512
const char *decision_entry(const char *entry, bool with_local_parts,
                           char out[static DECISION_SHOWN_SIZE]);

/* The parts that others show, too: an id as its text, all that a list answered, and what
 * matched an entry (enum blocklist_subject; "" unknown). */
json_t *decision_id(journal_id id);
json_t *decision_addresses(const struct in_addr *addresses, size_t count);
const char *decision_subject(unsigned subject);

#define DECISION_LIST_SIZE 256

/* The name of a configuration's list, from its names one a line. Returns whether there is
 * one. */
bool decision_list_name(const char *lists, unsigned index,
                        char out[static DECISION_LIST_SIZE]);

#endif
