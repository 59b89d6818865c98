/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DAEMON_TRIAL_PARTS_H
#define DAEMON_TRIAL_PARTS_H

/* What the files of a trial share: trial.c asks, trial_report.c says what came of it.
 * Private to them. */

#include <jansson.h>

#include "base/text.h"
#include "daemon/daemon.h"
#include "dnsbl/latency.h"
#include "dnsbl/list_state.h"

#define TRIAL_CODES    16
#define TRIAL_EXAMPLES 5

struct trial {
    struct daemon *daemon;
    struct policy *policy; /* a reference */
    struct upstream *upstream;
    struct list list; /* what is tried */
    struct network error_codes[2];
    int64_t began_ms;

    enum health health, health6; /* by the test points of IPv4, of IPv6 */
    char why[WHY_SIZE];

    size_t clients; /* that came in the last hour */
    size_t asked, asked6, listed, errors, unanswered;
    size_t listed_by[VERDICT_REJECT + 1]; /* by the verdict that they had */
    struct {
        struct in_addr code;
        size_t count; /* 0: free */
    } codes[TRIAL_CODES];
    size_t other_codes;
    struct latency latency;
    const char *stopped; /* why not all were asked; NULL: they were */
    struct buffer examples;
    char example_text[TRIAL_EXAMPLES * (IPADDR_TEXT_SIZE + 2)];
    int example_count;
};

/* A new reference, or NULL without memory. */
json_t *trial_report(const struct trial *trial);

#endif
