/* SPDX-License-Identifier: BSD-2-Clause */
#include "zone.h"

#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "buf.h"
#include "tool.h"

enum { CODE_DEFAULT = 0x7f000002 };

static uint32_t address_parse(const char *text)
{
    struct in_addr in;

    if (inet_pton(AF_INET, text, &in) != 1)
        die("%s: expected an IPv4 address", text);
    return ntohl(in.s_addr);
}

static struct zone_rule *rule_add(struct zone *zone, char *value, char **argument)
{
    if (zone->rule_count == sizeof zone->rules / sizeof *zone->rules)
        die("%s: too many rules", zone->name);
    struct zone_rule *rule = &zone->rules[zone->rule_count++];
    *argument = strchr(value, '=');
    if (*argument != NULL)
        *(*argument)++ = '\0';
    *rule = (struct zone_rule){.delay_ms = zone->delay_ms};
    range_parse(&rule->range, value);
    return rule;
}

static void setting_parse(struct zone *zone, char *text)
{
    char *value = strchr(text, '='), *argument;

    if (value == NULL)
        die("%s: %s: expected name=value", zone->name, text);
    *value++ = '\0';
    if (strcmp(text, "delay") == 0) {
        zone->delay_ms = (unsigned)strtoul(value, NULL, 10);
    } else if (strcmp(text, "ttl") == 0) {
        zone->ttl_s = (uint32_t)strtoul(value, NULL, 10);
    } else if (strcmp(text, "neg") == 0) {
        zone->negative_ttl_s = (uint32_t)strtoul(value, NULL, 10);
    } else if (strcmp(text, "listed") == 0) {
        struct zone_rule *rule = rule_add(zone, value, &argument);
        rule->code = argument != NULL ? address_parse(argument) : CODE_DEFAULT;
    } else if (strcmp(text, "slow") == 0) {
        struct zone_rule *rule = rule_add(zone, value, &argument);
        if (argument == NULL)
            die("%s: slow=NETWORK=MS: the milliseconds are missing", zone->name);
        rule->delay_ms = (unsigned)strtoul(argument, NULL, 10);
    } else {
        die("%s: %s: expected delay, ttl, neg, listed or slow", zone->name, text);
    }
}

void zone_parse(struct zone *zone, const char *text)
{
    char *copy = strdup(text), *rest;

    if (copy == NULL)
        die("out of memory");
    *zone = (struct zone){.ttl_s = 300, .negative_ttl_s = 300};
    char *name = strtok_r(copy, ",", &rest);
    if (name == NULL || strlen(name) >= sizeof zone->name)
        die("%s: expected a zone", text);
    zone->name_length = strlen(name);
    memcpy(zone->name, name, zone->name_length + 1);
    for (char *setting; (setting = strtok_r(NULL, ",", &rest)) != NULL;)
        setting_parse(zone, setting);
    free(copy);
}

/* The question's name as text, and how long it is in the message; 0 when it is none. */
static size_t name_read(const unsigned char *query, size_t size, char name[NAME_SIZE])
{
    size_t at = NS_HFIXEDSZ, length = 0;

    while (at < size && query[at] != 0) {
        size_t label = query[at++];
        if (label > NS_MAXLABEL || at + label >= size || length + label + 1 >= NAME_SIZE)
            return 0;
        memcpy(name + length, query + at, label);
        length += label;
        name[length++] = '.';
        at += label;
    }
    name[length > 0 ? length - 1 : 0] = '\0';
    return at + 1 + 4 <= size ? at + 1 - NS_HFIXEDSZ : 0; /* type and class follow */
}

static struct zone *zone_find(struct zone *zones, size_t count, const char *name,
                              size_t *below)
{
    size_t length = strlen(name);

    for (size_t i = 0; i < count; i++) {
        *below = length - zones[i].name_length;
        if (length > zones[i].name_length && name[*below - 1] == '.' &&
            strcasecmp(name + *below, zones[i].name) == 0)
            return &zones[i];
    }
    return NULL;
}

