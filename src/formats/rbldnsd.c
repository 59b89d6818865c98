/* SPDX-License-Identifier: BSD-2-Clause */
/* rbldnsd: the data files of its ip4set, ip4trie, ip6trie, dnset and combined sets. An
 * exclusion is a hole in its data set. Written as one combined set. docs/import.md has
 * the whole syntax and what becomes of it. */

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "formats/lookup_table.h"

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

/* Writes what rbldnsd would answer: "$" is the entry, "$$" a dollar sign, "$1" a
 * variable,
 * "$=" the entry's own text in the base template. Texts that do not fit are cut. */
static void expand(const struct format_reader *reader, const char *template,
                   const char *own, const char *entry, char *out, size_t size)
{
    size_t used = strlen(out);

    for (; *template != '\0' && used + 1 < size; template ++) {
        const char *part = NULL;

        if (*template == '$' && template[1] == '$') {
            template ++;
        } else if (*template == '$' && template[1] >= '0' && template[1] <= '9') {
            part = reader->variables[*++template - '0'];
        } else if (*template == '$' && template[1] == '=' && own != NULL) {
            template ++;
            part = "";
            out[used] = '\0';
            expand(reader, *own != '\0' ? own : "$", NULL, entry, out, size);
            used = strlen(out);
        } else if (*template == '$') {
            part = entry;
        }
        if (part == NULL)
            out[used++] = *template;
        for (; part != NULL && *part != '\0' && used + 1 < size; part++)
            out[used++] = *part;
        out[used] = '\0';
    }
}

/* ":127.0.0.2:text", "text"; without a second colon the default text holds. */
static const char *template_of(const struct format_reader *reader, char *value)
{
    if (*value == '\0' || strchr("#;", *value) != NULL)
        return reader->reason;
    if (*value != ':')
        return value;
    value++;
    value += strcspn(value, ":");
    return *value == ':' ? format_trim(value + 1) : reader->reason;
}

static const char *reason_of(const struct format_reader *reader, char *value,
                             const char *entry, char *out, size_t size)
{
    const char *own = template_of(reader, value), *base = reader->variables[10];

    out[0] = '\0';
    if (*own == '=' && *base != '\0')
        expand(reader, own + 1, NULL, entry, out, size);
    else if (*base != '\0')
        expand(reader, base, own, entry, out, size);
    else
        expand(reader, own, NULL, entry, out, size);
    return *format_trim(out) != '\0' ? format_trim(out) : NULL;
}

static void give_all(struct format_reader *reader)
{
    const struct lookup_rules rules = {.holes_first = true,
                                       .whole_octets = !reader->exact};

    if (lookup_table_give(reader->table, reader, &rules) != 0)
        reader_no_memory(reader);
}

/* Each data set is a list of its own: what one excludes another may list. */
static void begin_data_set(struct format_reader *reader, char *type)
{
    static const char *const others[] = {"generic", "acl", "combined"};

    give_all(reader);
    reader->reason[0] = '\0';
    reader->range_max = 0;
    type[strcspn(type, ": \t")] = '\0';
    reader->exact = strcmp(type, "ip4trie") == 0;
    reader->lists = true;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        if (strcmp(type, others[i]) != 0)
            continue;
        reader->lists = false;
        reader_bad(reader, "a data set of type %s lists nothing: it is passed over",
                   type);
    }
}

static void read_special(struct format_reader *reader, char *text)
{
    char *word = text, *value = text + strcspn(text, " \t");
    int variable = *word >= '0' && *word <= '9' ? *word - '0' : *word == '=' ? 10 : -1;

    if (*value != '\0')
        *value++ = '\0';
    value = format_trim(value);
    if (strcasecmp(word, "DATASET") == 0) {
        begin_data_set(reader, value);
    } else if (strcasecmp(word, "MAXRANGE4") == 0) {
        unsigned long number = strtoul(value + (*value == '/'), NULL, 10);
        uint64_t most = *value != '/' ? number : number <= 32 ? 1ULL << (32 - number) : 0;

        if (most > 0 && (reader->range_max == 0 || most < reader->range_max))
            reader->range_max = most;
    } else if (variable >= 0 && word[1] == '\0') {
        if (!text_copy(value, reader->variables[variable],
                       sizeof reader->variables[variable]))
            reader_bad(reader, "the text of a variable is longer than %zu bytes",
                       sizeof reader->variables[variable] - 1);
    }
}

