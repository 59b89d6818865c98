/* SPDX-License-Identifier: BSD-2-Clause */
/* Snapshots of counters. What is damaged leaves nothing; what can be read, with a digest
 * that fits, is written and read back as the same octets. */
#include <nettle/sha2.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "rules/counters.h"

#define NOW      INT64_C(1790000000)
#define MAX_KEYS 1000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct octets {
    char *bytes;
    size_t size;
};

static const struct counter_layout layouts[RULE_BY_COUNT] = {
    [RULE_BY_LOGIN] = {.windows = {{.count = COUNT_RECIPIENTS, .span_s = 300},
                                   {.count = COUNT_NETWORKS, .span_s = 3600},
                                   {.count = COUNT_RECIPIENTS, .span_s = 86400},
                                   {.count = COUNT_STRANGERS, .span_s = 86400}},
                       .count = 4},
    [RULE_BY_CLIENT] = {.windows = {{.count = COUNT_UNKNOWN, .span_s = 3600}},
                        .count = 1},
};

/* Empty ones: new counters are a megabyte, which would be most of the time. */
static struct counters *emptied(struct counters **counters)
{
    static const struct counter_layout none[RULE_BY_COUNT];

    if (*counters == NULL && (*counters = counters_new(MAX_KEYS, layouts, NOW)) == NULL)
        abort();
    counters_configure(*counters, MAX_KEYS, none, NOW);
    counters_configure(*counters, MAX_KEYS, layouts, NOW);
    return *counters;
}

static int load(struct counters *counters, const void *bytes, size_t size)
{
    FILE *in = size > 0 ? fmemopen((void *)(uintptr_t)bytes, size, "r") : NULL;
    int rc = in != NULL ? counters_load(counters, NOW, 600, in) : -1;

    if (in != NULL)
        fclose(in);
    return rc;
}

static void check_empty(struct counters *counters)
{
    struct counters_stats stats;

    counters_stats(counters, &stats);
    for (int by = 0; by < RULE_BY_COUNT; by++)
        if (stats.keys[by] != 0)
            abort();
}

static void check_key(void *context, const char *key,
                      const struct counter_reading *reading)
{
    (void)context;
    if (strlen(key) >= COUNTER_KEY_SIZE || reading->first_seen_s > NOW)
        abort();
}

static struct octets saved(struct counters *counters)
{
    struct octets octets = {0};
    FILE *out = open_memstream(&octets.bytes, &octets.size);

    for (int by = 0; by < RULE_BY_COUNT; by++)
        counters_each(counters, (enum rule_by)by, NOW, check_key, NULL);
    if (out == NULL || counters_save(counters, NOW, out) != 0 || fclose(out) != 0)
        abort();
    return octets;
}

static void check_whole(const void *bytes, size_t size)
{
    static struct counters *kept[2];
    struct counters *counters = emptied(&kept[0]), *again = emptied(&kept[1]);
    struct octets first, second;

    if (load(counters, bytes, size) != 0) {
        check_empty(counters);
        return;
    }
    first = saved(counters);
    if (load(again, first.bytes, first.size) != 0)
        abort();
    second = saved(again);
    if (first.size != second.size || memcmp(first.bytes, second.bytes, first.size) != 0)
        abort();
    free(first.bytes);
    free(second.bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sha256_ctx sum;
    uint8_t *whole = malloc(size + SHA256_DIGEST_SIZE);

    if (whole == NULL)
        return 0;
    check_whole(data, size);
    if (size > 0)
        memcpy(whole, data, size);
    sha256_init(&sum);
    sha256_update(&sum, size, data);
    sha256_digest(&sum, SHA256_DIGEST_SIZE, whole + size);
    check_whole(whole, size + SHA256_DIGEST_SIZE);
    free(whole);
    return 0;
}