/* What the zone says of the name below it: the code that it is listed with, or 0. */
static uint32_t zone_look_up(const struct zone *zone, const char *name, size_t below,
                             unsigned *delay_ms)
{
    unsigned a, b, c, d;
    int end = 0;

    *delay_ms = zone->delay_ms;
    if (sscanf(name, "%u.%u.%u.%u.%n", &d, &c, &b, &a, &end) != 4 || (size_t)end != below)
        return below == strlen("test.") && strncasecmp(name, "test", 4) == 0
                   ? CODE_DEFAULT
                   : 0;
    uint32_t address = a << 24 | b << 16 | c << 8 | d;
    if (address == CODE_DEFAULT)
        return CODE_DEFAULT;
    for (size_t i = 0; i < zone->rule_count; i++) {
        if (!range_holds(&zone->rules[i].range, address))
            continue;
        *delay_ms = zone->rules[i].delay_ms;
        return zone->rules[i].code;
    }
    return 0;
}

static void record_begin(struct buf *out, size_t name_at, ns_type type, uint32_t ttl_s,
                         size_t size)
{
    unsigned char head[] = {0xc0 | name_at >> 8, name_at, type >> 8, type, 0, ns_c_in};
    unsigned char length[] = {size >> 8, size};

    buf_add(out, head, sizeof head);
    buf_add_u32(out, ttl_s);
    buf_add(out, length, sizeof length);
}

static void write_soa(struct buf *out, const struct zone *zone, size_t zone_at)
{
    record_begin(out, zone_at, ns_t_soa, zone->negative_ttl_s, 22);
    buf_add(out, "", 1); /* MNAME and RNAME: the root */
    buf_add(out, "", 1);
    for (int i = 0; i < 4; i++)
        buf_add_u32(out, 3600);
    buf_add_u32(out, zone->negative_ttl_s);
}

/* Writes the record that answers the question. Returns which section it is of: 1 the
 * answer, 0 authority (the type asked for is not there). */
static bool write_record(struct buf *out, const struct zone *zone, uint16_t type,
                         uint32_t code, size_t zone_at)
{
    static const char text[] = "\x1dhttps://list.test/why is this";

    if (code != 0 && type == ns_t_a) {
        record_begin(out, NS_HFIXEDSZ, ns_t_a, zone->ttl_s, 4);
        buf_add_u32(out, code);
        return true;
    }
    if (code != 0 && type == ns_t_txt) {
        record_begin(out, NS_HFIXEDSZ, ns_t_txt, zone->ttl_s, sizeof text - 1);
        buf_add(out, text, sizeof text - 1);
        return true;
    }
    write_soa(out, zone, zone_at);
    return false;
}

size_t zones_answer(struct zone *zones, size_t count, const unsigned char *query,
                    size_t size, unsigned char answer[static DNS_MESSAGE_MAX],
                    unsigned *delay_ms)
{
    char name[NAME_SIZE];
    size_t below, name_size;
    struct buf out = {0};
    ns_rcode rcode = ns_r_refused;
    bool answers = false;

    *delay_ms = 0;
    if (size < NS_HFIXEDSZ || (name_size = name_read(query, size, name)) == 0)
        return 0;
    const unsigned char *type = query + NS_HFIXEDSZ + name_size;
    struct zone *zone = zone_find(zones, count, name, &below);
    buf_add(&out, query, (size_t)(type + 4 - query));
    if (zone != NULL) {
        uint32_t code = zone_look_up(zone, name, below, delay_ms);
        zone->queries++;
        rcode = code != 0 ? ns_r_noerror : ns_r_nxdomain;
        answers = write_record(&out, zone, (uint16_t)(type[0] << 8 | type[1]), code,
                               NS_HFIXEDSZ + below);
    }
    size_t length = buf_length(&out);
    if (length > DNS_MESSAGE_MAX)
        die("an answer of %zu bytes", length);
    memcpy(answer, buf_bytes(&out), length);
    buf_free(&out);
    answer[2] = 0x84 | (query[2] & 1); /* an answer, authoritative; RD as it came */
    answer[3] = (unsigned char)rcode;
    memset(answer + 4, 0, 8);
    answer[5] = 1;
    answer[7] = zone != NULL && answers;
    answer[9] = zone != NULL && !answers;
    return length;
}
