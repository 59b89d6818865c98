/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef RULES_FINDINGS_PARTS_H
#define RULES_FINDINGS_PARTS_H

/* What findings.c and findings_shared.c share. Private to this folder. */

#include <pthread.h>

#include "base/sql.h"
#include "rules/findings.h"

struct findings {
    pthread_mutex_t lock;
    sqlite3 *db;
    int64_t heard; /* rows of other hosts; -1: to be counted */
};

/* A row of these columns; its texts live until the next step. */
#define FINDING_COLUMNS                                                                  \
    "no, at, rule, entry, key, because, state, by_rule, block, for_s, expires, held,"    \
    " evidence, who, reason, decided_at, node, id"
struct finding_row finding_read(sqlite3_stmt *stmt);

/* Gives the lock back. Returns 0, or -1 with the cause logged. */
int findings_end(struct findings *f, int rc);

#endif
