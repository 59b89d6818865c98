/* SPDX-License-Identifier: BSD-2-Clause */
/* farm, farm-compare, farm-forget; what status, the doctor and changes say of the farm. */

#include <string.h>

#include "base/text.h"
#include "control/protocol.h"
#include "daemon/commands.h"
#include "daemon/doctor_parts.h"

#define REACH_MS   500
#define WAIT_MS    10000
#define COMPARE_MS 300000
#define FORGET_MS  10000
#define AWAY_MS    30000
#define BEHIND_MS  60000
#define OFFSET_MS  5000

static json_t *alone(void)
{
    return protocol_error_answer(PROTOCOL_REFUSED,
                                 "this host is alone: there is no database in the farm "
                                 "section of the conf file");
}

void command_farm_reach(const struct control_session *session, const json_t *request,
                        json_t **answer)
{
    struct farm *farm = command_daemon(session)->farm;
    bool wait = json_is_true(json_object_get(request, "wait"));
    struct farm_reach reach;

    if (farm == NULL || !json_is_true(json_object_get(*answer, "ok")))
        return;
    farm_reach(farm, wait ? WAIT_MS : REACH_MS, &reach);
    protocol_set(answer, "farm",
                 json_pack("{s:b, s:i, s:i, s:I, s:o}", "reached", reach.reached, "have",
                           (int)reach.have, "hosts", (int)reach.hosts, "waiting",
                           (json_int_t)reach.waiting, "error",
                           reach.reached || reach.error[0] == '\0'
                               ? json_null()
                               : protocol_text(reach.error)));
}

/* --- farm --- */

static bool is_away(const struct farm_host *host)
{
    return host->seen_ms < 0 || host->seen_ms > AWAY_MS;
}

static json_t *host_value(const struct farm_host *host)
{
    return json_pack("{s:o, s:s, s:I, s:I, s:I, s:I, s:o, s:I, s:o, s:b}", "host",
                     protocol_text(host->name), "state",
                     is_away(host)      ? "away"
                     : host->twice      ? "twice"
                     : host->lag_ms > 0 ? "behind"
                                        : "equal",
                     "entries", (json_int_t)host->entries, "lag_ms",
                     (json_int_t)host->lag_ms, "waiting", (json_int_t)host->waiting,
                     "refused", (json_int_t)host->refused, "version",
                     protocol_text(host->version), "since", (json_int_t)host->since,
                     "seen_s",
                     host->seen_ms < 0 ? json_null()
                                       : json_integer((json_int_t)(host->seen_ms / 1000)),
                     "own", host->own);
}

static json_t *section_of(const struct farm_status *status)
{
    json_t *out = json_object();

    protocol_set(&out, "node", protocol_text(status->node));
    protocol_set(&out, "state",
                 json_string(!status->connected ? "not reached" : "reached"));
    if (status->error[0] != '\0')
        protocol_set(&out, "wrong", protocol_text(status->error));
    protocol_set(&out, "server", protocol_text(status->server));
    protocol_set(&out, "server_version", json_integer(status->server_version));
    protocol_set(&out, "read_ms",
                 status->read_ms < 0 ? json_null()
                                     : json_integer((json_int_t)status->read_ms));
    protocol_set(&out, "clock_offset_ms", json_integer((json_int_t)status->offset_ms));
    protocol_set(&out, "hosts", json_integer(status->host_count));
    protocol_set(&out, "waiting", json_integer((json_int_t)status->waiting));
    protocol_set(&out, "sent", json_integer((json_int_t)status->sent));
    protocol_set(&out, "taken", json_integer((json_int_t)status->taken));
    protocol_set(&out, "compared", json_integer((json_int_t)status->reconciled));
    protocol_set(&out, "refused", json_integer((json_int_t)status->refused));
    if (status->refused > 0)
        protocol_set(&out, "refused_last", protocol_text(status->refused_why));
    return out;
}

json_t *farm_section(struct daemon *daemon)
{
    struct farm_status status;
    json_t *out;

    farm_status(daemon->farm, &status);
    out = section_of(&status);
    farm_status_end(&status);
    return out;
}

