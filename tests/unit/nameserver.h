/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_NAMESERVER_H
#define TESTS_NAMESERVER_H

/* A tests/nameserver.py of a test's own, on a free port of loopback. All failures fail
 * the test. */

#include <stddef.h>

struct nameserver;

/* Starts it; rules are JSON. It ends with the test at the latest. */
struct nameserver *nameserver_new(const char *rules);
void nameserver_free(struct nameserver *ns); /* NULL is fine */

/* "127.0.0.1:N", as resolver_upstream takes it; lives as long as ns. */
const char *nameserver_address(const struct nameserver *ns);

/* Gives it other rules; or the commands "down" and "up". They are in force on return. */
void nameserver_rules(struct nameserver *ns, const char *rules);
void nameserver_command(struct nameserver *ns, const char *command);

/* How many queries its log has of name ("" counts all), and from how many ports. */
size_t nameserver_queries(struct nameserver *ns, const char *name);
size_t nameserver_ports(struct nameserver *ns);

#endif
