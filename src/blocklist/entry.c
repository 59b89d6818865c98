/* SPDX-License-Identifier: BSD-2-Clause */
#include "blocklist/entry.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/ipaddr.h"
#include "base/text.h"
#include "known/providers.h"

#define HOST_PREFIX "host:"
#define USER_PREFIX "user:"
#define NULL_SENDER "<>"

#define ZERO_WIDTH_NON_JOINER 0x200c
#define ZERO_WIDTH_JOINER     0x200d

static const char *const kind_names[ENTRY_KIND_COUNT] = {"address", "domain", "network",
                                                         "host", "user"};

const char *entry_kind_name(enum entry_kind kind)
{
    return kind_names[kind];
}

int entry_kind_parse(const char *name, enum entry_kind *out)
{
    for (int i = 0; i < ENTRY_KIND_COUNT; i++) {
        if (strcmp(name, kind_names[i]) == 0) {
            *out = (enum entry_kind)i;
            return 0;
        }
    }
    return -1;
}

const char *entry_action_name(bool allow, bool tempfail)
{
    return allow ? "allow" : tempfail ? "tempfail" : "block";
}

__attribute__((format(printf, 2, 3))) static int refuse(
    char error[static ENTRY_ERROR_SIZE], const char *format, ...)
{
    va_list args;

    va_start(args, format);
    text_sentence_of(error, ENTRY_ERROR_SIZE, format, args);
    va_end(args);
    return -1;
}

static bool has_control(const char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            return true;
    return false;
}

/* Whether a local part needs no quotes. A "!" or "#" at the start would read as
 * an allow entry or a comment in a file. */
static bool is_plain_local(const char *local)
{
    if (*local == '!' || *local == '#')
        return false;
    for (; *local != '\0'; local++) {
        unsigned char c = (unsigned char)*local;

        if (c >= 0x80 || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
            strchr("!#$%&'*+-/=?^_`{|}~.", c) != NULL)
            continue;
        return false;
    }
    return true;
}

/* Writes a local part, in quotes where it needs them (RFC 5321, 4.1.2). Returns what it
 * wrote, or size when it would not fit. */
static size_t write_local(const char *local, char *out, size_t size)
{
    bool plain = is_plain_local(local);
    size_t used = 0;

    if (size < strlen(local) * 2 + 3)
        return size;
    if (!plain)
        out[used++] = '"';
    for (; *local != '\0'; local++) {
        if (!plain && (*local == '"' || *local == '\\'))
            out[used++] = '\\';
        out[used++] = *local;
    }
    if (!plain)
        out[used++] = '"';
    out[used] = '\0';
    return used;
}

int entry_of_address(const struct mail_address *address, struct entry *out)
{
    char local[LOCAL_PART_SIZE];
    size_t used;

    out->kind = ENTRY_ADDRESS;
    if (mail_address_is_null(address))
        return text_copy(NULL_SENDER, out->text, sizeof out->text) ? 0 : -1;
    out->text[0] = '\0';
    if (address->local[0] == '\0' || address->domain[0] == '\0' ||
        has_control(address->local) ||
        !utf8_canonical(address->local, local, sizeof local) || has_control(local))
        return -1;
    used = write_local(local, out->text, sizeof out->text - DOMAIN_SIZE - 1);
    if (used == sizeof out->text - DOMAIN_SIZE - 1) {
        out->text[0] = '\0';
        return -1;
    }
    out->text[used] = '@';
    return text_copy(address->domain, out->text + used + 1, sizeof out->text - used - 1)
               ? 0
               : -1;
}

int entry_of_network(const struct network *network, struct entry *out)
{
    out->kind = ENTRY_NETWORK;
    network_text(network, out->text);
    return 0;
}

int entry_of_user(const char *login, struct entry *out)
{
    char trimmed[LOCAL_PART_SIZE + DOMAIN_SIZE];
    size_t length;

    out->kind = ENTRY_USER;
    out->text[0] = '\0';
    login += strspn(login, " ");
    length = strlen(login);
    while (length > 0 && login[length - 1] == ' ')
        length--;
    if (length == 0 || length >= sizeof trimmed)
        return -1;
    memcpy(trimmed, login, length);
    trimmed[length] = '\0';
    memcpy(out->text, USER_PREFIX, sizeof USER_PREFIX);
    /* Normalising can make it longer: what comes out must be one that is taken, too */
    if (has_control(trimmed) ||
        !utf8_canonical(trimmed, out->text + strlen(USER_PREFIX), sizeof trimmed) ||
        has_control(out->text)) {
        out->text[0] = '\0';
        return -1;
    }
    /* Normalising can bring spaces to the ends */
    length = strlen(out->text);
    return out->text[strlen(USER_PREFIX)] == ' ' || out->text[length - 1] == ' ' ? -1 : 0;
}

