/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DNSBL_LATENCY_H
#define DNSBL_LATENCY_H

/* How long a list takes to answer: a histogram that forgets slowly, and the deadline that
 * follows from it. Plain values; the owner locks. */

#include <stdint.h>

#define LATENCY_BUCKETS 30

struct latency {
    uint32_t counts[LATENCY_BUCKETS];
    uint32_t total;
};

/* Notes an answer that took ms. */
void latency_note(struct latency *latency, int ms);

/* The time within which so many per cent of the answers came, ms; 0 without any. Right to
 * the width of a bucket: half as much again at most. */
int latency_percentile(const struct latency *latency, int percent);

/* How long an answer of this list is worth waiting for, ms: three times its p99, never
 * below a second nor above most_ms; most_ms while little is known. */
int latency_deadline_ms(const struct latency *latency, int most_ms);

#endif
