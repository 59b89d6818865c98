#ifndef CTL_COMMANDS_H
#define CTL_COMMANDS_H

/* The functions behind the table of command.c, by file. Each returns the exit status. */

#include "ctl/arguments.h"
#include "ctl/ctl.h"

/* daemon.c */
enum outcome ctl_status(struct ctl *ctl, const struct arguments *arguments);
enum outcome ctl_stats(struct ctl *ctl, const struct arguments *arguments);
enum outcome ctl_reload(struct ctl *ctl, const struct arguments *arguments);
enum outcome ctl_flush_cache(struct ctl *ctl, const struct arguments *arguments);

#endif
