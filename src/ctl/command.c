#include "ctl/command.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "ctl/commands.h"

static const struct ctl_command commands[] = {
    {"status", "", 0, 0, 0, "how the daemon is, and what is wrong with it", ctl_status},
    {"stats", "", 0, 0, 0, "what it has counted since its start", ctl_stats},
    {"reload", "", 0, 0, 0, "read the conf file anew", ctl_reload},
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
        printf("  %-12s %-24s %s\n", commands[i].name, commands[i].words,
               commands[i].summary);
}

void ctl_command_help(const struct ctl_command *command)
{
    printf("usage: rblctl %s%s%s%s\n%s\n\n", command->name,
           command->words[0] != '\0' ? " " : "", command->words,
           command->options != 0 ? " [OPTION]…" : "", command->summary);
    arguments_help(command->options);
}
