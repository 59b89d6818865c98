#include "config/values.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/types.h>

#include "base/domain.h"
#include "base/ipaddr.h"
#include "base/span.h"
#include "base/template.h"
#include "base/text.h"
#include "config/config.h"
#include "config/endpoints.h"

_Static_assert(sizeof(enum stage) == sizeof(int), "a choice is stored as an int");

#define FIELD(type, option, base) ((type *)(void *)((char *)(base) + (option)->field))
#define COUNT(option, base)       ((size_t *)(void *)((char *)(base) + (option)->count))
#define CONST_FIELD(type, option, base)                                                  \
    ((const type *)(const void *)((const char *)(base) + (option)->field))
#define CONST_COUNT(option, base)                                                        \
    (*(const size_t *)(const void *)((const char *)(base) + (option)->count))

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

static int read_path(const char *text, char **field, char expected[static EXPECTED_SIZE])
{
    if (text[0] != '/' || text[1] == '\0')
        return expect(expected, "a path that begins with /");
    return set_text(field, text, expected);
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

static int find_choice(const struct option *o, const char *text, unsigned *index,
                       char expected[static EXPECTED_SIZE])
{
    size_t used = (size_t)snprintf(expected, EXPECTED_SIZE, "one of ");

    for (unsigned i = 0; o->choices[i] != NULL; i++) {
        if (strcmp(o->choices[i], text) == 0) {
            *index = i;
            return 0;
        }
        if (used < EXPECTED_SIZE)
            used += (size_t)snprintf(expected + used, EXPECTED_SIZE - used, "%s\"%s\"",
                                     i > 0 ? ", " : "", o->choices[i]);
    }
    return -1;
}

static int read_choice(const struct option *o, const char *text, void *field,
                       char expected[static EXPECTED_SIZE])
{
    unsigned index;

    if (find_choice(o, text, &index, expected) != 0)
        return -1;
    memcpy(field, &index, sizeof index); /* whatever enum it is */
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
                         struct template **field, char expected[static EXPECTED_SIZE])
{
    struct template *t = NULL;
    char error[EXPECTED_SIZE - 32];

    if ((long)strlen(text) < o->min)
        return expect(expected, "a text");
    for (const char *p = text; *p != '\0'; p++)
        if ((unsigned char)*p >= 0x80)
            return expect(expected, "plain ASCII, as SMTP replies are");
    if (text[0] != '\0' || o->kind == KIND_TEMPLATE) {
        t = template_new(text, o->choices, error, sizeof error);
        if (t == NULL) {
            snprintf(expected, EXPECTED_SIZE, "another text: %s", error);
            return -1;
        }
    }
    template_free(*field);
    *field = t;
    return 0;
}

static int read_server(const char *text, char **field,
                       char expected[static EXPECTED_SIZE])
{
    char server[ENDPOINT_SIZE], *joined;

    if (server_canonical(text, server) != 0)
        return expect(expected, "an IP address with or without a port, such as "
                                "127.0.0.1, 127.0.0.1:5300 or [::1]:53");
    if (*field == NULL)
        return set_text(field, server, expected);
    if (asprintf(&joined, "%s,%s", *field, server) < 0)
        return expect(expected, "more memory");
    free(*field);
    *field = joined;
    return 0;
}

/* Makes room for one more at the end of an array. Returns the place of it, zeroed. */
static void *grow(void **array, size_t *count, size_t size)
{
    char *grown = realloc(*array, (*count + 1) * size);

    if (grown == NULL)
        return NULL;
    *array = grown;
    memset(grown + *count * size, 0, size);
    return grown + (*count)++ * size;
}

static int read_network(const char *text, struct network **field, size_t *count,
                        char expected[static EXPECTED_SIZE])
{
    void *array = *field;
    struct network network, *added;

    if (network_parse(text, &network) != 0)
        return expect(expected, "an IP address or network such as 192.0.2.1, "
                                "192.0.2.0/24 or 2001:db8::/32");
    added = grow(&array, count, sizeof *added);
    if (added == NULL)
        return expect(expected, "more memory");
    *field = array;
    *added = network;
    return 0;
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

static int read_address(const char *text, struct exempt_address **field, size_t *count,
                        char expected[static EXPECTED_SIZE])
{
    char local[LOCAL_PART_SIZE], domain[DOMAIN_SIZE];
    void *array = *field;
    struct exempt_address *added;

    if (split_address(text, local, domain) != 0)
        return expect(expected, "a local part, an address or a domain, such as "
                                "postmaster, anna@example.org or @example.org");
    added = grow(&array, count, sizeof *added);
    if (added == NULL)
        return expect(expected, "more memory");
    *field = array;
    if ((local[0] != '\0' && set_text(&added->local, local, expected) != 0) ||
        (domain[0] != '\0' && set_text(&added->domain, domain, expected) != 0))
        return -1;
    return 0;
}

static int read_socket(const char *text, char **field,
                       char expected[static EXPECTED_SIZE])
{
    if (!socket_is_valid(text))
        return expect(expected, "inet:PORT@ADDRESS, inet6:PORT@ADDRESS or unix:/PATH, "
                                "such as inet:8891@127.0.0.1");
    return set_text(field, text, expected);
}

int value_read(const struct option *o, const char *text, void *base,
               char expected[static EXPECTED_SIZE])
{
    unsigned bit;

    for (const char *p = text; *p != '\0'; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            return expect(expected, "a text without control characters");
    switch (o->kind) {
    case KIND_TEXT:
    case KIND_SECRET:
        return set_text(FIELD(char *, o, base), text, expected);
    case KIND_PATH:
        return read_path(text, FIELD(char *, o, base), expected);
    case KIND_SOCKET:
        return read_socket(text, FIELD(char *, o, base), expected);
    case KIND_NUMBER:
        return read_number(o, text, FIELD(int, o, base), expected);
    case KIND_SPAN_MS:
        return read_span(o, text, 1, FIELD(int, o, base), expected);
    case KIND_SPAN_S:
        return read_span(o, text, 1000, FIELD(int, o, base), expected);
    case KIND_BOOL:
        return read_bool(text, FIELD(bool, o, base), expected);
    case KIND_CHOICE:
        return read_choice(o, text, FIELD(void, o, base), expected);
    case KIND_MODE:
        return read_mode(text, FIELD(mode_t, o, base), expected);
    case KIND_TEMPLATE:
    case KIND_OWN_TEMPLATE:
        return read_template(o, text, FIELD(struct template *, o, base), expected);
    case KIND_CHOICES:
        if (find_choice(o, text, &bit, expected) != 0)
            return -1;
        *FIELD(unsigned, o, base) |= 1u << bit;
        return 0;
    case KIND_SERVERS:
        return read_server(text, FIELD(char *, o, base), expected);
    case KIND_NETWORKS:
        return read_network(text, FIELD(struct network *, o, base), COUNT(o, base),
                            expected);
    case KIND_ADDRESSES:
        return read_address(text, FIELD(struct exempt_address *, o, base), COUNT(o, base),
                            expected);
    case KIND_NAMES:
        return 0;
    }
    abort();
}

void value_write_text(const char *text, FILE *out)
{
    fputc('"', out);
    for (; *text != '\0'; text++) {
        if (strchr("\"\\$", *text) != NULL) /* "${NAME}" is the environment's */
            fputc('\\', out);
        fputc(*text, out);
    }
    fputc('"', out);
}

static void write_span(int value, int unit_ms, FILE *out)
{
    char text[SPAN_TEXT_SIZE];

    span_text((int64_t)value * unit_ms, text);
    value_write_text(text, out);
}

static void write_choices(const struct option *o, unsigned bits, FILE *out)
{
    const char *separator = " ";

    for (unsigned i = 0; o->choices[i] != NULL; i++) {
        if ((bits & 1u << i) == 0)
            continue;
        fputs(separator, out);
        value_write_text(o->choices[i], out);
        separator = ", ";
    }
}

static void write_servers(const char *servers, FILE *out)
{
    const char *separator = " ";
    char text[ENDPOINT_SIZE];

    while (servers != NULL && *servers != '\0') {
        size_t length = strcspn(servers, ",");

        snprintf(text, sizeof text, "%.*s", (int)length, servers);
        fputs(separator, out);
        value_write_text(text, out);
        separator = ", ";
        servers += length + (servers[length] == ',');
    }
}

static void write_networks(const struct network *networks, size_t count, FILE *out)
{
    char text[NETWORK_TEXT_SIZE];

    for (size_t i = 0; i < count; i++) {
        network_text(&networks[i], text);
        fputs(i > 0 ? ", " : " ", out);
        value_write_text(text, out);
    }
}

/* A local part of unusual characters goes back into its quotes. */
static void address_text(const struct exempt_address *a, char *out, size_t size)
{
    size_t used = 0;
    bool quoted = a->local != NULL && strpbrk(a->local, " \"\\@<>:,;()[]") != NULL;

    for (const char *p = a->local; p != NULL && *p != '\0' && used + 4 < size; p++) {
        if (p == a->local && quoted)
            out[used++] = '"';
        if (*p == '"' || *p == '\\')
            out[used++] = '\\';
        out[used++] = *p;
    }
    snprintf(out + used, size - used, "%s%s%s", quoted ? "\"" : "",
             a->domain != NULL ? "@" : "", a->domain != NULL ? a->domain : "");
}

static void write_addresses(const struct exempt_address *addresses, size_t count,
                            FILE *out)
{
    char text[2 * LOCAL_PART_SIZE + DOMAIN_SIZE + 8];

    for (size_t i = 0; i < count; i++) {
        address_text(&addresses[i], text, sizeof text);
        fputs(i > 0 ? ", " : " ", out);
        value_write_text(text, out);
    }
}

static void write_list(const struct option *o, const void *base, FILE *out)
{
    fputs("{", out);
    if (o->kind == KIND_CHOICES)
        write_choices(o, *CONST_FIELD(unsigned, o, base), out);
    else if (o->kind == KIND_SERVERS)
        write_servers(*CONST_FIELD(char *, o, base), out);
    else if (o->kind == KIND_NETWORKS)
        write_networks(*CONST_FIELD(struct network *, o, base), CONST_COUNT(o, base),
                       out);
    else
        write_addresses(*CONST_FIELD(struct exempt_address *, o, base),
                        CONST_COUNT(o, base), out);
    fputs(" }", out);
}

static void write_template(const struct template *t, FILE *out)
{
    value_write_text(t != NULL ? template_source(t) : "", out);
}

static void write_string(const char *text, FILE *out)
{
    value_write_text(text != NULL ? text : "", out);
}

void value_write(const struct option *o, const void *base, FILE *out)
{
    unsigned index;

    switch (o->kind) {
    case KIND_TEXT:
    case KIND_PATH:
    case KIND_SOCKET:
        write_string(*CONST_FIELD(char *, o, base), out);
        return;
    case KIND_SECRET:
        write_string(*CONST_FIELD(char *, o, base) != NULL ? "***" : "", out);
        return;
    case KIND_NUMBER:
        fprintf(out, "%d", *CONST_FIELD(int, o, base));
        return;
    case KIND_SPAN_MS:
        write_span(*CONST_FIELD(int, o, base), 1, out);
        return;
    case KIND_SPAN_S:
        write_span(*CONST_FIELD(int, o, base), 1000, out);
        return;
    case KIND_BOOL:
        fputs(*CONST_FIELD(bool, o, base) ? "true" : "false", out);
        return;
    case KIND_CHOICE:
        memcpy(&index, CONST_FIELD(void, o, base), sizeof index);
        value_write_text(o->choices[index], out);
        return;
    case KIND_MODE:
        fprintf(out, "\"%04o\"", (unsigned)*CONST_FIELD(mode_t, o, base));
        return;
    case KIND_TEMPLATE:
    case KIND_OWN_TEMPLATE:
        write_template(*CONST_FIELD(struct template *, o, base), out);
        return;
    case KIND_CHOICES:
    case KIND_SERVERS:
    case KIND_NETWORKS:
    case KIND_ADDRESSES:
        write_list(o, base, out);
        return;
    case KIND_NAMES:
        return;
    }
}

static void free_addresses(struct exempt_address *addresses, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(addresses[i].local);
        free(addresses[i].domain);
    }
    free(addresses);
}

static bool kind_owns(enum kind kind)
{
    return kind == KIND_TEXT || kind == KIND_SECRET || kind == KIND_PATH ||
           kind == KIND_SOCKET || kind == KIND_TEMPLATE || kind == KIND_OWN_TEMPLATE ||
           kind > KIND_CHOICES;
}

void value_free(const struct option *o, void *base)
{
    void *pointer = NULL;

    if (kind_owns(o->kind))
        memcpy(&pointer, FIELD(void, o, base), sizeof pointer);
    switch (o->kind) {
    case KIND_NUMBER:
    case KIND_SPAN_MS:
    case KIND_SPAN_S:
    case KIND_BOOL:
    case KIND_CHOICE:
    case KIND_MODE:
    case KIND_CHOICES:
        return;
    case KIND_TEMPLATE:
    case KIND_OWN_TEMPLATE:
        template_free(pointer);
        break;
    case KIND_ADDRESSES:
        free_addresses(pointer, *COUNT(o, base));
        *COUNT(o, base) = 0;
        break;
    case KIND_NETWORKS:
    case KIND_NAMES:
        free(pointer);
        *COUNT(o, base) = 0;
        break;
    case KIND_TEXT:
    case KIND_SECRET:
    case KIND_PATH:
    case KIND_SOCKET:
    case KIND_SERVERS:
        free(pointer);
        break;
    }
    memset(FIELD(void, o, base), 0, sizeof pointer);
}
