/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MILTER_SILENT_H
#define MILTER_SILENT_H

/* Room for who speaks: libmilter waits for ever for a connection's first word, and so any
 * program of the host could take up all descriptors with connections that say nothing.
 * Where descriptors run out, those that never negotiated are closed, and where that is not
 * enough those that said nothing for longer than any MTA waits for its client. Over inet
 * only: a unix socket's mode and group say who may connect. One thread. */

#include <dirent.h>

#include "milter/endpoint.h"

struct silent {
    struct endpoint endpoint;
    DIR *own; /* our descriptors */
    int held; /* a descriptor kept for holding another's file while it is looked at */
};

/* Returns 0, or -1 with errno set. */
int silent_init(struct silent *silent, const struct endpoint *endpoint);

/* Looks, and closes where it must. Returns the milliseconds to the next look. */
int silent_look(struct silent *silent);

#endif
