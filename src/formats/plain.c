/* SPDX-License-Identifier: BSD-2-Clause */
/* plain: one ENTRY a line, "!" before one that allows, "~" before one that defers, "#"
 * or ";" starts a comment. rspamd: much the same, below. */

#include <stdlib.h>
#include <string.h>

#include "formats/format_table.h"
#include "formats/lookup_table.h"

/* A comment behind the entry needs a space before it, and cannot be where the space
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

/* rspamd: the maps of its multimap and other modules: an address, domain or network a
 * line, perhaps followed by a score or symbol ("5.0", "SYMBOL:5.0"), "#" starts a
 * comment, "!" an exception. A negative score is that of a good sender. Expressions (/…/i, and
 * glob maps) cannot be taken over. */

/* What the line does. Says so where it does not fit --allow, or needs it. */
static enum lookup_action action_of(struct format_reader *reader, const char *key,
                                    const char *value)
{
    const char *colon = strrchr(value, ':');
    double score = strtod(colon != NULL ? colon + 1 : value, NULL);

    if (score < 0 && !reader->options.allow)
        reader_bad(reader,
                   "%.100s: a negative score is that of a good sender: --allow takes a "
                   "file of these",
                   key);
    else if (score > 0 && reader->options.allow)
        reader_bad(reader,
                   "%.100s: a positive score blocks, but the file is one of good senders "
                   "(--allow)",
                   key);
    else
        return reader->options.allow ? LOOKUP_ALLOW : LOOKUP_BLOCK;
    return LOOKUP_HOLE;
}

static void rspamd_line(struct format_reader *reader, char *line)
{
    struct lookup_line out = {.line = reader->line, .action = LOOKUP_HOLE};
    char *key = format_trim(line), *value, error[ENTRY_ERROR_SIZE];
    struct entry entry;
    bool hole;

    if (*key == '\0' || *key == '#')
        return;
    hole = *key == '!';
    key += hole;
    if (*key == '/') {
        reader_bad(reader,
                   "an expression cannot be listed: expected an address, domain or "
                   "network");
        return;
    }
    key[strcspn(key, "#")] = '\0';
    value = key + strcspn(key, " \t");
    if (*value != '\0')
        *value++ = '\0';
    value = format_trim(value);
    if (strpbrk(key, "*?{") != NULL && strncmp(key, "*.", 2) != 0) {
        reader_bad(reader,
                   "%.100s: a glob cannot be listed: expected an address, domain or "
                   "network",
                   key);
        return;
    }
    if (entry_parse(key, &entry, error) != 0) {
        reader_bad(reader, "%.100s: %s", key, error);
        return;
    }
    if (!hole)
        out.action = action_of(reader, key, value);
    if (lookup_table_add(reader->table, &out, &entry) != 0)
        reader_no_memory(reader);
}

static void rspamd_end(struct format_reader *reader)
{
    const struct lookup_rules rules = {.holes_first = true};

    if (lookup_table_give(reader->table, reader, &rules) != 0)
        reader_no_memory(reader);
}

const struct format format_rspamd = {
    .name = "rspamd", .has_table = true, .line = rspamd_line, .end = rspamd_end};