/* "2001:db8" without its end is 2001:db8::/32. Returns 0, or -1. */
static int read_ipv6(const char *key, struct network *out)
{
    char whole[120];
    unsigned groups = 1;
    int length = (int)strcspn(key, "/");

    for (const char *p = key; *p != '\0'; p++)
        groups += *p == ':';
    if (strstr(key, "::") != NULL || groups >= 8 || length > 60)
        return network_parse(key, out);
    if (key[length] == '/')
        (void)snprintf(whole, sizeof whole, "%.*s::%.8s", length, key, key + length);
    else
        (void)snprintf(whole, sizeof whole, "%.*s::/%u", length, key, groups * 16);
    return network_parse(whole, out);
}

static void take_name(struct format_reader *reader, const char *key,
                      struct lookup_line *line)
{
    char error[ENTRY_ERROR_SIZE];
    struct entry entry;

    line->scope = strncmp(key, "*.", 2) == 0 ? LOOKUP_BELOW
                  : *key == '.'              ? LOOKUP_BOTH
                                             : LOOKUP_NAME;
    if (strpbrk(key, "@/:<") != NULL || entry_parse(key, &entry, error) != 0 ||
        entry.kind != ENTRY_DOMAIN)
        reader_bad(reader, "%.100s: expected an address, a network, a range or a domain",
                   key);
    else if (lookup_table_add(reader->table, line, &entry) != 0)
        reader_no_memory(reader);
}

static void take_entry(struct format_reader *reader, const char *key,
                       struct lookup_line *line)
{
    struct network networks[NETWORK_RANGE_MAX];
    uint32_t first, last;
    size_t count = 1;

    if (read_range(key, &first, &last) == 0) {
        if (reader->range_max > 0 && (uint64_t)last - first + 1 > reader->range_max) {
            reader_bad(reader, "%.100s: the range is wider than $MAXRANGE4", key);
            return;
        }
        count = network_range(first, last, networks);
    } else if (strchr(key, ':') == NULL) {
        take_name(reader, key, line);
        return;
    } else if (read_ipv6(key, &networks[0]) != 0) {
        reader_bad(reader, "%.100s: expected an IPv6 address or network", key);
        return;
    }
    if (lookup_table_add_networks(reader->table, reader, line, networks, count) != 0)
        reader_no_memory(reader);
}

static void rbldnsd_line(struct format_reader *reader, char *line)
{
    struct lookup_line out = {.line = reader->line, .action = LOOKUP_HOLE};
    char text[1024], *value;

    reader->lists |= reader->line == 1; /* unless a data set says otherwise */
    line = format_trim(line);
    if (*line == '$' ||
        (*line != '\0' && strchr("#;:", *line) != NULL && line[1] == '$')) {
        read_special(reader, line + (*line != '$') + 1);
        return;
    }
    if (strchr("#;", *line) != NULL || !reader->lists)
        return;
    if (*line == ':') {
        (void)text_copy(template_of(reader, line), text, sizeof text);
        if (!text_copy(text, reader->reason, sizeof reader->reason))
            reader->reason[0] = '\0';
        return;
    }
    if (*line != '!')
        out.action = reader->options.allow ? LOOKUP_ALLOW : LOOKUP_BLOCK;
    line = format_trim(line + (*line == '!'));
    value = line + strcspn(line, " \t");
    if (*value != '\0')
        *value++ = '\0';
    if (out.action != LOOKUP_HOLE)
        out.reason = reason_of(reader, format_trim(value), line, text, sizeof text);
    take_entry(reader, line, &out);
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

    if (row->tempfail)
        return 1; /* it would be refused by whoever queries it */
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
                                      .has_table = true,
                                      .end = give_all,
                                      .line = rbldnsd_line,
                                      .write_start = rbldnsd_start,
                                      .write_row = rbldnsd_row,
                                      .write_end = rbldnsd_end};
