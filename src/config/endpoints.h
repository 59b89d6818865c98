/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CONFIG_ENDPOINTS_H
#define CONFIG_ENDPOINTS_H

/* The sockets of a conf file: where the milter listens, and which servers the resolver
 * queries. */

#include <net/if.h>
#include <stdbool.h>

#include "base/ipaddr.h"

/* [address%interface]:65535 */
#define ENDPOINT_SIZE (IPADDR_TEXT_SIZE + IF_NAMESIZE + 8)

/* Brings a name server to one form: "127.0.0.1" -> "127.0.0.1:53", "::1" and "[::1]:53"
 * ->
 * "[::1]:53", "fe80::1%eth0" -> "[fe80::1%eth0]:53". Returns 0, or -1: a link-local
 * address needs its interface, and no other has one. */
int server_canonical(const char *text, char out[static ENDPOINT_SIZE]);

/* Whether libmilter can listen there: "inet:8895@127.0.0.1", "inet:8895",
 * "inet6:8895@::1", "unix:/path" or "local:/path". */
bool socket_is_valid(const char *text);

#endif
