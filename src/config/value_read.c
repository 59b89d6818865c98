/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/values.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/types.h>

#include "base/domain.h"
#include "base/ipaddr.h"
#include "base/reply_template.h"
#include "base/text.h"
#include "config/config.h"

_Static_assert(sizeof(enum stage) == sizeof(int), "a choice is stored as an int");

static int expect(char expected[static EXPECTED_SIZE], const char *what)
{
    snprintf(expected, EXPECTED_SIZE, "%s", what);
    return -1;
}

static int set_text(char **field, const char *text, char expected[static EXPECTED_SIZE])
{
    char *copy = strdup(text);

    if (copy == NULL)
        return expect(expected, "more memory");
    free(*field);
    *field = copy;
    return 0;
}

/* Adds a value to the end of a field that is an array. */
static int add(const struct option *o, void *base, const void *value, size_t size,
               char expected[static EXPECTED_SIZE])
{
    size_t *count = COUNT(o, base);
    char *array;

    memcpy(&array, FIELD(void, o, base), sizeof array);
    array = realloc(array, (*count + 1) * size);
    if (array == NULL)
        return expect(expected, "more memory");
    memcpy(array + (*count)++ * size, value, size);
    memcpy(FIELD(void, o, base), &array, sizeof array);
    return 0;
}

/* Decimal only: strtol's base 0, as libconfuse uses it, takes 010 for eight. */
static int parse_number(const char *text, long *out)
{
    const char *digits = text[0] == '-' ? text + 1 : text;
    size_t length = strlen(digits);
    long value = 0;

    if (length == 0 || length > 15 || strspn(digits, "0123456789") != length ||
        (digits[0] == '0' && length > 1))
        return -1;
    for (; *digits != '\0'; digits++)
        value = value * 10 + (*digits - '0');
    *out = text[0] == '-' ? -value : value;
    return 0;
}

static int read_number(const struct option *o, const char *text, int *field,
                       char expected[static EXPECTED_SIZE])
{
    long value;

    if (parse_number(text, &value) != 0 || value < o->min || value > o->max) {
        snprintf(expected, EXPECTED_SIZE, "a whole number from %ld to %ld", o->min,
                 o->max);
        return -1;
    }
    *field = (int)value;
    return 0;
}

/* unit_ms: what the field counts in. */
static int read_span(const struct option *o, const char *text, int unit_ms, int *field,
                     char expected[static EXPECTED_SIZE])
{
    char min[SPAN_TEXT_SIZE], max[SPAN_TEXT_SIZE];
    int64_t ms;

    if (strcmp(text, "0") == 0)
        text = "0s";
    if (span_parse(text, &ms) != 0 || ms % unit_ms != 0 || ms < o->min * unit_ms ||
        ms > o->max * unit_ms) {
        span_text(o->min * unit_ms, min);
        span_text(o->max * unit_ms, max);
        snprintf(expected, EXPECTED_SIZE,
                 "a time span such as %s5s, 10m or 1h, from %s to %s",
                 unit_ms == 1 ? "500ms, " : "", min, max);
        return -1;
    }
    *field = (int)(ms / unit_ms);
    return 0;
}

/* A number of octets: "0", "512M", "10G". */
static int read_size(const char *text, int64_t *field,
                     char expected[static EXPECTED_SIZE])
{
    static const char units[] = "KMGT";
    size_t digits = strspn(text, "0123456789");
    const char *unit = text[digits] != '\0' ? strchr(units, text[digits]) : NULL;
    int shift = unit != NULL ? 10 * (int)(unit - units + 1) : 0;
    int64_t value = 0;

    if (digits == 0 || digits > 15 ||
        (text[digits] != '\0' && (unit == NULL || text[digits + 1] != '\0')))
        return expect(expected, "a size such as 0, 500M or 10G");
    for (size_t i = 0; i < digits; i++)
        value = value * 10 + (text[i] - '0');
    if (value > INT64_MAX >> shift)
        return expect(expected, "a size such as 0, 500M or 10G");
    *field = value << shift;
    return 0;
}

static int read_bool(const char *text, bool *field, char expected[static EXPECTED_SIZE])
{
    static const char *const yes[] = {"true", "yes", "on"};
    static const char *const no[] = {"false", "no", "off"};

    for (size_t i = 0; i < 3; i++) {
        if (strcasecmp(text, yes[i]) == 0 || strcasecmp(text, no[i]) == 0) {
            *field = strcasecmp(text, yes[i]) == 0;
            return 0;
        }
    }
    return expect(expected, "true or false");
}

