/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BASE_ENDPOINT_H
#define BASE_ENDPOINT_H

/* The address of a stream socket, to connect to it or to listen there. Plain values; any
 * thread. */

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

struct endpoint {
    struct sockaddr_storage addr;
    socklen_t length;
};

/* Reads "inet:port@host", "inet6:port@host", "unix:/path" or "local:/path", as libmilter
 * takes it. A name is looked up; a wildcard address becomes loopback, as this is for
 * connecting. Returns 0, or -1. */
int endpoint_parse(const char *text, struct endpoint *out);

/* The path of a unix socket in such a text, or NULL. Points into text. */
const char *endpoint_path(const char *text);

/* Makes that of a unix socket. Returns 0, or -1: the path is too long. */
int endpoint_of_path(const char *path, struct endpoint *out);

/* Connects, without waiting, and closes again. Returns whether someone listens there;
 * errno says why not. */
bool endpoint_knock(const struct endpoint *endpoint);

/* Whether a unix socket can be made there: nothing has its path, or only a socket that
 * nobody listens on any more, which remove_stale removes. Returns 0, or -1 with a sentence
 * in error, with the path. */
int unix_socket_check(const struct endpoint *endpoint, bool remove_stale, char *error,
                      size_t error_size);

#endif
