/* SPDX-License-Identifier: BSD-2-Clause */
/* rspamd: the maps of its multimap and other modules: an address, domain or network a
 * line, perhaps followed by a score or symbol, "#" starts a comment. Expressions
 * (/…/i, and glob maps) cannot be taken over. */

#include <string.h>

#include "formats/format_table.h"

static void rspamd_line(struct format_reader *reader, char *line)
{
    char *key = format_trim(line);
    bool allow;

    if (*key == '\0' || *key == '#')
        return;
    if (*key == '/') {
        reader_bad(reader,
                   "an expression cannot be listed: expected an address, domain or "
                   "network");
        return;
    }
    allow = *key == '!';
    key += allow;
    key[strcspn(key, " \t#")] = '\0'; /* a score may follow */
    if (strpbrk(key, "*?{") != NULL && strncmp(key, "*.", 2) != 0) {
        reader_bad(reader,
                   "%.100s: a glob cannot be listed: expected an address, domain or "
                   "network",
                   key);
        return;
    }
    reader_entry(reader, key, allow, NULL);
}

const struct format format_rspamd = {.name = "rspamd", .line = rspamd_line};
