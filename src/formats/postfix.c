/* SPDX-License-Identifier: BSD-2-Clause */
/* postfix: access(5) tables as for check_client_access, check_sender_access and
 * check_helo_access: indexed ones (hash:, lmdb: …) here, cidr: tables in postfix_cidr.c.
 * Written for hash:, lmdb: and texthash: tables, which know IPv4 networks of whole octets
 * only and no IPv6 networks. docs/import.md has the whole syntax and what becomes of it.
 */

#include "formats/postfix_table.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum meaning { MEANS_BLOCK, MEANS_TEMPFAIL, MEANS_ALLOW, MEANS_DUNNO, MEANS_OTHER };

static const struct {
    const char *action;
    enum meaning meaning;
} actions[] = {
    {"REJECT", MEANS_BLOCK},
    {"DISCARD", MEANS_BLOCK},
    {"OK", MEANS_ALLOW},
    {"PERMIT", MEANS_ALLOW},
    {"DUNNO", MEANS_DUNNO},
    {"DEFER", MEANS_TEMPFAIL},
    {"DEFER_IF_PERMIT", MEANS_TEMPFAIL}, /* it is never let pass */
};

static enum meaning meaning_of(const char *action)
{
    size_t length = strlen(action);

    for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++)
        if (strcasecmp(action, actions[i].action) == 0)
            return actions[i].meaning;
    if (strspn(action, "0123456789") != length)
        return MEANS_OTHER;
    if (length == 3 && *action == '5')
        return MEANS_BLOCK;
    return length == 3 && *action == '4' ? MEANS_TEMPFAIL : MEANS_ALLOW; /* access(5) */
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

/* Cuts a word off the front of text. */
static char *cut_word(char **text)
{
    char *word = *text, *end = word + strcspn(word, " \t");

    *text = end + (*end != '\0');
    *end = '\0';
    *text = format_trim(*text);
    return word;
}

void postfix_rule_read(struct format_reader *reader, const struct logical_line *line,
                       char *key, char *rest, struct postfix_rule *out)
{
    char *action = cut_word(&rest);
    const char *why = NULL;

    *out = (struct postfix_rule){.key = key, .empty = *action == '\0'};
    out->line = (struct lookup_line){.line = line->line, .action = LOOKUP_HOLE};
    switch (meaning_of(action)) {
    case MEANS_BLOCK:
        out->line.action = LOOKUP_BLOCK;
        out->line.reason = reason_of(rest);
        if (reader->options.allow)
            why = READER_NOT_GOOD;
        break;
    case MEANS_TEMPFAIL:
        out->line.action = LOOKUP_TEMPFAIL;
        out->line.reason = reason_of(rest);
        if (reader->options.allow)
            why = READER_NOT_GOOD_TEMPFAIL;
        break;
    case MEANS_ALLOW:
        out->line.action = LOOKUP_ALLOW;
        break;
    case MEANS_DUNNO:
        break;
    case MEANS_OTHER:
        why =
            "no entry does that: expected REJECT, DISCARD, 5NN, DEFER, 4NN, OK or DUNNO";
        break;
    }
    if (out->empty)
        why = "it has no action: expected REJECT, DISCARD, 5NN, DEFER, 4NN, OK or DUNNO";
    if (why == NULL)
        return;
    out->line.action = LOOKUP_HOLE;
    reader_bad_at(reader, line->line, "%.100s %.100s: %s", key, action, why);
}

static void bad_key(struct format_reader *reader, const struct postfix_rule *rule,
                    const char *why)
{
    reader_bad_at(reader, rule->line.line, "%.100s: %s", rule->key, why);
}

/* A name: of what, --table says. */
static void take_name(struct format_reader *reader, struct postfix_rule *rule)
{
    enum format_subject subject = reader->options.subject;
    char name[DOMAIN_SIZE], text[DOMAIN_SIZE + 8], error[ENTRY_ERROR_SIZE];
    struct entry entry;

    if (domain_canonical(rule->key + (*rule->key == '.'), name) != 0 ||
        domain_is_numeric(name)) {
        bad_key(reader, rule, "expected a name, an address or a network");
        return;
    }
    if (strcmp(name, "unknown") == 0 && subject != FORMAT_SENDER) {
        bad_key(reader, rule, "it is every client without a name, no host");
        return;
    }
    (void)snprintf(text, sizeof text, "%s%s",
                   subject == FORMAT_CLIENT || subject == FORMAT_HELO ? "host:" : "",
                   name); /* fits */
    if (entry_parse(text, &entry, error) != 0) {
        bad_key(reader, rule, error);
        return;
    }
    if (rule->line.action == LOOKUP_ALLOW && subject == FORMAT_ANY) {
        bad_key(reader, rule,
                "whether a client or a sender is let pass makes a difference, as anyone "
                "can write a sender: say --table client or --table sender");
        rule->line.action = LOOKUP_HOLE;
    } else if (rule->line.action == LOOKUP_ALLOW && subject == FORMAT_HELO) {
        bad_key(reader, rule, "anyone can say this HELO: nobody is let pass for it");
        rule->line.action = LOOKUP_HOLE;
    }
    if (lookup_table_add(reader->table, &rule->line, &entry) != 0)
        reader_no_memory(reader);
}

