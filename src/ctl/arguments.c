/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/arguments.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"

/* getopt_long's return values for options without a letter begin here. */
#define FIRST_VALUE 256

static const struct option_row {
    const char *name;
    char letter;          /* 0: none */
    const char *argument; /* NULL: a flag */
    const char *help;
} option_rows[OPTION_COUNT] = {
    [OPTION_REASON] = {"reason", 'r', "TEXT", "why; of list: a part of it"},
    [OPTION_EXPIRES] = {"expires", 'e', "SPAN", "ends after SPAN: 12h, 30d"},
    [OPTION_SOURCE] = {"source", 0, "NAME", "who lists it: a feed, a program"},
    [OPTION_FORCE] = {"force", 'f', NULL, "also where an entry is very wide"},
    [OPTION_DRY_RUN] = {"dry-run", 'n', NULL, "only say what would be done"},
    [OPTION_KIND] = {"kind", 'k', "KIND", "address, domain, network, host, user"},
    [OPTION_SINCE] = {"since", 0, "SPAN", "not older than SPAN"},
    [OPTION_EXPIRING] = {"expiring", 0, "SPAN", "that end within SPAN"},
    [OPTION_SORT] = {"sort", 0, "COLUMN", "entry, since, expires or hits"},
    [OPTION_LIMIT] = {"limit", 0, "N", "at most N rows"},
    [OPTION_OUTPUT] = {"output", 'o', "COLUMNS", "columns to show, with commas between"},
    [OPTION_SENDER] = {"sender", 0, "ADDRESS", "envelope sender of the message"},
    [OPTION_HELO] = {"helo", 0, "NAME", "HELO name of the client"},
    [OPTION_NAME] = {"name", 0, "NAME", "host name of the client"},
    [OPTION_FORMAT] = {"format", 0, "FORMAT",
                       "plain, csv, json, postfix, rbldnsd, rspamd, sendmail"},
    [OPTION_REPLACE] = {"replace", 0, NULL, "remove what the source has beyond the file"},
    [OPTION_TABLE] = {"table", 0, "WHAT", "names are those of client, sender or helo"},
    [OPTION_ALLOW] = {"allow", 0, NULL, "the file is one of good senders"},
    [OPTION_FIELD] = {"field", 0, "NAME", "of csv and json: where the entry is"},
    [OPTION_TO] = {"to", 0, "ADDRESS", "with that recipient, or one of that domain"},
    [OPTION_VERDICT] = {"verdict", 0, "VERDICT", "accept, tag, tempfail or reject"},
    [OPTION_LIST] = {"list", 0, "NAME", "which that DNS list listed"},
    [OPTION_ALLOW_FOR] = {"allow", 0, "SPAN", "let the client, or login, in for SPAN"},
    [OPTION_UNDO] = {"undo", 0, NULL, "take the mark back"},
    [OPTION_CONF] = {"conf", 'c', "FILE", "the conf file to judge by"},
    [OPTION_WAIT] = {"wait", 'w', NULL,
                     "until all hosts of the farm have it; 10 s at most"},
    [OPTION_TOP] = {"top", 0, "N", "the N that are nearest to a limit"},
    [OPTION_RESET] = {"reset", 0, NULL, "begin again with it"},
    [OPTION_COUNTED] = {"number", 'n', "N", "so many of them"},
    [OPTION_CURSOR] = {"cursor", 0, "FILE", "go on after the last event seen"},
    [OPTION_ALL] = {"all", 'a', NULL, "decided ones, too"},
    [OPTION_RULES] = {"rules", 0, NULL, "what the file's rules would have listed"},
    [OPTION_FULL] = {"full", 0, NULL, "of compare: what the rows say, too"},
    [OPTION_JSON] = {"json", 'j', NULL, "print one JSON document"},
    [OPTION_SOCKET] = {"socket", 's', "PATH", "the daemon's control socket"},
    [OPTION_HELP] = {"help", 'h', NULL, "this text"},
};

