/* SPDX-License-Identifier: BSD-2-Clause */
/* sendmail: the text that makemap makes its access table of. A tag before the key says
 * what looks it up: Connect: the client, From: the sender. Without a tag all of them do,
 * after the same key with one. docs/import.md has the whole syntax and what becomes of it.
 */

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "formats/lookup_table.h"

enum tag { TAG_NONE, TAG_CONNECT, TAG_FROM, TAG_TO, TAG_SPAM, TAG_OTHER };

static const struct {
    const char *tag; /* with its colon */
    enum tag is;
} tags[] = {
    {"Connect:", TAG_CONNECT},
    {"From:", TAG_FROM},
    {"To:", TAG_TO},
    {"Spam:", TAG_SPAM},
};

struct rule {
    struct lookup_line line;
    enum tag tag;
    const char *key;   /* behind the tag */
    const char *shown; /* with it */
    bool skips;        /* a hole that was meant as one */
};

/* Names the line, never its value: AuthInfo: has passwords in it. */
static void bad_rule(struct format_reader *reader, struct rule *rule, const char *why)
{
    reader_bad_at(reader, rule->line.line, "%.100s: %s", rule->shown, why);
    rule->line.action = LOOKUP_HOLE;
}

static enum tag cut_tag(const char **key)
{
    for (size_t i = 0; i < sizeof tags / sizeof tags[0]; i++) {
        size_t length = strlen(tags[i].tag);

        if (strncasecmp(*key, tags[i].tag, length) == 0) {
            *key += length;
            return tags[i].is;
        }
    }
    /* what follows a space is the value */
    return (*key)[strcspn(*key, ": \t")] != ':' || strncasecmp(*key, "IPv6:", 5) == 0
               ? TAG_NONE
               : TAG_OTHER;
}

/* Takes quotes off, from both ends. */
static char *unquote(char *text)
{
    size_t length;

    text = format_trim(text);
    length = strlen(text);
    if (length >= 2 && *text == '"' && text[length - 1] == '"') {
        text[length - 1] = '\0';
        text = format_trim(text + 1);
    }
    return text;
}

/* Moves over a "5.7.1" that one of ends follows. Returns its class, or 0: there is none. */
static char cut_status(char **text, const char *ends)
{
    size_t length = strspn(*text, "0123456789.");
    char class = **text;

    if (length < 5 || (*text)[1] != '.' || strchr("245", class) == NULL ||
        strchr(ends, (*text)[length]) == NULL)
        return 0;
    *text += length + ((*text)[length] != '\0');
    return class;
}

/* An error that is given: 'ERROR:5.7.1:"550 text"', 'ERROR:"550 text"', '550 text'.
 * Returns why it is no listing, or NULL. */
static const char *take_error(struct rule *rule, char *text, bool tagged)
{
    char class = tagged ? cut_status(&text, ":") : 0;
    bool code;

    text = unquote(text);
    code = strspn(text, "0123456789") == 3 && strchr(" \t-", text[3]) != NULL;
    if (!tagged && !code)
        return "expected REJECT, DISCARD, ERROR:…, 550 text, OK, RELAY or SKIP";
    if (code) {
        class = *text;
        text = format_trim(text + 3 + (text[3] != '\0'));
        (void)cut_status(&text, " \t");
        text = format_trim(text);
    }
    if (class != '4' && class != '5' && class != 0)
        return "no code of a refusal";
    rule->line.action = class == '4' ? LOOKUP_TEMPFAIL : LOOKUP_BLOCK;
    rule->line.reason = *text != '\0' ? text : NULL;
    return NULL;
}

