/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MILTER_ENDPOINT_H
#define MILTER_ENDPOINT_H

/* The milter's own socket, seen from outside: "inet:port@host", "inet6:port@host",
 * "unix:/path" or "local:/path", as libmilter takes it. */

#include <stdbool.h>
#include <sys/socket.h>

struct endpoint {
    struct sockaddr_storage addr;
    socklen_t length;
};

/* Reads a socket's text. A name is looked up; a wildcard address becomes loopback, as
 * this is for connecting. Returns 0, or -1. */
int endpoint_parse(const char *text, struct endpoint *out);

/* The path of a unix socket, or NULL. Points into text. */
const char *endpoint_path(const char *text);

/* Whether one could listen on an inet socket: binds it, but does not listen, and closes
 * again. Returns 0, or -1 with errno set. */
int endpoint_try(const struct endpoint *endpoint);

/* Connects, without waiting, and closes again. Returns whether someone listens there. Any
 * thread. */
bool endpoint_knock(const struct endpoint *endpoint);

#endif
