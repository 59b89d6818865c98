/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BENCH_SAMPLES_H
#define BENCH_SAMPLES_H

/* Times that were measured, and their percentiles. */

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct samples {
    uint32_t *us;
    size_t count, size;
};

int64_t now_ns(void); /* CLOCK_MONOTONIC */
void samples_add(struct samples *samples, int64_t from_ns, int64_t to_ns);

/* Prints "name":{"count":…,"p50":…,"p95":…,"p99":…,"max":…}, in microseconds; sorts. */
void samples_print(struct samples *samples, const char *name, FILE *out);
void samples_free(struct samples *samples);

#endif
