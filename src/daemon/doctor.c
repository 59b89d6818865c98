/* SPDX-License-Identifier: BSD-2-Clause */
/* doctor: what the daemon itself can find out about its setup. The settings of Postfix and
 * sendmail are read by rblctl, which may run as root: ctl/doctor.c. */

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdarg.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/endpoint.h"
#include "base/text.h"
#include "blocklist/admin.h"
#include "control/protocol.h"
#include "daemon/commands.h"
#include "daemon/doctor_parts.h"
#include "milter/milter.h"

/* Of the DNS budget: it queries each list's test points. */
#define DOCTOR_TOKENS 10

void doctor_say(struct doctor *doctor, enum level level, const char *advice,
                const char *what, ...)
{
    static const char *const names[LEVEL_COUNT] = {"error", "warning", "ok"};
    char text[1024];
    va_list args;

    va_start(args, what);
    text_sentence_of(text, sizeof text, what, args);
    va_end(args);
    protocol_append(&doctor->findings[level],
                    json_pack("{s:s, s:o, s:s}", "level", names[level], "what",
                              protocol_text(text), "advice", advice));
}

size_t doctor_wrong(const struct doctor *doctor)
{
    return json_array_size(doctor->findings[LEVEL_ERROR]) +
           json_array_size(doctor->findings[LEVEL_WARNING]);
}

/* {"command":"doctor"} -> {"ok":true,"findings":[{"level":"error|warning|ok","what":"…",
 * "advice":"…"}]} */
json_t *cmd_doctor(struct control_session *session, const json_t *request)
{
    static void (*const parts[])(struct doctor *) = {doctor_resolver, doctor_lists,
                                                     doctor_twins,    doctor_files,
                                                     doctor_state,    doctor_farm};
    struct daemon *daemon = command_daemon(session);
    struct doctor doctor = {.daemon = daemon};
    json_t *all, *answer;
    bool failed = false;

    (void)request;
    if (command_dns_budget(session, DOCTOR_TOKENS, &answer) != 0)
        return answer;
    doctor.policy = policy_slot_get(&daemon->slot);
    all = json_array();
    for (int level = 0; level < LEVEL_COUNT; level++)
        doctor.findings[level] = json_array();
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (!atomic_load(&daemon->stopping))
            parts[i](&doctor);
    for (int level = 0; level < LEVEL_COUNT; level++) {
        if (json_array_extend(all, doctor.findings[level]) != 0)
            failed = true;
        json_decref(doctor.findings[level]);
    }
    policy_unref(doctor.policy);
    if (!failed)
        return command_answer("findings", all);
    json_decref(all);
    return NULL;
}

#define DAY_S          86400
#define BACKUP_MAX_S   (2 * DAY_S)
#define FEW_FILES      4096 /* two a session */
#define DEFAULT_DOMAIN "example.org"

static void check_mta(struct doctor *doctor)
{
    struct milter_stats stats;

    milter_stats(&stats);
    if (stats.connections == 0)
        doctor_say(doctor, LEVEL_WARNING,
                   "normal for a while after a start; else check that the MTA has "
                   "this milter (docs/postfix.md, docs/sendmail.md)",
                   "no MTA has connected since the start");
    else if (stats.unnamed * 2 > stats.connections)
        doctor_say(doctor, LEVEL_WARNING,
                   "Postfix: leave milter_connect_macros as it is, or add {client_name}; "
                   "sendmail: add {client_resolve}, {client_name} to "
                   "confMILTER_MACROS_CONNECT",
                   "macros do not arrive: %llu of %llu sessions came without "
                   "{client_name}, so the client's name is never looked up",
                   (unsigned long long)stats.unnamed,
                   (unsigned long long)stats.connections);
    else
        doctor_say(doctor, LEVEL_OK, "", "the MTA connects, with its macros");
    if (stats.turned_away > 0)
        doctor_say(doctor, LEVEL_WARNING,
                   "raise LimitNOFILE (systemd) and the memory of the host; the log says "
                   "which it was",
                   "%llu sessions were not judged since the start: no descriptors, or no "
                   "memory",
                   (unsigned long long)stats.turned_away);
}

