/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DAEMON_ASKING_H
#define DAEMON_ASKING_H

/* Questions to the DNS for a person who waits for the answers: past the cache, past the
 * lists' health, and counted for nothing. */

#include <stddef.h>

#include "base/domain.h"
#include "dns/resolver.h"

struct asking {
    char name[DOMAIN_SIZE];    /* canonical; "": nothing is asked */
    struct upstream *upstream; /* borrowed */
    /* what came: */
    struct dns_answer *answer; /* a reference; NULL where nothing was asked */
    int took_ms;
};

/* Asks all for addresses (A), at once, and waits for all: a resolver's deadline at the
 * longest. What cannot be asked for want of memory is DNS_NOT_ASKED. Any thread but the
 * resolver's. */
void asking_all(struct resolver *resolver, struct asking *askings, size_t count);

/* Gives the answers up. */
void asking_clear(struct asking *askings, size_t count);

#endif
