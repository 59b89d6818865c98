/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of commands, what several of them need, and those about the daemon as a whole:
 * status, stats, reload, flush-cache. */

#include "config.h"

#include "daemon/commands.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "control/protocol.h"
#include "milter/milter.h"

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

struct config *command_config(const struct control_session *session)
{
    struct policy *policy = policy_slot_get(&command_daemon(session)->slot);
    struct config *config = config_ref(policy->config);

    policy_unref(policy);
    return config;
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

    out->config = command_config(session);
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

/* --- status, stats, reload, flush-cache --- */

/* What is wrong comes first, if anything is. */
static json_t *blocklist_section(struct daemon *daemon)
{
    struct blocklist_status b;
    json_t *out = json_object();
    json_int_t entries = 0;

    blocklist_status(daemon->blocklist, &b);
    if (b.error[0] != '\0')
        protocol_set(&out, "wrong", protocol_text(b.error));
    if (b.clock[0] != '\0')
        protocol_set(&out, "clock", protocol_text(b.clock));
    for (int kind = 0; kind < ENTRY_KIND_COUNT; kind++)
        entries += (json_int_t)b.entries[kind];
    protocol_set(&out, "database", protocol_text(b.database));
    protocol_set(&out, "entries", b.counted ? json_integer(entries) : json_null());
    for (int kind = 0; kind < ENTRY_KIND_COUNT && b.counted; kind++)
        protocol_set(&out, entry_kind_name((enum entry_kind)kind),
                     json_integer((json_int_t)b.entries[kind]));
    protocol_set(&out, "allow", json_integer((json_int_t)b.allow));
    protocol_set(&out, "database_bytes", json_integer((json_int_t)b.database_bytes));
    protocol_set(&out, "wal_bytes", json_integer((json_int_t)b.wal_bytes));
    protocol_set(&out, "filter", json_string(b.bloom_ready ? "ready" : "building"));
    protocol_set(&out, "filter_bytes", json_integer((json_int_t)b.bloom_bytes));
    protocol_set(&out, "hits_dropped", json_integer((json_int_t)b.hits_dropped));
    protocol_set(&out, "last_backup_at", json_integer((json_int_t)b.last_backup));
    protocol_set(&out, "checked", json_boolean(b.checked));
    return out;
}

static json_t *journal_section(struct daemon *daemon)
{
    struct journal_stats j;
    json_t *out;

    if (!journal_keeps(daemon->journal, true))
        return json_pack("{s:b}", "kept", 0);
    journal_stats(daemon->journal, &j);
    out =
        json_pack("{s:o, s:I, s:I, s:I, s:I, s:I, s:I}", "directory",
                  protocol_text(journal_directory(daemon->journal)), "bytes",
                  (json_int_t)j.bytes, "oldest_at", (json_int_t)j.oldest_day, "decisions",
                  (json_int_t)j.written, "folded", (json_int_t)j.folded, "dropped",
                  (json_int_t)j.dropped, "queue_bytes", (json_int_t)j.queued);
    if (j.failing)
        protocol_set(&out, "wrong", protocol_text(j.error));
    return out;
}

static void append_server(void *context, const char *address, int64_t away_ms)
{
    json_t *row =
        json_pack("{s:s, s:s}", "server", address, "state", away_ms != 0 ? "away" : "ok");

    if (away_ms != 0)
        protocol_set(&row, "away_s", json_integer((clock_ms() - away_ms) / 1000));
    protocol_append(context, row);
}

static json_t *resolver_section(struct daemon *daemon)
{
    struct resolver_stats now;
    json_t *servers = json_array();

    resolver_stats(daemon->resolver, &now);
    resolver_servers(daemon->resolver, append_server, &servers);
    return json_pack("{s:I, s:I, s:I, s:o}", "open", (json_int_t)now.open,
                     "cached answers", (json_int_t)now.cache_count, "cache_bytes",
                     (json_int_t)now.cache_bytes, "servers", servers);
}

/* {"command":"status"} -> {"ok":true,"status":{…}}: names of values -> numbers, texts;
 * what ends in "_at", "_s", "_ms" or "_bytes" is shown as such; sections below. */
json_t *cmd_status(struct control_session *session, const json_t *request)
{
    struct daemon *daemon = command_daemon(session);
    struct policy *policy = policy_slot_get(&daemon->slot);
    struct milter_stats milter_now;
    json_t *out;

    (void)request;
    milter_stats(&milter_now);
    out = json_pack(
        "{s:s, s:I, s:o, s:o, s:i, s:{s:I, s:I}, s:o, s:o, s:o}", "version",
        PACKAGE_VERSION, "started_at", (json_int_t)daemon->started_at, "configuration",
        protocol_text(daemon->path), "socket",
        protocol_text(policy->config->milter.socket), "lists", (int)policy->lists.count,
        "sessions", "open", (json_int_t)milter_now.open, "waiting",
        (json_int_t)milter_now.waiting, "resolver", resolver_section(daemon), "blocklist",
        blocklist_section(daemon), "journal", journal_section(daemon));
    if (daemon->farm != NULL)
        protocol_set(&out, "farm", farm_section(daemon));
    if (rules_count(daemon->rules))
        protocol_set(&out, "rules", command_rules_status(daemon, policy->config));
    if (log_lost() > 0)
        protocol_set(&out, "log_lines_lost", json_integer((json_int_t)log_lost()));
    policy_unref(policy);
    return command_answer("status", out);
}

/* {"command":"stats"} -> {"ok":true,"stats":{…}}: counters since the start. */
json_t *cmd_stats(struct control_session *session, const json_t *request)
{
    struct daemon *daemon = command_daemon(session);
    struct milter_stats m;
    struct resolver_stats r;
    json_t *statuses = json_object(), *strays = json_object(), *out;

    (void)request;
    milter_stats(&m);
    resolver_stats(daemon->resolver, &r);
    for (int s = 0; s < DNS_STATUS_COUNT; s++)
        protocol_set(&statuses, dns_status_name((enum dns_status)s),
                     json_integer((json_int_t)r.by_status[s]));
    for (int s = 0; s < STRAY_COUNT; s++)
        protocol_set(&strays, stray_name((enum stray)s),
                     json_integer((json_int_t)r.strays[s]));
    out = json_pack(
        "{s:{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}, "
        "s:{s:I, s:I, s:I, s:I, s:I, s:I}, s:o, s:o}",
        "milter", "sessions", (json_int_t)m.connections, "messages",
        (json_int_t)m.messages, "accepted", (json_int_t)m.verdicts[VERDICT_ACCEPT],
        "tagged", (json_int_t)m.verdicts[VERDICT_TAG], "deferred",
        (json_int_t)m.verdicts[VERDICT_TEMPFAIL], "refused",
        (json_int_t)m.verdicts[VERDICT_REJECT], "by the blocklist",
        (json_int_t)m.blocklisted, "not judged", (json_int_t)m.turned_away, "resolver",
        "asked", (json_int_t)r.asked, "joined", (json_int_t)r.joined, "from the cache",
        (json_int_t)r.cached, "stale", (json_int_t)r.stale, "not asked",
        (json_int_t)r.not_asked, "by a CNAME", (json_int_t)r.cnames, "answers", statuses,
        "stray packets", strays);
    return command_answer("stats", out);
}

void command_report(void *context, const char *text)
{
    protocol_append(context, protocol_text(text));
}

/* {"command":"reload"} -> {"ok":true,"messages":[warnings]}, or refused with the errors
 */
json_t *cmd_reload(struct control_session *session, const json_t *request)
{
    struct daemon *daemon = command_daemon(session);
    json_t *messages = json_array(), *answer;

    (void)request;
    log_notice("reload by=%s", session->peer.name);
    if (daemon_reload(daemon, command_report, &messages) == 0) {
        /* an admin looks: the time is right now */
        blocklist_trust_clock(daemon->blocklist);
        return command_answer("messages", messages);
    }
    answer =
        protocol_error_answer(PROTOCOL_REFUSED, "the old configuration stays in force");
    protocol_set(&answer, "messages", messages);
    return answer;
}

/* {"command":"flush-cache"} -> {"ok":true} */
json_t *cmd_flush_cache(struct control_session *session, const json_t *request)
{
    (void)request;
    log_notice("flush-cache by=%s", session->peer.name);
    resolver_flush_cache(command_daemon(session)->resolver);
    return json_pack("{s:b}", "ok", 1);
}
