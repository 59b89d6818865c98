/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MILTER_SOCKET_H
#define MILTER_SOCKET_H

/* The milter's own socket: "inet:port@host", "inet6:port@host", "unix:/path" or
 * "local:/path", as libmilter takes it; its place, mode and owner. */

#include <stdbool.h>
#include <sys/socket.h>

#include "config/config.h"

struct endpoint {
    struct sockaddr_storage addr;
    socklen_t length;
};

/* Reads a socket's text. A name is looked up; a wildcard address becomes loopback, as
 * this is for connecting. Returns 0, or -1. */
int endpoint_parse(const char *text, struct endpoint *out);

/* The path of a unix socket, or NULL. Points into text. */
const char *endpoint_path(const char *text);

/* Connects, without waiting, and closes again. Returns whether someone listens there. Any
 * thread. */
bool endpoint_knock(const struct endpoint *endpoint);

/* Whether nobody has the place of the configuration's socket, as far as can be seen before
 * it is taken, and its group exists. Returns 0, or -1 with the reason logged. */
int socket_check(const struct config *config, const struct endpoint *endpoint);

/* Opens it: see milter_open. */
int socket_open(const struct config *config, const struct endpoint *endpoint);

#endif
