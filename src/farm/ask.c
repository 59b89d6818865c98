/* SPDX-License-Identifier: BSD-2-Clause */
/* What others ask of the farm: how far a change has come, the state, a comparison. Any thread
 * but the farm's own, which answers. */

#include "config.h"

#include "farm/farm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "farm/parts.h"

const char *farm_node(const struct farm *farm)
{
    return farm->node;
}

void farm_renumber(struct farm *farm, int number)
{
    atomic_store(&farm->number, number); /* the next beat says so */
}

/* Under the lock. */
static unsigned hosts_that_have(const struct farm *farm, uint64_t seq)
{
    unsigned have = 0;

    for (unsigned i = 0; i < farm->status.host_count; i++)
        have += farm->applied[i] >= 0 && (uint64_t)farm->applied[i] >= seq;
    return have;
}

void farm_reach(struct farm *farm, int wait_ms, struct farm_reach *out)
{
    struct timespec until = clock_timespec(clock_ms() + wait_ms);
    uint64_t round, seq = 0;
    int rc = 0;

    memset(out, 0, sizeof *out);
    pthread_mutex_lock(&farm->lock);
    round = ++farm->asked;
    farm->waiters++;
    farm_wake(farm);
    for (;;) {
        if (!out->reached && farm->sent_round >= round) {
            out->reached = true;
            seq = farm->sent_seq;
        }
        out->hosts = farm->status.host_count;
        out->have = out->reached ? hosts_that_have(farm, seq) : 0;
        if ((out->reached && out->hosts > 0 && out->have == out->hosts) ||
            (!out->reached && farm->failed_round >= round) || rc != 0 ||
            atomic_load(&farm->stopping))
            break;
        rc = pthread_cond_clockwait(&farm->news, &farm->lock, CLOCK_MONOTONIC, &until);
    }
    farm->waiters--;
    memcpy(out->error, farm->status.error, sizeof out->error);
    pthread_mutex_unlock(&farm->lock);
    if (!out->reached) {
        char error[BLOCKLIST_ERROR_SIZE];

        (void)shared_waiting(farm->blocklist, &out->waiting, error); /* 0 then */
    }
}

void farm_status(struct farm *farm, struct farm_status *out)
{
    char error[BLOCKLIST_ERROR_SIZE];
    struct farm_host *hosts;
    int64_t waiting;

    if (shared_waiting(farm->blocklist, &waiting, error) != BLOCKLIST_OK)
        waiting = -1;
    pthread_mutex_lock(&farm->lock);
    *out = farm->status;
    out->waiting = waiting;
    out->read_ms = farm->read_at_ms != 0 ? clock_ms() - farm->read_at_ms : -1;
    hosts = calloc(out->host_count + 1, sizeof *hosts);
    if (hosts != NULL && out->host_count > 0)
        memcpy(hosts, farm->status.hosts, out->host_count * sizeof *hosts);
    pthread_mutex_unlock(&farm->lock);
    if (hosts == NULL)
        out->host_count = 0;
    out->hosts = hosts;
}

void farm_status_end(struct farm_status *status)
{
    free(status->hosts);
    status->hosts = NULL;
    status->host_count = 0;
}

int farm_compare(struct farm *farm, bool full, int wait_ms, struct farm_comparison *out,
                 char error[static FARM_ERROR_SIZE])
{
    struct timespec until = clock_timespec(clock_ms() + wait_ms);
    uint64_t asked;
    int rc = 0;

    error[0] = '\0';
    pthread_mutex_lock(&farm->lock);
    asked = ++farm->compares_asked;
    farm->compare_full |= full;
    farm_wake(farm);
    while (farm->compares_done < asked && rc == 0 && !atomic_load(&farm->stopping) &&
           (farm->status.connected || farm->status.error[0] == '\0'))
        rc = pthread_cond_clockwait(&farm->news, &farm->lock, CLOCK_MONOTONIC, &until);
    if (farm->compares_done < asked)
        text_sentence(error, FARM_ERROR_SIZE, "%s",
                      farm->status.error[0] != '\0'
                          ? farm->status.error
                          : "it takes longer than one can wait");
    else
        memcpy(error, farm->comparison_error, FARM_ERROR_SIZE);
    *out = farm->comparison;
    pthread_mutex_unlock(&farm->lock);
    return error[0] == '\0' ? 0 : -1;
}

int farm_forget(struct farm *farm, const char *node, int wait_ms,
                char error[static FARM_ERROR_SIZE])
{
    struct timespec until = clock_timespec(clock_ms() + wait_ms);
    int rc = 0, done;

    error[0] = '\0';
    pthread_mutex_lock(&farm->lock);
    if (!text_copy(node, farm->forget, sizeof farm->forget)) {
        pthread_mutex_unlock(&farm->lock);
        return 0;
    }
    farm->forgotten = 2;
    farm_wake(farm);
    while (farm->forgotten == 2 && rc == 0 && !atomic_load(&farm->stopping) &&
           (farm->status.connected || farm->status.error[0] == '\0'))
        rc = pthread_cond_clockwait(&farm->news, &farm->lock, CLOCK_MONOTONIC, &until);
    done = farm->forgotten;
    farm->forget[0] = '\0';
    if (done == 2)
        text_sentence(error, FARM_ERROR_SIZE, "the farm cannot be reached (%s)",
                      farm->status.error);
    pthread_mutex_unlock(&farm->lock);
    return done == 2 ? -1 : done;
}

bool farm_is_built_in(void)
{
    return true;
}

const char *farm_library_version(void)
{
    static char text[16];
    int version = PQlibVersion();

    (void)snprintf(text, sizeof text, "%d.%d", version / 10000, version % 10000);
    return text;
}
