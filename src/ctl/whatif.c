/* SPDX-License-Identifier: BSD-2-Clause */
/* whatif: the decisions that are kept, judged by another conf file. */

#include "ctl/commands.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/text.h"
#include "config/config.h"
#include "control/protocol.h"
#include "ctl/output.h"

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

/* The ids of a row, with blanks between. */
static void examples_of(const json_t *row, char *out, size_t size)
{
    struct buffer text = buffer_over(out, size);
    const json_t *id;
    size_t i;

    json_array_foreach (json_object_get(row, "ids"), i, id)
        if (json_is_string(id))
            buffer_add(&text, "%s%s", i > 0 ? " " : "", json_string_value(id));
}

static json_t *shown_row(const json_t *row, bool known)
{
    char examples[128], what[64];

    examples_of(row, examples, sizeof examples);
    if (known)
        snprintf(what, sizeof what, "%s",
                 what_of(text_of(row, "from"), text_of(row, "to")));
    else
        snprintf(what, sizeof what, "not known: %s to %s", text_of(row, "mildest"),
                 text_of(row, "severest"));
    return json_pack("{s:s, s:I, s:s, s:s}", "what", what, "count",
                     number_of(row, "count"), "because", text_of(row, "because"),
                     "examples", examples);
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
        rc = table_of(COLUMNS(row_columns), NULL, NULL, terminal, rows);
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
    protocol_append(&rows, verdict_row(with, json_object_get(whatif, "with_file"),
                                       number_of(whatif, "not_known")));
    rc = table_of(COLUMNS(verdict_columns), NULL, NULL, terminal, rows);
    json_decref(rows);
    return rc;
}

static int print_whatif(const json_t *whatif, const char *path, bool terminal)
{
    char since[64], until[64];

    shown_time(number_of(whatif, "since_at"), since, sizeof since);
    printf("replayed %lld decisions since %s\n", number_of(whatif, "decisions"), since);
    if (!json_is_true(json_object_get(whatif, "complete"))) {
        shown_time(number_of(whatif, "until_at"), until, sizeof until);
        printf("not all: it was stopped at those of %s\n", until);
    }
    putchar('\n');
    return print_verdicts(whatif, path, terminal) == 0 &&
                   print_rows(whatif, terminal) == 0
               ? 0
               : -1;
}

/* --- what rules would have listed --- */

static const struct column rule_columns[] = {
    {"rule", "RULE", COLUMN_TEXT},
    {"entries", "ENTRIES", COLUMN_NUMBER},
    {"proposals", "PROPOSALS", COLUMN_NUMBER},
    {"never", "NEVER", COLUMN_NUMBER},
    {"messages", "MESSAGES", COLUMN_NUMBER},
    {"recipients", "RECIPIENTS", COLUMN_NUMBER},
    {"from", "POSSIBLE FROM", COLUMN_TEXT},
};

static const struct column finding_columns[] = {
    {"at", "WHEN", COLUMN_TEXT},
    {"rule", "RULE", COLUMN_TEXT},
    {"entry", "ENTRY", COLUMN_TEXT},
    {"would", "WOULD", COLUMN_TEXT},
    {"messages", "MESSAGES", COLUMN_NUMBER},
    {"recipients", "RECIPIENTS", COLUMN_NUMBER},
    {"because", "BECAUSE", COLUMN_TEXT},
    {"examples", "EXAMPLES", COLUMN_TEXT},
};

/* "2026-11-24 05:54" */
static json_t *minute_of(int64_t at)
{
    char text[32];

    shown_clock(at, "%Y-%m-%d %H:%M", text, sizeof text);
    return json_string(text);
}

static json_t *shown_finding(const json_t *finding)
{
    json_t *shown = json_deep_copy(finding);
    char examples[128], would[320], span[SPAN_TEXT_SIZE];

    examples_of(finding, examples, sizeof examples);
    shown_span(number_of(finding, "for_s"), span);
    if (strcmp(text_of(finding, "would"), "list") == 0)
        snprintf(would, sizeof would, "%s %s", text_of(finding, "action"), span);
    else
        snprintf(would, sizeof would, "%s: %s", text_of(finding, "would"),
                 text_of(finding, "held"));
    protocol_set(&shown, "at", minute_of(number_of(finding, "at")));
    protocol_set(&shown, "would", protocol_text(would));
    protocol_set(&shown, "examples", json_string(examples));
    return shown;
}

