/* SPDX-License-Identifier: BSD-2-Clause */
/* rbldnsd: the data files of its ip4set, ip4trie, ip6trie, dnset and combined sets. Of
 * "example.com", ".example.com" and "*.example.com" all become the domain and what is
 * below it. Written as one combined set. */

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "formats/format_table.h"

/* Reads up to four octets "127.16"; *bits is 8 for each. Returns what follows, or NULL.
 */
static const char *read_octets(const char *text, uint32_t *address, unsigned *bits)
{
    *address = 0;
    *bits = 0;
    for (;;) {
        char *end;
        unsigned long octet;

        if (*text < '0' || *text > '9' || *bits == 32)
            return NULL;
        octet = strtoul(text, &end, 10);
        if (octet > 255 || end - text > 3)
            return NULL;
        *address |= (uint32_t)octet << (24 - *bits);
        *bits += 8;
        text = end;
        if (*text != '.')
            return text;
        text++;
    }
}

static uint32_t ones_below(unsigned bits)
{
    return bits == 32 ? 0 : UINT32_MAX >> bits;
}

/* Reads the forms of an ip4set: a.b.c.d, a.b, a.b/12, a.b-c.d, a.b-31. Returns 0, or -1
 * when text is none. */
static int read_range(const char *text, uint32_t *first, uint32_t *last)
{
    unsigned bits, end_bits;
    const char *rest = read_octets(text, first, &bits);
    uint32_t end;
    char *after;
    unsigned long prefix;

    if (rest == NULL)
        return -1;
    if (*rest == '\0') {
        *last = *first | ones_below(bits);
        return 0;
    }
    if (*rest == '/') {
        prefix = strtoul(rest + 1, &after, 10);
        if (rest[1] < '0' || rest[1] > '9' || *after != '\0' || prefix > 32)
            return -1;
        *first &= ~ones_below((unsigned)prefix);
        *last = *first | ones_below((unsigned)prefix);
        return 0;
    }
    if (*rest != '-' || (rest = read_octets(rest + 1, &end, &end_bits)) == NULL ||
        *rest != '\0')
        return -1;
    if (end_bits == 8 && bits > 8) { /* the last octet alone: 127.16-31 */
        end = (*first & ~ones_below(bits - 8)) | end >> (bits - 8);
        end_bits = bits;
    }
    *last = end | ones_below(end_bits);
    return *last >= *first ? 0 : -1;
}

/* A range is as many networks as it takes. */
static void give_range(struct format_reader *reader, uint64_t first, uint64_t last,
                       bool allow, const char *reason)
{
    while (first <= last && !reader->stopped) {
        unsigned prefix = 32;
        struct network network;
        struct format_row row = {.allow = allow, .reason = reason};

        while (prefix > 0 && first % (1ULL << (33 - prefix)) == 0 &&
               first + (1ULL << (33 - prefix)) - 1 <= last)
            prefix--;
        memset(&network, 0, sizeof network);
        network.base.family = 4;
        for (int i = 0; i < 4; i++)
            network.base.octets[i] = (uint8_t)(first >> (24 - 8 * i));
        network.prefix = (uint8_t)prefix;
        if (entry_of_network(&network, &row.entry) == 0)
            reader_row(reader, &row);
        first += 1ULL << (32 - prefix);
    }
}

/* Cuts ":127.0.0.2:text" or "text" to the text, with $ as the entry. */
static const char *read_value(char *value, const char *entry, char *out, size_t size)
{
    size_t used = 0;

    if (*value == ':') {
        value++;
        value += strcspn(value, ":");
        if (*value == ':')
            value++;
    }
    value = format_trim(value);
    for (; *value != '\0' && used + 1 < size; value++) {
        size_t length = *value == '$' && entry != NULL ? strlen(entry) : 1;

        if (used + length >= size)
            break;
        memcpy(out + used, length > 1 || (*value == '$' && entry != NULL) ? entry : value,
               length);
        used += length;
    }
    out[used] = '\0';
    return *out != '\0' ? out : NULL;
}

