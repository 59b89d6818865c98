/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CTL_PROGRESS_H
#define CTL_PROGRESS_H

/* How far an import is, on standard error where that is a terminal. */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct progress {
    FILE *in;        /* the file being read; NULL: nothing is shown */
    int64_t size;    /* of the file; 0: not known */
    int64_t next_ms; /* when it is worth showing again */
    bool shown;      /* a line stands there */
};

void progress_begin(struct progress *progress, FILE *in);

/* Shows the number of rows read so far; ten times a second at most, and not in the first
 * half second. */
void progress_show(struct progress *progress, unsigned long rows);

/* Says that the change is being made. */
void progress_commit(struct progress *progress);

/* Takes the line away, for other text. */
void progress_clear(struct progress *progress);

#endif