/* Refuses what reads as something else than it would be taken for, and says what was
 * meant. */
static int refuse_meant(const char *text, const char *prefix, char *error)
{
    char networks[NETWORK_HINT_SIZE];

    if (network_hint(text, networks))
        return refuse(error, "no address or network in a form that is known: list %s%s",
                      networks, *prefix != '\0' ? ", without \"host:\"" : "");
    return refuse(error,
                  "%.100s is neither a name nor a whole IP address: expected "
                  "something like domain.xyz, 192.0.2.1 or 192.0.2.0/24; a range "
                  "is listed as networks, or imported as rbldnsd",
                  text);
}

static int parse_address(const char *text, struct entry *out, char *error)
{
    struct mail_address address;

    if (mail_address_parse(text, &address) != 0)
        return refuse(error, "the address is too long or cannot be read: expected an "
                             "address such as anna@domain.xyz");
    if (address.literal)
        return refuse(error,
                      "an address with [IP] cannot be listed: expected its network, "
                      "such as 192.0.2.1, or an address such as anna@domain.xyz");
    if (address.domain[0] == '\0')
        return refuse(error, "what follows the @ is no domain name: expected an address "
                             "such as anna@domain.xyz");
    if (entry_of_address(&address, out) != 0)
        return refuse(error, "what precedes the @ is empty, too long, no UTF-8 or has "
                             "control characters: expected an address such as "
                             "anna@domain.xyz");
    return 0;
}

/* What is no name: perhaps a network in another form, a URL, or a pattern. */
static int refuse_name(const char *text, const char *prefix, char *error)
{
    char networks[NETWORK_HINT_SIZE], name[DOMAIN_SIZE], host[DOMAIN_SIZE];
    const char *start = strstr(text, "://");
    size_t length;

    if (network_hint(text, networks))
        return refuse_meant(text, prefix, error);
    start = start != NULL ? start + 3 : text;
    start += strspn(start, "*.");
    length = strcspn(start, "/:");
    if (start + length != text + strlen(text) || start != text) {
        if (length < sizeof host) {
            memcpy(host, start, length);
            host[length] = '\0';
            if (domain_canonical(host, name) == 0 && strchr(name, '.') != NULL &&
                !domain_is_numeric(name))
                return refuse(error, "no name: list %s%s, which is all below it as well",
                              prefix, name);
        }
    }
    if (strpbrk(text, "*?") != NULL)
        return refuse(error, "there are no patterns: expected a domain, which is all "
                             "below it as well, such as domain.xyz");
    return refuse(error, "expected an address (anna@domain.xyz), a domain "
                         "(domain.xyz), a network (192.0.2.0/24, 2001:db8::/32), "
                         "host:NAME or user:LOGIN");
}

/* A domain or host: a name, and all below it. */
static int parse_name(const char *text, const char *prefix, struct entry *out,
                      char *error)
{
    char name[DOMAIN_SIZE];

    if (strncmp(text, "*.", 2) == 0)
        text++;
    if (*text == '.')
        text++;
    if (domain_canonical(text, name) != 0)
        return refuse_name(text, prefix, error);
    if (domain_is_numeric(name) || network_looks_meant(name))
        return refuse_meant(name, prefix, error);
    (void)snprintf(out->text, sizeof out->text, "%s%s", prefix, name); /* fits */
    return 0;
}

static int parse_host(const char *text, struct entry *out, char *error)
{
    struct network network;

    if (network_parse(text, &network) == 0)
        return refuse(error,
                      "host: takes a name such as host:mail.domain.xyz; list an IP "
                      "address without \"host:\"");
    out->kind = ENTRY_HOST;
    return parse_name(text, HOST_PREFIX, out, error);
}

