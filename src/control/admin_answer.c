/* SPDX-License-Identifier: BSD-2-Clause */
#include "control/admin_answer.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "config/config.h"
#include "control/protocol.h"
#include "control/request.h"

json_t *admin_error(enum blocklist_result result, const char *error)
{
    switch (result) {
    case BLOCKLIST_OK:
        break;
    case BLOCKLIST_NO_SUCH_ENTRY:
        return protocol_error_answer(PROTOCOL_NO_ENTRY, "%s", error);
    case BLOCKLIST_REFUSED:
        return protocol_error_answer(PROTOCOL_REFUSED, "%s", error);
    case BLOCKLIST_BUSY:
        return protocol_error_answer(PROTOCOL_BUSY, "%s", error);
    case BLOCKLIST_FAILED:
        return protocol_error_answer(PROTOCOL_FAILED, "%s", error);
    }
    abort(); /* OK is no error */
}

int admin_actor_of(struct admin_actor *out, const struct control_session *session,
                   const json_t *request, json_t **answer)
{
    const char *sudo = NULL;
    char clean[PEER_NAME_SIZE];

    if (request_optional_text(request, "sudo", &sudo, answer) != 0)
        return -1;
    if (sudo == NULL) {
        snprintf(out->login, sizeof out->login, "%s", session->peer.name);
    } else {
        text_clean(sudo, clean, sizeof clean);
        snprintf(out->login, sizeof out->login, "%s (sudo: %s)", session->peer.name,
                 clean);
    }
    out->actor = (struct blocklist_actor){.login = out->login, .uid = session->peer.uid};
    return 0;
}

void admin_limits_of(struct admin_limits *out, const struct control_daemon *daemon)
{
    *out = (struct admin_limits){.limits.suffixes = daemon->suffixes};
    if (daemon->config == NULL)
        return;
    out->config = daemon->config(daemon->context);
    out->limits.exempt = out->config->exempt.networks;
    out->limits.exempt_count = out->config->exempt.network_count;
}

void admin_limits_end(struct admin_limits *limits)
{
    config_unref(limits->config);
    *limits = (struct admin_limits){0};
}

json_t *admin_time(time_t at)
{
    return at == 0 ? json_null() : json_integer((json_int_t)at);
}

json_t *admin_row(const struct blocklist_row *row)
{
    return json_pack("{s:o, s:s, s:s, s:o, s:o, s:o, s:I, s:o, s:I, s:o}", "entry",
                     protocol_text(row->entry), "kind", entry_kind_name(row->kind),
                     "action", row->allow ? "allow" : "block", "source",
                     protocol_text(row->source), "reason",
                     protocol_text(row->reason == NULL ? "" : row->reason), "who",
                     protocol_text(row->who), "since", (json_int_t)row->since, "expires",
                     admin_time(row->expires), "hits", (json_int_t)row->hits, "last_hit",
                     admin_time(row->last_hit));
}
