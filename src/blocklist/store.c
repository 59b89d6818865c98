/* SPDX-License-Identifier: BSD-2-Clause */
/* What all parts of the blocklist share: its state, its clock, the waits of its threads.
 */

#include "blocklist/store.h"

#include <string.h>

#include "base/clock.h"
#include "base/text.h"

void store_trouble(struct blocklist *blocklist, const char *error, bool damage)
{
    bool news = false;

    pthread_mutex_lock(&blocklist->state_lock);
    if (error != NULL) {
        news = strcmp(blocklist->error, error) != 0 && (!blocklist->damaged || damage);
        if (news)
            text_sentence(blocklist->error, sizeof blocklist->error, "%s", error);
        blocklist->damaged = blocklist->damaged || damage;
    } else if (!blocklist->damaged) {
        blocklist->error[0] = '\0';
    }
    pthread_mutex_unlock(&blocklist->state_lock);
    if (news)
        log_error("blocklist: %s", error);
}

bool store_is_stopping(struct blocklist *blocklist)
{
    bool stopping;

    pthread_mutex_lock(&blocklist->wake_lock);
    stopping = blocklist->stopping;
    pthread_mutex_unlock(&blocklist->wake_lock);
    return stopping;
}

bool store_wait(struct blocklist *blocklist, int timeout_ms, bool for_rebuild)
{
    struct timespec until = clock_timespec(clock_ms() + timeout_ms);
    bool go_on;
    int rc = 0;

    pthread_mutex_lock(&blocklist->wake_lock);
    while (rc == 0 && !blocklist->stopping && !(for_rebuild && blocklist->rebuild))
        rc = pthread_cond_clockwait(&blocklist->wake, &blocklist->wake_lock,
                                    CLOCK_MONOTONIC, &until);
    go_on = !blocklist->stopping;
    pthread_mutex_unlock(&blocklist->wake_lock);
    return go_on;
}

void store_rebuild(struct blocklist *blocklist)
{
    pthread_mutex_lock(&blocklist->wake_lock);
    blocklist->rebuild = true;
    pthread_cond_broadcast(&blocklist->wake);
    pthread_mutex_unlock(&blocklist->wake_lock);
}

time_t blocklist_now(const struct blocklist *blocklist)
{
    return walltime_now(&blocklist->walltime);
}