json_t *farm_hosts_of(struct daemon *daemon, unsigned number, char *words, size_t size)
{
    struct buffer text = buffer_over(words, size);
    struct farm_status status;
    json_t *names = json_array();

    words[0] = '\0';
    if (daemon->farm == NULL)
        return names;
    farm_status(daemon->farm, &status);
    for (unsigned i = 0; i < status.host_count; i++) {
        if (status.hosts[i].own || status.hosts[i].number != (int)number)
            continue;
        buffer_add(&text, "%s%s", text.used > 0 ? " or " : "", status.hosts[i].name);
        protocol_append(&names, protocol_text(status.hosts[i].name));
    }
    farm_status_end(&status);
    return names;
}

json_t *farm_hits_value(struct daemon *daemon, const char *entry, int64_t own,
                        int64_t own_last)
{
    struct farm_hits hits;
    int64_t last;

    if (daemon->farm == NULL)
        return NULL;
    if (farm_hits(daemon->farm, entry, REACH_MS, &hits) != 0)
        return json_null();
    last = hits.last > own_last ? hits.last : own_last;
    return json_pack("{s:I, s:o, s:i}", "hits", (json_int_t)(hits.hits + own), "last_hit",
                     last > 0 ? json_integer((json_int_t)last) : json_null(), "hosts",
                     (int)hits.hosts + (own > 0));
}

/* {"command":"farm"} -> {"ok":true,"farm":{…},"hosts":[{…}],"wrong":something is} */
json_t *cmd_farm(struct control_session *session, const json_t *request)
{
    struct daemon *daemon = command_daemon(session);
    struct farm_status status;
    json_t *hosts, *answer;
    bool wrong;

    (void)request;
    if (daemon->farm == NULL)
        return alone();
    farm_status(daemon->farm, &status);
    wrong = !status.connected || status.refused > 0;
    hosts = json_array();
    for (unsigned i = 0; i < status.host_count; i++) {
        const struct farm_host *host = &status.hosts[i];

        wrong |=
            is_away(host) || host->lag_ms > BEHIND_MS || host->twice || host->refused > 0;
        protocol_append(&hosts, host_value(host));
    }
    answer = command_answer("farm", section_of(&status));
    farm_status_end(&status);
    protocol_set(&answer, "hosts", hosts);
    protocol_set(&answer, "wrong", json_boolean(wrong));
    return answer;
}

/* {"command":"farm-compare","full"} -> {"ok":true,"comparison":{…}}: what differed, and is
 * repaired. */
json_t *cmd_farm_compare(struct control_session *session, const json_t *request)
{
    struct daemon *daemon = command_daemon(session);
    struct farm_comparison found;
    char error[FARM_ERROR_SIZE];
    bool full = json_is_true(json_object_get(request, "full"));
    json_t *rows;

    if (daemon->farm == NULL)
        return alone();
    if (farm_compare(daemon->farm, full, COMPARE_MS, &found, error) != 0)
        return protocol_error_answer(PROTOCOL_FAILED, "the farm cannot be compared: %s",
                                     error);
    rows = json_array();
    for (unsigned i = 0; i < found.row_count; i++)
        protocol_append(&rows, protocol_text(found.rows[i]));
    return command_answer(
        "comparison",
        json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "seq",
                  (json_int_t)found.seq, "here", (json_int_t)found.here, "farm",
                  (json_int_t)found.there, "missing_here", (json_int_t)found.missing,
                  "older_here", (json_int_t)found.older, "missing_in_farm",
                  (json_int_t)found.not_there, "older_in_farm", (json_int_t)found.newer,
                  "other", (json_int_t)found.other, "refused", (json_int_t)found.refused,
                  "rows", rows));
}

