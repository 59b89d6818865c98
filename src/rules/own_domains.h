/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef RULES_OWN_DOMAINS_H
#define RULES_OWN_DOMAINS_H

/* The domains of one's own, learnt from what the MTA delivers itself: mail to them is not mail
 * to the outside. Up to 100,000. Any thread. */

#include <stdbool.h>
#include <stdio.h>

struct own_domains;
struct own_domains *own_domains_new(void);      /* NULL: no memory */
void own_domains_free(struct own_domains *own); /* NULL is fine */

/* domain: canonical. Without memory, or room, it is left out. */
void own_domains_add(struct own_domains *own, const char *domain);
bool own_domains_has(struct own_domains *own, const char *domain);

/* A line for each, and an empty one. Both return 0, or -1 where it cannot be written, or ends
 * too early. */
int own_domains_save(struct own_domains *own, FILE *out);
int own_domains_load(struct own_domains *own, FILE *in);

#endif
