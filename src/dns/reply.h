/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DNS_REPLY_H
#define DNS_REPLY_H

/* A packet from a name server, read (RFC 1035, negative answers RFC 2308). It is written
 * by strangers: what does not fit the question is DNS_INVALID, never an answer. Any
 * thread. */

#include <stddef.h>
#include <stdint.h>

#include "dns/answer.h"

/* A negative answer without an SOA says nothing of its time (rbldnsd without $SOA). */
#define REPLY_NO_SOA_TTL_S 60

struct reply {
    enum dns_status status;
    uint32_t ttl_s; /* found: the smallest of the records and of the CNAMEs before them;
                       none: the SOA's, or REPLY_NO_SOA_TTL_S; else 0 */
    unsigned cname_count; /* that were followed */
    unsigned address_count;
    struct in_addr addresses[DNS_ADDRESSES_MAX];
    char text[DNS_TEXT_MAX + 1]; /* DNS_TXT, found */
};

/* Reads the packet as the answer to (type, name). CNAMEs are followed within it. */
void reply_parse(const uint8_t *packet, size_t size, enum dns_type type, const char *name,
                 struct reply *out);

#endif
