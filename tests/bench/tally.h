/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BENCH_TALLY_H
#define BENCH_TALLY_H

/* What came out of the sessions of one group of clients. */

#include <stdint.h>
#include <stdio.h>

#include "samples.h"

enum outcome { OUTCOME_CONTINUE, OUTCOME_ACCEPT, OUTCOME_REJECT, OUTCOME_TEMPFAIL };
#define OUTCOME_COUNT 4

struct tally {
    uint64_t outcomes[OUTCOME_COUNT];
    struct samples session; /* from its begin to its end */
    struct samples
        verdict;         /* to the answer to RCPT: from its begin, or the last message */
    struct samples rcpt; /* from RCPT to its answer */
    char *reply;         /* the first refusal's text, NULL none */
};

/* Keeps a copy of the first refusal's text; NULL is fine. */
void tally_reply(struct tally *tally, const char *reply);

/* Prints it as the members of a JSON object, without braces. */
void tally_print(struct tally *tally, FILE *out);

#endif
