/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CTL_COMMANDS_H
#define CTL_COMMANDS_H

/* The functions behind the table of rblctl.c, by file. Each returns the exit status. */

#include "ctl/ctl.h"

/* entries.c */
enum outcome ctl_add(struct ctl *ctl, const struct arguments *arguments);
enum outcome ctl_tempfail(struct ctl *ctl, const struct arguments *arguments);
enum outcome ctl_allow(struct ctl *ctl, const struct arguments *arguments);
enum outcome ctl_remove(struct ctl *ctl, const struct arguments *arguments);
enum outcome ctl_list(struct ctl *ctl, const struct arguments *arguments);
enum outcome ctl_show(struct ctl *ctl, const struct arguments *arguments);
enum outcome ctl_log(struct ctl *ctl, const struct arguments *arguments);

/* check.c */
enum outcome ctl_check(struct ctl *ctl, const struct arguments *arguments);

/* How a decision is shown, of the journal (why) or of now (check). */

/* "refused", "deferred" … for the verdict's name. */
const char *decision_verdict(const char *verdict);

/* Prints what each list said, as a table: rows as daemon/decisions.h has them, or those
 * of check. now: the rows of a check of the same message, for a column beside; NULL none. */
enum outcome decision_lists(struct ctl *ctl, const json_t *rows, const json_t *now);

/* Prints the line of the sender blocklist: its entry, by the names of the members of object;
 * "nothing" where there is none. */
void decision_print_entry(const json_t *object, const char *action, const char *subject,
                          const char *entry, const char *reason, const char *since);

/* Where to be taken off the list that weighed most: from its reason, then or now. "" where
 * none is known. */
void decision_delisting(const json_t *decision, const json_t *now, char *out,
                        size_t size);

/* why.c */
enum outcome ctl_why(struct ctl *ctl, const struct arguments *arguments);
enum outcome ctl_false(struct ctl *ctl, const struct arguments *arguments);

/* whatif.c */
enum outcome ctl_whatif(struct ctl *ctl, const struct arguments *arguments);

/* farm.c */
enum outcome ctl_farm(struct ctl *ctl, const struct arguments *arguments);
/* Says how far a change has come, of an answer of the daemon's. NOT_ALL where not all hosts
 * have it and it is waited for. */
enum outcome farm_reach_show(const json_t *answer, const char *what, bool wait);

/* rules.c */
enum outcome ctl_rules(struct ctl *ctl, const struct arguments *arguments);
enum outcome ctl_proposals(struct ctl *ctl, const struct arguments *arguments);
enum outcome ctl_usage(struct ctl *ctl, const struct arguments *arguments);
enum outcome ctl_event(struct ctl *ctl, const struct arguments *arguments);
enum outcome ctl_watch(struct ctl *ctl, const struct arguments *arguments);

/* import.c, export.c */
enum outcome ctl_import(struct ctl *ctl, const struct arguments *arguments);
enum outcome ctl_export(struct ctl *ctl, const struct arguments *arguments);

/* The format of that name, NULL after an error was printed. */
struct format;
const struct format *find_format(const char *name, bool to_export);

/* doctor.c: what the daemon says, and what only the MTA's configuration does. */
enum outcome ctl_doctor(struct ctl *ctl, const struct arguments *arguments);

/* status.c */
enum outcome ctl_dnsbl(struct ctl *ctl, const struct arguments *arguments);
enum outcome ctl_status(struct ctl *ctl, const struct arguments *arguments);
enum outcome ctl_stats(struct ctl *ctl, const struct arguments *arguments);
enum outcome ctl_reload(struct ctl *ctl, const struct arguments *arguments);
enum outcome ctl_flush_cache(struct ctl *ctl, const struct arguments *arguments);

#endif
