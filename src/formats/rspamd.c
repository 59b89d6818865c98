/* SPDX-License-Identifier: BSD-2-Clause */
/* rspamd: the maps of its multimap and other modules: an address, domain or network a
 * line, perhaps followed by a score or symbol ("5.0", "SYMBOL:5.0"), "#" starts a
 * comment,
 * "!" an exception. A negative score is that of a good sender. Expressions (/…/i, and
 * glob maps) cannot be taken over. */

#include <stdlib.h>
#include <string.h>

#include "formats/lookup_table.h"

static double score_of(const char *text)
{
    const char *colon = strrchr(text, ':');

    return strtod(colon != NULL ? colon + 1 : text, NULL);
}

/* What the line does. Says so where it does not fit --allow, or needs it. */
static enum lookup_action action_of(struct format_reader *reader, const char *key,
                                    const char *value)
{
    double score = score_of(value);

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
