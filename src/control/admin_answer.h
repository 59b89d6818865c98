/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CONTROL_ADMIN_ANSWER_H
#define CONTROL_ADMIN_ANSWER_H

/* Between requests and blocklist/admin.h: what several commands need. */

#include <jansson.h>

#include "blocklist/admin.h"
#include "control/command.h"

/* The answer for a result other than OK. */
json_t *admin_error(enum blocklist_result result, const char *error);

#define ACTOR_LOGIN_SIZE 200

/* Who it is, for the audit trail: "anna", or "root (sudo: anna)" where rblctl says so in
 * "sudo": a claim, told as one, and no ground for any right. */
struct admin_actor {
    struct blocklist_actor actor;
    char login[ACTOR_LOGIN_SIZE];
};
int admin_actor_of(struct admin_actor *out, const struct control_session *session,
                   const json_t *request, json_t **answer);

/* What an entry is held against, by the configuration in force. */
struct admin_limits {
    struct config *config; /* held until admin_limits_end */
    struct entry_limits limits;
};
void admin_limits_of(struct admin_limits *out, const struct control_daemon *daemon);
void admin_limits_end(struct admin_limits *limits);

/* A row of the blocklist for an answer; NULL without memory. */
json_t *admin_row(const struct blocklist_row *row);

/* A time for an answer: seconds, or null for 0. */
json_t *admin_time(time_t at);

#endif
