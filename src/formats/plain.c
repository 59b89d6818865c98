/* SPDX-License-Identifier: BSD-2-Clause */
/* plain: one ENTRY a line, "!" before one that allows, "~" before one that puts off, "#"
 * or ";" starts a comment. */

#include <string.h>

#include "formats/format_table.h"

/* A comment behind the entry needs a space before it, and cannot stand where the space
 * may be part of the entry: in quotes and in logins. */
static void cut_comment(char *line)
{
    if (strchr(line, '"') != NULL || strncmp(line, "user:", 5) == 0)
        return;
    for (char *p = line; *p != '\0'; p++) {
        if ((*p == ' ' || *p == '\t') && strchr("#;", p[strspn(p, " \t")]) != NULL) {
            *p = '\0';
            return;
        }
    }
}

/* fail2ban's "get JAIL banip": addresses with spaces between; with --with-time one a
 * line, "192.0.2.1 \t2026-11-24 10:00:00 + 600 = 2026-11-24 10:10:00" in local time, + -1
 * permanently. Returns false where the line is none of these. */
static bool read_banned(struct format_reader *reader, char *line)
{
    char *rest = line + strcspn(line, " \t"), first[IPADDR_TEXT_SIZE], *end, *word, *next;
    struct format_row row = {.allow = reader->options.allow};
    char error[ENTRY_ERROR_SIZE];
    struct tm tm = {.tm_isdst = -1};
    struct ipaddr ip;

    if (*rest == '\0' || (size_t)(rest - line) >= sizeof first)
        return false;
    (void)snprintf(first, sizeof first, "%.*s", (int)(rest - line), line);
    if (ipaddr_parse(first, &ip) != 0 || entry_parse(first, &row.entry, error) != 0)
        return false;
    end = strchr(rest, '=');
    if (end != NULL) {
        end = strptime(end + 1 + strspn(end + 1, " "), "%Y-%m-%d %H:%M:%S", &tm);
        if (end == NULL || *end != '\0')
            return false;
        row.expires = strstr(rest, "+ -1 ") != NULL ? 0 : mktime(&tm);
        if (row.expires < 0)
            return false;
        reader_row(reader, &row);
        return true;
    }
    for (word = line; *word != '\0'; word = next + strspn(next, " \t")) {
        next = word + strcspn(word, " \t");
        if (*next != '\0')
            *next++ = '\0';
        reader_entry(reader, word, reader->options.allow, false);
    }
    return true;
}

static void plain_line(struct format_reader *reader, char *line)
{
    bool allow, tempfail;

    line = format_trim(line);
    if (strchr("#;", *line) != NULL)
        return;
    allow = *line == '!';
    tempfail = *line == '~';
    cut_comment(line);
    if (tempfail && reader->options.allow)
        reader_bad(reader, READER_NOT_GOOD_TEMPFAIL);
    else if (allow || tempfail || !read_banned(reader, line))
        reader_entry(reader, line + (allow || tempfail), allow || reader->options.allow,
                     tempfail);
}

/* An address that begins with "~" needs no quotes but here. */
static int plain_row(struct format_writer *writer, const struct format_row *row)
{
    const char *mark = row->allow      ? "!"
                       : row->tempfail ? "~"
                                       : "",
               *text = row->entry.text;
    const char *quote = *text == '~' ? "\"" : "";
    int local = *text == '~' ? (int)strcspn(text, "@") : 0;

    return fprintf(writer->out, "%s%s%.*s%s%s\n", mark, quote, local, text, quote,
                   text + local) < 0
               ? -1
               : 0;
}

const struct format format_plain = {
    .name = "plain", .line = plain_line, .write_row = plain_row};
