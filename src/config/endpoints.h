/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CONFIG_ENDPOINTS_H
#define CONFIG_ENDPOINTS_H

/* The sockets of a conf file: where the milter listens, and which servers the resolver
 * queries. */

#include <stdbool.h>

#include "base/ipaddr.h"

#define ENDPOINT_SIZE (IPADDR_TEXT_SIZE + 8) /* [address]:65535 */

/* Brings a name server to the form that c-ares takes: "127.0.0.1" -> "127.0.0.1:53",
 * "::1" and "[::1]:53" -> "[::1]:53". Returns 0, or -1. */
int server_canonical(const char *text, char out[static ENDPOINT_SIZE]);

/* Whether libmilter can listen there: "inet:8895@127.0.0.1", "inet:8895",
 * "inet6:8895@::1", "unix:/path" or "local:/path". */
bool socket_is_valid(const char *text);

#endif
