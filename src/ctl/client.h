/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CTL_CLIENT_H
#define CTL_CLIENT_H

/* rblctl's end of the control socket. One thread. */

#include <jansson.h>

struct client;

/* Connects. Returns NULL with errno set. */
struct client *client_new(const char *path);
void client_free(struct client *client); /* NULL is fine */

/* Sends a request and waits for the answer. Returns a new reference; or NULL with errno
 * set: ECONNRESET where the daemon closed before it took the request or answered, EPROTO
 * where what came is no answer. */
json_t *client_ask(struct client *client, const json_t *request);

#endif
