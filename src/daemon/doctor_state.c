/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/doctor_parts.h"

#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "blocklist/admin.h"
#include "milter/milter.h"

#define DAY_S          86400
#define BACKUP_MAX_S   (2 * DAY_S)
#define FEW_FILES      4096 /* two a session */
#define DEFAULT_DOMAIN "example.org"

static void look_at_mta(struct doctor *doctor)
{
    struct milter_stats stats;

    milter_stats(&stats);
    if (stats.connections == 0)
        doctor_say(doctor, LEVEL_WARNING,
                   "after a start that is so for a while; else look whether the MTA has "
                   "this milter (docs/postfix.md, docs/sendmail.md)",
                   "no MTA has come since the start");
    else if (stats.unnamed * 2 > stats.connections)
        doctor_say(doctor, LEVEL_WARNING,
                   "Postfix: leave milter_connect_macros as it is, or add {client_name}; "
                   "sendmail: add {client_resolve}, {client_name} to "
                   "confMILTER_MACROS_CONNECT",
                   "macros do not arrive: %llu of %llu sessions came without "
                   "{client_name}, so the client's name is never asked about",
                   (unsigned long long)stats.unnamed,
                   (unsigned long long)stats.connections);
    else
        doctor_say(doctor, LEVEL_OK, "", "the MTA comes, with its macros");
    if (stats.turned_away > 0)
        doctor_say(doctor, LEVEL_WARNING,
                   "raise LimitNOFILE (systemd) and the memory of the host; the log says "
                   "which it was",
                   "%llu sessions were not judged since the start: no descriptors, or no "
                   "memory",
                   (unsigned long long)stats.turned_away);
}

static void look_at_descriptors(struct doctor *doctor)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < FEW_FILES)
        doctor_say(doctor, LEVEL_WARNING,
                   "set LimitNOFILE=65536 in the unit, or ulimit -n before the start",
                   "the daemon may have %llu descriptors only, which is %llu sessions",
                   (unsigned long long)limit.rlim_cur,
                   (unsigned long long)limit.rlim_cur / 2);
}

static void look_at_reply(struct doctor *doctor)
{
    const struct reply_template *url = doctor->policy->config->reply.url;

    if (url != NULL && strstr(reply_template_source(url), DEFAULT_DOMAIN) != NULL)
        doctor_say(doctor, LEVEL_WARNING,
                   "set reply { url = \"https://…\" } to a page that says how to reach "
                   "you",
                   "refusals send people to %s", reply_template_source(url));
}

static void look_at_backups(struct doctor *doctor, const struct blocklist_status *status)
{
    time_t now = time(NULL);
    bool none = status->last_backup == 0 && now - doctor->daemon->started_at > DAY_S;

    if (doctor->policy->config->blocklist.backups > 0 &&
        (none || (status->last_backup > 0 && now - status->last_backup > BACKUP_MAX_S)))
        doctor_say(doctor, LEVEL_WARNING,
                   "look for lines with \"blocklist: backup\" in the log: a full disk, a "
                   "folder that cannot be written",
                   "the last backup of the blocklist is %ld days old",
                   none ? (long)(now - doctor->daemon->started_at) / DAY_S
                        : (long)(now - status->last_backup) / DAY_S);
}

static void look_at_blocklist(struct doctor *doctor)
{
    size_t before = doctor_wrong(doctor);
    struct blocklist_status status;

    blocklist_status(doctor->daemon->blocklist, &status);
    if (status.error[0] != '\0')
        doctor_say(doctor, LEVEL_ERROR,
                   "make room, or give the files back to the daemon's user; a damaged "
                   "database: docs/operate.md, Backup and restore",
                   "blocklist: %s", status.error);
    if (status.clock[0] != '\0')
        doctor_say(doctor, LEVEL_WARNING,
                   "look at the time (date, chronyc tracking); when it is right, rblctl "
                   "reload makes it believed",
                   "blocklist: %s", status.clock);
    look_at_backups(doctor, &status);
    if (doctor_wrong(doctor) == before)
        doctor_say(doctor, LEVEL_OK, "",
                   "the blocklist can be changed, its clock is right");
}

static void look_at_journal(struct doctor *doctor)
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

void doctor_state(struct doctor *doctor)
{
    look_at_mta(doctor);
    look_at_descriptors(doctor);
    look_at_reply(doctor);
    look_at_blocklist(doctor);
    look_at_journal(doctor);
}
