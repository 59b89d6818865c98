/* SPDX-License-Identifier: BSD-2-Clause */
/* What counting costs: time of an event with its reading, memory, time of a snapshot.
 *
 *   counters_bench LOGINS EVENTS [THREADS]
 *
 * Each login has the windows of the rules that ship; an event is an accepted recipient, as
 * it is counted at RCPT: recipients, tried, the client's network. */

#include <inttypes.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "rules/counters.h"
#include "tool.h"

#define NOW         INT64_C(1790000000)
#define THREADS_MAX 64

static const struct counter_layout layouts[RULE_BY_COUNT] = {
    [RULE_BY_LOGIN] = {.windows = {{.count = COUNT_RECIPIENTS, .span_s = 300},
                                   {.count = COUNT_RECIPIENTS, .span_s = 3600},
                                   {.count = COUNT_RECIPIENTS, .span_s = 86400},
                                   {.count = COUNT_TRIED, .span_s = 3600},
                                   {.count = COUNT_TRIED, .span_s = 86400},
                                   {.count = COUNT_UNKNOWN, .span_s = 3600},
                                   {.count = COUNT_UNKNOWN, .span_s = 86400},
                                   {.count = COUNT_LIST_MAIL, .span_s = 3600},
                                   {.count = COUNT_LIST_MAIL, .span_s = 86400},
                                   {.count = COUNT_NETWORKS, .span_s = 3600},
                                   {.count = COUNT_COMPLAINTS, .span_s = 604800},
                                   {.count = COUNT_MESSAGES, .span_s = 604800}},
                       .count = 12},
    [RULE_BY_SENDER] = {.windows = {{.count = COUNT_UNKNOWN, .span_s = 3600}},
                        .count = 1},
};

static struct {
    struct counters *counters;
    uint64_t logins, events;
    unsigned networks; /* of a login */
    bool strangers;    /* senders that come once, not logins */
} run;

static void *count_events(void *context)
{
    uint64_t first = *(const uint64_t *)context;
    struct counter_reading reading;

    for (uint64_t i = first; i < first + run.events; i++) {
        uint64_t network = mix(i) % run.networks;
        uint64_t n = run.strangers ? i : mix(i) % run.logins;
        const struct counter_event events[] = {
            {.count = COUNT_RECIPIENTS, .n = 1},
            {.count = COUNT_TRIED, .n = 1},
            {.count = COUNT_NETWORKS,
             .n = 1,
             .element = counters_hash(&network, sizeof network)},
        };
        char key[40];

        snprintf(key, sizeof key, "user%" PRIu64 "@example.com", n);
        counters_add(run.counters, run.strangers ? RULE_BY_SENDER : RULE_BY_LOGIN, key,
                     run.strangers, events, 3, NOW + (int64_t)(i / 2000), &reading);
    }
    return NULL;
}

static void measure(const char *label, unsigned threads)
{
    pthread_t ids[THREADS_MAX];
    uint64_t first[THREADS_MAX];
    int64_t began = clock_ns(CLOCK_MONOTONIC), cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    double events = (double)(run.events * threads);

    for (unsigned i = 0; i < threads; i++) {
        first[i] = i * run.events;
        if (pthread_create(&ids[i], NULL, count_events, &first[i]) != 0)
            abort();
    }
    for (unsigned i = 0; i < threads; i++)
        pthread_join(ids[i], NULL);
    printf("%-34s %6.0f ns of CPU an event, %.0f ns of time\n", label,
           (double)(clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu) / events,
           (double)(clock_ns(CLOCK_MONOTONIC) - began) / events);
}

static void fill(void)
{
    size_t before = mallinfo2().uordblks + mallinfo2().hblkhd;
    struct counters_stats stats;

    run.counters = counters_new(run.logins, layouts, NOW);
    if (run.counters == NULL)
        abort();
    for (uint64_t n = 0; n < run.logins; n++) {
        const struct counter_event event = {.count = COUNT_RECIPIENTS, .n = 1};
        char key[40];

        snprintf(key, sizeof key, "user%" PRIu64 "@example.com", n);
        if (!counters_add(run.counters, RULE_BY_LOGIN, key, false, &event, 1, NOW, NULL))
            abort();
    }
    counters_stats(run.counters, &stats);
    printf("%-34s %6.1f MB (by its own count %.1f)\n", "logins, new",
           (double)(mallinfo2().uordblks + mallinfo2().hblkhd - before) / 1e6,
           (double)stats.octets / 1e6);
}

static void snapshot(void)
{
    char *octets = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&octets, &size);
    struct counters *other = counters_new(run.logins, layouts, NOW);
    int64_t began = clock_ns(CLOCK_MONOTONIC);

    if (out == NULL || other == NULL || counters_save(run.counters, NOW, out) != 0 ||
        fclose(out) != 0)
        abort();
    printf("%-34s %6.1f MB in %.2f s\n", "snapshot", (double)size / 1e6,
           (double)(clock_ns(CLOCK_MONOTONIC) - began) / 1e9);
    began = clock_ns(CLOCK_MONOTONIC);
    out = fmemopen(octets, size, "r");
    if (out == NULL || counters_load(other, NOW, 600, out) != 0)
        abort();
    printf("%-34s %6.2f s\n", "loaded",
           (double)(clock_ns(CLOCK_MONOTONIC) - began) / 1e9);
    fclose(out);
    began = clock_ns(CLOCK_MONOTONIC);
    counters_configure(other, run.logins, layouts, NOW);
    printf("%-34s %6.2f s\n", "configured",
           (double)(clock_ns(CLOCK_MONOTONIC) - began) / 1e9);
    counters_free(other);
    free(octets);
}

int main(int argc, char **argv)
{
    unsigned threads = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 1;
    struct counters_stats stats;
    char label[64];

    if (argc < 3 || threads == 0 || threads > THREADS_MAX) {
        fprintf(stderr, "usage: counters_bench LOGINS EVENTS [THREADS]\n");
        return 1;
    }
    run.logins = strtoull(argv[1], NULL, 10);
    run.events = strtoull(argv[2], NULL, 10);
    fill();
    for (run.networks = 3; run.networks < 5000; run.networks *= 10) {
        snprintf(label, sizeof label, "%u networks", run.networks);
        measure(label, threads);
    }
    counters_stats(run.counters, &stats);
    printf("%-34s %6.1f MB\n", "by its own count", (double)stats.octets / 1e6);
    run.networks = 3;
    run.strangers = true;
    measure("forged senders", threads);
    snapshot();
    counters_free(run.counters);
    return 0;
}