static int parse_user(const char *text, struct entry *out, char *error)
{
    const char *login = out->text + strlen(USER_PREFIX);

    if (entry_of_user(text, out) != 0)
        return refuse(error, "the login is empty, too long, no UTF-8 or has control "
                             "characters: expected user:LOGIN");
    /* of the canonical form, as normalising makes one star of several */
    if (*login == '*' && (login[1] == '\0' || login[1] == '@'))
        return refuse(error,
                      "there are no patterns: expected one login, such as user:anna");
    return 0;
}

/* A network, or a domain: what has no @ and no prefix. */
static int parse_bare(char *text, struct entry *out, char *error)
{
    char networks[NETWORK_HINT_SIZE];
    struct network network;
    size_t length = strlen(text);

    if (text[0] == '[' && text[length - 1] == ']') {
        text[length - 1] = '\0';
        text++;
    }
    if (network_parse(text, &network) == 0)
        return entry_of_network(&network, out);
    if (strpbrk(text, "/:") != NULL && strstr(text, "://") == NULL &&
        text[strspn(text, "0123456789abcdefABCDEF.:/[]")] == '\0' &&
        !network_hint(text, networks))
        return refuse(error, "expected a network such as 192.0.2.0/24 (/0 to /32) or "
                             "2001:db8::/32 (/0 to /128)");
    out->kind = ENTRY_DOMAIN;
    return parse_name(text, "", out, error);
}

/* Copies text without the spaces and the <> around it. */
static bool trim(const char *text, char *out, size_t size)
{
    size_t length;

    text += strspn(text, " \t\r\n");
    length = strlen(text);
    while (length > 0 && strchr(" \t\r\n", text[length - 1]) != NULL)
        length--;
    if (length > 2 && text[0] == '<' && text[length - 1] == '>') {
        text++;
        length -= 2;
    }
    if (length >= size)
        return false;
    memcpy(out, text, length);
    out[length] = '\0';
    return true;
}

/* Two entries that look the same, or one that reads as another, are no help to anybody.
 * Joiners that are a part of how a domain is spelled are in no A-label as such. */
int entry_parse(const char *text, struct entry *out, char error[static ENTRY_ERROR_SIZE])
{
    int rc = entry_parse_kept(text, out, error);
    unsigned long code = utf8_find_hidden(text);

    if (code == 0 || code == ZERO_WIDTH_NON_JOINER || code == ZERO_WIDTH_JOINER)
        code = utf8_find_hidden(out->text);
    if (code != 0) {
        out->text[0] = '\0';
        rc = refuse(error,
                    "there is the hidden character U+%04lX in it: expected only what can "
                    "be seen",
                    code);
    }
    return rc;
}

int entry_parse_kept(const char *text, struct entry *out,
                     char error[static ENTRY_ERROR_SIZE])
{
    char bare[ENTRY_TEXT_SIZE * 2];
    int rc;

    memset(out, 0, sizeof *out);
    error[0] = '\0';
    if (!trim(text, bare, sizeof bare))
        return refuse(error, "the entry is too long");
    if (bare[0] == '\0')
        return refuse(error,
                      "the entry is empty: expected an address, a domain, a network, "
                      "host:NAME or user:LOGIN");
    if (has_control(bare))
        return refuse(error, "the entry has control characters in it");
    if (strcmp(bare, NULL_SENDER) == 0) {
        (void)text_copy(NULL_SENDER, out->text, sizeof out->text); /* fits; kind is 0 */
        return 0;
    }
    if (strncasecmp(bare, HOST_PREFIX, strlen(HOST_PREFIX)) == 0)
        rc = parse_host(bare + strlen(HOST_PREFIX), out, error);
    else if (strncasecmp(bare, USER_PREFIX, strlen(USER_PREFIX)) == 0)
        rc = parse_user(bare + strlen(USER_PREFIX), out, error);
    else if (bare[0] == '@' && strchr(bare + 1, '@') == NULL) {
        out->kind = ENTRY_DOMAIN;
        rc = parse_name(bare + 1, "", out, error);
    } else if (strchr(bare, '@') != NULL)
        rc = parse_address(bare, out, error);
    else
        rc = parse_bare(bare, out, error);
    if (rc != 0)
        out->text[0] = '\0';
    return rc;
}

int entry_network(const struct entry *entry, struct network *out)
{
    return entry->kind == ENTRY_NETWORK ? network_parse(entry->text, out) : -1;
}

