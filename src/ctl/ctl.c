/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/ctl.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/text.h"
#include "control/protocol.h"
#include "ctl/output.h"

enum outcome ctl_error(enum outcome outcome, const char *format, ...)
{
    va_list args;

    fputs("rblctl: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    return outcome;
}

/* --- the command line --- */

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
    [OPTION_LIST] = {"list", 0, "NAME", "only mail that DNS list NAME listed"},
    [OPTION_ALLOW_FOR] = {"allow", 0, "SPAN", "let the client, or login, in for SPAN"},
    [OPTION_UNDO] = {"undo", 0, NULL, "take the mark back"},
    [OPTION_CONF] = {"conf", 'c', "FILE", "the conf file to judge by"},
    [OPTION_WAIT] = {"wait", 'w', NULL,
                     "until all hosts of the farm have it; 10 s at most"},
    [OPTION_TOP] = {"top", 0, "N", "the N that are nearest to a limit"},
    [OPTION_RESET] = {"reset", 0, NULL, "reset its counters"},
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
    *letters++ = ':'; /* a missing argument is an error of its own */
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
        int i = value >= FIRST_VALUE ? value - FIRST_VALUE : 0;

        /* a letter may be that of several options, of other commands */
        while (value < FIRST_VALUE && i < OPTION_COUNT &&
               (option_rows[i].letter != value || ((takes | always) & TAKES(i)) == 0))
            i++;
        if (value == '?' || value == ':' || i == OPTION_COUNT) {
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

/* --- requests to the daemon --- */

/* Connects. Returns 0, or -1 with errno set. */
static int connect_daemon(struct ctl *ctl)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd, saved;

    if (!text_copy(ctl->socket, address.sun_path, sizeof address.sun_path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd == -1)
        return -1;
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        ctl->connection = fdopen(fd, "r");
    if (ctl->connection != NULL)
        return 0;
    saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

void ctl_end(struct ctl *ctl)
{
    if (ctl->connection != NULL)
        fclose(ctl->connection);
    free(ctl->line);
    ctl->connection = NULL;
    ctl->line = NULL;
    ctl->line_size = 0;
}

static int send_all(int fd, const char *data, size_t length)
{
    while (length > 0) {
        ssize_t n = send(fd, data, length, MSG_NOSIGNAL);

        if (n >= 0) {
            data += n;
            length -= (size_t)n;
        } else if (errno == EPIPE || errno == ECONNRESET) {
            return 0; /* the daemon may have said why before it closed */
        } else if (errno != EINTR) {
            return -1;
        }
    }
    return 0;
}

/* Sends a request and waits for the answer; connects first. Returns a new reference; or
 * NULL with errno set: ECONNRESET where the daemon closed before it took the request or
 * answered, EPROTO where what came is no answer. */
static json_t *send_once(struct ctl *ctl, const json_t *request)
{
    char error[256];
    json_t *answer;
    ssize_t length;
    size_t size;
    char *line;
    int rc;

    if (ctl->connection == NULL && connect_daemon(ctl) != 0)
        return NULL;
    line = protocol_write(request, &size);
    if (line == NULL) {
        errno = ENOMEM;
        return NULL;
    }
    rc = send_all(fileno(ctl->connection), line, size);
    free(line);
    if (rc != 0)
        return NULL;
    errno = 0;
    length = getline(&ctl->line, &ctl->line_size, ctl->connection);
    if (length <= 0) {
        if (errno == 0)
            errno = ECONNRESET;
        return NULL;
    }
    answer = protocol_read(ctl->line, (size_t)length, error, sizeof error);
    if (answer == NULL)
        errno = EPROTO;
    return answer;
}

enum outcome ctl_refused(const json_t *answer)
{
    static const enum outcome outcomes[PROTOCOL_ERROR_COUNT] = {
        [PROTOCOL_USAGE] = OUTCOME_USAGE,    [PROTOCOL_NO_ENTRY] = OUTCOME_NO,
        [PROTOCOL_DENIED] = OUTCOME_REFUSED, [PROTOCOL_REFUSED] = OUTCOME_REFUSED,
        [PROTOCOL_BUSY] = OUTCOME_REFUSED,   [PROTOCOL_FAILED] = OUTCOME_REFUSED};
    const char *text = json_string_value(json_object_get(answer, "text"));
    const json_t *messages = json_object_get(answer, "messages");
    enum protocol_error error = PROTOCOL_FAILED;
    char clean[2048];
    size_t i;
    json_t *message;

    json_array_foreach (messages, i, message)
        if (json_is_string(message)) {
            shown_text(json_string_value(message), clean, sizeof clean);
            ctl_error(OUTCOME_REFUSED, "%s", clean);
        }
    shown_text(text == NULL ? "the daemon gave no reason" : text, clean, sizeof clean);
    (void)protocol_error_parse(text_of(answer, "error"), &error); /* unknown: FAILED */
    return ctl_error(outcomes[error], "%s", clean);
}

static enum outcome not_reached(const struct ctl *ctl)
{
    const char *advice = "";

    if (errno == EACCES || errno == EPERM)
        return ctl_error(
            OUTCOME_REFUSED,
            "%s: permission denied: only root, the daemon's user and members "
            "of its group may read",
            ctl->socket);
    if (errno == ENOENT || errno == ECONNREFUSED)
        advice = "; is rblmilter running, with this control socket?";
    if (errno == ECONNRESET)
        return ctl_error(OUTCOME_UNREACHABLE,
                         "%s: the daemon has closed the connection: it has stopped, or "
                         "nothing was said for a minute",
                         ctl->socket);
    return ctl_error(OUTCOME_UNREACHABLE, "%s: %s%s", ctl->socket, strerror(errno),
                     advice);
}

/* Takes the reference to request. An idle connection may have been closed by the daemon:
 * what changes nothing is then sent again. */
static json_t *exchange(struct ctl *ctl, json_t *request, bool repeatable,
                        enum outcome *outcome)
{
    bool again = ctl->connection != NULL && repeatable;
    json_t *answer;

    if (request == NULL) {
        *outcome = ctl_error(OUTCOME_USAGE, "an argument is not valid UTF-8");
        return NULL;
    }
    answer = send_once(ctl, request);
    if (answer == NULL && errno == ECONNRESET && again) {
        ctl_end(ctl);
        answer = send_once(ctl, request);
    }
    if (answer == NULL)
        *outcome = not_reached(ctl);
    json_decref(request);
    return answer;
}

static json_t *only_ok(json_t *answer, enum outcome *outcome)
{
    if (answer == NULL || json_is_true(json_object_get(answer, "ok")))
        return answer;
    *outcome = ctl_refused(answer);
    json_decref(answer);
    return NULL;
}

json_t *ctl_send_any(struct ctl *ctl, json_t *request, enum outcome *outcome)
{
    return exchange(ctl, request, false, outcome);
}

json_t *ctl_send(struct ctl *ctl, json_t *request, enum outcome *outcome)
{
    return only_ok(exchange(ctl, request, false, outcome), outcome);
}

json_t *ctl_send_page(struct ctl *ctl, json_t *request, enum outcome *outcome)
{
    return only_ok(exchange(ctl, request, true, outcome), outcome);
}

enum outcome ctl_show_member(struct ctl *ctl, json_t *request, const char *name)
{
    enum outcome outcome = OUTCOME_DONE;
    json_t *answer = ctl_send(ctl, request, &outcome);
    const json_t *member = json_object_get(answer, name);

    if (answer == NULL)
        return outcome;
    if (ctl->json)
        shown_json(member, ctl->terminal);
    else
        shown_object(member);
    json_decref(answer);
    return OUTCOME_DONE;
}

enum outcome ctl_do(struct ctl *ctl, json_t *request)
{
    enum outcome outcome = OUTCOME_DONE;
    json_t *answer = ctl_send(ctl, request, &outcome);

    if (answer != NULL && ctl->json)
        shown_json(answer, ctl->terminal);
    json_decref(answer);
    return outcome;
}

json_t *ctl_request(const char *command)
{
    return json_pack("{s:s}", "command", command);
}

void ctl_set_text(json_t **request, const char *name, const char *text)
{
    if (text != NULL)
        protocol_set(request, name, json_string(text));
}

void ctl_set_number(json_t **request, const char *name, json_int_t number)
{
    if (number != -1)
        protocol_set(request, name, json_integer(number));
}

void ctl_set_flag(json_t **request, const char *name, const struct arguments *arguments,
                  enum option_id option)
{
    if (arguments->option[option] != NULL)
        protocol_set(request, name, json_true());
}

const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text != NULL ? text : "";
}

long long number_of(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}

/* --- long answers, page by page --- */

enum outcome ctl_send_pages(struct ctl *ctl, json_t *request, const char *rows,
                            const char *cursor, int64_t limit, pages_each *each,
                            void *context)
{
    enum outcome outcome = OUTCOME_DONE;
    const json_t *next = NULL;
    json_t *answer;

    do {
        if (limit != -1)
            json_object_set_new(request, "limit",
                                json_integer(limit < PROTOCOL_PAGE_ROWS
                                                 ? (json_int_t)limit
                                                 : PROTOCOL_PAGE_ROWS));
        answer = ctl_send_page(ctl, json_incref(request), &outcome);
        if (answer == NULL)
            break;
        outcome = each(context, json_object_get(answer, rows));
        if (limit != -1)
            limit -= (int64_t)json_array_size(json_object_get(answer, rows));
        next = json_object_get(answer, cursor);
        if (next != NULL)
            json_object_set(request, cursor, (json_t *)next);
        json_decref(answer);
    } while (next != NULL && outcome == OUTCOME_DONE && limit != 0);
    json_decref(request);
    return outcome;
}
