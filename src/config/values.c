/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/values.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "base/domain.h"
#include "base/ipaddr.h"
#include "base/reply_template.h"
#include "base/text.h"
#include "config/config.h"

void exempt_addresses_free(struct exempt_address *addresses, size_t count)
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
    case KIND_SIZE:
    case KIND_BOOL:
    case KIND_CHOICE:
    case KIND_SHARE:
    case KIND_MODE:
    case KIND_CHOICES:
        return;
    case KIND_TEMPLATE:
    case KIND_OWN_TEMPLATE:
        reply_template_free(pointer);
        break;
    case KIND_ADDRESSES:
        exempt_addresses_free(pointer, *COUNT(o, base));
        *COUNT(o, base) = 0;
        break;
    case KIND_TEXTS:
    case KIND_DOMAINS:
        for (size_t i = 0; i < *COUNT(o, base); i++)
            free(((char **)pointer)[i]);
        free(pointer);
        *COUNT(o, base) = 0;
        break;
    case KIND_NETWORKS:
    case KIND_LIMITS:
    case KIND_STEPS:
    case KIND_STEP_SPANS:
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

static void write_size(int64_t size, FILE *out)
{
    static const char units[] = {'\0', 'K', 'M', 'G', 'T'};
    size_t i = 0;

    while (size != 0 && size % 1024 == 0 && i + 1 < sizeof units) {
        size /= 1024;
        i++;
    }
    fprintf(out, i > 0 ? "\"%lld%c\"" : "\"%lld\"", (long long)size, units[i]);
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

/* A local part of unusual characters, or one that looks like a domain, goes back into its
 * quotes. */
static void address_text(const struct exempt_address *a, char *out, size_t size)
{
    size_t used = 0;
    bool quoted = a->local != NULL && strpbrk(a->local, " \"\\@<>:,;()[]*?") != NULL;

    quoted |= a->local != NULL && a->domain == NULL && strchr(a->local, '.') != NULL;
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

static void write_texts(char *const *texts, size_t count, FILE *out)
{
    for (size_t i = 0; i < count; i++) {
        fputs(i > 0 ? ", " : " ", out);
        value_write_text(texts[i], out);
    }
}

void rule_limit_text(const struct rule_limit *limit, char out[static RULE_LIMIT_SIZE])
{
    char span[SPAN_TEXT_SIZE];

    span_text((int64_t)limit->span_s * 1000, span);
    snprintf(out, RULE_LIMIT_SIZE, "%d %s in %s", limit->number,
             rule_count_name(limit->count), limit->span_s == 86400 ? "24h" : span);
}

static void write_limits(const struct rule_limit *limits, size_t count, FILE *out)
{
    char text[RULE_LIMIT_SIZE];

    for (size_t i = 0; i < count; i++) {
        rule_limit_text(&limits[i], text);
        fputs(i > 0 ? ", " : " ", out);
        value_write_text(text, out);
    }
}

/* names: NULL for spans, of which 0 is forever. */
static void write_steps(const int *steps, size_t count, const char *const *names,
                        FILE *out)
{
    for (size_t i = 0; i < count; i++) {
        fputs(i > 0 ? ", " : " ", out);
        if (names != NULL)
            value_write_text(names[steps[i]], out);
        else if (steps[i] == 0)
            value_write_text("forever", out);
        else
            write_span(steps[i], 1000, out);
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
    else if (o->kind == KIND_TEXTS || o->kind == KIND_DOMAINS)
        write_texts((char *const *)*CONST_FIELD(char **, o, base), CONST_COUNT(o, base),
                    out);
    else if (o->kind == KIND_LIMITS)
        write_limits(*CONST_FIELD(struct rule_limit *, o, base), CONST_COUNT(o, base),
                     out);
    else if (o->kind == KIND_STEPS || o->kind == KIND_STEP_SPANS)
        write_steps(*CONST_FIELD(int *, o, base), CONST_COUNT(o, base), o->choices, out);
    else
        write_addresses(*CONST_FIELD(struct exempt_address *, o, base),
                        CONST_COUNT(o, base), out);
    fputs(" }", out);
}

static void write_template(const struct reply_template *t, FILE *out)
{
    value_write_text(t != NULL ? reply_template_source(t) : "", out);
}

static void write_string(const char *text, FILE *out)
{
    value_write_text(text != NULL ? text : "", out);
}

static void write_secret(const char *text, FILE *out)
{
    write_string(text != NULL && text[0] != '\0' ? "***" : "", out);
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
        write_secret(*CONST_FIELD(char *, o, base), out);
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
    case KIND_SIZE:
        write_size(*CONST_FIELD(int64_t, o, base), out);
        return;
    case KIND_BOOL:
        fputs(*CONST_FIELD(bool, o, base) ? "true" : "false", out);
        return;
    case KIND_CHOICE:
        memcpy(&index, CONST_FIELD(void, o, base), sizeof index);
        value_write_text(o->choices[index], out);
        return;
    case KIND_SHARE:
        fprintf(out, *CONST_FIELD(int, o, base) % 10 != 0 ? "%d.%d" : "%d",
                *CONST_FIELD(int, o, base) / 10, *CONST_FIELD(int, o, base) % 10);
        return;
    case KIND_MODE:
        fprintf(out, "\"%04o\"", (unsigned)*CONST_FIELD(mode_t, o, base));
        return;
    case KIND_TEMPLATE:
    case KIND_OWN_TEMPLATE:
        write_template(*CONST_FIELD(struct reply_template *, o, base), out);
        return;
    case KIND_CHOICES:
    case KIND_SERVERS:
    case KIND_NETWORKS:
    case KIND_ADDRESSES:
    case KIND_TEXTS:
    case KIND_DOMAINS:
    case KIND_LIMITS:
    case KIND_STEPS:
    case KIND_STEP_SPANS:
        write_list(o, base, out);
        return;
    case KIND_NAMES:
        return;
    }
}