static void check_blocklist(struct doctor *doctor)
{
    size_t before = doctor_wrong(doctor);
    time_t now = time(NULL), started_at = doctor->daemon->started_at;
    struct blocklist_status status;
    bool none; /* no backup, though there was time for it */

    blocklist_status(doctor->daemon->blocklist, &status);
    none = status.last_backup == 0 && now - started_at > DAY_S;
    if (status.error[0] != '\0')
        doctor_say(doctor, LEVEL_ERROR,
                   "make room, or give the files back to the daemon's user; a damaged "
                   "database: docs/operate.md, Backup and restore",
                   "blocklist: %s", status.error);
    if (status.clock[0] != '\0')
        doctor_say(doctor, LEVEL_WARNING,
                   "check the time (date, chronyc tracking); when it is right, rblctl "
                   "reload accepts it",
                   "blocklist: %s", status.clock);
    if (doctor->policy->config->blocklist.backups > 0 &&
        (none || (status.last_backup > 0 && now - status.last_backup > BACKUP_MAX_S)))
        doctor_say(doctor, LEVEL_WARNING,
                   "look for lines with \"blocklist: backup\" in the log: a full disk, a "
                   "folder that cannot be written",
                   "the last backup of the blocklist is %ld days old",
                   (long)(now - (none ? started_at : status.last_backup)) / DAY_S);
    if (doctor_wrong(doctor) == before)
        doctor_say(doctor, LEVEL_OK, "",
                   "the blocklist can be changed, its clock is right");
}

static void check_journal(struct doctor *doctor)
{
    struct journal_stats stats;

    if (!journal_keeps(doctor->daemon->journal, true))
        return;
    journal_stats(doctor->daemon->journal, &stats);
    if (stats.failing)
        doctor_say(
            doctor, LEVEL_WARNING,
            "make room, or give the directory to the daemon's user; until then rblctl "
            "why does not know what is decided",
            "decisions are not kept: %s", stats.error);
    else
        doctor_say(doctor, LEVEL_OK, "", "decisions are kept");
}

static void check_rule(struct doctor *doctor, struct findings *findings,
                       const struct rule *rule)
{
    int64_t accepted = 0, counts[FINDING_REMOVED + 1],
            since = (int64_t)time(NULL) - 30 * 86400;
    struct finding_rule state;

    if (findings_rule_state(findings, rule->name, &state) != 0 ||
        findings_counts(findings, rule->name, since, counts, &accepted) != 0)
        return;
    if (state.tripped_at != 0) {
        char advice[128];

        snprintf(advice, sizeof advice,
                 "check what it has listed, then rblctl rules resume %s", rule->name);
        doctor_say(doctor, LEVEL_WARNING, advice,
                   "rule %s has tripped and only proposes: %s", rule->name, state.why);
    }
    if (counts[FINDING_OPEN] > 0)
        doctor_say(
            doctor, LEVEL_OK, "",
            "proposals of rule %s that wait for a decision: %lld (rblctl proposals)",
            rule->name, (long long)counts[FINDING_OPEN]);
    else if (counts[FINDING_LISTED] + counts[FINDING_ENDED] + counts[FINDING_REMOVED] +
                 counts[FINDING_DISMISSED] >
             0)
        doctor_say(
            doctor, LEVEL_OK, "",
            "rule %s: in 30 days %lld listed, %lld of them accepted and %lld removed by "
            "hand; %lld proposals dismissed",
            rule->name,
            (long long)(counts[FINDING_LISTED] + counts[FINDING_ENDED] +
                        counts[FINDING_REMOVED]),
            (long long)accepted, (long long)counts[FINDING_REMOVED],
            (long long)counts[FINDING_DISMISSED]);
}

static void check_rules(struct doctor *doctor)
{
    const struct config *config = doctor->policy->config;
    struct findings *findings = rules_findings(doctor->daemon->rules);
    struct rules_stats stats;

    if (!rules_count(doctor->daemon->rules))
        return;
    rules_stats(doctor->daemon->rules, &stats);
    if (findings == NULL)
        doctor_say(
            doctor, LEVEL_WARNING,
            "make room, or give the file to the daemon's user; until then nothing is "
            "proposed or listed by rules",
            "what rules find cannot be kept: %s", stats.error);
    for (size_t i = 0; findings != NULL && i < config->rule_count; i++)
        check_rule(doctor, findings, &config->rules[i]);
}

void doctor_state(struct doctor *doctor)
{
    const struct reply_template *url = doctor->policy->config->reply.url;
    struct rlimit limit;

    check_rules(doctor);
    check_mta(doctor);
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < FEW_FILES)
        doctor_say(doctor, LEVEL_WARNING,
                   "set LimitNOFILE=65536 in the unit, or ulimit -n before the start",
                   "the daemon may have %llu descriptors only, which is %llu sessions",
                   (unsigned long long)limit.rlim_cur,
                   (unsigned long long)limit.rlim_cur / 2);
    if (url != NULL && strstr(reply_template_source(url), DEFAULT_DOMAIN) != NULL)
        doctor_say(doctor, LEVEL_WARNING,
                   "set reply { url = \"https://…\" } to a page that says how to reach "
                   "you",
                   "refusals send people to %s", reply_template_source(url));
    check_blocklist(doctor);
    check_journal(doctor);
}

