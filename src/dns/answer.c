/* SPDX-License-Identifier: BSD-2-Clause */
#include "dns/answer.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

struct dns_answer *dns_answer_new(enum dns_status status, unsigned count,
                                  const char *text)
{
    size_t text_size = text != NULL ? strlen(text) + 1 : 0;
    size_t head_size = sizeof(struct dns_answer) + count * sizeof(struct in_addr);
    /* One piece, the text at its end: the cache holds hundreds of thousands. */
    struct dns_answer *answer = calloc(1, head_size + text_size);

    if (answer == NULL)
        return NULL;
    atomic_init(&answer->refs, 1);
    answer->status = status;
    answer->address_count = count;
    if (text != NULL) {
        answer->text = (char *)answer + head_size;
        memcpy(answer->text, text, text_size);
    }
    return answer;
}

struct dns_answer *dns_answer_failure(enum dns_status status)
{
    /* The first reference is never given back, so these are never freed. */
    static struct dns_answer failures[DNS_STATUS_COUNT] = {
        [DNS_FOUND] = {.refs = 1, .status = DNS_NOT_ASKED}, /* no failure: none found */
        [DNS_NONE] = {.refs = 1, .status = DNS_NONE},
        [DNS_TIMEOUT] = {.refs = 1, .status = DNS_TIMEOUT},
        [DNS_SERVFAIL] = {.refs = 1, .status = DNS_SERVFAIL},
        [DNS_FORMERR] = {.refs = 1, .status = DNS_FORMERR},
        [DNS_NOTIMP] = {.refs = 1, .status = DNS_NOTIMP},
        [DNS_REFUSED] = {.refs = 1, .status = DNS_REFUSED},
        [DNS_INVALID] = {.refs = 1, .status = DNS_INVALID},
        [DNS_UNREACHABLE] = {.refs = 1, .status = DNS_UNREACHABLE},
        [DNS_NOT_ASKED] = {.refs = 1, .status = DNS_NOT_ASKED},
    };

    return dns_answer_ref(&failures[status]);
}

struct dns_answer *dns_answer_stale(const struct dns_answer *answer)
{
    struct dns_answer *copy =
        dns_answer_new(answer->status, answer->address_count, answer->text);

    if (copy == NULL)
        return NULL;
    copy->stale = true;
    copy->expires_ms = answer->expires_ms;
    copy->came_ms = answer->came_ms;
    memcpy(copy->addresses, answer->addresses,
           answer->address_count * sizeof answer->addresses[0]);
    return copy;
}

struct dns_answer *dns_answer_ref(struct dns_answer *answer)
{
    atomic_fetch_add_explicit(&answer->refs, 1, memory_order_relaxed);
    return answer;
}

void dns_answer_unref(struct dns_answer *answer)
{
    if (answer == NULL)
        return;
    if (atomic_fetch_sub_explicit(&answer->refs, 1, memory_order_acq_rel) == 1)
        free(answer);
}

const char *dns_status_name(enum dns_status status)
{
    switch (status) {
    case DNS_FOUND:
        return "found";
    case DNS_NONE:
        return "none";
    case DNS_TIMEOUT:
        return "timeout";
    case DNS_SERVFAIL:
        return "servfail";
    case DNS_FORMERR:
        return "formerr";
    case DNS_NOTIMP:
        return "notimp";
    case DNS_REFUSED:
        return "refused";
    case DNS_INVALID:
        return "invalid";
    case DNS_UNREACHABLE:
        return "unreachable";
    case DNS_NOT_ASKED:
        return "not-asked";
    }
    abort();
}

#define LETTER(upper, lower) [upper] = lower, [lower] = lower

/* What stands in a label, in lower case; 0 for all else. A table, as every question comes
 * by here. */
static const uint8_t label_octets[256] = {
    LETTER('A', 'a'), LETTER('B', 'b'), LETTER('C', 'c'), LETTER('D', 'd'),
    LETTER('E', 'e'), LETTER('F', 'f'), LETTER('G', 'g'), LETTER('H', 'h'),
    LETTER('I', 'i'), LETTER('J', 'j'), LETTER('K', 'k'), LETTER('L', 'l'),
    LETTER('M', 'm'), LETTER('N', 'n'), LETTER('O', 'o'), LETTER('P', 'p'),
    LETTER('Q', 'q'), LETTER('R', 'r'), LETTER('S', 's'), LETTER('T', 't'),
    LETTER('U', 'u'), LETTER('V', 'v'), LETTER('W', 'w'), LETTER('X', 'x'),
    LETTER('Y', 'y'), LETTER('Z', 'z'), ['0'] = '0',      ['1'] = '1',
    ['2'] = '2',      ['3'] = '3',      ['4'] = '4',      ['5'] = '5',
    ['6'] = '6',      ['7'] = '7',      ['8'] = '8',      ['9'] = '9',
    ['-'] = '-',      ['_'] = '_',
};

/* Copies a name that may be asked. Returns its length, or 0. */
static size_t copy_name(const char *name, uint8_t out[static DNS_NAME_MAX + 1])
{
    const uint8_t *in = (const uint8_t *)name;
    size_t size = 0;

    for (;;) {
        size_t label = size;

        while (size < DNS_NAME_MAX && label_octets[in[size]] != 0) {
            out[size] = label_octets[in[size]];
            size++;
        }
        if (size == label || size - label > DNS_LABEL_MAX)
            return 0;
        if (in[size] == '\0') {
            out[size] = '\0';
            return size;
        }
        if (in[size] != '.' || size == DNS_NAME_MAX)
            return 0;
        out[size++] = '.';
    }
}

bool dns_key_make(struct dns_key *key, uint64_t secret, uint32_t upstream,
                  enum dns_type type, const char *name)
{
    size_t size = copy_name(name, key->octets + DNS_KEY_PREFIX);

    if (size == 0)
        return false;
    memcpy(key->octets, &upstream, sizeof upstream);
    key->octets[sizeof upstream] = (uint8_t)type;
    key->size = (uint16_t)(DNS_KEY_PREFIX + size);
    key->secret = secret;
    _Static_assert(offsetof(struct dns_key, octets) ==
                       offsetof(struct dns_key, secret) + sizeof(uint64_t),
                   "the secret is hashed together with the octets behind it");
    const uint8_t *hashed = (const uint8_t *)key + offsetof(struct dns_key, secret);
    HASH_JEN(hashed, sizeof key->secret + key->size, key->hash);
    return true;
}

const char *dns_key_name(const struct dns_key *key)
{
    return (const char *)key->octets + DNS_KEY_PREFIX;
}

enum dns_type dns_key_type(const struct dns_key *key)
{
    return (enum dns_type)key->octets[DNS_KEY_PREFIX - 1];
}
