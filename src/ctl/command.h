/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CTL_COMMAND_H
#define CTL_COMMAND_H

/* rblctl's commands: one row each. */

#include "ctl/arguments.h"
#include "ctl/ctl.h"

struct ctl_command {
    const char *name;
    const char *words; /* as the usage line shows them */
    int words_min, words_max;
    uint64_t options; /* TAKES(…) | … */
    const char *summary;
    enum outcome (*run)(struct ctl *ctl, const struct arguments *arguments);
};

/* NULL for a wrong word. */
const struct ctl_command *ctl_command_find(const char *name);

/* Prints each command's usage line and summary. */
void ctl_commands_help(void);

/* Prints a command's own help. */
void ctl_command_help(const struct ctl_command *command);

#endif