/* What the value does. Says so where an entry cannot. */
static void take_value(struct format_reader *reader, struct rule *rule, char *value)
{
    const char *why = NULL;

    rule->line.action = LOOKUP_HOLE;
    if (strcasecmp(value, "OK") == 0 || strcasecmp(value, "RELAY") == 0)
        rule->line.action = LOOKUP_ALLOW;
    else if (strcasecmp(value, "REJECT") == 0 || strcasecmp(value, "DISCARD") == 0)
        rule->line.action = LOOKUP_BLOCK;
    else if (strcasecmp(value, "SKIP") == 0)
        rule->skips = true;
    else if (strncasecmp(value, "QUARANTINE:", 11) == 0)
        why = "it holds mail back in the queue, no entry does that";
    else if (strcasecmp(value, "FRIEND") == 0 || strcasecmp(value, "HATER") == 0)
        why = "it is of recipients: the conf file's exempt section has these";
    else if (strncasecmp(value, "ERROR:", 6) == 0)
        why = take_error(rule, value + 6, true);
    else
        why = take_error(rule, value, false);
    if (why == NULL && rule->line.action == LOOKUP_BLOCK && reader->options.allow)
        why = READER_NOT_GOOD;
    if (why == NULL && rule->line.action == LOOKUP_TEMPFAIL && reader->options.allow)
        why = READER_NOT_GOOD_TEMPFAIL;
    if (why != NULL)
        bad_rule(reader, rule, why);
}

static void add_entry(struct format_reader *reader, struct rule *rule, const char *prefix,
                      const char *text)
{
    char full[ENTRY_TEXT_SIZE + 8], error[ENTRY_ERROR_SIZE];
    struct entry entry;

    if ((size_t)snprintf(full, sizeof full, "%s%s", prefix, text) >= sizeof full)
        bad_rule(reader, rule, "it is too long");
    else if (entry_parse(full, &entry, error) != 0)
        bad_rule(reader, rule, error);
    else if (lookup_table_add(reader->table, &rule->line, &entry) != 0)
        reader_no_memory(reader);
}

/* A domain, which is all names below it, too: of clients, of senders, or of both. */
static void take_name(struct format_reader *reader, struct rule *rule)
{
    char name[DOMAIN_SIZE];

    if (rule->key[0] == '.') {
        bad_rule(reader, rule,
                 "sendmail finds it with FEATURE(lookupdotdomain) only, for the names "
                 "below it: write it without the dot if all of them are meant");
        return;
    }
    if (domain_canonical(rule->key, name) != 0 || domain_is_numeric(name)) {
        bad_rule(reader, rule, "expected a name, an address or a network");
        return;
    }
    if (rule->tag == TAG_NONE && rule->line.action == LOOKUP_ALLOW)
        bad_rule(reader, rule,
                 "whether a client or a sender is let pass makes a difference, as anyone "
                 "can write a sender: nobody is; write Connect: or From: before it");
    if (rule->tag != TAG_FROM)
        add_entry(reader, rule, "host:", name);
    if (rule->tag != TAG_CONNECT)
        add_entry(reader, rule, "", name);
}

static void take_address(struct format_reader *reader, struct rule *rule)
{
    if (rule->tag == TAG_CONNECT)
        bad_rule(reader, rule, "no client is an address: sendmail never finds it");
    else if (rule->key[0] == '<')
        bad_rule(reader, rule, "sendmail never looks up <>, nor an address in <>");
    else if (rule->key[0] == '@')
        bad_rule(reader, rule, "sendmail never finds a key that begins with @");
    else if (rule->key[strlen(rule->key) - 1] == '@')
        bad_rule(reader, rule, "a user at any domain cannot be an entry");
    else if (rule->skips)
        bad_rule(reader, rule, "SKIP is of names and networks only");
    else
        add_entry(reader, rule, "", rule->key);
}

/* "192.0.2" is all addresses that begin so, as is "2001:db8". Returns why it is none of
 * these, or NULL. */
