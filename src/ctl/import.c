/* SPDX-License-Identifier: BSD-2-Clause */
/* import: a file's rows, read here so that an error names its line, sent to the daemon in
 * batches, and made one change there. */

#include "ctl/commands.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "control/protocol.h"
#include "ctl/output.h"
#include "formats/format.h"

/* Bad lines reported one by one; the others are counted. */
#define BAD_SHOWN_MAX 100

#define FIRST_MS 500
#define EVERY_MS 100
#define BAR      30

/* How far an import is, on standard error where that is a terminal. */
struct progress {
    FILE *in;        /* the file being read; NULL: nothing is shown */
    int64_t size;    /* of the file; 0: not known */
    int64_t next_ms; /* when it is worth showing again */
    bool shown;      /* a line is there */
};

/* Takes the line away, for other text. */
static void progress_clear(struct progress *progress)
{
    if (progress->shown)
        fputs("\r\033[K", stderr);
    progress->shown = false;
}

static void progress_begin(struct progress *progress, FILE *in)
{
    struct stat st;

    *progress = (struct progress){0};
    if (isatty(STDERR_FILENO) != 1)
        return;
    progress->in = in;
    progress->next_ms = clock_ms() + FIRST_MS;
    if (fstat(fileno(in), &st) == 0 && S_ISREG(st.st_mode))
        progress->size = st.st_size;
}

/* Shows the number of rows read so far; ten times a second at most, and not in the first
 * half second. */
static void progress_show(struct progress *progress, unsigned long rows)
{
    int64_t now, at;
    int done;

    /* the clock is not read for each row: there are millions of them */
    if (progress->in == NULL || rows % 256 != 0)
        return;
    now = clock_ms();
    if (now < progress->next_ms)
        return;
    progress->next_ms = now + EVERY_MS;
    progress->shown = true;
    at = ftello(progress->in);
    if (progress->size == 0 || at < 0) {
        fprintf(stderr, "\r%lu rows", rows);
        return;
    }
    done = (int)(at * BAR / progress->size);
    fprintf(stderr, "\r[%.*s%*s] %3d%%  %lu rows", done, "##############################",
            BAR - done, "", (int)(at * 100 / progress->size), rows);
}

struct importing {
    struct ctl *ctl;
    const struct arguments *arguments;
    const char *name;                          /* of the file */
    json_t *rows;                              /* the batch */
    unsigned long lines[PROTOCOL_IMPORT_ROWS]; /* where they are in the file */
    size_t batch_bytes;                        /* what it may take as JSON at most */
    unsigned long good, bad;
    unsigned long hosts, domains; /* names, by what they were taken as */
    bool begun;                   /* the daemon knows of it */
    bool names_told;              /* of a format whose names can be of either */
    struct progress progress;
    enum outcome outcome;
};

static void report_bad(void *context, unsigned long line, const char *text)
{
    struct importing *im = context;
    char clean[1024];

    if (++im->bad > BAD_SHOWN_MAX)
        return;
    progress_clear(&im->progress);
    shown_text(text, clean, sizeof clean);
    fprintf(stderr, "rblctl: %s:%lu: %s\n", im->name, line, clean);
}

/* With the first rows, and not before: a connection that says nothing for a minute is
 * closed, and what is piped in may take its time. */
static bool begin(struct importing *im)
{
    const struct arguments *arguments = im->arguments;
    json_t *request, *answer;

    if (im->begun)
        return true;
    request = ctl_request("import-begin");
    ctl_set_text(&request, "source", arguments->option[OPTION_SOURCE]);
    ctl_set_text(&request, "reason", arguments->option[OPTION_REASON]);
    ctl_set_text(&request, "sudo", getenv("SUDO_USER"));
    ctl_set_flag(&request, "replace", arguments, OPTION_REPLACE);
    ctl_set_flag(&request, "force", arguments, OPTION_FORCE);
    answer = ctl_send(im->ctl, request, &im->outcome);
    json_decref(answer);
    im->begun = answer != NULL;
    return im->begun;
}

/* Sends the batch, and says what the daemon refused of it. */
static bool send_batch(struct importing *im)
{
    const json_t *refused, *one;
    json_t *request, *answer;
    size_t i;

    if (!begin(im))
        return false;
    request = ctl_request("import-rows");
    json_object_set_new(request, "rows", im->rows);
    im->rows = json_array();
    im->batch_bytes = 0;
    answer = ctl_send(im->ctl, request, &im->outcome);
    if (answer == NULL)
        return false;
    refused = json_object_get(answer, "refused");
    json_array_foreach (refused, i, one) {
        size_t row = (size_t)number_of(one, "row");
        const char *text = text_of(one, "text");

        im->good--;
        report_bad(im, row < PROTOCOL_IMPORT_ROWS ? im->lines[row] : 0,
                   text[0] != '\0' ? text : "refused");
    }
    json_decref(answer);
    return true;
}

