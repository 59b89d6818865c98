/* SPDX-License-Identifier: BSD-2-Clause */
/* postfix: access(5) tables as for check_sender_access and check_client_access, with keys
 * as in hash: and cidr: tables. Written for hash:, lmdb: and texthash: tables, which know
 * IPv4 networks of whole octets only and no IPv6 networks. */

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "formats/format_table.h"

enum meaning { MEANS_BLOCK, MEANS_ALLOW, MEANS_NOTHING };

/* What an action does with a message. Four or five digits' worth "4xx"/"5xx" refuse, all
 * other numbers let pass, as access(5) says. */
static enum meaning meaning_of(const char *action)
{
    static const char *const blocks[] = {"REJECT", "DISCARD", "DEFER", "DEFER_IF_REJECT",
                                         "DEFER_IF_PERMIT"};
    size_t length = strlen(action);

    for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++)
        if (strcasecmp(action, blocks[i]) == 0)
            return MEANS_BLOCK;
    if (length == 3 && (*action == '4' || *action == '5') &&
        strspn(action, "0123456789") == 3)
        return MEANS_BLOCK;
    if (strcasecmp(action, "OK") == 0 || strcasecmp(action, "PERMIT") == 0 ||
        strcasecmp(action, "RELAY") == 0 || strspn(action, "0123456789") == length)
        return MEANS_ALLOW;
    return MEANS_NOTHING;
}

/* "192.0.2" of a hash: table is all addresses that begin so. */
static const char *whole_network(const char *key, char *out, size_t size)
{
    int octets = 1;

    if (key[strspn(key, "0123456789.")] != '\0')
        return key;
    for (const char *p = key; *p != '\0'; p++)
        octets += *p == '.';
    if (octets > 3 || strchr(key, '.') == NULL)
        return key;
    (void)snprintf(out, size, "%s%s/%d", key, octets == 2 ? ".0.0" : ".0", octets * 8);
    return out;
}

/* The text for the sender, without the enhanced status code before it. */
static const char *reason_of(char *text)
{
    size_t code = strspn(text, "0123456789.");

    if (code >= 5 && strchr(" \t", text[code]) != NULL &&
        (text[0] == '4' || text[0] == '5') && text[1] == '.')
        text += code;
    text = format_trim(text);
    return *text != '\0' ? text : NULL;
}

static void postfix_line(struct format_reader *reader, char *line)
{
    char network[64], *key, *action, *text;
    enum meaning meaning;

    if (*line == '#' || line[strspn(line, " \t\r")] == '\0')
        return;
    if (*line == ' ' || *line == '\t')
        return; /* goes on with the text of the line before */
    if (*line == '/' || *line == '!' || strncasecmp(line, "if ", 3) == 0 ||
        strncasecmp(line, "endif", 5) == 0) {
        reader_bad(reader,
                   "expressions, \"!\" and if … endif cannot be taken over: expected "
                   "an address, domain or network and its action");
        return;
    }
    key = line;
    action = key + strcspn(key, " \t");
    text = action;
    if (*action != '\0') {
        *action++ = '\0';
        action += strspn(action, " \t");
        text = action + strcspn(action, " \t");
        if (*text != '\0')
            *text++ = '\0';
        text = format_trim(text);
    }
    action = format_trim(action);
    meaning = meaning_of(action);
    if (*action == '\0' || meaning == MEANS_NOTHING) {
        reader_bad(reader,
                   "expected REJECT, DISCARD, DEFER, 4xx, 5xx or OK as the action");
        return;
    }
    if (*key != '\0' && key[strlen(key) - 1] == '@') {
        reader_bad(reader, "%.100s: a user at any domain cannot be listed", key);
        return;
    }
    reader_entry(reader, whole_network(key, network, sizeof network),
                 meaning == MEANS_ALLOW, reason_of(text));
}

/* Writes the key of a network for a hash: table. Returns false where there is none. */
static bool write_network(FILE *out, const struct entry *entry)
{
    struct network network;
    const uint8_t *octets = network.base.octets;

    if (entry_network(entry, &network) != 0)
        return false;
    if (network.prefix == ipaddr_bits(&network.base))
        return fputs(entry->text, out) >= 0;
    if (network.base.family != 4 || network.prefix == 0 || network.prefix % 8 != 0)
        return false;
    fprintf(out, "%u", octets[0]);
    for (unsigned i = 1; i < network.prefix / 8; i++)
        fprintf(out, ".%u", octets[i]);
    return true;
}

static int postfix_row(struct format_writer *writer, const struct format_row *row)
{
    const char *text = row->entry.text;

    switch (row->entry.kind) {
    case ENTRY_NETWORK:
        if (!write_network(writer->out, &row->entry))
            return 1;
        break;
    case ENTRY_ADDRESS:
        if (strpbrk(text, " \"") != NULL)
            return 1;
        fputs(text, writer->out);
        break;
    case ENTRY_DOMAIN:
        fputs(text, writer->out);
        break;
    case ENTRY_HOST:
    case ENTRY_USER:
        return 1;
    }
    if (row->allow)
        fputs("\tOK\n", writer->out);
    else
        fprintf(writer->out, "\tREJECT%s%s\n",
                row->reason != NULL && *row->reason != '\0' ? " " : "",
                row->reason != NULL ? row->reason : "");
    return ferror(writer->out) ? -1 : 0;
}

const struct format format_postfix = {
    .name = "postfix", .line = postfix_line, .write_row = postfix_row};
