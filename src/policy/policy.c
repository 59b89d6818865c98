/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/policy.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "policy/envelope.h"

struct policy *policy_new(struct config *config, struct resolver *resolver,
                          struct prober *prober, struct blocklist *blocklist)
{
    struct policy *policy = calloc(1, sizeof *policy);

    if (policy == NULL)
        return NULL;
    if (dnsbl_set_init(&policy->lists, config, resolver, prober) != 0) {
        free(policy);
        return NULL;
    }
    atomic_init(&policy->refs, 1);
    policy->config = config_ref(config);
    policy->resolver = resolver;
    policy->blocklist = blocklist;
    policy->prober = prober;
    for (size_t i = 0; i < policy->lists.count; i++)
        for (int check = 0; check < CHECK_COUNT; check++) {
            int stage = subject_stage(policy->lists.items[i].list, (enum check)check);

            policy->queries_at |= stage >= 0 ? 1u << stage : 0;
        }
    policy->judges_headers =
        policy_queries_at(policy, STAGE_EOM) || config->blocklist.header_from;
    return policy;
}

int policy_keep_journal(struct policy *policy, struct journal *journal)
{
    const struct config *config = policy->config;
    char *lists = NULL, *text = NULL;
    size_t lists_size, text_size;
    FILE *out = open_memstream(&text, &text_size);
    int rc = out != NULL ? config_print(config, out) : -1;

    if (out != NULL && fclose(out) != 0)
        rc = -1;
    out = open_memstream(&lists, &lists_size);
    for (size_t i = 0; out != NULL && i < config->list_count; i++)
        fprintf(out, "%s\n", config->lists[i].name);
    if (out == NULL || fclose(out) != 0)
        rc = -1;
    if (rc == 0) {
        policy->configuration = journal_configuration_new(journal, lists, text);
        policy->journal = policy->configuration != NULL ? journal : NULL;
        rc = policy->journal != NULL ? 0 : -1;
    }
    free(lists);
    free(text);
    return rc;
}

struct policy *policy_ref(struct policy *policy)
{
    atomic_fetch_add_explicit(&policy->refs, 1, memory_order_relaxed);
    return policy;
}

void policy_unref(struct policy *policy)
{
    if (policy == NULL ||
        atomic_fetch_sub_explicit(&policy->refs, 1, memory_order_acq_rel) != 1)
        return;
    dnsbl_set_clear(&policy->lists);
    journal_configuration_unref(policy->configuration);
    config_unref(policy->config);
    free(policy);
}

bool policy_queries_at(const struct policy *policy, enum stage stage)
{
    return (policy->queries_at & 1u << stage) != 0;
}

bool policy_is_due_at(const struct policy *policy, enum stage stage)
{
    enum stage due = policy->config->milter.reject_at;

    return due == stage || (due < stage && stage <= STAGE_RCPT);
}

int policy_slot_init(struct policy_slot *slot, struct policy *policy)
{
    slot->policy = policy;
    slot->recent = NULL;
    return pthread_mutex_init(&slot->lock, NULL) == 0 ? 0 : -1;
}

void policy_slot_clear(struct policy_slot *slot)
{
    policy_unref(slot->policy);
    pthread_mutex_destroy(&slot->lock);
}

struct policy *policy_slot_get(struct policy_slot *slot)
{
    struct policy *policy;

    pthread_mutex_lock(&slot->lock);
    policy = policy_ref(slot->policy);
    pthread_mutex_unlock(&slot->lock);
    return policy;
}

void policy_slot_set(struct policy_slot *slot, struct policy *policy)
{
    struct policy *old;

    pthread_mutex_lock(&slot->lock);
    old = slot->policy;
    slot->policy = policy;
    pthread_mutex_unlock(&slot->lock);
    policy_unref(old);
}

/* --- recent clients --- */

#define RECENT_LOCKS 64 /* a power of 2; each is of every RECENT_LOCKSth set */

struct recent {
    pthread_mutex_t locks[RECENT_LOCKS];
    struct recent_client clients[RECENT_SETS][RECENT_WAYS]; /* family 0: free */
};

struct recent *recent_new(void)
{
    struct recent *recent = calloc(1, sizeof *recent);

    for (int i = 0; recent != NULL && i < RECENT_LOCKS; i++)
        pthread_mutex_init(&recent->locks[i], NULL);
    return recent;
}

void recent_free(struct recent *recent)
{
    for (int i = 0; recent != NULL && i < RECENT_LOCKS; i++)
        pthread_mutex_destroy(&recent->locks[i]);
    free(recent);
}

void recent_note(struct recent *recent, const struct ipaddr *client, enum verdict verdict,
                 int64_t now_ms)
{
    /* whoever chooses addresses that fall together makes us forget his own */
    size_t set = octets_hash(client->octets, sizeof client->octets, OCTETS_HASH_START) %
                 RECENT_SETS;
    struct recent_client *ways = recent->clients[set], *place = ways;

    if (ipaddr_is_local(client))
        return;
    pthread_mutex_lock(&recent->locks[set % RECENT_LOCKS]);
    /* its own place; else a free one (its time is 0), or the oldest */
    for (int i = 0; i < RECENT_WAYS; i++) {
        if (ipaddr_equal(&ways[i].ip, client)) {
            place = &ways[i];
            break;
        }
        if (ways[i].at_ms < place->at_ms)
            place = &ways[i];
    }
    *place = (struct recent_client){
        .at_ms = now_ms, .ip = *client, .verdict = (uint8_t)verdict};
    pthread_mutex_unlock(&recent->locks[set % RECENT_LOCKS]);
}

size_t recent_since(struct recent *recent, int64_t since_ms, struct recent_client **out)
{
    size_t count = 0;

    *out = calloc(RECENT_SETS * RECENT_WAYS, sizeof **out);
    if (*out == NULL)
        return 0;
    for (size_t set = 0; set < RECENT_SETS; set++) {
        pthread_mutex_lock(&recent->locks[set % RECENT_LOCKS]);
        for (int i = 0; i < RECENT_WAYS; i++) {
            const struct recent_client *client = &recent->clients[set][i];

            if (client->ip.family != 0 && client->at_ms >= since_ms)
                (*out)[count++] = *client;
        }
        pthread_mutex_unlock(&recent->locks[set % RECENT_LOCKS]);
    }
    return count;
}
