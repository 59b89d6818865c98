/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CTL_CTL_H
#define CTL_CTL_H

/* rblctl: what its commands share. One thread. */

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* --- the command line --- */

/* rblctl's command line: one table of options that commands pick from. */

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

/* The command line after the command. Borrowed from argv. */
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

/* --- requests to the daemon --- */

/* Exit status (rblctl(8)). */
enum outcome {
    OUTCOME_DONE = 0,
    OUTCOME_NO = 1, /* check: listed; show: not listed now; remove: no such entry */
    OUTCOME_USAGE = 2,
    OUTCOME_UNREACHABLE = 3,
    OUTCOME_REFUSED = 4,
    OUTCOME_NOT_ALL = 5 /* --wait: not all hosts of the farm have it */
};

struct ctl {
    const char *socket;
    bool json;
    bool terminal;    /* standard output is one */
    FILE *connection; /* NULL: not connected */
    char *line;       /* getline's */
    size_t line_size;
};

/* Sends request (whose reference it takes) and waits for its answer. Returns a new
 * reference to an answer of "ok":true; or NULL after an error was printed, with the exit
 * status in *outcome. Connects at the first call. */
json_t *ctl_send(struct ctl *ctl, json_t *request, enum outcome *outcome);

/* As above, but hands out answers of "ok":false too, for errors that are an outcome. */
json_t *ctl_send_any(struct ctl *ctl, json_t *request, enum outcome *outcome);

/* As ctl_send, for requests that change nothing: sends it again where the daemon has closed
 * the connection meanwhile (it does after a minute without a request). */
json_t *ctl_send_page(struct ctl *ctl, json_t *request, enum outcome *outcome);

/* As ctl_send, and prints the member of that name of the answer. Returns the exit status.
 */
enum outcome ctl_show_member(struct ctl *ctl, json_t *request, const char *name);

/* As ctl_send, where there is nothing to show: prints the answer with --json only. */
enum outcome ctl_do(struct ctl *ctl, json_t *request);

/* The request for command, an object to be filled. */
json_t *ctl_request(const char *command);

/* Sets a member of a request; a NULL text and a number of -1 are left out. Where a text
 * is not UTF-8, the request is spoilt and ctl_send says so. */
void ctl_set_text(json_t **request, const char *name, const char *text);
void ctl_set_number(json_t **request, const char *name, json_int_t number);

/* Sets a flag where it is given. */
void ctl_set_flag(json_t **request, const char *name, const struct arguments *arguments,
                  enum option_id option);

/* A member of an answer: "" and 0 where it is something else. */
const char *text_of(const json_t *object, const char *name);
long long number_of(const json_t *object, const char *name);

/* Prints the error of an answer of "ok":false; returns the exit status for it. */
enum outcome ctl_refused(const json_t *answer);

/* "rblctl: …" on standard error; returns outcome. */
enum outcome ctl_error(enum outcome outcome, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Closes the connection. */
void ctl_end(struct ctl *ctl);

/* --- long answers, page by page --- */

/* What is done with a page. Returns DONE to go on. */
typedef enum outcome pages_each(void *context, const json_t *rows);

/* Sends request (whose reference it takes) until there is no more or limit rows were
 * given (-1: no limit): rows is the name of the answer's array, cursor that of the member
 * that is handed back to get the next page. */
enum outcome ctl_send_pages(struct ctl *ctl, json_t *request, const char *rows,
                            const char *cursor, int64_t limit, pages_each *each,
                            void *context);

#endif
