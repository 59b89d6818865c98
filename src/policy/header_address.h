/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef POLICY_HEADER_ADDRESS_H
#define POLICY_HEADER_ADDRESS_H

/* The addresses in a From: or Reply-To: field (RFC 5322, 3.4; the obsolete forms of 4.4;
 * RFC 6532), as a client wrote it: strangers' text. Any thread; no allocation. */

#include <stddef.h>

#include "base/domain.h"

#define HEADER_ADDRESSES 8 /* of one field name in a message; more are not checked */
#define HEADER_VALUE_MAX (16 << 10) /* octets of one field; what is beyond is not read */
#define HEADER_TEXT_SIZE 321

struct header_address {
    char text[HEADER_TEXT_SIZE]; /* as it was written, without comments and spaces */
    struct mail_address address; /* with a domain */
};

/* Reads the value of a field, folded or not. Writes up to max addresses that have a domain;
 * display names, comments, encoded words and group names are none, whatever is in them.
 * Where the field is not well formed, all is taken that a mail program might show as its
 * address. Returns how many. */
size_t header_addresses_parse(const char *value, struct header_address *out, size_t max);

#endif