static void print_counted(const json_t *whatif)
{
    long long from = number_of(whatif, "counted_from"),
              kept = number_of(whatif, "accepted_kept_s");
    char since[64], span[SPAN_TEXT_SIZE];
    time_t now = time(NULL);

    if (from == 0) {
        puts("no accepted mail is kept of that time: nothing was counted");
    } else {
        shown_time(from, since, sizeof since);
        printf("counted %lld decisions since %s\n", number_of(whatif, "decisions"),
               since);
    }
    if (number_of(whatif, "since_at") < (json_int_t)now - kept - 86400) {
        span_text((int64_t)kept * 1000, span);
        printf("accepted mail is kept for %s: what is older was not counted\n", span);
    }
    if (number_of(whatif, "gaps") > 0)
        printf("%lld times decisions were not kept: no finding over them\n",
               number_of(whatif, "gaps"));
    if (!json_is_true(json_object_get(whatif, "complete"))) {
        shown_time(number_of(whatif, "until_at"), since, sizeof since);
        printf("not all: it was stopped at those of %s\n", since);
    }
    putchar('\n');
}

/* What is to be known of a rule, below the tables. */
static void print_note(const json_t *rule, const char *note, bool *begun)
{
    printf("%s%s: %s\n", *begun ? "" : "\n", text_of(rule, "rule"), note);
    *begun = true;
}

static void print_notes(const json_t *whatif)
{
    const json_t *rule, *note;
    bool begun = false;
    size_t i, k;

    json_array_foreach (json_object_get(whatif, "rules"), i, rule) {
        if (number_of(whatif, "counted_from") > 0 &&
            number_of(rule, "possible_from") > number_of(whatif, "until_at"))
            print_note(rule,
                       "its windows were not whole in that time: keep accepted mail for "
                       "longer (journal { accepted })",
                       &begun);
        if (number_of(rule, "tripped_at") > 0)
            print_note(rule, "it would have tripped, and only proposed from then on",
                       &begun);
        json_array_foreach (json_object_get(rule, "not_known"), k, note)
            print_note(rule, json_string_value(note), &begun);
    }
}

static int print_rules(const json_t *whatif, bool terminal)
{
    const json_t *rules = json_object_get(whatif, "rules"), *one;
    const json_t *findings = json_object_get(whatif, "findings");
    json_t *rows = json_array(), *found = json_array(), *row;
    bool counted = number_of(whatif, "counted_from") > 0;
    size_t i;
    int rc;

    print_counted(whatif);
    json_array_foreach (rules, i, one) {
        row = json_deep_copy(one);
        protocol_set(&row, "from",
                     counted ? minute_of(number_of(one, "possible_from"))
                             : json_string("-"));
        protocol_append(&rows, row);
    }
    json_array_foreach (findings, i, one)
        protocol_append(&found, shown_finding(one));
    rc = table_of(COLUMNS(rule_columns), NULL, NULL, terminal, rows);
    if (rc == 0 && json_array_size(found) > 0) {
        putchar('\n');
        rc = table_of(COLUMNS(finding_columns), NULL, NULL, terminal, found);
    }
    if ((size_t)number_of(whatif, "finding_count") > json_array_size(findings))
        printf("and %lld more\n",
               number_of(whatif, "finding_count") - (long long)json_array_size(findings));
    print_notes(whatif);
    json_decref(rows);
    json_decref(found);
    return rc;
}

enum outcome ctl_whatif(struct ctl *ctl, const struct arguments *arguments)
{
    const char *path = arguments->option[OPTION_CONF];
    bool rules = arguments->option[OPTION_RULES] != NULL;
    enum outcome outcome = OUTCOME_DONE;
    const json_t *whatif;
    json_t *request, *answer;
    int64_t since_s;
    char *text;

    if (path == NULL)
        return ctl_error(OUTCOME_USAGE,
                         "usage: rblctl whatif [--rules] -c FILE [--since SPAN]");
    if (arguments_span(arguments, OPTION_SINCE, &since_s) != 0)
        return OUTCOME_USAGE;
    text = read_conf(path);
    if (text == NULL)
        return OUTCOME_REFUSED;
    if (strlen(text) > PROTOCOL_REQUEST_MAX * 3 / 4) { /* quotes and lines take more */
        free(text);
        return ctl_error(OUTCOME_REFUSED, "%s: too large to be sent to the daemon", path);
    }
    request = ctl_request(rules ? "whatif-rules" : "whatif");
    ctl_set_text(&request, "configuration", text);
    ctl_set_number(&request, "since_s", since_s);
    free(text);
    answer = ctl_send(ctl, request, &outcome);
    if (answer == NULL)
        return outcome;
    whatif = json_object_get(answer, "whatif");
    if (ctl->json)
        shown_json(whatif, ctl->terminal);
    else if ((rules ? print_rules(whatif, ctl->terminal)
                    : print_whatif(whatif, path, ctl->terminal)) != 0)
        outcome = OUTCOME_REFUSED;
    json_decref(answer);
    return outcome;
}