static json_t *row_value(const struct format_row *row)
{
    json_t *value;

    if (!row->allow && !row->tempfail && row->source == NULL && row->reason == NULL &&
        row->expires == 0 && row->since == 0)
        return json_string(row->entry.text); /* most rows of a large file */
    value = json_pack("{s:s, s:s*, s:s*}", "entry", row->entry.text, "source",
                      row->source, "reason", row->reason);
    if (row->allow)
        json_object_set_new(value, "allow", json_true());
    if (row->tempfail)
        json_object_set_new(value, "tempfail", json_true());
    if (row->expires != 0)
        json_object_set_new(value, "expires", json_integer((json_int_t)row->expires));
    if (row->since != 0)
        json_object_set_new(value, "since", json_integer((json_int_t)row->since));
    return value;
}

/* What a text may take as JSON: six characters for one. */
static size_t json_bytes(const char *text)
{
    return text == NULL ? 0 : 6 * strlen(text);
}

static bool take_row(void *context, unsigned long line, const struct format_row *row)
{
    struct importing *im = context;
    size_t bytes = 100 + json_bytes(row->entry.text) + json_bytes(row->source) +
                   json_bytes(row->reason);
    json_t *value;

    if (bytes > PROTOCOL_REQUEST_MAX / 2) {
        report_bad(im, line, "the reason is too long");
        return true;
    }
    if ((json_array_size(im->rows) == PROTOCOL_IMPORT_ROWS ||
         im->batch_bytes + bytes > PROTOCOL_REQUEST_MAX - 1024) &&
        !send_batch(im))
        return false;
    value = row_value(row);
    if (value == NULL) {
        report_bad(im, line, "not valid UTF-8");
        return true;
    }
    im->lines[json_array_size(im->rows)] = line;
    if (json_array_append_new(im->rows, value) != 0) {
        report_bad(im, line, "no memory");
        return true;
    }
    im->batch_bytes += bytes;
    im->good++;
    im->hosts += row->entry.kind == ENTRY_HOST;
    im->domains += row->entry.kind == ENTRY_DOMAIN;
    progress_show(&im->progress, im->good);
    return true;
}

static void print_counts(const struct importing *im, const json_t *answer, bool dry_run)
{
    static const char *const names[] = {"added", "changed", "unchanged", "removed"};

    printf("%s%lu row%s", dry_run ? "would import: " : "", im->good,
           im->good == 1 ? "" : "s");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        printf(", %lld %s", number_of(answer, names[i]), names[i]);
    printf(", %lu bad line%s\n", im->bad, im->bad == 1 ? "" : "s");
    if (im->names_told && im->hosts + im->domains > 0)
        printf("names: %lu taken as hosts (of clients and HELO), %lu as domains of "
               "senders\n",
               im->hosts, im->domains);
}

static enum outcome commit(struct importing *im, bool dry_run)
{
    json_t *request, *answer;

    if (!begin(im))
        return im->outcome;
    request = ctl_request("import-commit");
    ctl_set_flag(&request, "dry_run", im->arguments, OPTION_DRY_RUN);
    progress_clear(&im->progress);
    if (im->progress.in != NULL) {
        fputs("\rmaking the change …", stderr);
        im->progress.shown = true;
    }
    answer = ctl_send(im->ctl, request, &im->outcome);
    progress_clear(&im->progress);
    if (answer == NULL)
        return im->outcome;
    json_object_del(answer, "ok");
    json_object_set_new(answer, "bad", json_integer((json_int_t)im->bad));
    if (im->ctl->json)
        shown_json(answer, im->ctl->terminal);
    else
        print_counts(im, answer, dry_run);
    (void)farm_reach_show(answer, im->ctl->json ? NULL : "imported", false);
    json_decref(answer);
    return OUTCOME_DONE;
}

/* Where most lines were bad: perhaps the file is in another format. */
static void report_format(const struct importing *im, FILE *in,
                          const struct format *named)
{
    const struct format *format;

    if (im->bad <= im->good)
        return;
    rewind(in);
    format = format_guess(in, named);
    if (format != NULL)
        ctl_error(OUTCOME_DONE, "%s: most lines are bad: it looks like --format %s",
                  im->name, format_name(format));
}

