/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DNSBL_QUERY_NAME_H
#define DNSBL_QUERY_NAME_H

/* The names that lists are queried under (RFC 5782). Any thread; no allocation. */

#include "base/domain.h"
#include "base/ipaddr.h"
#include "config/config.h"

/* Writes the name to query zone for ip: 192.0.2.1 -> 1.2.0.192.bl.example (RFC 5782, 2.1),
 * IPv6 as 32 nibbles (2.4). Returns 0, or -1 if it would not fit, with out empty. */
int query_name_address(const struct ipaddr *ip, const char *zone,
                       char out[static DOMAIN_SIZE]);

/* Writes labels and zone. Returns 0, or -1 if it would not fit, with out empty: a cut
 * name would be someone else's. */
int query_name_join(const char *labels, const char *zone, char out[static DOMAIN_SIZE]);

/* Writes the name to query zone for a domain: spam.example -> spam.example.bl.example.
 * Returns 0; or -1, with out empty, if it would not fit, or the domain is none that a
 * list may be queried for: without a dot, an IP literal. */
int query_name_domain(const char *domain, const char *zone, char out[static DOMAIN_SIZE]);

/* Writes the name to query zone for a mail address: the hash of its canonical form (the
 * address inside of BATV and SRS, lower case, without +tag, Gmail's dots removed:
 * msbl.org/ebl-design.html) in hex, a SHA-256
 * in base32, as hex would be no valid label. Returns 0, or -1, with out empty: the null
 * sender, no valid domain, it would not fit. */
int query_name_sender(const struct mail_address *sender, enum hash_kind hash,
                      const char *zone, char out[static DOMAIN_SIZE]);

#endif