static const uint64_t always =
    TAKES(OPTION_JSON) | TAKES(OPTION_SOCKET) | TAKES(OPTION_HELP);

/* Fills getopt's two tables with the options in takes. */
static void getopt_tables(uint64_t takes, struct option *out, char *letters)
{
    *letters++ = ':'; /* a missing argument is told apart */
    for (int i = 0; i < OPTION_COUNT; i++) {
        const struct option_row *row = &option_rows[i];
        bool argument = row->argument != NULL;

        if ((takes & TAKES(i)) == 0)
            continue;
        *out++ = (struct option){row->name, argument ? required_argument : no_argument,
                                 NULL, FIRST_VALUE + i};
        if (row->letter == 0)
            continue;
        *letters++ = row->letter;
        if (argument)
            *letters++ = ':';
    }
    *out = (struct option){0};
    *letters = '\0';
}

/* A letter may be that of several options, of other commands. */
static int option_of(int value, uint64_t takes)
{
    if (value >= FIRST_VALUE)
        return value - FIRST_VALUE;
    for (int i = 0; i < OPTION_COUNT; i++)
        if (option_rows[i].letter == value && (takes & TAKES(i)) != 0)
            return i;
    return -1;
}

int arguments_read(struct arguments *out, uint64_t takes, int argc, char **argv)
{
    struct option options[OPTION_COUNT + 1];
    char letters[2 * OPTION_COUNT + 2];
    int value;

    *out = (struct arguments){0};
    getopt_tables(takes | always, options, letters);
    opterr = 0;
    optind = 0; /* glibc: start over */
    while ((value = getopt_long(argc, argv, letters, options, NULL)) != -1) {
        int i = option_of(value, takes | always);

        if (value == '?' || value == ':' || i < 0) {
            fprintf(stderr,
                    "rblctl: %s: %s; \"rblctl %s --help\" shows what is possible\n",
                    argv[optind - 1],
                    value == ':' ? "needs a value" : "no such option here", argv[0]);
            return -1;
        }
        out->option[i] = option_rows[i].argument != NULL ? optarg : "";
    }
    out->words = argv + optind;
    out->word_count = argc - optind;
    return 0;
}

void arguments_help(uint64_t takes)
{
    for (int i = 0; i < OPTION_COUNT; i++) {
        const struct option_row *row = &option_rows[i];
        char left[32];

        if (((takes | always) & TAKES(i)) == 0)
            continue;
        snprintf(left, sizeof left, "--%s%s%s", row->name,
                 row->argument != NULL ? " " : "",
                 row->argument != NULL ? row->argument : "");
        if (row->letter != 0)
            printf("  -%c, %-20s %s\n", row->letter, left, row->help);
        else
            printf("      %-20s %s\n", left, row->help);
    }
}

int arguments_span(const struct arguments *arguments, enum option_id option,
                   int64_t *seconds)
{
    const char *text = arguments->option[option];
    int64_t ms;

    *seconds = -1;
    if (text == NULL)
        return 0;
    if (span_parse(text, &ms) != 0 || ms == 0) {
        fprintf(stderr, "rblctl: --%s %s: expected a time span such as 12h or 30d\n",
                option_rows[option].name, text);
        return -1;
    }
    *seconds = (ms + 999) / 1000;
    return 0;
}

int arguments_number(const struct arguments *arguments, enum option_id option,
                     int64_t *number)
{
    const char *text = arguments->option[option];
    char *end;

    *number = -1;
    if (text == NULL)
        return 0;
    errno = 0;
    *number = strtoll(text, &end, 10);
    if (end == text || *end != '\0' || errno != 0 || *number < 1) {
        fprintf(stderr, "rblctl: --%s %s: expected a whole number of 1 or more\n",
                option_rows[option].name, text);
        return -1;
    }
    return 0;
}
