/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef POLICY_REPLAY_PARTS_H
#define POLICY_REPLAY_PARTS_H

/* What the files of replay share: replay.c (the decision), replay_lists.c (what the lists add
 * up to), replay_change.c (why it is another one). Private to them. */

#include "policy/replay.h"

/* A list of the configuration that counts, and the one of that name then. */
struct replay_list {
    const struct list *list;
    const struct list *then; /* NULL: there was none */
    size_t then_index;
    bool same_query; /* what it answered then is what it would answer now */
    int least, most;
};

struct replay {
    const struct config *config;
    struct replay_list *lists;
    size_t count;
    bool same_strip, same_senders, same_recipients;
};

/* replay.c: read what they are named after into the envelope, once. */
void replay_know_helo(struct replay_case *c);
void replay_know_sender(struct replay_case *c);

/* replay.c: whether a list of exempt addresses has that one. */
bool replay_has_address(const struct exempt_address *list, size_t count,
                        const struct exempt_address *address);

/* replay.c: a hash of what went before and of one more. */
uint64_t replay_mix(uint64_t hash, uint64_t value);

/* replay.c: makes the range have that verdict. */
void replay_widen(struct replayed *out, enum verdict verdict);

/* replay_lists.c: the verdict of the score, with the lists that check what is known at that
 * stage. */
void replay_judge_score(const struct replay *replay, struct replay_case *c,
                        enum stage upto, struct replayed *out);

#endif