/* {"command":"farm-forget","node"} -> {"ok":true}, or "no-entry" */
json_t *cmd_farm_forget(struct control_session *session, const json_t *request)
{
    struct daemon *daemon = command_daemon(session);
    const char *node = NULL;
    char error[FARM_ERROR_SIZE];
    json_t *answer;

    if (daemon->farm == NULL)
        return alone();
    if (request_optional_text(request, "node", &node, &answer) != 0)
        return answer;
    if (node == NULL || node[0] == '\0')
        return protocol_error_answer(PROTOCOL_USAGE, "\"node\" is missing");
    switch (farm_forget(daemon->farm, node, FORGET_MS, error)) {
    case 1:
        return json_pack("{s:b}", "ok", 1);
    case 0:
        return protocol_error_answer(PROTOCOL_NO_ENTRY, "the farm has no host %s", node);
    default:
        return protocol_error_answer(PROTOCOL_FAILED, "%s", error);
    }
}

/* --- the doctor --- */

static void doctor_hosts(struct doctor *doctor, const struct farm_status *status)
{
    for (unsigned i = 0; i < status->host_count; i++) {
        const struct farm_host *host = &status->hosts[i];

        if (host->twice)
            doctor_say(doctor, LEVEL_ERROR, "set node in the farm section of one of them",
                       "two hosts of the farm have the name %s", host->name);
        else if (is_away(host))
            doctor_say(doctor, LEVEL_WARNING,
                       "check it; \"rblctl farm forget\" if it no longer exists",
                       "%s is away from the farm", host->name);
        else if (host->lag_ms > BEHIND_MS)
            doctor_say(doctor, LEVEL_WARNING, "check its load and its disk",
                       "%s is behind the farm by %lld s", host->name,
                       (long long)(host->lag_ms / 1000));
    }
}

/* Advice: there are but 64 numbers. */
static void doctor_numbers(struct doctor *doctor, const struct farm_status *status)
{
    for (unsigned i = 0; i < status->host_count; i++)
        for (unsigned k = i + 1; k < status->host_count; k++)
            if (status->hosts[i].number >= 0 &&
                status->hosts[i].number == status->hosts[k].number) {
                doctor_say(doctor, LEVEL_OK, "",
                           "%s and %s both have node %d in the journal section: ids do "
                           "not show which of them they are of: advice, docs/farm.md",
                           status->hosts[i].name, status->hosts[k].name,
                           status->hosts[i].number);
                return; /* one is enough */
            }
}

static void doctor_reached(struct doctor *doctor, const struct farm_status *status)
{
    if (status->offset_ms > OFFSET_MS || status->offset_ms < -OFFSET_MS)
        doctor_say(doctor, LEVEL_WARNING,
                   "synchronise the clocks (chrony, systemd-timesyncd)",
                   "this host's clock and the farm database's are %lld ms apart",
                   (long long)status->offset_ms);
    if (status->leaves_host && !status->tls)
        doctor_say(doctor, LEVEL_WARNING,
                   "set sslmode=verify-full in the farm section's database",
                   "the connection to %s has no TLS", status->server);
    if (!status->has_standby)
        doctor_say(
            doctor, LEVEL_OK, "",
            "the farm's database has no synchronous standby: advice, docs/farm.md");
}

void doctor_farm(struct doctor *doctor)
{
    struct farm *farm = doctor->daemon->farm;
    size_t before = doctor_wrong(doctor);
    struct farm_status status;

    if (farm == NULL)
        return;
    farm_status(farm, &status);
    if (!status.connected)
        doctor_say(doctor, LEVEL_ERROR,
                   "check the database; this host goes on alone meanwhile",
                   "the farm cannot be reached: %s", status.error);
    else
        doctor_reached(doctor, &status);
    if (status.refused > 0)
        doctor_say(doctor, LEVEL_WARNING,
                   "is another host newer than this one, or who writes to the database?",
                   "%lld rows of the farm were refused, last: %s",
                   (long long)status.refused, status.refused_why);
    doctor_hosts(doctor, &status);
    doctor_numbers(doctor, &status);
    if (doctor_wrong(doctor) == before)
        doctor_say(doctor, LEVEL_OK, "", "the farm is in sync: %u hosts",
                   status.host_count);
    farm_status_end(&status);
}
