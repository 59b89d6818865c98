/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CTL_ARGUMENTS_H
#define CTL_ARGUMENTS_H

/* rblctl's command line: one table of options that commands pick from. */

#include <stdbool.h>
#include <stdint.h>

enum option_id {
    OPTION_REASON,
    OPTION_EXPIRES,
    OPTION_SOURCE,
    OPTION_FORCE,
    OPTION_DRY_RUN,
    OPTION_KIND,
    OPTION_SINCE,
    OPTION_EXPIRING,
    OPTION_SORT,
    OPTION_LIMIT,
    OPTION_OUTPUT,
    OPTION_SENDER,
    OPTION_HELO,
    OPTION_NAME,
    OPTION_FORMAT,
    OPTION_REPLACE,
    OPTION_TABLE,
    OPTION_ALLOW,
    OPTION_FIELD,
    OPTION_TO,
    OPTION_VERDICT,
    OPTION_LIST,
    OPTION_ALLOW_FOR,
    OPTION_UNDO,
    OPTION_CONF,
    OPTION_WAIT,
    OPTION_TOP,
    OPTION_RESET,
    OPTION_COUNTED,
    OPTION_CURSOR,
    OPTION_ALL,
    OPTION_RULES,
    OPTION_FULL,
    /* every command has these */
    OPTION_JSON,
    OPTION_SOCKET,
    OPTION_HELP
};
#define OPTION_COUNT 36

#define TAKES(option) (UINT64_C(1) << (option))

/* What stands on the command line after the command. Borrowed from argv. */
struct arguments {
    const char *option[OPTION_COUNT]; /* its value; "" of a flag; NULL: not given */
    char **words;
    int word_count;
};

/* Reads argv[1] and on with the options in takes (and those that every command has).
 * Returns 0, or -1 after an error was printed. */
int arguments_read(struct arguments *out, uint64_t takes, int argc, char **argv);

/* Prints the options in takes as a help text does. */
void arguments_help(uint64_t takes);

/* The span of an option, in whole seconds (rounded up); -1 when it was not given. Returns
 * 0, or -1 after an error was printed. */
int arguments_span(const struct arguments *arguments, enum option_id option,
                   int64_t *seconds);

/* The same of a whole number from 1 on. */
int arguments_number(const struct arguments *arguments, enum option_id option,
                     int64_t *number);

#endif
