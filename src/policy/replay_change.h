/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef POLICY_REPLAY_CHANGE_H
#define POLICY_REPLAY_CHANGE_H

/* In what two configurations differ, as far as it bears on verdicts: one change each, with
 * a configuration that has all the others but this one. Where that one brings the old
 * verdict of a decision back, the change is why it differs. One thread. */

#include <stddef.h>

#include "config/config.h"
#include "policy/replay.h"

#define REPLAY_CHANGE_SIZE 200

struct replay_change {
    char text[REPLAY_CHANGE_SIZE]; /* "spamcop 4 -> 8", "exempt 198.51.100.0/24 gone" */
    struct config undone;          /* borrows from the two; not to be unreferenced */
    struct replay *replay;         /* of undone */
    void *own;                     /* the array of undone that is its own */
};

struct replay_changes {
    struct replay_change *items;
    size_t count;
};

/* Finds them, as many as fit into some megabytes: a stranger may have written now. Borrows
 * both, which must outlive the changes. Returns 0, or -1 without memory. */
int replay_changes_find(struct replay_changes *changes, const struct config *then,
                        const struct config *now);
void replay_changes_clear(struct replay_changes *changes); /* zeroed is fine */

#endif