#define OTHERS_MAY_DO_ANYTHING (S_IROTH | S_IWOTH | S_IXOTH)

/* Whether a file exists that must. */
static bool check_file(struct doctor *doctor, const char *path, struct stat *st)
{
    if (stat(path, st) == 0)
        return true;
    doctor_say(doctor, LEVEL_ERROR,
               "find out who removed it, or the right to connect; a restart creates the "
               "sockets again",
               "%s: %s", path, strerror(errno));
    return false;
}

/* A list's key must not be read by everybody, wherever it is. */
static void check_key(struct doctor *doctor, const struct list *list)
{
    const char *path = list->key_file != NULL ? list->key_file : doctor->daemon->path;
    struct stat st;

    if (list->key == NULL || stat(path, &st) != 0) /* read at the start: no matter now */
        return;
    if ((st.st_mode & (S_IROTH | S_IWOTH)) != 0)
        doctor_say(doctor, LEVEL_WARNING,
                   "chown root:rblmilter and chmod 640 the file; a key in the conf file "
                   "is better put into a file of its own (key-file)",
                   "%s: everybody can read the key of list %s", path, list->name);
}

static void check_database(struct doctor *doctor)
{
    struct blocklist_status status;
    char folder[PATH_MAX];
    struct stat st;

    blocklist_status(doctor->daemon->blocklist, &status);
    if (stat(status.database, &st) != 0)
        return; /* the blocklist's own state says */
    if (st.st_uid != geteuid())
        doctor_say(doctor, LEVEL_ERROR,
                   "chown it, with the files beside it, to that user",
                   "%s belongs to uid %u, the daemon runs as uid %u", status.database,
                   (unsigned)st.st_uid, (unsigned)geteuid());
    if ((st.st_mode & OTHERS_MAY_DO_ANYTHING) != 0)
        doctor_say(doctor, LEVEL_WARNING, "chmod 600",
                   "%s: everybody can read who is listed", status.database);
    if (text_copy(status.database, folder, sizeof folder) &&
        access(dirname(folder), W_OK) != 0)
        doctor_say(doctor, LEVEL_ERROR, "give the folder to the daemon's user",
                   "%s: the daemon cannot write there: %s", folder, strerror(errno));
}

/* Whether the MTA can connect: also as others than the daemon's own user and group. */
static void check_milter(struct doctor *doctor)
{
    const struct config *config = doctor->policy->config;
    const char *path = endpoint_path(config->milter.socket);
    struct endpoint endpoint;
    char folder[PATH_MAX];
    struct stat st, above;

    if (path != NULL && check_file(doctor, path, &st)) {
        if ((st.st_mode & S_IWOTH) == 0 && config->milter.socket_group[0] == '\0')
            doctor_say(doctor, LEVEL_WARNING,
                       "set milter { socket-group = \"postfix\" socket-mode = \"0660\" }",
                       "%s: only the daemon's own user and group can connect", path);
        if (text_copy(path, folder, sizeof folder) &&
            stat(dirname(folder), &above) == 0 && (above.st_mode & S_IXOTH) == 0 &&
            !(above.st_gid == st.st_gid && (above.st_mode & S_IXGRP) != 0))
            doctor_say(
                doctor, LEVEL_WARNING, "chmod o+x the folder, or give it that group",
                "%s: the MTA may not pass this folder to the milter socket", folder);
    }
    if (endpoint_parse(config->milter.socket, &endpoint) != 0 ||
        !endpoint_knock(&endpoint))
        doctor_say(doctor, LEVEL_ERROR,
                   "restart the daemon (a reload does not move the socket)",
                   "nobody can connect to %s", config->milter.socket);
}

void doctor_files(struct doctor *doctor)
{
    const struct config *config = doctor->policy->config;
    const char *conf = doctor->daemon->path, *control = config->control.socket;
    size_t before = doctor_wrong(doctor);
    struct stat st;

    if (check_file(doctor, conf, &st) && (st.st_mode & S_IWOTH) != 0)
        doctor_say(doctor, LEVEL_ERROR, "chmod o-w, and read it through",
                   "%s can be written by everybody", conf);
    for (size_t i = 0; i < config->list_count; i++)
        check_key(doctor, &config->lists[i]);
    if (check_file(doctor, control, &st) && (st.st_mode & OTHERS_MAY_DO_ANYTHING) != 0)
        doctor_say(doctor, LEVEL_WARNING, "chmod 660, and find out who changed it",
                   "%s: users outside of the daemon's group can connect", control);
    check_database(doctor);
    check_milter(doctor);
    if (doctor_wrong(doctor) == before)
        doctor_say(doctor, LEVEL_OK, "", "files and sockets have the rights they need");
}
