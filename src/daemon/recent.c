/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/recent.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define LOCKS 64 /* a power of 2; each is of every LOCKSth set */

struct recent {
    pthread_mutex_t locks[LOCKS];
    struct recent_client clients[RECENT_SETS][RECENT_WAYS]; /* family 0: free */
};

struct recent *recent_new(void)
{
    struct recent *recent = calloc(1, sizeof *recent);

    for (int i = 0; recent != NULL && i < LOCKS; i++)
        pthread_mutex_init(&recent->locks[i], NULL);
    return recent;
}

void recent_free(struct recent *recent)
{
    for (int i = 0; recent != NULL && i < LOCKS; i++)
        pthread_mutex_destroy(&recent->locks[i]);
    free(recent);
}

/* FNV-1a: whoever chooses addresses that fall together makes us forget his own. */
static size_t set_of(const struct ipaddr *ip)
{
    uint32_t hash = 2166136261u;

    for (size_t i = 0; i < sizeof ip->octets; i++)
        hash = (hash ^ ip->octets[i]) * 16777619u;
    return (hash ^ hash >> 16) % RECENT_SETS;
}

/* The place of the client in its set, or the one that it takes: a free one (its time is
 * 0), or the oldest. */
static struct recent_client *place_of(struct recent_client *set, const struct ipaddr *ip)
{
    struct recent_client *oldest = set;

    for (int i = 0; i < RECENT_WAYS; i++) {
        if (ipaddr_equal(&set[i].ip, ip))
            return &set[i];
        if (set[i].at_ms < oldest->at_ms)
            oldest = &set[i];
    }
    return oldest;
}

void recent_note(struct recent *recent, const struct ipaddr *client, enum verdict verdict,
                 int64_t now_ms)
{
    size_t set;

    if (ipaddr_is_local(client))
        return;
    set = set_of(client);
    pthread_mutex_lock(&recent->locks[set % LOCKS]);
    *place_of(recent->clients[set], client) = (struct recent_client){
        .at_ms = now_ms, .ip = *client, .verdict = (uint8_t)verdict};
    pthread_mutex_unlock(&recent->locks[set % LOCKS]);
}

size_t recent_since(struct recent *recent, int64_t since_ms, struct recent_client **out)
{
    size_t count = 0;

    *out = calloc(RECENT_SETS * RECENT_WAYS, sizeof **out);
    if (*out == NULL)
        return 0;
    for (size_t set = 0; set < RECENT_SETS; set++) {
        pthread_mutex_lock(&recent->locks[set % LOCKS]);
        for (int i = 0; i < RECENT_WAYS; i++) {
            const struct recent_client *client = &recent->clients[set][i];

            if (client->ip.family != 0 && client->at_ms >= since_ms)
                (*out)[count++] = *client;
        }
        pthread_mutex_unlock(&recent->locks[set % LOCKS]);
    }
    return count;
}
