/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/commands.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/text.h"
#include "control/protocol.h"

static const struct command commands[] = {
    {"add", RIGHT_WRITE, true, cmd_add},
    {"tempfail", RIGHT_WRITE, true, cmd_tempfail},
    {"allow", RIGHT_WRITE, true, cmd_allow},
    {"remove", RIGHT_WRITE, true, cmd_remove},
    {"list", RIGHT_READ, true, cmd_list},
    {"show", RIGHT_READ, true, cmd_show},
    {"log", RIGHT_READ, true, cmd_log},
    {"import-begin", RIGHT_WRITE, true, cmd_import_begin},
    {"import-rows", RIGHT_WRITE, true, cmd_import_rows},
    {"import-commit", RIGHT_WRITE, true, cmd_import_commit},
    {"check", RIGHT_READ, true, cmd_check},
    {"farm", RIGHT_READ, true, cmd_farm},
    {"farm-compare", RIGHT_WRITE, true, cmd_farm_compare},
    {"farm-forget", RIGHT_WRITE, true, cmd_farm_forget},
    {"why", RIGHT_READ, true, cmd_why},
    {"false", RIGHT_WRITE, true, cmd_false},
    {"status", RIGHT_READ, false, cmd_status},
    {"stats", RIGHT_READ, false, cmd_stats},
    {"reload", RIGHT_WRITE, true, cmd_reload},
    {"flush-cache", RIGHT_WRITE, false, cmd_flush_cache},
    {"whatif", RIGHT_READ, true, cmd_whatif},
    {"whatif-rules", RIGHT_READ, true, cmd_whatif_rules},
    {"doctor", RIGHT_READ, true, cmd_doctor},
    {"rules", RIGHT_READ, true, cmd_rules},
    {"rules-resume", RIGHT_WRITE, true, cmd_rules_resume},
    {"proposals", RIGHT_READ, true, cmd_proposals},
    {"proposals-decide", RIGHT_WRITE, true, cmd_proposals_decide},
    {"usage", RIGHT_READ, true, cmd_usage},
    {"usage-reset", RIGHT_WRITE, true, cmd_usage_reset},
    {"event", RIGHT_WRITE, false, cmd_event},
    {"watch", RIGHT_READ, false, cmd_watch},
    {"dnsbl", RIGHT_READ, true, cmd_dnsbl},
    {"dnsbl-change", RIGHT_WRITE, true, cmd_dnsbl_change},
    {"dnsbl-try", RIGHT_WRITE, true, cmd_dnsbl_try},
};

struct command_table daemon_commands(struct daemon *daemon)
{
    return (struct command_table){.rows = commands,
                                  .count = sizeof commands / sizeof commands[0],
                                  .context = daemon,
                                  .session_end = import_end};
}

struct daemon *command_daemon(const struct control_session *session)
{
    return session->table->context;
}

json_t *command_answer(const char *name, json_t *value)
{
    return value == NULL ? NULL : json_pack("{s:b, s:o}", "ok", 1, name, value);
}

json_t *command_error(enum blocklist_result result, const char *error)
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

int command_dns_budget(const struct control_session *session, int tokens, json_t **answer)
{
    struct dns_budget *budget = &command_daemon(session)->budget;
    int64_t wait_ms, until_ms = clock_ms() + DNS_BUDGET_WAIT_MS;

    if (session->peer.right == RIGHT_WRITE)
        return 0;
    while ((wait_ms = dns_budget_take(budget, session->peer.uid, tokens, clock_ms())) >
           0) {
        struct timespec rest = {wait_ms / 1000, wait_ms % 1000 * 1000000};

        if (clock_ms() + wait_ms > until_ms)
            break;
        nanosleep(&rest, NULL);
    }
    if (wait_ms == 0)
        return 0;
    *answer = protocol_error_answer(
        PROTOCOL_BUSY, "this user's DNS budget is used up: try again in %d seconds",
        (int)((wait_ms + 999) / 1000));
    return -1;
}

int command_actor_of(struct command_actor *out, const struct control_session *session,
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

/* A domain is in use if own users send as it, or if it is a regular with so many senders; a
 * network if so many regular clients are in it. */
#define IN_USE_SENDERS 5
#define IN_USE_CLIENTS 3

bool command_is_in_use(void *context, const struct entry *entry,
                       char why[static ENTRY_ERROR_SIZE])
{
    struct witnesses *witnesses = context;
    struct accepted_lately lately = {0};
    int today = (int)(time(NULL) / 86400);
    struct network network;

    if (entry->kind == ENTRY_DOMAIN)
        witnesses_of_domain(witnesses, entry->text, today, &lately);
    else if (entry_network(entry, &network) == 0 &&
             network.prefix < (network.base.family == 4 ? 32 : 64))
        witnesses_of_network(witnesses, &network, today, &lately);
    if (lately.own > 0)
        text_sentence(
            why, ENTRY_ERROR_SIZE,
            "%s is in use: users who log in here have sent as it in the last 30 "
            "days, such as %s",
            entry->text, lately.example);
    else if (lately.senders >= IN_USE_SENDERS)
        text_sentence(
            why, ENTRY_ERROR_SIZE,
            "%s is in use: mail of at least %u of its senders was accepted in the "
            "last two weeks, such as %s",
            entry->text, lately.senders, lately.example);
    else if (lately.clients >= IN_USE_CLIENTS)
        text_sentence(
            why, ENTRY_ERROR_SIZE,
            "%s is in use: mail of %u clients in it is accepted regularly, such as "
            "%s",
            entry->text, lately.clients, lately.example);
    return why[0] != '\0';
}

void command_limits_of(struct command_limits *out, const struct control_session *session)
{
    struct daemon *daemon = command_daemon(session);
    struct policy *policy = policy_slot_get(&daemon->slot);

    out->config = config_ref(policy->config);
    policy_unref(policy);
    out->limits = (struct entry_limits){
        .suffixes = daemon->suffixes,
        .exempt = out->config->exempt.networks,
        .exempt_count = out->config->exempt.network_count,
        .context = prober_witnesses(daemon->prober),
    };
}

void command_limits_end(struct command_limits *limits)
{
    config_unref(limits->config);
    *limits = (struct command_limits){0};
}
