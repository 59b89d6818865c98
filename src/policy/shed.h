#ifndef POLICY_SHED_H
#define POLICY_SHED_H

/* What is left out under load: lookups, never mail. Two rules, each a look at a few
 * counters:
 *
 * - From SHED_FROM per cent of resolver.max-queries on, lists are left out in the order
 * of their worth: those that count for nothing first (monitor, and the reasons of
 *   refusals), then those that could move the score least. The ones that could move it
 *   most are asked up to the bound itself.
 * - The sessions of one network (/24, IPv6 /48) have a tenth of max-queries under way at
 *   most, but SHED_NETWORK_LEAST always.
 *
 * Belongs to a policy, so a reload begins to count anew. Any thread; no lock. */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/ipaddr.h"
#include "dnsbl/dnsbl.h"

#define SHED_FROM          80
#define SHED_NETWORK_LEAST 100
#define SHED_CELLS         4096 /* a row; a power of 2 */

/* The networks' counters: two rows of cells, each network in one of each, by two hashes.
 * A network is over its bound only where both its cells are, so that a flood takes
 * hardly anybody else's place. */
struct shed {
    uint64_t secret;  /* so that nobody can choose networks that share cells */
    int network_most; /* under way of one network */
    atomic_int cells[2][SHED_CELLS];
};

/* The cells of a network; counted false: of no client that is known. */
struct shed_network {
    bool counted;
    uint16_t cell[2];
};

/* Zeroed memory, and max_queries as configured. */
void shed_init(struct shed *shed, int max_queries);

/* For each list of the set: with how many queries under way it is not asked any more,
 * into dnsbl->most_load. */
void shed_rank(struct dnsbl_set *lists, int max_queries);

/* The same for a question that decides nothing. */
int shed_first(int max_queries);

/* client NULL: not counted. */
struct shed_network shed_network_of(const struct shed *shed, const struct ipaddr *client);

/* Whether the network may have one more lookup under way. Looked at before asking and
 * counted after, so that threads which ask at once may go past the bound by their number.
 */
bool shed_has_place(const struct shed *shed, struct shed_network network);

void shed_asked(struct shed *shed, struct shed_network network);

/* The answer may come before shed_asked was called. */
void shed_answered(struct shed *shed, struct shed_network network);

#endif