/* An address of a sender, or "<>". */
static void take_address(struct format_reader *reader, const struct postfix_rule *rule)
{
    char error[ENTRY_ERROR_SIZE];
    struct entry entry;

    if (reader->options.subject == FORMAT_CLIENT ||
        reader->options.subject == FORMAT_HELO)
        bad_key(reader, rule,
                "no client and no HELO is an address: Postfix never finds it");
    else if (rule->key[0] == '@')
        bad_key(reader, rule, "Postfix never finds a key that begins with @");
    else if (rule->key[strlen(rule->key) - 1] == '@')
        bad_key(reader, rule, "a user at any domain cannot be listed");
    else if (strcmp(rule->key, "<>") != 0 && strpbrk(rule->key, "<>") != NULL)
        bad_key(reader, rule, "Postfix never finds an address in <>");
    else if (entry_parse(rule->key, &entry, error) != 0)
        bad_key(reader, rule, error);
    else if (lookup_table_add(reader->table, &rule->line, &entry) != 0)
        reader_no_memory(reader);
}

/* "192.0.2" of an indexed table is all addresses that begin so, as is "2001:db8". A "0"
 * or "::" in the latter is no whole number of groups: IPv6 is cut as it is written. */
static bool read_beginning(const char *key, struct network *out)
{
    unsigned parts = 1;
    char text[80];

    for (const char *p = key; *p != '\0'; p++)
        parts += *p == '.' || *p == ':';
    if (strchr(key, ':') == NULL && parts <= 3 && isdigit((unsigned char)*key)) {
        static const char *const ends[] = {".0.0.0/8", ".0.0/16", ".0/24"};

        (void)snprintf(text, sizeof text, "%.20s%s", key, ends[parts - 1]);
    } else if (strchr(key, ':') != NULL && parts < 8 && strstr(key, "::") == NULL &&
               strstr(key, ":0") == NULL) {
        (void)snprintf(text, sizeof text, "%.40s::/%u", key, 16 * parts);
    } else {
        return false;
    }
    return network_parse(text, out) == 0;
}

static void take_network(struct format_reader *reader, const struct postfix_rule *rule)
{
    enum format_subject subject = reader->options.subject;
    char canonical[IPADDR_TEXT_SIZE];
    struct network network;
    struct ipaddr ip;

    if (subject == FORMAT_SENDER || subject == FORMAT_HELO) {
        bad_key(reader, rule, "a table of senders or HELO names has no networks in it");
        return;
    }
    if (strchr(rule->key, '/') != NULL) {
        bad_key(reader, rule,
                "only a cidr: table has networks with a /: import its lines apart from "
                "those of an indexed one");
        return;
    }
    if (ipaddr_parse(rule->key, &ip) == 0) {
        ipaddr_text(&ip, canonical);
        if (strcasecmp(canonical, rule->key) != 0) {
            bad_key(reader, rule, "Postfix never finds an address that is written so");
            return;
        }
        network_of(&ip, ipaddr_bits(&ip), &network);
    } else if (!read_beginning(rule->key, &network)) {
        bad_key(reader, rule, "expected an address, or whole octets such as 192.0.2");
        return;
    }
    if (lookup_table_add_networks(reader->table, reader, &rule->line, &network, 1) != 0)
        reader_no_memory(reader);
}

enum key_kind { KEY_NAME, KEY_ADDRESS, KEY_NETWORK, KEY_EXPRESSION };

static enum key_kind kind_of(const char *key)
{
    if (*key == '/' || *key == '!')
        return KEY_EXPRESSION;
    if (strchr(key, '@') != NULL || *key == '<')
        return KEY_ADDRESS;
    return strchr(key, ':') != NULL || key[strspn(key, "0123456789./")] == '\0'
               ? KEY_NETWORK
               : KEY_NAME;
}

