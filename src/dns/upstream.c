/* SPDX-License-Identifier: BSD-2-Clause */
#include "dns/upstream.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"

#define PROBE_NAME     "localhost" /* RFC 6761: each server has an answer of its own */
#define PROBE_AFTER_MS 300         /* of silence */
#define PROBE_LIFE_MS  500
#define PROBE_EVERY_MS 500   /* while it is away */
#define PROBE_FAILURES 2     /* in a row: one may be a lost packet */
#define USUAL_MS       60000 /* away for longer, another server is the usual one */

struct upstream *upstream_new(uint32_t id, const char *text)
{
    struct upstream *upstream = calloc(1, sizeof *upstream);

    if (upstream == NULL)
        return NULL;
    upstream->text = strdup(text);
    if (upstream->text == NULL) {
        free(upstream);
        return NULL;
    }
    upstream->id = id;
    for (size_t i = 0; i < UPSTREAM_SERVERS; i++)
        upstream->servers[i].upstream = upstream;
    return upstream;
}

static void retire_server(struct server *server)
{
    for (size_t i = 0; i < UPSTREAM_CHANNELS; i++) {
        channel_retire(server->slots[i].channel);
        server->slots[i].channel = NULL;
    }
    channel_retire(server->probe_channel);
    server->probe_channel = NULL;
}

void upstream_retire_channels(struct upstream *upstream)
{
    for (size_t i = 0; i < UPSTREAM_SERVERS; i++)
        retire_server(&upstream->servers[i]);
}

void upstream_free(struct upstream *upstream)
{
    free(upstream->text);
    free(upstream);
}

size_t resolv_conf_servers(const char *path, char (*out)[ENDPOINT_SIZE], size_t most,
                           char *dropped, size_t size)
{
    struct buffer left = buffer_over(dropped, size);
    FILE *file = fopen(path, "re");
    char line[512], server[128];
    size_t count = 0, number = 0;

    dropped[0] = '\0';
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        number++;
        if (sscanf(line, " nameserver %127s", server) != 1)
            continue;
        if (count < most && server_canonical(server, out[count]) == 0)
            count++;
        else
            buffer_add(&left, "%sline %zu: %s", left.used > 0 ? ", " : "", number,
                       server);
    }
    if (file != NULL)
        fclose(file);
    if (count == 0 && most > 0 && server_canonical("127.0.0.1", out[0]) == 0)
        count = 1;
    return count;
}

/* The servers that a text names, or /etc/resolv.conf's for "". Returns their number; 0 where
 * the text cannot be read, which is logged. */
static size_t servers_of(const char *text, char (*out)[ENDPOINT_SIZE])
{
    static struct log_limit limit;
    char dropped[256], one[ENDPOINT_SIZE];
    unsigned held_back;
    size_t count = 0;

    if (text[0] == '\0')
        return resolv_conf_servers(RESOLV_CONF, out, UPSTREAM_SERVERS, dropped,
                                   sizeof dropped);
    while (*text != '\0' && count < UPSTREAM_SERVERS) {
        size_t length = strcspn(text, ",");

        if (length >= sizeof one)
            return 0;
        memcpy(one, text, length);
        one[length] = '\0';
        if (server_canonical(one, out[count]) != 0) {
            if (log_limit_pass(&limit, 60000, &held_back))
                log_error("resolver: servers=\"%s\" error=\"Misformatted string\" "
                          "held-back=%u",
                          one, held_back);
            return 0;
        }
        count++;
        text += length + (text[length] == ',');
    }
    return count;
}

void upstream_read_servers(struct upstream *upstream, int64_t now_ms,
                           pthread_mutex_t *lock)
{
    char read[UPSTREAM_SERVERS][ENDPOINT_SIZE];
    size_t count = atomic_load(&upstream->count);

    if (count > 0 && (upstream->text[0] != '\0' ||
                      now_ms - upstream->read_ms < UPSTREAM_CHANNEL_AGE_MS))
        return;
    upstream->read_ms = now_ms;
    count = servers_of(upstream->text, read);
    if (count == 0)
        return; /* logged; those known so far stay */
    for (size_t i = 0; i < count; i++) {
        struct server *server = &upstream->servers[i];

        if (strcmp(server->address, read[i]) == 0)
            continue;
        retire_server(server);
        pthread_mutex_lock(lock);
        memcpy(server->address, read[i], sizeof read[i]);
        pthread_mutex_unlock(lock);
        atomic_store(&server->away_ms, 0);
        server->unanswered_ms = 0;
        server->probe_failures = 0;
    }
    atomic_store(&upstream->count, count);
}

int upstream_pick(const struct upstream *upstream, unsigned tried)
{
    size_t count = atomic_load(&upstream->count);

    for (size_t i = 0; i < count; i++)
        if ((tried & 1u << i) == 0 && atomic_load(&upstream->servers[i].away_ms) == 0)
            return (int)i;
    return -1;
}

