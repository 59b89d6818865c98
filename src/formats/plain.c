/* SPDX-License-Identifier: BSD-2-Clause */
/* plain: one ENTRY a line, "!" before an allow entry, "#" or ";" starts a comment. */

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

static void plain_line(struct format_reader *reader, char *line)
{
    bool allow;

    line = format_trim(line);
    if (strchr("#;", *line) != NULL)
        return;
    allow = *line == '!';
    cut_comment(line);
    reader_entry(reader, line + allow, allow || reader->options.allow, NULL);
}

static int plain_row(struct format_writer *writer, const struct format_row *row)
{
    return fprintf(writer->out, "%s%s\n", row->allow ? "!" : "", row->entry.text) < 0 ? -1
                                                                                      : 0;
}

const struct format format_plain = {
    .name = "plain", .line = plain_line, .write_row = plain_row};