/* Strangers can make texts that collide; all that wins them is a lookup in the database. */
uint64_t entry_hash_network(const struct network *network)
{
    return octets_hash(network->base.octets, network->base.family == 4 ? 4 : 16,
                       OCTETS_HASH_START + network->prefix + 256u * network->base.family);
}

uint64_t entry_hash(const struct entry *entry)
{
    struct network network;

    if (entry_network(entry, &network) == 0)
        return entry_hash_network(&network);
    return octets_hash(entry->text, strlen(entry->text), OCTETS_HASH_START);
}

unsigned entry_widest(int family)
{
    return family == 4 ? 8 : 19;
}

static bool name_too_wide(const char *name, bool allow,
                          const struct suffix_list *suffixes, char *why)
{
    if (suffixes != NULL ? suffix_list_registered(suffixes, name) == NULL
                         : strchr(name, '.') == NULL) {
        text_sentence(
            why, ENTRY_ERROR_SIZE,
            "%s is a top-level domain or public suffix: the names below it belong "
            "to many",
            name);
        return true;
    }
    if (!allow && provider_is_large(name)) {
        text_sentence(why, ENTRY_ERROR_SIZE,
                      "%s is a large provider's domain: list the address instead", name);
        return true;
    }
    return false;
}

static bool network_too_wide(const struct network *network, bool allow,
                             const struct entry_limits *limits, char *why)
{
    unsigned widest = entry_widest(network->base.family);
    char text[NETWORK_TEXT_SIZE], own[NETWORK_TEXT_SIZE];

    network_text(network, text);
    if (network->prefix < widest) {
        text_sentence(why, ENTRY_ERROR_SIZE, "%s is too wide: expected /%u or longer",
                      text, widest);
        return true;
    }
    for (size_t i = 0; !allow && i < limits->exempt_count; i++) {
        const struct network *exempt = &limits->exempt[i];

        if (!network_contains(network, &exempt->base) &&
            !network_contains(exempt, &network->base))
            continue;
        network_text(exempt, own);
        text_sentence(why, ENTRY_ERROR_SIZE, "%s overlaps %s of your exempt networks",
                      text, own);
        return true;
    }
    return false;
}

/* A local part or login may hold a "*" or "?", but who writes one here nearly always
 * means a pattern, and there are none. */
static bool is_pattern(const char *text, char *why)
{
    const char *at = strrchr(text, '@'), *mark = strpbrk(text, "*?");

    if (mark == NULL || (at != NULL && mark >= at))
        return false;
    if (at == text + 1)
        text_sentence(why, ENTRY_ERROR_SIZE,
                      "there are no patterns: to list all addresses of the domain, list "
                      "%s",
                      at + 1);
    else
        text_sentence(why, ENTRY_ERROR_SIZE,
                      "there are no patterns, and only few names really hold a \"%c\": "
                      "list each address, or its domain",
                      *mark);
    return true;
}

static bool is_wide_itself(const struct entry *entry, bool allow,
                           const struct entry_limits *limits,
                           char why[static ENTRY_ERROR_SIZE])
{
    struct network network;

    why[0] = '\0';
    switch (entry->kind) {
    case ENTRY_ADDRESS:
        if (strcmp(entry->text, NULL_SENDER) != 0)
            return is_pattern(entry->text, why);
        text_sentence(why, ENTRY_ERROR_SIZE,
                      "<> is the null sender: every bounce and many a report has it");
        return true;
    case ENTRY_DOMAIN:
        return name_too_wide(entry->text, allow, limits->suffixes, why);
    case ENTRY_HOST:
        return name_too_wide(entry->text + strlen(HOST_PREFIX), allow, limits->suffixes,
                             why);
    case ENTRY_NETWORK:
        return entry_network(entry, &network) == 0 &&
               network_too_wide(&network, allow, limits, why);
    case ENTRY_USER:
        return is_pattern(entry->text + strlen(USER_PREFIX), why);
    }
    return false;
}

bool entry_too_wide(const struct entry *entry, bool allow,
                    const struct entry_limits *limits, char why[static ENTRY_ERROR_SIZE])
{
    return is_wide_itself(entry, allow, limits, why) ||
           (!allow && limits->is_in_use != NULL &&
            limits->is_in_use(limits->context, entry, why));
}
