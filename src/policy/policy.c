/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/policy.h"

#include <stdio.h>
#include <stdlib.h>

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

            policy->asks_at |= stage >= 0 ? 1u << stage : 0;
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
    return (policy->asks_at & 1u << stage) != 0;
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
