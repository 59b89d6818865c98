/* SPDX-License-Identifier: BSD-2-Clause */
/* How far this host and the others are: each says so in the database, and sees the others'
 * word; and what other threads ask about it, which the farm's own thread answers. */

#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "farm/parts.h"

/* --- the farm's thread: this host's word, and the others' --- */

static void note_twice(struct farm *farm, bool twice)
{
    pthread_mutex_lock(&farm->lock);
    for (unsigned i = 0; i < farm->status.host_count; i++)
        if (farm->status.hosts[i].own)
            farm->status.hosts[i].twice = twice;
    pthread_mutex_unlock(&farm->lock);
    if (twice)
        log_warning("farm: node=%s: another host has the same name: set node in the farm "
                    "section",
                    farm->node);
}

int hosts_beat(struct farm *farm)
{
    char applied[24], entries[24], waiting[24], refused[24], number[24];
    const char *values[] = {farm->node, farm->instance, PACKAGE_VERSION, applied,
                            entries,    waiting,        refused,         number};
    char error[BLOCKLIST_ERROR_SIZE];
    struct blocklist_status status;
    uint64_t entry_count = 0;
    PGresult *result;
    int64_t keys;

    if (shared_waiting(farm->blocklist, &keys, error) != BLOCKLIST_OK)
        return farm_failed(farm, error);
    (void)snprintf(applied, sizeof applied, "%" PRId64, farm->state.seq);
    blocklist_status(farm->blocklist, &status);
    for (int i = 0; i < ENTRY_KIND_COUNT; i++)
        entry_count += status.entries[i];
    (void)snprintf(entries, sizeof entries, "%" PRIu64, entry_count);
    (void)snprintf(waiting, sizeof waiting, "%" PRId64, keys);
    pthread_mutex_lock(&farm->lock);
    farm->status.waiting = keys;
    (void)snprintf(refused, sizeof refused, "%" PRId64, farm->status.refused);
    pthread_mutex_unlock(&farm->lock);
    (void)snprintf(number, sizeof number, "%d", atomic_load(&farm->number));
    result = connection_query_kept(&farm->connection,
                                   "SELECT farm.beat($1, $2, $3, $4::bigint, $5::bigint,"
                                   " $6::bigint, $7::bigint, $8::smallint)",
                                   8, values);
    if (result == NULL)
        return farm_failed(farm, NULL);
    /* the first may find our own earlier life's */
    if (farm->beats++ > 0 && PQntuples(result) == 1 && !PQgetisnull(result, 0, 0))
        note_twice(farm, strcmp(result_text(result, 0, 0), farm->instance) != 0);
    PQclear(result);
    farm->beaten_seq = farm->state.seq;
    return 0;
}

/* A row for host_of, with how far it is, and with whether there is a standby. */
static const char hosts_sql[] =
    "SELECT n.name, n.version, extract(epoch FROM n.since)::bigint,"
    " coalesce(b.applied, -1), coalesce((extract(epoch FROM clock_timestamp() - b.seen) *"
    " 1000)::bigint, -1), coalesce(b.entries, 0), coalesce(b.waiting, 0),"
    " coalesce(b.refused, 0), coalesce((extract(epoch FROM clock_timestamp() - (SELECT"
    " c.stored FROM farm.change c WHERE c.seq > b.applied ORDER BY c.seq LIMIT 1)) *"
    " 1000)::bigint, 0), coalesce(n.number, -1),"
    " current_setting('synchronous_standby_names') <> ''"
    " FROM farm.node n LEFT JOIN farm.beat b USING (name)"
    " ORDER BY n.name COLLATE \"C\" LIMIT 1000";

static struct farm_host host_of(const struct farm *farm, const PGresult *result, int i)
{
    struct farm_host host = {
        .since = result_number(result, i, 2),
        .seen_ms = result_number(result, i, 4),
        .entries = result_number(result, i, 5),
        .waiting = result_number(result, i, 6),
        .refused = result_number(result, i, 7),
        .lag_ms = result_number(result, i, 8),
        .number = (int)(result_number(result, i, 9) % 64), /* -1: none */
    };

    (void)text_clean(result_text(result, i, 0), host.name, sizeof host.name); /* cut */
    (void)text_clean(result_text(result, i, 1), host.version, sizeof host.version);
    host.own = strcmp(result_text(result, i, 0), farm->node) == 0;
    return host;
}

int hosts_look(struct farm *farm)
{
    PGresult *result = connection_query_kept(&farm->connection, hosts_sql, 0, NULL);
    struct farm_host *hosts, *old;
    int count;

    if (result == NULL)
        return farm_failed(farm, NULL);
    count = PQnfields(result) != 11              ? 0
            : PQntuples(result) > FARM_HOSTS_MAX ? FARM_HOSTS_MAX
                                                 : PQntuples(result);
    hosts = calloc((size_t)count + 1, sizeof *hosts);
    if (hosts == NULL) {
        PQclear(result);
        return farm_failed(farm, "no memory");
    }
    for (int i = 0; i < count; i++)
        hosts[i] = host_of(farm, result, i);
    pthread_mutex_lock(&farm->lock);
    farm->status.has_standby = count > 0 && result_text(result, 0, 10)[0] == 't';
    old = farm->status.hosts;
    for (unsigned i = 0, k = 0; i < (unsigned)count; i++) {
        while (k < farm->status.host_count && strcmp(old[k].name, hosts[i].name) < 0)
            k++;
        if (k < farm->status.host_count && strcmp(old[k].name, hosts[i].name) == 0)
            hosts[i].twice = old[k].twice;
        farm->applied[i] = result_number(result, (int)i, 3);
    }
    farm->status.hosts = hosts;
    farm->status.host_count = (unsigned)count;
    pthread_cond_broadcast(&farm->news);
    pthread_mutex_unlock(&farm->lock);
    free(old);
    PQclear(result);
    return 0;
}

int hosts_forget(struct farm *farm)
{
    char name[FARM_NAME_SIZE];
    const char *values[] = {name};
    PGresult *result;
    int64_t count;

    pthread_mutex_lock(&farm->lock);
    memcpy(name, farm->forget, sizeof name);
    pthread_mutex_unlock(&farm->lock);
    if (name[0] == '\0')
        return 0;
    result =
        connection_query(&farm->connection, "SELECT farm.forget_node($1)", 1, values);
    if (result == NULL)
        return farm_failed(farm, NULL);
    count = result_number(result, 0, 0);
    PQclear(result);
    pthread_mutex_lock(&farm->lock);
    farm->forget[0] = '\0';
    farm->forgotten = count > 0;
    pthread_cond_broadcast(&farm->news);
    pthread_mutex_unlock(&farm->lock);
    return 0;
}

/* --- any other thread --- */

const char *farm_node(const struct farm *farm)
{
    return farm->node;
}

void farm_renumber(struct farm *farm, int number)
{
    atomic_store(&farm->number, number); /* the next beat says so */
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
        out->have = 0;
        for (unsigned i = 0; i < farm->status.host_count && out->reached; i++)
            out->have += farm->applied[i] >= 0 && (uint64_t)farm->applied[i] >= seq;
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
