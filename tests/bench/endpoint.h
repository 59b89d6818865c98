/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BENCH_ENDPOINT_H
#define BENCH_ENDPOINT_H

/* Where a benchmark's client connects to. */

#include <sys/socket.h>

struct endpoint {
    struct sockaddr_storage address;
    socklen_t length;
};

/* Reads inet:port@host (an IPv4 address) or unix:/path; anything else ends the program.
 */
void endpoint_parse(struct endpoint *endpoint, const char *text);

/* A socket that does not block, connected or about to be; -1 when the listener's queue is
 * full for now. Any other failure ends the program. */
int endpoint_connect(const struct endpoint *endpoint);

#endif