/* A choice, one of several, or a step. */
static int read_choice(const struct option *o, const char *text, void *base,
                       char expected[static EXPECTED_SIZE])
{
    size_t used = (size_t)snprintf(expected, EXPECTED_SIZE, "one of ");
    unsigned i = 0;

    for (; o->choices[i] != NULL && strcmp(o->choices[i], text) != 0; i++)
        if (used < EXPECTED_SIZE)
            used += (size_t)snprintf(expected + used, EXPECTED_SIZE - used, "%s\"%s\"",
                                     i > 0 ? ", " : "", o->choices[i]);
    if (o->choices[i] == NULL)
        return -1;
    if (o->kind == KIND_STEPS)
        return add(o, base, &i, sizeof i, expected);
    if (o->kind == KIND_CHOICES)
        *FIELD(unsigned, o, base) |= 1u << i;
    else
        memcpy(FIELD(void, o, base), &i, sizeof i); /* whatever enum it is */
    return 0;
}

static int read_mode(const char *text, mode_t *field, char expected[static EXPECTED_SIZE])
{
    size_t length = strlen(text);
    mode_t mode = 0;

    if (length < 3 || length > 4 || strspn(text, "01234567") != length ||
        (length == 4 && text[0] != '0'))
        return expect(expected, "an octal mode such as 0660");
    for (; *text != '\0'; text++)
        mode = mode * 8 + (mode_t)(*text - '0');
    *field = mode;
    return 0;
}

static int read_template(const struct option *o, const char *text,
                         struct reply_template **field,
                         char expected[static EXPECTED_SIZE])
{
    struct reply_template *t = NULL;
    char error[EXPECTED_SIZE - 32];

    if ((long)strlen(text) < o->min)
        return expect(expected, "a text");
    if (!text_is_ascii(text))
        return expect(expected, "plain ASCII, as SMTP replies are");
    if (text[0] != '\0' || o->kind == KIND_TEMPLATE) {
        t = reply_template_new(text, o->choices, error, sizeof error);
        if (t == NULL) {
            snprintf(expected, EXPECTED_SIZE, "another text: %s", error);
            return -1;
        }
    }
    reply_template_free(*field);
    *field = t;
    return 0;
}

static int read_server(const char *text, char **field,
                       char expected[static EXPECTED_SIZE])
{
    char server[ENDPOINT_SIZE], *joined;

    if (server_canonical(text, server) != 0)
        return expect(expected, "an IP address with or without a port, such as "
                                "127.0.0.1, 127.0.0.1:5300 or [::1]:53; a link-local "
                                "one with its interface, fe80::1%eth0");
    if (*field == NULL)
        return set_text(field, server, expected);
    if (asprintf(&joined, "%s,%s", *field, server) < 0)
        return expect(expected, "more memory");
    free(*field);
    *field = joined;
    return 0;
}

static int read_network(const struct option *o, const char *text, void *base,
                        char expected[static EXPECTED_SIZE])
{
    char hint[NETWORK_HINT_SIZE];
    struct network network;

    if (network_parse(text, &network) != 0) {
        if (network_hint(text, hint)) {
            text_sentence(expected, EXPECTED_SIZE, "a network: %s", hint);
            return -1;
        }
        return expect(expected, "an IP address or network such as 192.0.2.1, "
                                "192.0.2.0/24 or 2001:db8::/32");
    }
    return add(o, base, &network, sizeof network, expected);
}

/* "postmaster", "anna@example.org" or "@example.org" into its two parts. */
static int split_address(const char *text, char local[static LOCAL_PART_SIZE],
                         char domain[static DOMAIN_SIZE])
{
    struct mail_address a;

    local[0] = domain[0] = '\0';
    if (text[0] == '@')
        return domain_canonical(text + 1, domain);
    if (mail_address_parse(text, &a) != 0 || a.local[0] == '\0' || a.literal)
        return -1;
    if (strchr(text, '@') != NULL && a.domain[0] == '\0')
        return -1; /* with a domain that is none */
    if (text[0] != '"' && strchr(a.local, '@') != NULL)
        return -1; /* two "@" */
    text_copy(a.domain, domain, DOMAIN_SIZE);
    return text_lower(a.local, local, LOCAL_PART_SIZE) ? 0 : -1;
}

/* Whether a local part, without an "@", was surely meant as a domain or network: its end
 * is a top-level domain, of those that exist or that are reserved (RFC 2606, 6762), or a
 * number. */