static enum outcome read_file(struct importing *im, struct format_reader *reader,
                              FILE *in, const struct format *format)
{
    const struct arguments *arguments = im->arguments;
    struct format_sink sink = {take_row, report_bad, im};
    int rc;

    rc = format_read(reader, in, &sink);
    if (rc == 0 && json_array_size(im->rows) > 0 && !send_batch(im))
        rc = -1;
    progress_clear(&im->progress);
    if (im->bad > BAD_SHOWN_MAX)
        ctl_error(OUTCOME_DONE, "%s: %lu more bad lines", im->name,
                  im->bad - BAD_SHOWN_MAX);
    if (rc != 0)
        return im->outcome != OUTCOME_DONE
                   ? im->outcome
                   : ctl_error(OUTCOME_REFUSED, "%s: %s; nothing was changed", im->name,
                               strerror(errno));
    report_format(im, in, format);
    /* A download that failed, or another format: it must not empty a source. */
    if (im->good == 0 && arguments->option[OPTION_FORCE] == NULL)
        return ctl_error(OUTCOME_REFUSED,
                         "%s: no entry in it; nothing was changed (--force imports it "
                         "all the same)",
                         im->name);
    if (arguments->option[OPTION_REPLACE] != NULL && im->bad > im->good &&
        arguments->option[OPTION_FORCE] == NULL)
        return ctl_error(OUTCOME_REFUSED,
                         "%s: %lu bad lines and %lu good ones: is it the right file, and "
                         "format? Nothing was changed (--force imports it all the same)",
                         im->name, im->bad, im->good);
    return commit(im, arguments->option[OPTION_DRY_RUN] != NULL);
}

/* Reads all of a pipe first: whoever writes it may take its time, and what is cut short
 * is then not half an import. Returns a temporary file, or NULL (errno). Closes in. */
static FILE *read_whole(FILE *in)
{
    FILE *whole = tmpfile();
    char buffer[65536];
    size_t got = 1;
    int error = errno;

    while (whole != NULL && got > 0) {
        got = fread(buffer, 1, sizeof buffer, in);
        error = errno;
        if (ferror(in) || fwrite(buffer, 1, got, whole) != got) {
            error = errno;
            fclose(whole);
            whole = NULL;
        }
    }
    fclose(in);
    if (whole != NULL)
        rewind(whole);
    errno = error;
    return whole;
}

static bool read_options(const struct arguments *arguments, const struct format *format,
                         struct format_options *out)
{
    static const char *const subjects[] = {
        [FORMAT_CLIENT] = "client", [FORMAT_SENDER] = "sender", [FORMAT_HELO] = "helo"};
    const char *table = arguments->option[OPTION_TABLE];

    *out = (struct format_options){.allow = arguments->option[OPTION_ALLOW] != NULL,
                                   .wide = arguments->option[OPTION_FORCE] != NULL};
    out->field = arguments->option[OPTION_FIELD];
    if (out->field != NULL && strcmp(format_name(format), "csv") != 0 &&
        strcmp(format_name(format), "json") != 0) {
        fprintf(stderr, "rblctl: --field is of --format csv and json only\n");
        return false;
    }
    if (table == NULL)
        return true;
    if (strcmp(format_name(format), "postfix") != 0) {
        fprintf(stderr, "rblctl: --table is of --format postfix only\n");
        return false;
    }
    for (enum format_subject i = FORMAT_CLIENT; i <= FORMAT_HELO; i++)
        if (strcmp(table, subjects[i]) == 0)
            out->subject = i;
    if (out->subject == FORMAT_ANY)
        fprintf(stderr, "rblctl: --table %s: expected client, sender or helo\n", table);
    return out->subject != FORMAT_ANY;
}

enum outcome ctl_import(struct ctl *ctl, const struct arguments *arguments)
{
    const char *name = arguments->option[OPTION_FORMAT];
    const struct format *format = find_format(name != NULL ? name : "plain", false);
    const char *path = arguments->words[0];
    bool standard = strcmp(path, "-") == 0;
    struct importing im = {
        .ctl = ctl, .arguments = arguments, .name = standard ? "standard input" : path};
    struct format_options options;
    struct format_reader *reader = NULL;
    enum outcome outcome;
    struct stat st;
    FILE *in;

    if (format == NULL || !read_options(arguments, format, &options))
        return OUTCOME_USAGE;
    in = standard ? stdin : fopen(path, "re");
    if (in != NULL && (fstat(fileno(in), &st) != 0 || !S_ISREG(st.st_mode)))
        in = read_whole(in);
    if (in == NULL)
        return ctl_error(OUTCOME_USAGE, "%s: %s", path, strerror(errno));
    reader = format_reader_new(format, &options);
    im.names_told = strcmp(format_name(format), "postfix") == 0 ||
                    strcmp(format_name(format), "sendmail") == 0;
    im.rows = json_array();
    progress_begin(&im.progress, in);
    outcome = reader == NULL ? ctl_error(OUTCOME_REFUSED, "no memory")
                             : read_file(&im, reader, in, format);
    json_decref(im.rows);
    format_reader_free(reader);
    fclose(in);
    return outcome;
}
