/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CONTROL_COMMANDS_H
#define CONTROL_COMMANDS_H

/* The functions behind the table of command.c, by what they are about. Each takes the
 * request and returns its answer: a new reference, or NULL without memory. */

#include "control/command.h"

/* commands_change.c */
json_t *cmd_add(struct control_session *session, const json_t *request);
json_t *cmd_allow(struct control_session *session, const json_t *request);
json_t *cmd_remove(struct control_session *session, const json_t *request);

/* commands_look.c */
json_t *cmd_list(struct control_session *session, const json_t *request);
json_t *cmd_show(struct control_session *session, const json_t *request);
json_t *cmd_log(struct control_session *session, const json_t *request);

/* commands_import.c */
json_t *cmd_import_begin(struct control_session *session, const json_t *request);
json_t *cmd_import_rows(struct control_session *session, const json_t *request);
json_t *cmd_import_commit(struct control_session *session, const json_t *request);

/* commands_check.c */
json_t *cmd_check(struct control_session *session, const json_t *request);

/* commands_daemon.c */
json_t *cmd_reload(struct control_session *session, const json_t *request);
json_t *cmd_status(struct control_session *session, const json_t *request);
json_t *cmd_stats(struct control_session *session, const json_t *request);
json_t *cmd_flush_cache(struct control_session *session, const json_t *request);
json_t *cmd_doctor(struct control_session *session, const json_t *request);
json_t *cmd_dnsbl(struct control_session *session, const json_t *request);
json_t *cmd_dnsbl_change(struct control_session *session, const json_t *request);
json_t *cmd_dnsbl_try(struct control_session *session, const json_t *request);

#endif
