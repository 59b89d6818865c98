/* SPDX-License-Identifier: BSD-2-Clause */
/* The admin CLI's main: what stands before the command, and which command it is. */

#include "config.h"

#include <getopt.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "control/protocol.h"
#include "ctl/command.h"
#include "ctl/ctl.h"

static void help(void)
{
    printf("usage: rblctl [-s SOCKET] [--json] COMMAND [ARGUMENT]…\n"
           "Asks and changes the sender blocklist of a running rblmilter.\n\n");
    ctl_commands_help();
    printf("\n\"rblctl COMMAND --help\" shows its options; rblctl(8) has everything.\n");
}

/* Standard output may be full or gone: a list that was cut short is no success. */
static enum outcome finish(enum outcome outcome)
{
    if (fflush(stdout) != 0 || ferror(stdout))
        return ctl_error(OUTCOME_REFUSED, "cannot write: %m");
    return outcome;
}

static enum outcome run(struct ctl *ctl, int argc, char **argv)
{
    const struct ctl_command *command = ctl_command_find(argv[0]);
    struct arguments arguments;
    enum outcome outcome;

    if (command == NULL) {
        fprintf(stderr, "rblctl: no command \"%s\"; possible are:\n", argv[0]);
        fflush(stdout);
        dup2(STDERR_FILENO, STDOUT_FILENO);
        ctl_commands_help();
        return OUTCOME_USAGE;
    }
    if (arguments_read(&arguments, command->options, argc, argv) != 0)
        return OUTCOME_USAGE;
    if (arguments.option[OPTION_HELP] != NULL) {
        ctl_command_help(command);
        return OUTCOME_DONE;
    }
    if (arguments.word_count < command->words_min ||
        arguments.word_count > command->words_max)
        return ctl_error(OUTCOME_USAGE, "usage: rblctl %s%s%s", command->name,
                         command->words[0] != '\0' ? " " : "", command->words);
    if (arguments.option[OPTION_JSON] != NULL)
        ctl->json = true;
    if (arguments.option[OPTION_SOCKET] != NULL)
        ctl->socket = arguments.option[OPTION_SOCKET];
    outcome = command->run(ctl, &arguments);
    ctl_end(ctl);
    return outcome;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"socket", required_argument, NULL, 's'},
        {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},
        {0},
    };
    struct ctl ctl = {.socket = PROTOCOL_SOCKET, .terminal = isatty(STDOUT_FILENO) == 1};
    int option;

    opterr = 0;
    setlocale(LC_ALL, "");
    while ((option = getopt_long(argc, argv, "+s:jhV", options, NULL)) != -1)
        switch (option) {
        case 's':
            ctl.socket = optarg;
            break;
        case 'j':
            ctl.json = true;
            break;
        case 'h':
            help();
            return finish(OUTCOME_DONE);
        case 'V':
            printf("rblctl %s\n", PACKAGE_VERSION);
            return finish(OUTCOME_DONE);
        default:
            return ctl_error(OUTCOME_USAGE,
                             "%s: no such option, or it needs a value; \"rblctl --help\" "
                             "shows what is possible",
                             argv[optind - 1]);
        }
    if (optind == argc) {
        help();
        return OUTCOME_USAGE;
    }
    return finish(run(&ctl, argc - optind, argv + optind));
}