static const char *read_network(const char *key, struct network *out)
{
    static const char *const ends[] = {"", ".0.0.0/8", ".0.0/16", ".0/24", ""};
    bool six = strncasecmp(key, "IPv6:", 5) == 0;
    const char *text = key + (six ? 5 : 0);
    char whole[80];
    unsigned parts = 1;

    for (const char *p = text; *p != '\0'; p++) {
        parts += *p == (six ? ':' : '.');
        if (*p == '0' && (p == text || p[-1] == '.' || p[-1] == ':') &&
            strchr(".:", p[1]) == NULL)
            return "sendmail never finds a number that begins with 0";
    }
    if (strchr(text, '/') != NULL)
        return "sendmail never finds a network with a /: expected whole octets, such as "
               "192.0.2";
    if (!six)
        (void)snprintf(whole, sizeof whole, "%.20s%s", text,
                       parts <= 4 ? ends[parts] : "/");
    else if (strstr(text, "::") != NULL || parts >= 8)
        (void)snprintf(whole, sizeof whole, "%.50s", text);
    else
        (void)snprintf(whole, sizeof whole, "%.50s::/%u", text, 16 * parts);
    if (network_parse(whole, out) != 0)
        return "expected an address, whole octets such as 192.0.2, or IPv6:2001:db8";
    return NULL;
}

static void take_network(struct format_reader *reader, struct rule *rule)
{
    struct network network;
    const char *why = rule->tag == TAG_FROM
                          ? "it is the address of a client: write Connect: before it"
                          : read_network(rule->key, &network);

    if (why != NULL)
        bad_rule(reader, rule, why);
    else if (lookup_table_add_networks(reader->table, reader, &rule->line, &network, 1) !=
             0)
        reader_no_memory(reader);
}

static void take_rule(struct format_reader *reader, struct rule *rule, char *value)
{
    if (*value == '\0') {
        bad_rule(reader, rule, "it has no value: expected REJECT, OK, …");
        return;
    }
    if (rule->tag == TAG_TO || rule->tag == TAG_SPAM) {
        bad_rule(reader, rule,
                 "it is of recipients, an entry is of clients and senders (the conf "
                 "file's exempt section has recipients)");
        return;
    }
    if (rule->tag == TAG_OTHER) {
        bad_rule(reader, rule,
                 "it lists nothing: expected Connect:, From:, or no tag (IPv6: before an "
                 "IPv6 address)");
        return;
    }
    if (*rule->key == '[') {
        bad_rule(reader, rule,
                 "it is of a client without a name only: write the address without [] "
                 "if it is meant with one, too");
        return;
    }
    take_value(reader, rule, value);
    if (strchr(rule->key, '@') != NULL || *rule->key == '<')
        take_address(reader, rule);
    else if (strncasecmp(rule->key, "IPv6:", 5) == 0 ||
             rule->key[strspn(rule->key, "0123456789./")] == '\0')
        take_network(reader, rule);
    else
        take_name(reader, rule);
}

static void sendmail_line(struct format_reader *reader, char *line)
{
    if ((*line == ' ' || *line == '\t') && line[strspn(line, " \t\r")] != '\0')
        reader_bad(reader, "makemap passes over a line that begins with a space");
    else
        reader_keep(reader, line);
}

static void sendmail_end(struct format_reader *reader)
{
    const struct lookup_rules rules = {.holes_first = false};

    /* Of the same key the one with a tag counts, wherever it is. */
    for (int untagged = 0; untagged < 2; untagged++) {
        for (size_t i = 0; i < reader->line_count && !reader->stopped; i++) {
            char *key = reader->lines[i].text, *value = key + strcspn(key, " \t");
            struct rule rule = {.line = {.line = reader->lines[i].line}, .key = key};

            rule.tag = cut_tag(&rule.key);
            if ((rule.tag == TAG_NONE) != (untagged == 1))
                continue;
            if (*value != '\0')
                *value++ = '\0';
            rule.shown = key;
            take_rule(reader, &rule, unquote(value));
        }
    }
    if (!reader->stopped && lookup_table_give(reader->table, reader, &rules) != 0)
        reader_no_memory(reader);
}

const struct format format_sendmail = {
    .name = "sendmail", .has_table = true, .line = sendmail_line, .end = sendmail_end};
