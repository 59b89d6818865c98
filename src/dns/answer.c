/* SPDX-License-Identifier: BSD-2-Clause */
#include "dns/answer.h"

#include <stdlib.h>
#include <string.h>

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
