/* SPDX-License-Identifier: BSD-2-Clause */
#include "dnsbl/health.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dnsbl/query_name.h"
#include "dnsbl/result.h"

static const char *const names[HEALTH_COUNT] = {
    "unchecked", "healthy", "slow", "empty", "lying", "blocked", "down", "suspended"};

const char *health_name(enum health health)
{
    return names[health];
}

int health_parse(const char *name, enum health *out)
{
    for (int i = 0; i < HEALTH_COUNT; i++) {
        if (strcmp(names[i], name) == 0) {
            *out = (enum health)i;
            return 0;
        }
    }
    return -1;
}

/* Any name under the zone says whether a list answers at all. */
const char *health_stand_in(const struct list *list)
{
    return list->checks & 1u << CHECK_CLIENT ? "127.0.0.2" : "test";
}

bool health_has_points(const struct list *list)
{
    return list->test_listed[0] != '\0' || list->test_unlisted[0] != '\0';
}

bool health_counts(enum health health)
{
    return health == HEALTH_HEALTHY || health == HEALTH_SLOW;
}

/* ::FFFF:7F00:2 is an IPv6 test point: the one IPv4-mapped address that is asked as it
 * stands, where ipaddr_parse would make 127.0.0.2 of it. */
static int address_point(const struct list *list, const char *point,
                         char out[static DOMAIN_SIZE])
{
    struct ipaddr ip = {.family = 6};

    if (inet_pton(AF_INET6, point, ip.octets) == 1 || ipaddr_parse(point, &ip) == 0)
        return query_name_address(&ip, list->zone, out);
    return -1;
}

int health_test_name(const struct list *list, const char *point,
                     char out[static DOMAIN_SIZE])
{
    int n;

    out[0] = '\0';
    if (point[0] == '\0')
        return -1;
    if (address_point(list, point, out) == 0)
        return 0;
    n = snprintf(out, DOMAIN_SIZE, "%s.%s", point, list->zone); /* "test" has no dot */
    if (n < 0 || n >= DOMAIN_SIZE) {
        out[0] = '\0';
        return -1;
    }
    return 0;
}

static bool says(const struct list *list, const struct dns_answer *answer,
                 enum result_state state, struct dnsbl_result *result)
{
    if (answer == NULL || answer->stale)
        return false;
    *result = result_judge(list, answer);
    return result->state == state;
}

static bool is_silent(const struct dns_answer *answer)
{
    return answer != NULL &&
           (answer->stale || (answer->status != DNS_FOUND && answer->status != DNS_NONE &&
                              answer->status != DNS_REFUSED));
}

static void code_text(const struct dnsbl_result *result, char out[static INET_ADDRSTRLEN])
{
    if (inet_ntop(AF_INET, &result->code, out, INET_ADDRSTRLEN) == NULL)
        out[0] = '\0';
}

enum health health_judge(const struct list *list, const struct dns_answer *listed,
                         const struct dns_answer *unlisted, char *why, size_t why_size)
{
    char code[INET_ADDRSTRLEN];
    struct dnsbl_result l = {0};

    if (says(list, listed, RESULT_FOREIGN, &l) ||
        says(list, unlisted, RESULT_FOREIGN, &l)) {
        code_text(&l, code);
        snprintf(why, why_size, "answers %s, which is outside 127.0.0.0/8", code);
        return HEALTH_LYING;
    }
    if (says(list, listed, RESULT_ERROR, &l) || says(list, unlisted, RESULT_ERROR, &l)) {
        code_text(&l, code);
        snprintf(why, why_size, "refuses our queries: %s",
                 l.code.s_addr != 0 ? code : "REFUSED");
        return HEALTH_BLOCKED;
    }
    if (says(list, unlisted, RESULT_LISTED, &l)) {
        snprintf(why, why_size, "lists %s, which must not be listed",
                 list->test_unlisted);
        return HEALTH_LYING;
    }
    if (is_silent(listed) || is_silent(unlisted)) {
        snprintf(why, why_size, "does not answer: %s",
                 dns_status_name(is_silent(listed) ? listed->status : unlisted->status));
        return HEALTH_DOWN;
    }
    if (listed != NULL && list->test_listed[0] != '\0' &&
        says(list, listed, RESULT_NOT_LISTED, &l)) {
        if (listed->address_count > 0)
            snprintf(why, why_size,
                     "answers %s for its test point %s, which no codes section names",
                     inet_ntop(AF_INET, &listed->addresses[0], code, sizeof code),
                     list->test_listed);
        else
            snprintf(why, why_size, "does not list %s, which must be listed",
                     list->test_listed);
        return HEALTH_EMPTY;
    }
    snprintf(why, why_size,
             health_has_points(list) ? "test points answer as they must"
                                     : "has no test points");
    return HEALTH_HEALTHY;
}
