/* SPDX-License-Identifier: BSD-2-Clause */
#include "samples.h"

#include <stdlib.h>
#include <time.h>

#include "tool.h"

int64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void samples_add(struct samples *samples, int64_t from_ns, int64_t to_ns)
{
    if (samples->count == samples->size) {
        samples->size = samples->size * 2 + 1024;
        samples->us = reallocarray(samples->us, samples->size, sizeof *samples->us);
        if (samples->us == NULL)
            die("out of memory");
    }
    samples->us[samples->count++] = (uint32_t)((to_ns - from_ns) / 1000);
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

/* The smallest sample that is not below part of all (nearest rank). */
static uint32_t percentile(const struct samples *samples, unsigned percent)
{
    if (samples->count == 0)
        return 0;
    size_t rank = (samples->count * percent + 99) / 100;
    return samples->us[rank > 0 ? rank - 1 : 0];
}

void samples_print(struct samples *samples, const char *name, FILE *out)
{
    if (samples->count > 0)
        qsort(samples->us, samples->count, sizeof *samples->us, by_value);
    fprintf(out, "\"%s\":{\"count\":%zu,\"p50\":%u,\"p95\":%u,\"p99\":%u,\"max\":%u}",
            name, samples->count, percentile(samples, 50), percentile(samples, 95),
            percentile(samples, 99), percentile(samples, 100));
}

void samples_free(struct samples *samples)
{
    free(samples->us);
    *samples = (struct samples){0};
}
