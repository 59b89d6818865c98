/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DNS_KEY_H
#define DNS_KEY_H

/* What tells one question from another, for the cache and for the questions under way:
 * upstream, type and name in one row of octets, with their hash. Any thread. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dns/answer.h"

#define DNS_NAME_MAX   253 /* RFC 1035: 255 octets on the wire */
#define DNS_LABEL_MAX  63
#define DNS_KEY_PREFIX 5 /* upstream and type */

struct dns_key {
    uint32_t hash;
    uint16_t size; /* of octets in use; the name's end is beyond it */
    uint64_t secret;
    uint8_t octets[DNS_KEY_PREFIX + DNS_NAME_MAX + 1];
};

/* Makes the key. secret goes into the hash, so that no stranger can choose names that
 * all fall together. Returns false for a name that must not be asked: anything but
 * letters, digits, "-" and "_" in labels of 1 to 63, or too long (a backslash would be
 * an escape to c-ares, no name at all the root). */
bool dns_key_make(struct dns_key *key, uint64_t secret, uint32_t upstream,
                  enum dns_type type, const char *name);

const char *dns_key_name(const struct dns_key *key);
enum dns_type dns_key_type(const struct dns_key *key);

#endif
