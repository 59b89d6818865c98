/* SPDX-License-Identifier: BSD-2-Clause */
#include "dnsbl/latency.h"

#include <string.h>

#define FORGET_AT  8192 /* answers: then all counts are halved */
#define KNOWN_FROM 50   /* answers: fewer say little */
#define LEAST_MS                                                                         \
    1000 /* a mail that waits for a second is not hurt; a listing lost is                \
          */
#define P99_TIMES 3

/* The upper ends of the buckets, ms: two to a power of two. */
static int bucket_end(int bucket)
{
    if (bucket < 2)
        return bucket + 1;
    int power = 1 << (bucket / 2);

    return bucket % 2 == 0 ? power : power + power / 2;
}

void latency_note(struct latency *latency, int ms)
{
    int bucket = 0;

    while (bucket < LATENCY_BUCKETS - 1 && ms > bucket_end(bucket))
        bucket++;
    latency->counts[bucket]++;
    if (++latency->total < FORGET_AT)
        return;
    latency->total = 0;
    for (int i = 0; i < LATENCY_BUCKETS; i++) {
        latency->counts[i] /= 2;
        latency->total += latency->counts[i];
    }
}

int latency_percentile(const struct latency *latency, int percent)
{
    uint64_t wanted = ((uint64_t)latency->total * (unsigned)percent + 99) / 100, seen = 0;

    if (latency->total == 0)
        return 0;
    for (int i = 0; i < LATENCY_BUCKETS; i++) {
        seen += latency->counts[i];
        if (seen >= wanted)
            return bucket_end(i);
    }
    return bucket_end(LATENCY_BUCKETS - 1);
}

int latency_deadline_ms(const struct latency *latency, int most_ms)
{
    int deadline_ms;

    if (latency->total < KNOWN_FROM)
        return most_ms;
    deadline_ms = P99_TIMES * latency_percentile(latency, 99);
    if (deadline_ms < LEAST_MS)
        deadline_ms = LEAST_MS;
    return deadline_ms < most_ms ? deadline_ms : most_ms;
}
