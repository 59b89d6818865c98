/* SPDX-License-Identifier: BSD-2-Clause */
#include "dnsbl/result.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

/* RFC 5782: listings are within 127.0.0.0/8. */
static bool is_foreign(struct in_addr code)
{
    return ntohl(code.s_addr) >> 24 != 127;
}

static bool is_named(const struct list *list, struct in_addr code)
{
    for (size_t i = 0; i < list->code_count; i++)
        if (codes_match(&list->codes[i].codes, code))
            return true;
    return false;
}

static bool is_error(const struct list *list, struct in_addr code)
{
    struct ipaddr ip = {.family = 4};

    /* Spamhaus' error range, taken over by others: a listing for no list, whatever its
     * section says (spamhaus.org/news/article/788) */
    if (ntohl(code.s_addr) >> 8 == 0x7fffff)
        return true;
    /* never a listing by the RFC, so only for the lists that say otherwise */
    if (ntohl(code.s_addr) == INADDR_LOOPBACK)
        return !is_named(list, code);
    memcpy(ip.octets, &code, 4);
    for (size_t i = 0; i < list->error_code_count; i++)
        if (network_contains(&list->error_codes[i], &ip))
            return true;
    return false;
}

int result_heavier(int a, int b)
{
    if (a > 0 || b > 0)
        return a > b ? a : b;
    return a < b ? a : b;
}

/* What one code weighs: the heaviest section that names it, or the sum of its bits.
 * Returns false if no section names it. */
static bool weigh(const struct list *list, struct in_addr code, struct dnsbl_result *out)
{
    int bits = 0;

    out->code = code;
    if (list->code_count == 0) {
        out->weight = list->weight;
        return true;
    }
    bool named = false;
    for (size_t i = 0; i < list->code_count; i++) {
        const struct code_rule *rule = &list->codes[i];
        bool has_bits = codes_have_bits(&rule->codes);

        if (!codes_match(&rule->codes, code))
            continue;
        if (!named ||
            (!has_bits && result_heavier(rule->weight, out->weight) != out->weight))
            out->label = rule->label;
        bits += has_bits ? rule->weight : 0;
        if (!has_bits)
            out->weight = result_heavier(out->weight, rule->weight);
        named = true;
    }
    out->weight = result_heavier(out->weight, bits);
    return named;
}

struct dnsbl_result result_of_addresses(const struct list *list,
                                        const struct in_addr *addresses, unsigned count)
{
    struct dnsbl_result out = {.state = RESULT_NOT_LISTED, .label = ""};

    for (unsigned i = 0; i < count; i++) {
        struct in_addr code = addresses[i];

        if (!is_foreign(code) && !is_error(list, code))
            continue;
        out.state = is_foreign(code) ? RESULT_FOREIGN : RESULT_ERROR;
        out.code = code;
        return out;
    }
    for (unsigned i = 0; i < count; i++) {
        struct dnsbl_result one = {.state = RESULT_LISTED, .label = ""};

        if (!weigh(list, addresses[i], &one))
            continue;
        if (out.state != RESULT_LISTED ||
            (result_heavier(one.weight, out.weight) == one.weight &&
             one.weight != out.weight))
            out = one;
    }
    return out;
}

struct dnsbl_result result_judge(const struct list *list, const struct dns_answer *answer)
{
    struct dnsbl_result out = {.state = RESULT_NOT_LISTED, .label = ""};

    switch (answer->status) {
    case DNS_FOUND:
        return result_of_addresses(list, answer->addresses, answer->address_count);
    case DNS_NONE:
        break;
    case DNS_REFUSED:
        out.state = RESULT_ERROR;
        break;
    case DNS_TIMEOUT:
    case DNS_SERVFAIL:
    case DNS_FORMERR:
    case DNS_NOTIMP:
    case DNS_INVALID:
    case DNS_UNREACHABLE:
    case DNS_NOT_ASKED:
        out.state = RESULT_FAILED;
    }
    return out;
}

bool result_is_refusal(const struct dns_lookup *lookup, const struct dns_answer *answer)
{
    enum result_state state = result_judge(lookup->context, answer).state;

    return state == RESULT_ERROR || state == RESULT_FOREIGN;
}

void result_bounds(const struct list *list, int *least, int *most)
{
    int minus = 0, plus = 0; /* of bits: all that may come together */

    *least = *most = 0;
    if (list->code_count == 0) {
        *least = list->weight < 0 ? list->weight : 0;
        *most = list->weight > 0 ? list->weight : 0;
    }
    for (size_t i = 0; i < list->code_count; i++) {
        int weight = list->codes[i].weight;

        if (codes_have_bits(&list->codes[i].codes)) {
            minus += weight < 0 ? weight : 0;
            plus += weight > 0 ? weight : 0;
        }
        if (weight < *least)
            *least = weight;
        if (weight > *most)
            *most = weight;
    }
    if (minus < *least)
        *least = minus;
    if (plus > *most)
        *most = plus;
}

const char *result_state_name(enum result_state state)
{
    switch (state) {
    case RESULT_NOT_LISTED:
        return "none";
    case RESULT_LISTED:
        return "listed";
    case RESULT_ERROR:
        return "error";
    case RESULT_FOREIGN:
        return "foreign";
    case RESULT_FAILED:
        return "failed";
    }
    abort();
}
