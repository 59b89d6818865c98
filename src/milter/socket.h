/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MILTER_SOCKET_H
#define MILTER_SOCKET_H

/* The milter's own socket: its place, mode and owner. */

#include "base/endpoint.h"
#include "config/config.h"

/* Whether nobody has the place of the configuration's socket, as far as can be seen before
 * it is taken, and its group exists. Returns 0, or -1 with the reason logged. */
int socket_check(const struct config *config, const struct endpoint *endpoint);

/* Opens it: see milter_open. */
int socket_open(const struct config *config, const struct endpoint *endpoint);

#endif