/* "2001:db8" without its end is 2001:db8::/32. */
static void give_ipv6(struct format_reader *reader, const char *key, bool allow,
                      const char *reason)
{
    char whole[80];
    unsigned groups = 1;

    for (const char *p = key; *p != '\0'; p++)
        groups += *p == ':';
    if (strstr(key, "::") == NULL && groups < 8) {
        const char *slash = strchr(key, '/');
        int length = slash != NULL ? (int)(slash - key) : (int)strlen(key);

        if (slash != NULL)
            (void)snprintf(whole, sizeof whole, "%.*s::%s", length, key, slash);
        else
            (void)snprintf(whole, sizeof whole, "%.*s::/%u", length, key, groups * 16);
        key = whole;
    }
    reader_entry(reader, key, allow, reason);
}

static void rbldnsd_line(struct format_reader *reader, char *line)
{
    char text[1024], *value;
    const char *reason = NULL;
    uint32_t first, last;
    bool allow;

    line = format_trim(line);
    if (strchr("#;$", *line) != NULL || strncmp(line, ":$", 2) == 0)
        return; /* empty, a comment, $SOA, $DATASET … */
    if (*line == ':') {
        (void)read_value(line, NULL, reader->reason, sizeof reader->reason);
        return;
    }
    allow = *line == '!';
    line = format_trim(line + allow);
    value = line + strcspn(line, " \t");
    if (*value != '\0')
        *value++ = '\0';
    value = format_trim(value);
    if (!allow)
        reason = *value != '\0' && strchr("#;", *value) == NULL
                     ? read_value(value, line, text, sizeof text)
                     : read_value(reader->reason, line, text, sizeof text);
    if (read_range(line, &first, &last) == 0)
        give_range(reader, first, last, allow, reason);
    else if (strchr(line, ':') != NULL)
        give_ipv6(reader, line, allow, reason);
    else
        reader_entry(reader, line, allow, reason);
}

static int rbldnsd_start(struct format_writer *writer)
{
    writer->parts[0] = tmpfile();
    writer->parts[1] = tmpfile();
    if (writer->parts[0] == NULL || writer->parts[1] == NULL)
        return -1;
    return fputs("$DATASET ip4trie:v4 @\n", writer->out) < 0 ||
                   fputs("$DATASET ip6trie:v6 @\n", writer->parts[0]) < 0 ||
                   fputs("$DATASET dnset:names @\n", writer->parts[1]) < 0
               ? -1
               : 0;
}

static int rbldnsd_row(struct format_writer *writer, const struct format_row *row)
{
    struct network network;
    FILE *out = writer->parts[1];
    const char *dot = ".";

    if (entry_network(&row->entry, &network) == 0) {
        out = network.base.family == 4 ? writer->out : writer->parts[0];
        dot = "";
    } else if (row->entry.kind != ENTRY_DOMAIN) {
        return 1; /* its data files know addresses and names only */
    }
    if (row->allow)
        return fprintf(out, "!%s%s\n", dot, row->entry.text) < 0 ? -1 : 0;
    fprintf(out, "%s%s :127.0.0.2:", dot, row->entry.text);
    for (const char *p = row->reason != NULL ? row->reason : ""; *p != '\0'; p++)
        fputc(*p == '$' ? 'S' : *p, out); /* "$" would become the query's name */
    return fputc('\n', out) == EOF ? -1 : 0;
}

static int copy_part(FILE *part, FILE *out)
{
    char buffer[8192];
    size_t got;

    if (part == NULL || fflush(part) != 0 || ferror(part))
        return -1;
    rewind(part);
    while ((got = fread(buffer, 1, sizeof buffer, part)) > 0)
        if (fwrite(buffer, 1, got, out) != got)
            return -1;
    return ferror(part) ? -1 : 0;
}

static int rbldnsd_end(struct format_writer *writer)
{
    return copy_part(writer->parts[0], writer->out) == 0 &&
                   copy_part(writer->parts[1], writer->out) == 0
               ? 0
               : -1;
}

const struct format format_rbldnsd = {.name = "rbldnsd",
                                      .line = rbldnsd_line,
                                      .write_start = rbldnsd_start,
                                      .write_row = rbldnsd_row,
                                      .write_end = rbldnsd_end};
