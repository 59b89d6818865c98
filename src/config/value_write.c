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

void value_free(const struct option *o, void *base)
{
    enum kind kind = o->kind;
    bool reply = kind == KIND_TEMPLATE || kind == KIND_OWN_TEMPLATE;
    void *pointer;

    if (kind != KIND_TEXT && kind != KIND_SECRET && kind != KIND_PATH &&
        kind != KIND_SOCKET && !reply && kind <= KIND_CHOICES)
        return; /* it owns nothing */
    memcpy(&pointer, FIELD(void, o, base), sizeof pointer);
    if (reply)
        reply_template_free(pointer);
    else if (kind == KIND_ADDRESSES)
        exempt_addresses_free(pointer, *COUNT(o, base));
    else if (kind == KIND_TEXTS || kind == KIND_DOMAINS)
        for (size_t i = 0; i < *COUNT(o, base); i++)
            free(((char **)pointer)[i]);
    if (!reply && kind != KIND_ADDRESSES)
        free(pointer);
    if (kind > KIND_SERVERS)
        *COUNT(o, base) = 0;
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

void rule_limit_text(const struct rule_limit *limit, char out[static RULE_LIMIT_SIZE])
{
    char span[SPAN_TEXT_SIZE];

    span_text((int64_t)limit->span_s * 1000, span);
    snprintf(out, RULE_LIMIT_SIZE, "%d %s in %s", limit->number,
             rule_count_name(limit->count), limit->span_s == 86400 ? "24h" : span);
}

/* One of an array. */
static void write_item(const struct option *o, const void *base, size_t i, FILE *out)
{
    char text[2 * LOCAL_PART_SIZE + DOMAIN_SIZE + 8];
    const char *item = text;

    if (o->kind == KIND_NETWORKS)
        network_text(*CONST_FIELD(struct network *, o, base) + i, text);
    else if (o->kind == KIND_ADDRESSES)
        address_text(*CONST_FIELD(struct exempt_address *, o, base) + i, text,
                     sizeof text);
    else if (o->kind == KIND_LIMITS)
        rule_limit_text(*CONST_FIELD(struct rule_limit *, o, base) + i, text);
    else if (o->kind == KIND_STEPS)
        item = o->choices[(*CONST_FIELD(int *, o, base))[i]];
    else if (o->kind == KIND_STEP_SPANS && (*CONST_FIELD(int *, o, base))[i] == 0)
        item = "forever";
    else if (o->kind == KIND_STEP_SPANS)
        span_text((int64_t)(*CONST_FIELD(int *, o, base))[i] * 1000, text);
    else
        item = (*CONST_FIELD(char **, o, base))[i];
    value_write_text(item, out);
}

static void write_list(const struct option *o, const void *base, FILE *out)
{
    fputs("{", out);
    if (o->kind == KIND_CHOICES)
        write_choices(o, *CONST_FIELD(unsigned, o, base), out);
    else if (o->kind == KIND_SERVERS)
        write_servers(*CONST_FIELD(char *, o, base), out);
    else
        for (size_t i = 0; i < CONST_COUNT(o, base); i++) {
            fputs(i > 0 ? ", " : " ", out);
            write_item(o, base, i, out);
        }
    fputs(" }", out);
}

void value_write(const struct option *o, const void *base, FILE *out)
{
    const struct reply_template *reply;
    const char *text = "";
    char span[SPAN_TEXT_SIZE];
    unsigned index;
    int64_t number;

    switch (o->kind) {
    case KIND_TEXT:
    case KIND_PATH:
    case KIND_SOCKET:
    case KIND_SECRET:
        text = *CONST_FIELD(char *, o, base);
        if (o->kind == KIND_SECRET && text != NULL && *text != '\0')
            text = "***";
        break;
    case KIND_NUMBER:
        fprintf(out, "%d", *CONST_FIELD(int, o, base));
        return;
    case KIND_SPAN_MS:
    case KIND_SPAN_S:
        number = *CONST_FIELD(int, o, base);
        span_text(o->kind == KIND_SPAN_S ? number * 1000 : number, span);
        text = span;
        break;
    case KIND_SIZE:
        write_size(*CONST_FIELD(int64_t, o, base), out);
        return;
    case KIND_BOOL:
        fputs(*CONST_FIELD(bool, o, base) ? "true" : "false", out);
        return;
    case KIND_CHOICE:
        memcpy(&index, CONST_FIELD(void, o, base), sizeof index);
        text = o->choices[index];
        break;
    case KIND_SHARE:
        fprintf(out, *CONST_FIELD(int, o, base) % 10 != 0 ? "%d.%d" : "%d",
                *CONST_FIELD(int, o, base) / 10, *CONST_FIELD(int, o, base) % 10);
        return;
    case KIND_MODE:
        fprintf(out, "\"%04o\"", (unsigned)*CONST_FIELD(mode_t, o, base));
        return;
    case KIND_TEMPLATE:
    case KIND_OWN_TEMPLATE:
        reply = *CONST_FIELD(struct reply_template *, o, base);
        text = reply != NULL ? reply_template_source(reply) : "";
        break;
    default:
        if (o->kind != KIND_NAMES)
            write_list(o, base, out);
        return;
    }
    value_write_text(text != NULL ? text : "", out);
}