static bool is_meant_as_domain(const char *local)
{
    static const char *const reserved[] = {"example", "test",  "invalid", "localhost",
                                           "local",   "onion", "internal"};
    const char *dot = strrchr(local, '.');
    struct suffix_list *suffixes;
    bool found = false;

    if (dot == NULL || dot[1] == '\0')
        return false;
    for (size_t i = 0; i < sizeof reserved / sizeof reserved[0] && !found; i++)
        found = strcmp(dot + 1, reserved[i]) == 0;
    suffixes = found ? NULL : suffix_list_new();
    if (suffixes != NULL)
        found = suffix_list_has(suffixes, dot + 1);
    suffix_list_free(suffixes);
    return found || domain_is_numeric(local) || network_looks_meant(local);
}

/* What can never match, or reads as something else than it would be taken for. */
static int check_meaning(const char *text, const char *local,
                         char expected[static EXPECTED_SIZE])
{
    const char *at = strrchr(text, '@');

    if (text[0] == '"')
        return 0; /* in quotes it is meant literally */
    if (strncmp(text, "*@", 2) == 0 || strncmp(text, "@*.", 3) == 0) {
        text_sentence(expected, EXPECTED_SIZE,
                      "a domain without a pattern, such as \"@%.100s\"",
                      text[0] == '*' ? text + 2 : text + 3);
        return -1;
    }
    if (strpbrk(text, "*?") != NULL)
        return expect(expected, "a local part, an address or a domain, such as "
                                "postmaster, anna@example.org or @example.org; there are "
                                "no patterns");
    if (at == NULL && is_meant_as_domain(local)) {
        text_sentence(expected, EXPECTED_SIZE,
                      "an \"@\" before a domain, such as \"@%.100s\"; a local part that "
                      "looks like one is written in quotes: '\"%.100s\"'",
                      text, text);
        return -1;
    }
    return 0;
}

static int read_address(const struct option *o, const char *text, void *base,
                        char expected[static EXPECTED_SIZE])
{
    char local[LOCAL_PART_SIZE], domain[DOMAIN_SIZE];
    struct exempt_address address = {0};
    int rc = split_address(text, local, domain);

    if (utf8_find_hidden(text) != 0) {
        text_sentence(
            expected, EXPECTED_SIZE,
            "only what can be seen: there is the hidden character U+%04lX in it",
            utf8_find_hidden(text));
        return -1;
    }
    if (check_meaning(text, local, expected) != 0)
        return -1;
    if (rc != 0)
        return expect(expected, "a local part, an address or a domain, such as "
                                "postmaster, anna@example.org or @example.org");
    if ((local[0] != '\0' && set_text(&address.local, local, expected) != 0) ||
        (domain[0] != '\0' && set_text(&address.domain, domain, expected) != 0) ||
        add(o, base, &address, sizeof address, expected) != 0) {
        free(address.local);
        free(address.domain);
        return -1;
    }
    return 0;
}

/* "20", "0.3": per cent, kept per mille. */
static int read_share(const char *text, int *field, char expected[static EXPECTED_SIZE])
{
    size_t digits = strspn(text, "0123456789");
    const char *tenth = text[digits] == '.' ? text + digits + 1 : "";
    int value = 0;

    for (size_t i = 0; i < digits && digits <= 3; i++)
        value = value * 10 + (text[i] - '0');
    value = value * 10 + (*tenth != '\0' ? *tenth - '0' : 0);
    if (digits == 0 || digits > 3 || value > 1000 ||
        (text[digits] != '\0' && (strspn(tenth, "0123456789") != 1 || tenth[1] != '\0')))
        return expect(expected, "per cent, from 0 to 100, such as 20 or 0.3");
    *field = value;
    return 0;
}

static int add_text(const struct option *o, const char *text, void *base,
                    char expected[static EXPECTED_SIZE])
{
    char *copy = strdup(text);

    if (copy == NULL)
        return expect(expected, "more memory");
    if (add(o, base, &copy, sizeof copy, expected) != 0) {
        free(copy);
        return -1;
    }
    return 0;
}

static int read_domain(const struct option *o, const char *text, void *base,
                       char expected[static EXPECTED_SIZE])
{
    char domain[DOMAIN_SIZE];

    if (domain_canonical(text, domain) != 0 || domain_is_numeric(domain))
        return expect(expected, "a domain, such as example.org");
    return add_text(o, domain, base, expected);
}