int upstream_usual(const struct upstream *upstream, int64_t now_ms)
{
    size_t count = atomic_load(&upstream->count);

    for (size_t i = 0; i < count; i++) {
        int64_t away_ms = atomic_load(&upstream->servers[i].away_ms);

        if (away_ms == 0 || now_ms - away_ms < USUAL_MS)
            return (int)i;
    }
    return 0;
}

bool upstream_is_gone(const struct upstream *upstream, int64_t now_ms, int ms)
{
    size_t count = atomic_load(&upstream->count);

    for (size_t i = 0; i < count; i++) {
        int64_t away_ms = atomic_load(&upstream->servers[i].away_ms);

        if (away_ms == 0 || now_ms - away_ms < ms)
            return false;
    }
    return count > 0;
}

struct channel *upstream_channel(struct upstream *upstream, int index,
                                 struct channel_set *set, int life_ms, int64_t now_ms)
{
    struct server *server = &upstream->servers[index];
    struct slot *slot = &server->slots[server->turn++ % UPSTREAM_CHANNELS];

    if (server->address[0] == '\0')
        return NULL; /* there is no server to be read; it was logged */
    if (slot->channel != NULL && (channel_sent(slot->channel) >= UPSTREAM_CHANNEL_ASKS ||
                                  now_ms - slot->since_ms >= UPSTREAM_CHANNEL_AGE_MS)) {
        channel_retire(slot->channel);
        slot->channel = NULL;
    }
    if (slot->channel == NULL) {
        slot->channel = channel_new(set, server->address, life_ms);
        slot->since_ms = now_ms;
    }
    if (server->unanswered_ms == 0)
        server->unanswered_ms = now_ms;
    return slot->channel;
}

void upstream_heard(struct upstream *upstream, int index, int64_t now_ms)
{
    struct server *server = &upstream->servers[index];
    int64_t away_ms = atomic_load(&server->away_ms);

    server->unanswered_ms = 0;
    server->probe_failures = 0;
    if (away_ms == 0)
        return;
    log_notice("resolver: server=%s state=back away=%lldms", server->address,
               (long long)(now_ms - away_ms));
    atomic_store(&upstream->back_ms, now_ms); /* before: who sees one sees the other */
    atomic_store(&server->away_ms, 0);
    upstream->changed = true;
}

/* The one place where a server is found to answer nothing. */
static void go_away(struct upstream *upstream, struct server *server, const char *why,
                    int64_t now_ms)
{
    if (atomic_load(&server->away_ms) == 0) {
        log_warning("resolver: server=%s state=away why=\"%s\"", server->address, why);
        atomic_store(&server->away_ms, now_ms);
        upstream->changed |= upstream_pick(upstream, 0) >= 0;
    }
    server->probe_at_ms = now_ms + PROBE_EVERY_MS;
}

void upstream_unreachable(struct upstream *upstream, int index, int64_t now_ms)
{
    struct server *server = &upstream->servers[index];

    if (atomic_load(&server->away_ms) == 0)
        go_away(upstream, server, "connection refused", now_ms);
}

static void on_probe(struct channel_query *query, enum dns_status failure,
                     const uint8_t *packet, size_t size)
{
    struct server *server =
        (struct server *)((char *)query - offsetof(struct server, probe));
    struct upstream *upstream = server->upstream;
    int64_t now_ms = clock_ms();

    (void)size;
    server->probing = false;
    if (packet != NULL)
        upstream_heard(upstream, (int)(server - upstream->servers), now_ms);
    else if (failure == DNS_UNREACHABLE)
        go_away(upstream, server, "connection refused", now_ms);
    else if (failure == DNS_TIMEOUT && ++server->probe_failures >= PROBE_FAILURES)
        go_away(upstream, server, "no answer", now_ms);
}

static void probe(struct server *server, struct channel_set *set)
{
    if (server->probe_channel != NULL &&
        channel_sent(server->probe_channel) >= UPSTREAM_CHANNEL_ASKS) {
        channel_retire(server->probe_channel);
        server->probe_channel = NULL;
    }
    if (server->probe_channel == NULL)
        server->probe_channel = channel_new(set, server->address, PROBE_LIFE_MS);
    if (server->probe_channel == NULL)
        return;
    server->probing = true;
    server->probe.done = on_probe;
    channel_send(server->probe_channel, DNS_TXT, PROBE_NAME, &server->probe);
}

void upstream_tick(struct upstream *upstream, struct channel_set *set, int64_t now_ms)
{
    size_t count = atomic_load(&upstream->count);

    for (size_t i = 0; i < count; i++) {
        struct server *server = &upstream->servers[i];
        bool away = atomic_load(&server->away_ms) != 0;
        bool silent = server->unanswered_ms != 0 &&
                      now_ms - server->unanswered_ms >= PROBE_AFTER_MS;

        if (!server->probing && (away ? now_ms >= server->probe_at_ms : silent))
            probe(server, set);
    }
}
