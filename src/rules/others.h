/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef RULES_OTHERS_H
#define RULES_OTHERS_H

/* What the other hosts of a farm have counted, put together with what this one has. Each host
 * reports its counts of the keys that are near a limit each few seconds, and hears the others'
 * (farm/counts.c carries them). What is heard is a stranger's word: it is checked, bounded,
 * and finds nothing that this host's own count does not support (rule_set.h). */

#include <jansson.h>

#include "farm/farm.h"
#include "rules/rule_set.h"

struct others;

struct others *others_new(void);         /* NULL: no memory */
void others_free(struct others *others); /* NULL is fine */

/* --- on a message's way; any thread --- */

/* A key has been counted here: where it is near a limit, it is to be reported. */
void others_note(struct others *others, const struct config *config, enum rule_by by,
                 const char *key, const struct counter_reading *own, int64_t now_s);

/* Puts what was heard of a key lately to its own reading, in sum. A window that one of the
 * hosts has not wholly observed counts as not observed. Returns the number of hosts, this one
 * too, or 0: nothing was heard of it. */
unsigned others_add(struct others *others, struct counters *counters, enum rule_by by,
                    const char *key, const struct counter_reading *own, int64_t now_s,
                    struct counter_reading *sum);

/* What they have together is over a limit: whether this host is the one to act. The one that
 * comes first by a hash of key and host acts at once, the next ones each OTHERS_TURN_MS
 * later, where nobody has: they may not see the key's mail any more. */
#define OTHERS_TURN_MS 10000
bool others_is_turn(struct others *others, enum rule_by by, const char *key,
                    int64_t now_s);

/* --- for the farm's thread --- */

/* What is to be reported: an array of {"kind","key","body"}, OTHERS_KEYS_MAX at most, the nearest
 * to a limit first. NULL: no memory. */
#define OTHERS_KEYS_MAX 250
json_t *others_report(struct others *others, struct counters *counters,
                      const struct config *config, int64_t now_s);

/* What was heard, in the place of what was heard before. It holds for OTHERS_HOLD_MS. */
#define OTHERS_HOLD_MS 15000
void others_hear(struct others *others, const char *own_node, unsigned hosts,
                 const struct farm_count *rows, size_t count);

#endif
