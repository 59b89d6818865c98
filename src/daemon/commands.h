/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DAEMON_COMMANDS_H
#define DAEMON_COMMANDS_H

/* The commands of the control socket: what rblctl, and whoever else speaks its protocol,
 * can have done. commands.c holds their table. */

#include <jansson.h>

#include "blocklist/admin.h"
#include "control/control.h"
#include "daemon/daemon.h"
#include "journal/search.h"

/* The table; its context is the daemon, which is borrowed. */
struct command_table daemon_commands(struct daemon *daemon);

/* The commands, by file. Each takes the request and returns its answer: a new reference,
 * or NULL without memory. The comment above each says what is asked and answered. */

/* commands_entries.c */
json_t *cmd_add(struct control_session *session, const json_t *request);
json_t *cmd_tempfail(struct control_session *session, const json_t *request);
json_t *cmd_allow(struct control_session *session, const json_t *request);
json_t *cmd_remove(struct control_session *session, const json_t *request);
json_t *cmd_list(struct control_session *session, const json_t *request);
json_t *cmd_show(struct control_session *session, const json_t *request);
json_t *cmd_log(struct control_session *session, const json_t *request);

/* commands_import.c: an import belongs to its session, and is never heard of again when
 * that ends before the commit. */
json_t *cmd_import_begin(struct control_session *session, const json_t *request);
json_t *cmd_import_rows(struct control_session *session, const json_t *request);
json_t *cmd_import_commit(struct control_session *session, const json_t *request);
void import_end(struct control_session *session);

/* commands_check.c */
json_t *cmd_check(struct control_session *session, const json_t *request);

/* commands_farm.c */
json_t *cmd_farm(struct control_session *session, const json_t *request);
json_t *cmd_farm_compare(struct control_session *session, const json_t *request);
json_t *cmd_farm_forget(struct control_session *session, const json_t *request);

/* Sets "farm" of an answer to how far a change has come, waiting for that as the request
 * says; nothing where this host is alone. */
void command_farm_reach(const struct control_session *session, const json_t *request,
                        json_t **answer);
/* The names of the other hosts of the farm with that number in the ids of their decisions, as
 * an array; and in words: "mx3", "mx2 or mx3", "" none. */
json_t *farm_hosts_of(struct daemon *daemon, unsigned number, char *words, size_t size);

/* For struct farm_options: what DNS lists alone refused here. */
json_t *command_alone(void *daemon);

/* {"hits","last_hit","hosts"} of the whole farm for an entry that has matched so often here;
 * null where the farm cannot say so now, NULL: this host is alone. */
json_t *farm_hits_value(struct daemon *daemon, const char *entry, int64_t own,
                        int64_t own_last);
json_t *farm_section(struct daemon *daemon); /* for status; NULL: alone */

/* commands_why.c */
json_t *cmd_why(struct control_session *session, const json_t *request);
json_t *cmd_false(struct control_session *session, const json_t *request);

/* commands_dnsbl.c */
json_t *cmd_dnsbl(struct control_session *session, const json_t *request);
json_t *cmd_dnsbl_change(struct control_session *session, const json_t *request);

/* trial.c: what a list that is not configured would have said of the clients of the last
 * hour. Paced, and bounded in time; one at a time; it stops where mail needs the
 * resolver. */
json_t *cmd_dnsbl_try(struct control_session *session, const json_t *request);

/* commands_whatif.c: at low priority, bounded in time; one at a time. */
json_t *cmd_whatif(struct control_session *session, const json_t *request);

/* commands_whatif_rules.c: the same of rules. */
json_t *cmd_whatif_rules(struct control_session *session, const json_t *request);

/* doctor.c: what is wrong around the daemon, each with what to do. rblctl itself adds
 * what only the MTA's configuration says (src/ctl/doctor.c). */
json_t *cmd_doctor(struct control_session *session, const json_t *request);

/* commands_rules.c */
json_t *cmd_rules(struct control_session *session, const json_t *request);
json_t *cmd_rules_resume(struct control_session *session, const json_t *request);
json_t *cmd_proposals(struct control_session *session, const json_t *request);
json_t *cmd_proposals_decide(struct control_session *session, const json_t *request);
json_t *cmd_watch(struct control_session *session, const json_t *request);

/* What rules have found of an entry: rows as cmd_proposals has them. */
json_t *command_findings(struct daemon *daemon, const char *entry);

/* The section of rules in status. */
json_t *command_rules_status(struct daemon *daemon, const struct config *config);

/* commands_usage.c */
json_t *cmd_usage(struct control_session *session, const json_t *request);
json_t *cmd_usage_reset(struct control_session *session, const json_t *request);
json_t *cmd_event(struct control_session *session, const json_t *request);

/* For rules_options.decisions: context is the daemon. */
char *rules_evidence(void *context, const char *entry, bool wait);

/* commands.c */
json_t *cmd_status(struct control_session *session, const json_t *request);
json_t *cmd_stats(struct control_session *session, const json_t *request);
json_t *cmd_reload(struct control_session *session, const json_t *request);
json_t *cmd_flush_cache(struct control_session *session, const json_t *request);

/* --- what several of them need --- */

struct daemon *command_daemon(const struct control_session *session);

/* The configuration in force. The caller unrefs it. */
struct config *command_config(const struct control_session *session);

/* {"ok":true, name: value}, whose reference it takes. */
json_t *command_answer(const char *name, json_t *value);

/* A config_report that appends to an array: context is a json_t **. */
void command_report(void *context, const char *text);

/* The answer for a result of blocklist/admin.h other than OK. */
json_t *command_error(enum blocklist_result result, const char *error);

/* Takes tokens of the user's DNS budget; who may write has none to keep. Returns 0, or -1
 * with the answer. */
int command_dns_budget(const struct control_session *session, int tokens,
                       json_t **answer);

/* The conf file of a whatif, and since when (unix time) it is about. Returns 0, or -1 with
 * the answer. */
int command_conf_of(const json_t *request, struct config **config, int64_t *since,
                    json_t **answer);

/* journal_walk at low priority, until *stopped, which it sets where time is up (five
 * minutes) or the daemon stops. Returns NULL, or the answer of what failed. */
json_t *command_walk(struct daemon *daemon, int64_t since,
                     bool (*each)(void *context, const struct journal_found *found),
                     void *context, bool *stopped);

#define ACTOR_LOGIN_SIZE 200

/* Kept decisions that what (as of why) finds, the newest first, within since_s seconds (0: all)
 * and limit: as cmd_why answers, local parts and all; NULL without memory, or where it can
 * find none. */
json_t *command_decisions(struct daemon *daemon, const char *what, int64_t since_s,
                          int64_t limit);

/* Who it is, for the audit log: "anna", or "root (sudo: anna)" where rblctl says so in
 * "sudo": a claim, shown as one, and no ground for any right. */
struct command_actor {
    struct blocklist_actor actor;
    char login[ACTOR_LOGIN_SIZE];
};
/* Returns 0, or -1 with the answer. */
int command_actor_of(struct command_actor *out, const struct control_session *session,
                     const json_t *request, json_t **answer);

/* What an entry is held against, by the configuration in force. */
struct command_limits {
    struct config *config; /* a reference, until command_limits_end */
    struct entry_limits limits;
};
void command_limits_of(struct command_limits *out, const struct control_session *session);

/* For limits.is_in_use, which command_limits_of leaves NULL, as it looks through all that is
 * known: by what was accepted lately (witnesses.h). */
bool command_is_in_use(void *context, const struct entry *entry,
                       char why[static ENTRY_ERROR_SIZE]);

void command_limits_end(struct command_limits *limits);

#endif
