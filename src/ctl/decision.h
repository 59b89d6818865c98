/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CTL_DECISION_H
#define CTL_DECISION_H

/* How a decision is shown, of the journal (why) or of now (check). */

#include <jansson.h>

#include "ctl/ctl.h"

/* "refused", "put off" … for the verdict's name. */
const char *decision_verdict(const char *verdict);

/* Prints what each list said, as a table: rows as daemon/decision_json.h has them, or those
 * of check. now: the rows of a check of the same message, for a column beside; NULL none. */
enum outcome decision_lists(struct ctl *ctl, const json_t *rows, const json_t *now);

/* Prints the line of the sender blocklist: its entry, by the names of the members of object;
 * "nothing" where there is none. */
void decision_entry(const json_t *object, const char *action, const char *subject,
                    const char *entry, const char *reason, const char *since);

/* Where to be taken off the list that weighed most: from its reason, then or now. "" where
 * none is known. */
void decision_delisting(const json_t *decision, const json_t *now, char *out,
                        size_t size);

#endif
