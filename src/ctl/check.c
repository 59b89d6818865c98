/* SPDX-License-Identifier: BSD-2-Clause */
/* check: what would become of a message, subject by subject; and how a decision is
 * shown, of now or of the journal (why). */

#include "ctl/commands.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/text.h"
#include "ctl/output.h"

const char *decision_verdict(const char *verdict)
{
    static const char *const words[][2] = {{"accept", "accepted"},
                                           {"tag", "tagged"},
                                           {"tempfail", "deferred"},
                                           {"reject", "rejected"}};

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcmp(words[i][0], verdict) == 0)
            return words[i][1];
    return "without a verdict";
}

/* --- the table of lists --- */

static const struct column list_columns[] = {
    {"list", "LIST", COLUMN_TEXT},     {"about", "ABOUT", COLUMN_TEXT},
    {"answer", "ANSWER", COLUMN_TEXT}, {"weight", "WEIGHT", COLUMN_NUMBER},
    {"from", "FROM", COLUMN_TEXT},     {"ttl", "TTL", COLUMN_NUMBER},
    {"ms", "MS", COLUMN_NUMBER},       {"now", "NOW", COLUMN_TEXT},
    {"note", "NOTE", COLUMN_TEXT},
};

static const struct coloring row_coloring = {"color", "", "green", "yellow"};

/* What it answered: the addresses, or that it has none. */
static void answer_text(const json_t *row, char *out, size_t size)
{
    const json_t *addresses = json_object_get(row, "addresses"), *address;
    const char *state = text_of(row, "state");
    struct buffer text = buffer_over(out, size);
    size_t i;

    json_array_foreach (addresses, i, address)
        buffer_add(&text, "%s%s", i > 0 ? "," : "", json_string_value(address));
    if (text.used == 0)
        buffer_add(&text, "%s",
                   strcmp(state, "none") == 0      ? "not listed"
                   : strcmp(state, "skipped") == 0 ? "not queried"
                   : strcmp(state, "failed") == 0  ? "no answer"
                                                   : state);
}

static void from_text(const json_t *row, char *out, size_t size)
{
    const char *source = text_of(row, "source"), *state = text_of(row, "state");
    long long age = number_of(row, "age_s");

    out[0] = '\0';
    if (strcmp(state, "skipped") == 0 || strcmp(state, "failed") == 0)
        return;
    if (strcmp(source, "dns") == 0)
        (void)snprintf(out, size, "DNS");
    else if (json_object_get(row, "age_s") != NULL)
        (void)snprintf(out, size, "%s, %lld s", source, age);
    else
        (void)snprintf(out, size, "%s", source);
}

/* What the same list says of the same subject in a check; "" where it is not in it. */
static const char *now_state(const json_t *row, const json_t *now)
{
    const json_t *other;
    size_t i;

    json_array_foreach (now, i, other)
        if (strcmp(text_of(other, "list"), text_of(row, "list")) == 0 &&
            strcmp(text_of(other, "subject"), text_of(row, "subject")) == 0)
            return strcmp(text_of(other, "state"), "none") == 0 ? "not listed"
                                                                : text_of(other, "state");
    return "";
}

/* Its note; of a check its label, its reason and where to be taken off. */
static void note_text(const json_t *row, char *out, size_t size)
{
    const char *parts[] = {text_of(row, "note"), text_of(row, "label"),
                           text_of(row, "reason"), text_of(row, "url")};
    struct buffer text = buffer_over(out, size);

    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (parts[i][0] != '\0' && strstr(out, parts[i]) == NULL)
            buffer_add(&text, "%s%s", text.used > 0 ? "; " : "", parts[i]);
}

static json_t *shown_row(const json_t *row, const json_t *now)
{
    const char *state = text_of(row, "state");
    const char *color = strcmp(state, "none") == 0     ? ""
                        : strcmp(state, "listed") != 0 ? "yellow"
                        : number_of(row, "weight") < 0 ? "green"
                                                       : "red";
    char answer[512], from[64], note[1200];
    json_t *out;

    answer_text(row, answer, sizeof answer);
    from_text(row, from, sizeof from);
    note_text(row, note, sizeof note);
    out = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:O?, s:O?}", "list",
                    text_of(row, "list"), "about", text_of(row, "what"), "answer", answer,
                    "from", from, "now", now_state(row, now), "note", note, "color",
                    color, "weight", json_object_get(row, "weight"), "ms",
                    json_object_get(row, "ms"));
    if (number_of(row, "ttl_s") > 0)
        json_object_set(out, "ttl", json_object_get(row, "ttl_s"));
    return out;
}

enum outcome decision_lists(struct ctl *ctl, const json_t *rows, const json_t *now)
{
    const char *columns = now != NULL ? "list,about,answer,weight,from,ttl,ms,now,note"
                                      : "list,about,answer,weight,from,ttl,ms,note";
    json_t *shown = json_array();
    const json_t *row;
    enum outcome outcome = OUTCOME_DONE;
    size_t i;

    json_array_foreach (rows, i, row)
        if (json_array_append_new(shown, shown_row(row, now)) != 0)
            outcome = ctl_error(OUTCOME_REFUSED, "malformed row in the daemon's answer");
    if (outcome == OUTCOME_DONE && json_array_size(shown) > 0 &&
        table_of(COLUMNS(list_columns), columns, &row_coloring, ctl->terminal, shown) !=
            0)
        outcome = OUTCOME_REFUSED;
    json_decref(shown);
    return outcome;
}

