/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef KNOWN_MILTER_PORTS_H
#define KNOWN_MILTER_PORTS_H

/* Ports that other milters have by default or by the usual guides. Any thread. */

/* The name of the milter, "OpenDKIM", or NULL where the port is nobody's. */
const char *milter_port_owner(const char *port);

#endif
