/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/command.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "ctl/commands.h"

#define MANY INT_MAX

static const struct ctl_command commands[] = {
    {"add", "ENTRY…", 1, MANY,
     TAKES(OPTION_REASON) | TAKES(OPTION_EXPIRES) | TAKES(OPTION_SOURCE) |
         TAKES(OPTION_FORCE),
     "list senders; on disk when it returns", ctl_add},
    {"tempfail", "ENTRY…", 1, MANY,
     TAKES(OPTION_REASON) | TAKES(OPTION_EXPIRES) | TAKES(OPTION_SOURCE) |
         TAKES(OPTION_FORCE),
     "put senders off (451): a delay, no loss", ctl_tempfail},
    {"allow", "ENTRY…", 1, MANY,
     TAKES(OPTION_REASON) | TAKES(OPTION_EXPIRES) | TAKES(OPTION_SOURCE) |
         TAKES(OPTION_FORCE),
     "let senders pass, whatever is listed", ctl_allow},
    {"remove", "ENTRY… | --source NAME --since SPAN", 0, MANY,
     TAKES(OPTION_REASON) | TAKES(OPTION_SOURCE) | TAKES(OPTION_SINCE) |
         TAKES(OPTION_DRY_RUN),
     "take entries off; their history stays", ctl_remove},
    {"list", "[ENTRY-PATTERN]", 0, 1,
     TAKES(OPTION_KIND) | TAKES(OPTION_SOURCE) | TAKES(OPTION_REASON) |
         TAKES(OPTION_SINCE) | TAKES(OPTION_EXPIRING) | TAKES(OPTION_SORT) |
         TAKES(OPTION_LIMIT) | TAKES(OPTION_OUTPUT),
     "what is on the list", ctl_list},
    {"show", "ENTRY", 1, 1, 0, "an entry and all that happened to it", ctl_show},
    {"check", "SUBJECT…", 1, MANY,
     TAKES(OPTION_SENDER) | TAKES(OPTION_HELO) | TAKES(OPTION_NAME),
     "what would become of a message, and why", ctl_check},
    {"why", "ID | ADDRESS | DOMAIN | IP | NETWORK | user:LOGIN | QUEUEID…", 1, MANY,
     TAKES(OPTION_TO) | TAKES(OPTION_SINCE) | TAKES(OPTION_VERDICT) | TAKES(OPTION_LIST) |
         TAKES(OPTION_LIMIT),
     "why a mail was refused, or accepted", ctl_why},
    {"false", "ID…", 1, MANY,
     TAKES(OPTION_REASON) | TAKES(OPTION_ALLOW_FOR) | TAKES(OPTION_UNDO),
     "mark a refusal as wrong", ctl_false},
    {"import", "FILE", 1, 1,
     TAKES(OPTION_FORMAT) | TAKES(OPTION_TABLE) | TAKES(OPTION_ALLOW) |
         TAKES(OPTION_FIELD) | TAKES(OPTION_SOURCE) | TAKES(OPTION_REASON) |
         TAKES(OPTION_REPLACE) | TAKES(OPTION_DRY_RUN) | TAKES(OPTION_FORCE),
     "list what is in a file (-: standard input)", ctl_import},
    {"export", "", 0, 0, TAKES(OPTION_FORMAT), "print the whole list", ctl_export},
    {"log", "[ENTRY-PATTERN]", 0, 1,
     TAKES(OPTION_SINCE) | TAKES(OPTION_LIMIT) | TAKES(OPTION_OUTPUT), "who changed what",
     ctl_log},
    {"whatif", "[--rules] -c FILE", 0, 0,
     TAKES(OPTION_CONF) | TAKES(OPTION_SINCE) | TAKES(OPTION_RULES),
     "kept decisions, judged by another conf file", ctl_whatif},
    {"rules", "[resume NAME]", 0, 2, 0, "what lists by itself, or would", ctl_rules},
    {"proposals", "[accept NO… | dismiss NO…]", 0, MANY,
     TAKES(OPTION_ALL) | TAKES(OPTION_REASON), "what rules would list", ctl_proposals},
    {"usage", "[ENTRY]", 0, 1, TAKES(OPTION_TOP) | TAKES(OPTION_RESET),
     "what senders do, beside the limits of rules", ctl_usage},
    {"event", "bounce|complaint|auth-failure|list-mail ENTRY", 2, 2,
     TAKES(OPTION_COUNTED), "count what another program has seen", ctl_event},
    {"watch", "", 0, 0, TAKES(OPTION_CURSOR), "what rules do, as it happens", ctl_watch},
    {"dnsbl", "[suspend|resume|test NAME | try ZONE]", 0, 2, TAKES(OPTION_OUTPUT),
     "each DNS list: health, hits, latency", ctl_dnsbl},
    {"status", "", 0, 0, 0, "how the daemon is, and what is wrong with it", ctl_status},
    {"stats", "", 0, 0, 0, "what it has counted since its start", ctl_stats},
    {"doctor", "", 0, 0, 0, "what is wrong around it, and what to do", ctl_doctor},
    {"reload", "", 0, 0, 0, "read the conf file again", ctl_reload},
    {"flush-cache", "", 0, 0, 0, "forget all DNS answers", ctl_flush_cache},
};
static const size_t command_count = sizeof commands / sizeof commands[0];

const struct ctl_command *ctl_command_find(const char *name)
{
    for (size_t i = 0; i < command_count; i++)
        if (strcmp(name, commands[i].name) == 0)
            return &commands[i];
    return NULL;
}

void ctl_commands_help(void)
{
    for (size_t i = 0; i < command_count; i++)
        printf("  %-12s %s\n", commands[i].name, commands[i].summary);
}

void ctl_command_help(const struct ctl_command *command)
{
    printf("usage: rblctl %s%s%s%s\n%s\n\n", command->name,
           command->words[0] != '\0' ? " " : "", command->words,
           command->options != 0 ? " [OPTION]…" : "", command->summary);
    arguments_help(command->options);
}