/* --- the blocklist --- */

void decision_print_entry(const json_t *object, const char *action, const char *subject,
                          const char *entry, const char *reason, const char *since)
{
    char at[96];

    printf("%-10s ", "blocklist");
    if (text_of(object, entry)[0] == '\0') {
        puts("nothing");
        return;
    }
    shown_time(number_of(object, since), at, sizeof at);
    printf("%s by ", text_of(object, action));
    print_text(text_of(object, entry));
    printf(" (%s), since %s%s", text_of(object, subject), at,
           text_of(object, reason)[0] != '\0' ? ": " : "");
    print_text(text_of(object, reason));
    putchar('\n');
}

/* --- where to be taken off --- */

void decision_delisting(const json_t *decision, const json_t *now, char *out, size_t size)
{
    const json_t *rows = json_object_get(now, "rows"), *row;
    long long heaviest = 0;
    size_t i;

    out[0] = '\0';
    if (text_find_url(text_of(decision, "reason"), out, size))
        return;
    json_array_foreach (rows, i, row) {
        long long weight = number_of(row, "weight");

        if (weight > heaviest && text_find_url(text_of(row, "reason"), out, size))
            heaviest = weight;
    }
}

/* --- check --- */

static void print_verdict(const json_t *check)
{
    const char *verdict = json_string_value(json_object_get(check, "verdict"));

    print_text(text_of(check, "subject"));
    printf(": %s", verdict == NULL ? "no verdict" : verdict);
    if (json_array_size(json_object_get(check, "blocklist")) > 0) {
        puts(" (by the blocklist)"); /* the score does not matter */
    } else {
        printf(" (score %lld", number_of(check, "score"));
        if (number_of(check, "threshold") > 0)
            printf(" of %lld", number_of(check, "threshold"));
        if (text_of(check, "exempt")[0] != '\0') {
            fputs("; exempt: ", stdout);
            print_text(text_of(check, "exempt"));
        }
        puts(")");
    }
    if (text_of(check, "reply")[0] != '\0') {
        print_text(text_of(check, "reply"));
        putchar('\n');
    }
}

static enum outcome print_check(struct ctl *ctl, const json_t *check, bool first)
{
    const json_t *rows = json_object_get(check, "rows"), *entry;
    const json_t *names = json_object_get(check, "not_given"), *name;
    enum outcome outcome;
    size_t i;

    if (!json_is_array(rows) || !json_is_array(json_object_get(check, "blocklist")))
        return ctl_error(OUTCOME_REFUSED, "malformed answer of the daemon");
    if (!first)
        putchar('\n');
    print_verdict(check);
    outcome = decision_lists(ctl, rows, NULL);
    json_array_foreach (json_object_get(check, "blocklist"), i,
                        entry) /* as why shows it */
        decision_print_entry(entry, "action", "subject", "entry", "reason", "since");
    json_array_foreach (names, i, name) {
        fputs(i == 0 ? "not given, so not looked up: " : ", ", stdout);
        print_text(json_is_string(name) ? json_string_value(name) : "");
    }
    if (json_array_size(names) > 0)
        putchar('\n');
    return outcome;
}

/* Requests the check of one subject. Returns it, a new reference, or NULL with *outcome. */
static json_t *request_check(struct ctl *ctl, const char *subject,
                             const struct arguments *arguments, enum outcome *outcome)
{
    json_t *request = ctl_request("check");
    json_t *answer, *check;

    ctl_set_text(&request, "subject", subject);
    ctl_set_text(&request, "sender", arguments->option[OPTION_SENDER]);
    ctl_set_text(&request, "helo", arguments->option[OPTION_HELO]);
    ctl_set_text(&request, "name", arguments->option[OPTION_NAME]);
    answer = ctl_send(ctl, request, outcome);
    check = json_incref(json_object_get(answer, "check"));
    if (answer != NULL && check == NULL)
        *outcome = ctl_error(OUTCOME_REFUSED, "the daemon's answer has no check");
    json_decref(answer);
    return check;
}

enum outcome ctl_check(struct ctl *ctl, const struct arguments *arguments)
{
    json_t *document = json_pack("{s:[]}", "checks");
    json_t *checks = json_object_get(document, "checks");
    enum outcome outcome = OUTCOME_DONE, found = OUTCOME_DONE;

    for (int i = 0; i < arguments->word_count && outcome == OUTCOME_DONE; i++) {
        json_t *check = request_check(ctl, arguments->words[i], arguments, &outcome);

        if (check == NULL)
            break;
        if (json_is_true(json_object_get(check, "listed")))
            found = OUTCOME_NO;
        if (!ctl->json)
            outcome = print_check(ctl, check, i == 0);
        else if (json_array_append(checks, check) != 0)
            outcome = ctl_error(OUTCOME_REFUSED, "no memory");
        json_decref(check);
    }
    if (ctl->json && outcome == OUTCOME_DONE)
        shown_json(document, ctl->terminal);
    json_decref(document);
    return outcome == OUTCOME_DONE ? found : outcome;
}
