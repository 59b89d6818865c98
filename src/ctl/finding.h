/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CTL_FINDING_H
#define CTL_FINDING_H

/* A finding of doctor, as the daemon reports its own. */

#include <jansson.h>

/* Appends one; level is "ok", "warning" or "error", advice "" where there is none. */
void finding_add(json_t *findings, const char *level, const char *what,
                 const char *advice);

#endif
