/* SPDX-License-Identifier: BSD-2-Clause */
/* The admin CLI's main: the options before the command, and the table of commands. */

#include "config.h"

#include <getopt.h>
#include <limits.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "control/protocol.h"
#include "ctl/commands.h"
#include "ctl/ctl.h"

#define MANY INT_MAX
#define ADDING                                                                           \
    (TAKES(OPTION_REASON) | TAKES(OPTION_EXPIRES) | TAKES(OPTION_SOURCE) |               \
     TAKES(OPTION_FORCE) | TAKES(OPTION_WAIT))

/* rblctl's commands: one row each. */
static const struct command {
    const char *name;
    const char *words; /* as the usage line shows them */
    int words_min, words_max;
    uint64_t options; /* TAKES(…) | … */
    const char *summary;
    enum outcome (*run)(struct ctl *ctl, const struct arguments *arguments);
} commands[] = {
    {"add", "ENTRY…", 1, MANY, ADDING, "list senders; on disk when it returns", ctl_add},
    {"tempfail", "ENTRY…", 1, MANY, ADDING, "defer senders (451): a delay, no loss",
     ctl_tempfail},
    {"allow", "ENTRY…", 1, MANY, ADDING, "let senders pass, whatever is listed",
     ctl_allow},
    {"remove", "ENTRY… | --source NAME --since SPAN", 0, MANY,
     TAKES(OPTION_REASON) | TAKES(OPTION_SOURCE) | TAKES(OPTION_SINCE) |
         TAKES(OPTION_DRY_RUN) | TAKES(OPTION_WAIT),
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
    {"rules", "[resume NAME]", 0, 2, 0,
     "automatic rules: their state, and what they list", ctl_rules},
    {"proposals", "[accept NO… | dismiss NO…]", 0, MANY,
     TAKES(OPTION_ALL) | TAKES(OPTION_REASON), "what rules would list", ctl_proposals},
    {"usage", "[ENTRY]", 0, 1, TAKES(OPTION_TOP) | TAKES(OPTION_RESET),
     "counters of senders, beside the limits of rules", ctl_usage},
    {"event", "bounce|complaint|auth-failure|list-mail ENTRY", 2, 2,
     TAKES(OPTION_COUNTED), "count what another program has seen", ctl_event},
    {"watch", "", 0, 0, TAKES(OPTION_CURSOR), "what rules do, as it happens", ctl_watch},
    {"dnsbl", "[suspend|resume|test NAME | try ZONE]", 0, 2, TAKES(OPTION_OUTPUT),
     "each DNS list: health, hits, latency", ctl_dnsbl},
    {"farm", "[init CONNECTION | compare | forget NODE]", 0, 2,
     TAKES(OPTION_OUTPUT) | TAKES(OPTION_FULL), "the hosts that share this list",
     ctl_farm},
    {"status", "", 0, 0, 0, "how the daemon is, and what is wrong with it", ctl_status},
    {"stats", "", 0, 0, 0, "what it has counted since its start", ctl_stats},
    {"doctor", "", 0, 0, 0, "check the setup: resolver, lists, MTA, files", ctl_doctor},
    {"reload", "", 0, 0, 0, "read the conf file again", ctl_reload},
    {"flush-cache", "", 0, 0, 0, "forget all DNS answers", ctl_flush_cache},
};
#define COMMAND_COUNT (sizeof commands / sizeof commands[0])

/* NULL for a wrong word. */
static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(name, commands[i].name) == 0)
            return &commands[i];
    return NULL;
}

static void commands_help(void)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        printf("  %-12s %s\n", commands[i].name, commands[i].summary);
}

static void help(void)
{
    printf("usage: rblctl [-s SOCKET] [--json] COMMAND [ARGUMENT]…\n"
           "Queries and changes the sender blocklist of a running rblmilter.\n\n");
    commands_help();
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
    const struct command *command = find_command(argv[0]);
    struct arguments arguments;
    enum outcome outcome;

    if (command == NULL) {
        fprintf(stderr, "rblctl: no command \"%s\"; possible are:\n", argv[0]);
        fflush(stdout);
        dup2(STDERR_FILENO, STDOUT_FILENO);
        commands_help();
        return OUTCOME_USAGE;
    }
    if (arguments_read(&arguments, command->options, argc, argv) != 0)
        return OUTCOME_USAGE;
    if (arguments.option[OPTION_HELP] != NULL) {
        printf("usage: rblctl %s%s%s%s\n%s\n\n", command->name,
               command->words[0] != '\0' ? " " : "", command->words,
               command->options != 0 ? " [OPTION]…" : "", command->summary);
        arguments_help(command->options);
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
