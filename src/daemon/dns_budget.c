/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/dns_budget.h"

#include <stddef.h>

/* The user's place, else that of whoever has the most left. */
static size_t place_of(const struct dns_budget *budget, uid_t uid)
{
    size_t place = 0;

    for (size_t i = 0; i < DNS_BUDGET_USERS; i++) {
        if (budget->users[i].full_ms != 0 && budget->users[i].uid == uid)
            return i;
        if (budget->users[i].full_ms < budget->users[place].full_ms)
            place = i;
    }
    return place;
}

int64_t dns_budget_take(struct dns_budget *budget, uid_t uid, int tokens, int64_t now_ms)
{
    int64_t full_ms = now_ms, wait_ms;
    size_t i;

    pthread_mutex_lock(&budget->lock);
    i = place_of(budget, uid);
    if (budget->users[i].uid == uid && budget->users[i].full_ms > now_ms)
        full_ms = budget->users[i].full_ms;
    full_ms += (int64_t)tokens * DNS_BUDGET_TOKEN_MS;
    wait_ms = full_ms - now_ms - (int64_t)DNS_BUDGET_TOKENS * DNS_BUDGET_TOKEN_MS;
    if (wait_ms <= 0) {
        budget->users[i].uid = uid;
        budget->users[i].full_ms = full_ms;
    }
    pthread_mutex_unlock(&budget->lock);
    return wait_ms > 0 ? wait_ms : 0;
}
