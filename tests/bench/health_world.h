/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BENCH_HEALTH_WORLD_H
#define BENCH_HEALTH_WORLD_H

/* The mail of many days at seven sites, and what each list truly has: days and nights,
 * spam waves, lists that differ in speed, reach and mistakes. Deterministic by its seed;
 * one thread. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LISTS      9
#define LIST_ALLOW 7
#define LIST_NAMES 8 /* of sender domains */
#define SITES      7
#define HOUR       3600.0
#define DAY        86400.0
#define SENDERS    20000 /* honest ones; how often each writes is Zipf's law */
#define GREYS      100 /* spammers that keep an address for ten days, so many at a time */
#define IDS        (SENDERS + 40 * GREYS) /* those who come again; above: bots, once */

struct kind {
    const char *name;
    double reach;       /* of the bots that it ever lists */
    double delay_s;     /* mean, from a bot's first mail to the listing */
    double policy;      /* of all bots, listed before they send: dial-up ranges */
    double false_share; /* of honest senders, others each three days; an allow list's:
                           those that it has */
    bool ipv6;
};
extern const struct kind kinds[LISTS];

struct site {
    const char *name;
    double rate;    /* clients a second, mean of the day */
    double honest;  /* of the mails, without waves */
    unsigned lists; /* the bits of those that it has */
};
extern const struct site sites[SITES];

/* A wave: bots that nobody knew, all from its beginning on. Each list meets it in its own
 * way: some at once and nearly whole, some late, some never. Or, alone: no one else
 * comes, and every block list has them. */
struct wave {
    double begin_s, end_s, times; /* how many times the usual rate */
    double reach[LISTS], delay_s[LISTS], policy;
    bool alone;
};

struct world {
    const struct site *site;
    double now_s, next_wave_s;
    struct wave wave;
};

struct client {
    uint32_t id; /* of its address, and of its sender's domain */
    bool honest;
    bool named; /* its name is confirmed */
    bool ipv6;
    unsigned listed; /* bits of the lists that have it */
};

void chance_begin(uint64_t seed);
double chance(void); /* 0 to 1 */
double exponential(double mean);
double hashed(uint64_t a, uint64_t b, uint64_t c); /* 0 to 1, always the same */

void world_begin(struct world *world, const struct site *site);

/* The next client; now_s goes on until it comes. */
struct client world_next(struct world *world);

/* Whether the list truly has a client that comes again, or its domain, now. */
bool world_lists(const struct world *world, uint32_t id, int list);

bool world_is_ipv6(uint32_t id);

#endif
