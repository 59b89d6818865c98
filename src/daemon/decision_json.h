/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DAEMON_DECISION_JSON_H
#define DAEMON_DECISION_JSON_H

/* A decision of the journal as rblctl gets it. Any thread. */

#include <jansson.h>

#include "journal/search.h"

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

#define DECISION_LIST_SIZE 256

/* The name of a configuration's list, from its names one a line. Returns whether there is
 * one. */
bool decision_list_name(const char *lists, unsigned index,
                        char out[static DECISION_LIST_SIZE]);

#endif
