#include "policy/shed.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define NETWORK_SHARE 10 /* one in so many of max-queries */

void shed_init(struct shed *shed, int max_queries)
{
    int share = max_queries / NETWORK_SHARE;

    shed->network_most = share > SHED_NETWORK_LEAST ? share : SHED_NETWORK_LEAST;
    if (getrandom(&shed->secret, sizeof shed->secret, GRND_NONBLOCK) !=
        sizeof shed->secret)
        shed->secret = (uintptr_t)shed; /* early at boot: not known to strangers either */
}

/* What a list's answer can move the score by, up or down. */
static int worth_of(const struct dnsbl *dnsbl)
{
    return dnsbl->most > -dnsbl->least ? dnsbl->most : -dnsbl->least;
}

/* The next larger worth than above, among the lists; INT_MAX: none. */
static int next_worth(const struct dnsbl_set *lists, int above)
{
    int next = INT_MAX;

    for (size_t i = 0; i < lists->count; i++)
        if (worth_of(&lists->items[i]) > above && worth_of(&lists->items[i]) < next)
            next = worth_of(&lists->items[i]);
    return next;
}

int shed_first(int max_queries)
{
    return (int)(((int64_t)max_queries * SHED_FROM + 99) / 100);
}

/* The steps from SHED_FROM to the bound are even, one for each worth that there is. */
void shed_rank(struct dnsbl_set *lists, int max_queries)
{
    int first = shed_first(max_queries), steps = 0, step = 0;

    for (int worth = next_worth(lists, 0); worth != INT_MAX;
         worth = next_worth(lists, worth))
        steps++;
    for (size_t i = 0; i < lists->count; i++)
        if (worth_of(&lists->items[i]) == 0)
            lists->items[i].most_load = first;
    for (int worth = next_worth(lists, 0); worth != INT_MAX;
         worth = next_worth(lists, worth)) {
        step++;
        for (size_t i = 0; i < lists->count; i++)
            if (worth_of(&lists->items[i]) == worth)
                lists->items[i].most_load =
                    first + (int)((int64_t)(max_queries - first) * step / steps);
    }
}

/* A mixer of 64 bits (the finalizer of MurmurHash3). */
static uint64_t mixed(uint64_t x)
{
    x ^= x >> 33;
    x *= 0xff51afd7ed558ccdULL;
    x ^= x >> 33;
    x *= 0xc4ceb9fe1a85ec53ULL;
    return x ^ x >> 33;
}

struct shed_network shed_network_of(const struct shed *shed, const struct ipaddr *client)
{
    struct shed_network network = {0};
    uint64_t octets = 0, hash;

    if (client == NULL)
        return network;
    memcpy(&octets, client->octets, client->family == 4 ? 3 : 6);
    hash = mixed(mixed(octets ^ (uint64_t)client->family << 56 ^ shed->secret) +
                 shed->secret);
    network.counted = true;
    network.cell[0] = hash % SHED_CELLS;
    network.cell[1] = (hash >> 32) % SHED_CELLS;
    return network;
}

bool shed_has_place(const struct shed *shed, struct shed_network network)
{
    if (!network.counted)
        return true;
    for (int row = 0; row < 2; row++)
        if (atomic_load_explicit(&shed->cells[row][network.cell[row]],
                                 memory_order_relaxed) < shed->network_most)
            return true;
    return false;
}

static void move(struct shed *shed, struct shed_network network, int by)
{
    for (int row = 0; row < 2 && network.counted; row++)
        atomic_fetch_add_explicit(&shed->cells[row][network.cell[row]], by,
                                  memory_order_relaxed);
}

void shed_asked(struct shed *shed, struct shed_network network)
{
    move(shed, network, 1);
}

void shed_answered(struct shed *shed, struct shed_network network)
{
    move(shed, network, -1);
}
