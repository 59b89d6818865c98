/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DAEMON_DOCTOR_PARTS_H
#define DAEMON_DOCTOR_PARTS_H

/* What the files of the doctor share: doctor.c puts the findings together,
 * and looks at what the daemon knows of itself and at rights; doctor_lists.c looks at each
 * list, for lists that hold one another, and at the resolver. Private to them. */

#include <jansson.h>

#include "daemon/daemon.h"

enum level { LEVEL_ERROR, LEVEL_WARNING, LEVEL_OK };
#define LEVEL_COUNT 3

struct doctor {
    struct daemon *daemon;
    struct policy *policy; /* in force as the examination began */
    json_t *findings[LEVEL_COUNT];
};

/* Adds a finding: what is so (a format), and what to do ("" of LEVEL_OK). Strangers' text
 * in it is cleaned. */
void doctor_say(struct doctor *doctor, enum level level, const char *advice,
                const char *what, ...) __attribute__((format(printf, 4, 5)));

/* How much was found wrong so far: to say "ok" only where that has not grown. */
size_t doctor_wrong(const struct doctor *doctor);

/* The examinations. */
void doctor_lists(struct doctor *doctor);
void doctor_twins(struct doctor *doctor);
void doctor_resolver(struct doctor *doctor);
void doctor_farm(struct doctor *doctor); /* commands_farm.c */
void doctor_files(struct doctor *doctor);
void doctor_state(struct doctor *doctor);

#endif
