/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/policy.h"

#include <stdlib.h>

#include "policy/subject.h"

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
    return policy;
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
    config_unref(policy->config);
    free(policy);
}

bool policy_asks_at(const struct policy *policy, enum stage stage)
{
    for (size_t i = 0; i < policy->lists.count; i++)
        for (int check = 0; check < CHECK_COUNT; check++)
            if (subject_stage(policy->lists.items[i].list, (enum check)check) ==
                (int)stage)
                return true;
    return false;
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
