/* SPDX-License-Identifier: BSD-2-Clause */
/* whatif: the decisions that are kept, judged by another conf file. */

#include "ctl/commands.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "config/config.h"
#include "control/protocol.h"
#include "ctl/shown.h"
#include "ctl/table.h"

static const struct column verdict_columns[] = {
    {"what", "", COLUMN_TEXT},
    {"reject", "REJECTED", COLUMN_NUMBER},
    {"tempfail", "TEMPFAIL", COLUMN_NUMBER},
    {"tag", "TAGGED", COLUMN_NUMBER},
    {"accept", "ACCEPTED", COLUMN_NUMBER},
    {"not_known", "NOT KNOWN", COLUMN_NUMBER},
};

static const struct column row_columns[] = {
    {"what", "WHAT", COLUMN_TEXT},
    {"count", "COUNT", COLUMN_NUMBER},
    {"because", "BECAUSE", COLUMN_TEXT},
    {"examples", "EXAMPLES", COLUMN_TEXT},
};

/* --- the file --- */

static void print_report(void *context, const char *text)
{
    (void)context;
    fprintf(stderr, "rblctl: %s\n", text);
}

/* The file with all that it includes as one text, keys masked; what is wrong with it is
 * printed. NULL: errors. The caller frees. */
static char *read_conf(const char *path)
{
    struct config *config = config_load(path, print_report, NULL);
    char *text = NULL;
    size_t size;
    FILE *out;
    int rc;

    if (config == NULL)
        return NULL;
    out = open_memstream(&text, &size);
    rc = out != NULL ? config_print(config, out) : -1;
    config_unref(config);
    if (out != NULL && fclose(out) == 0 && rc == 0)
        return text;
    free(text);
    ctl_error(OUTCOME_REFUSED, "out of memory");
    return NULL;
}

/* --- what came of it --- */

static const char *member(const json_t *row, const char *name)
{
    const char *text = json_string_value(json_object_get(row, name));

    return text != NULL ? text : "";
}

/* What became of the decisions of a row. */
static const char *what_of(const char *from, const char *to)
{
    bool was_refused = strcmp(from, "reject") == 0 || strcmp(from, "tempfail") == 0;

    if (strcmp(to, "reject") == 0)
        return "newly rejected";
    if (strcmp(to, "tempfail") == 0)
        return "tempfail now";
    if (was_refused)
        return "accepted now";
    return strcmp(to, "tag") == 0 ? "newly tagged" : "not tagged now";
}

static json_t *shown_row(const json_t *row, bool known)
{
    const json_t *ids = json_object_get(row, "ids"), *id;
    char examples[128] = "", what[64];
    size_t i, used = 0;

    json_array_foreach (ids, i, id)
        if (json_is_string(id) && used < sizeof examples)
            used += (size_t)snprintf(examples + used, sizeof examples - used, "%s%s",
                                     i > 0 ? " " : "", json_string_value(id));
    if (known)
        snprintf(what, sizeof what, "%s",
                 what_of(member(row, "from"), member(row, "to")));
    else
        snprintf(what, sizeof what, "not known: %s to %s", member(row, "mildest"),
                 member(row, "severest"));
    return json_pack("{s:s, s:I, s:s, s:s}", "what", what, "count",
                     json_integer_value(json_object_get(row, "count")), "because",
                     member(row, "because"), "examples", examples);
}

static int print_rows(const json_t *whatif, bool terminal)
{
    json_t *rows = json_array();
    const json_t *row;
    size_t i;
    int rc;

    json_array_foreach (json_object_get(whatif, "changed"), i, row)
        protocol_append(&rows, shown_row(row, true));
    json_array_foreach (json_object_get(whatif, "unknown"), i, row)
        protocol_append(&rows, shown_row(row, false));
    if (json_array_size(rows) == 0) {
        printf("\nno verdict would differ\n");
        rc = 0;
    } else {
        putchar('\n');
        rc = table_of(row_columns, 4, NULL, NULL, terminal, rows);
    }
    json_decref(rows);
    return rc;
}

static json_t *verdict_row(const char *what, const json_t *counts, json_int_t not_known)
{
    json_t *row = json_deep_copy(counts);

    protocol_set(&row, "what", protocol_text(what));
    protocol_set(&row, "not_known", json_integer(not_known));
    return row;
}

static int print_verdicts(const json_t *whatif, const char *path, bool terminal)
{
    const char *slash = strrchr(path, '/');
    char with[128], name[100];
    json_t *rows = json_array();
    int rc;

    shown_text(slash != NULL ? slash + 1 : path, name, sizeof name);
    snprintf(with, sizeof with, "with %s", name);
    protocol_append(&rows,
                    verdict_row("as it was", json_object_get(whatif, "as_it_was"), 0));
    protocol_append(
        &rows, verdict_row(with, json_object_get(whatif, "with_file"),
                           json_integer_value(json_object_get(whatif, "not_known"))));
    rc = table_of(verdict_columns, 6, NULL, NULL, terminal, rows);
    json_decref(rows);
    return rc;
}

static int print_whatif(const json_t *whatif, const char *path, bool terminal)
{
    char since[64], until[64];
    time_t now = time(NULL);

    shown_time((time_t)json_integer_value(json_object_get(whatif, "since_at")), now,
               since, sizeof since);
    printf("replayed %lld decisions since %s\n",
           (long long)json_integer_value(json_object_get(whatif, "decisions")), since);
    if (!json_is_true(json_object_get(whatif, "complete"))) {
        shown_time((time_t)json_integer_value(json_object_get(whatif, "until_at")), now,
                   until, sizeof until);
        printf("not all: it was stopped at those of %s\n", until);
    }
    putchar('\n');
    return print_verdicts(whatif, path, terminal) == 0 &&
                   print_rows(whatif, terminal) == 0
               ? 0
               : -1;
}

enum outcome ctl_whatif(struct ctl *ctl, const struct arguments *arguments)
{
    const char *path = arguments->option[OPTION_CONF];
    enum outcome outcome = OUTCOME_DONE;
    const json_t *whatif;
    json_t *request, *answer;
    int64_t since_s;
    char *text;

    if (path == NULL)
        return ctl_error(OUTCOME_USAGE, "usage: rblctl whatif -c FILE [--since SPAN]");
    if (arguments_span(arguments, OPTION_SINCE, &since_s) != 0)
        return OUTCOME_USAGE;
    text = read_conf(path);
    if (text == NULL)
        return OUTCOME_REFUSED;
    if (strlen(text) > PROTOCOL_REQUEST_MAX * 3 / 4) { /* quotes and lines take more */
        free(text);
        return ctl_error(OUTCOME_REFUSED, "%s: too large to be sent to the daemon", path);
    }
    request = ctl_request("whatif");
    ctl_set_text(&request, "configuration", text);
    ctl_set_number(&request, "since_s", since_s);
    free(text);
    answer = ctl_ask(ctl, request, &outcome);
    if (answer == NULL)
        return outcome;
    whatif = json_object_get(answer, "whatif");
    if (ctl->json)
        shown_json(whatif, ctl->terminal);
    else if (print_whatif(whatif, path, ctl->terminal) != 0)
        outcome = OUTCOME_REFUSED;
    json_decref(answer);
    return outcome;
}
