/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DNS_RESOLV_CONF_H
#define DNS_RESOLV_CONF_H

/* The name servers of resolv.conf(5). Any thread. */

#include <stddef.h>

#include "config/endpoints.h"

#define RESOLV_CONF "/etc/resolv.conf"

/* Reads up to most servers, as "127.0.0.1:53" and "[fe80::1%eth0]:53". Without a file, or
 * a server in it, it is the one on this machine (resolver(5)). What it cannot use goes to
 * dropped, with commas between, cut to size: "line 3: fe80::1". Returns the number. */
size_t resolv_conf_servers(const char *path, char (*out)[ENDPOINT_SIZE], size_t most,
                           char *dropped, size_t size);

#endif