static int expect_limit(char expected[static EXPECTED_SIZE])
{
    size_t used = (size_t)snprintf(expected, EXPECTED_SIZE,
                                   "NUMBER COUNT in SPAN, such as \"500 "
                                   "recipients in 1h\"; counts are");

    for (size_t i = 0; rule_count_names[i] != NULL && used < EXPECTED_SIZE; i++)
        used += (size_t)snprintf(expected + used, EXPECTED_SIZE - used, "%s %s",
                                 i > 0 ? "," : "", rule_count_names[i]);
    if (used < EXPECTED_SIZE)
        snprintf(expected + used, EXPECTED_SIZE - used,
                 "; spans are 5m, 15m, 1h, 3h, 24h and 7d");
    return -1;
}

/* "500 recipients in 1h" */
static int read_limit(const struct option *o, const char *text, void *base,
                      char expected[static EXPECTED_SIZE])
{
    char number[16], name[32], span[16], rest[2];
    struct rule_limit limit;
    size_t i = 0, k = 0;
    int64_t ms;
    long value;

    if (sscanf(text, "%15s %31s in %15s %1s", number, name, span, rest) != 3 ||
        parse_number(number, &value) != 0 || value < 1 || value > 1000000000 ||
        span_parse(span, &ms) != 0)
        return expect_limit(expected);
    while (rule_count_names[i] != NULL && strcmp(rule_count_names[i], name) != 0)
        i++;
    while (k < rule_span_count && (int64_t)rule_spans_s[k] * 1000 != ms)
        k++;
    if (rule_count_names[i] == NULL || k == rule_span_count)
        return expect_limit(expected);
    limit = (struct rule_limit){(int)value, (enum rule_count)i, rule_spans_s[k]};
    return add(o, base, &limit, sizeof limit, expected);
}

static int read_step_span(const struct option *o, const char *text, void *base,
                          char expected[static EXPECTED_SIZE])
{
    int64_t ms = 0;
    int span_s;

    if (strcmp(text, "forever") != 0 && (span_parse(text, &ms) != 0 || ms < 60000 ||
                                         ms % 1000 != 0 || ms > INT64_C(3660) * 86400000))
        return expect(expected, "\"forever\", or a time span such as 1h or 30d, of a "
                                "minute or more");
    span_s = (int)(ms / 1000);
    return add(o, base, &span_s, sizeof span_s, expected);
}

int value_read(const struct option *o, const char *text, void *base,
               char expected[static EXPECTED_SIZE])
{
    for (const char *p = text; *p != '\0'; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            return expect(expected, "a text without control characters");
    switch (o->kind) {
    case KIND_TEXT:
    case KIND_SECRET:
        return set_text(FIELD(char *, o, base), text, expected);
    case KIND_PATH:
        if (text[0] != '/' || text[1] == '\0')
            return expect(expected, "a path that begins with /");
        return set_text(FIELD(char *, o, base), text, expected);
    case KIND_SOCKET:
        if (!socket_is_valid(text))
            return expect(expected, "inet:PORT@ADDRESS, inet6:PORT@ADDRESS or "
                                    "unix:/PATH, such as inet:8895@127.0.0.1");
        return set_text(FIELD(char *, o, base), text, expected);
    case KIND_NUMBER:
        return read_number(o, text, FIELD(int, o, base), expected);
    case KIND_SPAN_MS:
        return read_span(o, text, 1, FIELD(int, o, base), expected);
    case KIND_SPAN_S:
        return read_span(o, text, 1000, FIELD(int, o, base), expected);
    case KIND_SIZE:
        return read_size(text, FIELD(int64_t, o, base), expected);
    case KIND_BOOL:
        return read_bool(text, FIELD(bool, o, base), expected);
    case KIND_CHOICE:
    case KIND_CHOICES:
    case KIND_STEPS:
        return read_choice(o, text, base, expected);
    case KIND_MODE:
        return read_mode(text, FIELD(mode_t, o, base), expected);
    case KIND_TEMPLATE:
    case KIND_OWN_TEMPLATE:
        return read_template(o, text, FIELD(struct reply_template *, o, base), expected);
    case KIND_SERVERS:
        return read_server(text, FIELD(char *, o, base), expected);
    case KIND_NETWORKS:
        return read_network(o, text, base, expected);
    case KIND_ADDRESSES:
        return read_address(o, text, base, expected);
    case KIND_SHARE:
        return read_share(text, FIELD(int, o, base), expected);
    case KIND_TEXTS:
        return add_text(o, text, base, expected);
    case KIND_DOMAINS:
        return read_domain(o, text, base, expected);
    case KIND_LIMITS:
        return read_limit(o, text, base, expected);
    case KIND_STEP_SPANS:
        return read_step_span(o, text, base, expected);
    case KIND_NAMES:
        return 0;
    }
    abort();
}
