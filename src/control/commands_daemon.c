/* SPDX-License-Identifier: BSD-2-Clause */
/* What the daemon's core is asked for: its state, its lists, a reload. */

#include "control/commands.h"

#include "base/log.h"
#include "control/protocol.h"
#include "control/request.h"

static json_t *not_here(const char *what)
{
    return protocol_error_answer(PROTOCOL_FAILED, "this daemon has no %s", what);
}

/* The answer with value (whose reference it takes) under name; NULL without memory. */
static json_t *answer_with(const char *name, json_t *value)
{
    return value == NULL ? NULL : json_pack("{s:b, s:o}", "ok", 1, name, value);
}

/* {"command":"reload"} -> {"ok":true,"messages":[warnings]}, or refused with the errors
 */
json_t *cmd_reload(struct control_session *session, const json_t *request)
{
    const struct control_daemon *daemon = session->daemon;
    json_t *messages, *answer;

    (void)request;
    if (daemon->reload == NULL)
        return not_here("reload");
    messages = json_array();
    if (messages == NULL)
        return NULL;
    log_notice("reload by=%s", session->peer.name);
    if (daemon->reload(daemon->context, &messages) == 0)
        return answer_with("messages", messages);
    answer =
        protocol_error_answer(PROTOCOL_REFUSED, "the old configuration stays in force");
    protocol_set(&answer, "messages", messages);
    return answer;
}

/* {"command":"status"} -> {"ok":true,"status":{…}} */
json_t *cmd_status(struct control_session *session, const json_t *request)
{
    const struct control_daemon *daemon = session->daemon;

    (void)request;
    if (daemon->status == NULL)
        return not_here("status");
    return answer_with("status", daemon->status(daemon->context));
}

/* {"command":"stats"} -> {"ok":true,"stats":{…}} */
json_t *cmd_stats(struct control_session *session, const json_t *request)
{
    const struct control_daemon *daemon = session->daemon;

    (void)request;
    if (daemon->stats == NULL)
        return not_here("statistics");
    return answer_with("stats", daemon->stats(daemon->context));
}

/* {"command":"flush-cache"} -> {"ok":true} */
json_t *cmd_flush_cache(struct control_session *session, const json_t *request)
{
    const struct control_daemon *daemon = session->daemon;

    (void)request;
    if (daemon->flush_cache == NULL)
        return not_here("cache");
    log_notice("flush-cache by=%s", session->peer.name);
    daemon->flush_cache(daemon->context);
    return json_pack("{s:b}", "ok", 1);
}

/* {"command":"doctor"} -> {"ok":true,"findings":[{"level","what","advice"}]} */
json_t *cmd_doctor(struct control_session *session, const json_t *request)
{
    const struct control_daemon *daemon = session->daemon;

    (void)request;
    if (daemon->doctor == NULL)
        return not_here("doctor");
    return answer_with("findings", daemon->doctor(daemon->context));
}

/* {"command":"dnsbl"} -> {"ok":true,"lists":[{…}]} */
json_t *cmd_dnsbl(struct control_session *session, const json_t *request)
{
    const struct control_daemon *daemon = session->daemon;

    (void)request;
    if (daemon->dnsbl == NULL)
        return not_here("DNS lists");
    return answer_with("lists", daemon->dnsbl(daemon->context));
}

/* {"command":"dnsbl-change","action":"suspend|resume|test","list":NAME}
 * -> {"ok":true,"list":{…}} */
json_t *cmd_dnsbl_change(struct control_session *session, const json_t *request)
{
    const struct control_daemon *daemon = session->daemon;
    const char *action, *name;
    char error[512] = "no memory";
    json_t *answer, *list;

    if (request_text(request, "action", &action, &answer) != 0 ||
        request_text(request, "list", &name, &answer) != 0)
        return answer;
    if (daemon->dnsbl_change == NULL)
        return not_here("DNS lists that can be changed");
    log_notice("dnsbl action=%s list=%s by=%s", action, name, session->peer.name);
    list = daemon->dnsbl_change(daemon->context, action, name, session->peer.name, error,
                                sizeof error);
    if (list == NULL)
        return protocol_error_answer(PROTOCOL_REFUSED, "%s", error);
    return answer_with("list", list);
}

/* {"command":"dnsbl-try","zone":ZONE} -> {"ok":true,"trial":{…}} */
json_t *cmd_dnsbl_try(struct control_session *session, const json_t *request)
{
    const struct control_daemon *daemon = session->daemon;
    const char *zone;
    char error[512] = "no memory";
    json_t *answer, *trial;

    if (request_text(request, "zone", &zone, &answer) != 0)
        return answer;
    if (daemon->dnsbl_try == NULL)
        return not_here("trial of zones");
    trial = daemon->dnsbl_try(daemon->context, zone, error, sizeof error);
    if (trial == NULL)
        return protocol_error_answer(PROTOCOL_REFUSED, "%s", error);
    return answer_with("trial", trial);
}