/* Whether the lines are a cidr: table (or a piece of one), not an indexed one. */
static bool is_cidr(const struct format_reader *reader)
{
    size_t cidr = 0, indexed = 0;

    for (size_t i = 0; i < reader->line_count; i++) {
        char key[80], canonical[IPADDR_TEXT_SIZE];
        const char *text = reader->lines[i].text;
        bool condition =
            strncasecmp(text, "if", 2) == 0 && strchr(" \t!", text[2]) != NULL;
        struct ipaddr ip;

        if (condition)
            text += 2 + strspn(text + 2, " \t");
        (void)snprintf(key, sizeof key, "%.*s", (int)strcspn(text, " \t"), text);
        if (*key == '/' || strncmp(key, "!/", 2) == 0 || strcasecmp(key, "endif") == 0)
            continue; /* an expression says nothing of either kind */
        if (ipaddr_parse(key, &ip) == 0) {
            ipaddr_text(&ip, canonical);
            cidr += condition || strcasecmp(canonical, key) != 0;
        } else if (condition || *key == '!' || *key == '[' ||
                   (kind_of(key) == KEY_NETWORK && strchr(key, '/') != NULL)) {
            cidr++;
        } else {
            indexed++;
        }
    }
    return cidr > 0 && cidr >= indexed;
}

/* Cuts the key off, which may be in quotes. Returns what follows. */
static char *cut_key(char *text, char **key)
{
    char *end;

    if (*text == '"' && (end = strchr(text + 1, '"')) != NULL &&
        strchr(" \t", end[1]) != NULL) {
        *key = text + 1;
        *end = '\0';
        return format_trim(end[1] != '\0' ? end + 2 : end + 1);
    }
    *key = cut_word(&text);
    return text;
}

/* Returns whether the name of an indexed table of clients keeps Postfix from looking for
 * the client's address. */
static bool take_rule(struct format_reader *reader, const struct logical_line *line,
                      bool *blocks_network)
{
    struct postfix_rule rule;
    bool dunno;
    char *key, *rest = cut_key(line->text, &key);

    if (kind_of(key) == KEY_EXPRESSION) {
        reader_bad_at(reader, line->line,
                      "expressions cannot be taken over: expected an "
                      "address, domain or network and its action");
        return false;
    }
    postfix_rule_read(reader, line, key, rest, &rule);
    if (rule.empty)
        return false;
    dunno = rule.line.action == LOOKUP_HOLE;
    switch (kind_of(key)) {
    case KEY_NAME:
        take_name(reader, &rule);
        return dunno;
    case KEY_ADDRESS:
        take_address(reader, &rule);
        return false;
    case KEY_NETWORK:
        take_network(reader, &rule);
        *blocks_network |=
            rule.line.action == LOOKUP_BLOCK || rule.line.action == LOOKUP_TEMPFAIL;
        return false;
    case KEY_EXPRESSION:
        break;
    }
    return false;
}

/* What is between if and endif depends on an expression here. */
static bool skip_condition(struct format_reader *reader, const struct logical_line *line,
                           unsigned *depth)
{
    if (strncasecmp(line->text, "if", 2) == 0 && strchr(" \t/!", line->text[2]) != NULL)
        ++*depth;
    else if (strncasecmp(line->text, "endif", 5) == 0 &&
             strchr(" \t", line->text[5]) != NULL && *depth > 0)
        --*depth;
    else if (*depth == 0)
        return false;
    reader_bad_at(reader, line->line,
                  "if, endif and what is between cannot be taken over");
    return true;
}

static void read_indexed(struct format_reader *reader)
{
    unsigned long *shields = calloc(reader->line_count + 1, sizeof *shields);
    bool blocks_network = false;
    unsigned depth = 0;
    size_t count = 0;

    if (shields == NULL) {
        reader_no_memory(reader);
        return;
    }
    for (size_t i = 0; i < reader->line_count && !reader->stopped; i++) {
        const struct logical_line *line = &reader->lines[i];

        if (!skip_condition(reader, line, &depth) &&
            take_rule(reader, line, &blocks_network) &&
            reader->options.subject == FORMAT_CLIENT)
            shields[count++] = line->line;
    }
    for (size_t i = 0; i < count && blocks_network; i++)
        reader_bad_at(reader, shields[i],
                      "for this name Postfix does not look for the client's address; "
                      "the networks of the table are listed for it, too");
    free(shields);
}

static void postfix_end(struct format_reader *reader)
{
    bool cidr = is_cidr(reader);
    struct lookup_rules rules = {.first_match = cidr};

    if (cidr)
        postfix_cidr_read(reader);
    else
        read_indexed(reader);
    if (!reader->stopped && lookup_table_give(reader->table, reader, &rules) != 0)
        reader_no_memory(reader);
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
    bool has_reason = row->reason != NULL && *row->reason != '\0';

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
    else if (row->tempfail)
        fprintf(writer->out, "\t451 4.7.1 %s\n",
                has_reason ? row->reason : "Try again later");
    else
        fprintf(writer->out, "\tREJECT%s%s\n", has_reason ? " " : "",
                has_reason ? row->reason : "");
    return ferror(writer->out) ? -1 : 0;
}

const struct format format_postfix = {.name = "postfix",
                                      .has_table = true,
                                      .line = reader_keep,
                                      .end = postfix_end,
                                      .write_row = postfix_row};
