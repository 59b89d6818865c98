#ifndef DNSBL_SURGE_H
#define DNSBL_SURGE_H

/* Whether a list has begun to list the world. Watched are only clients that speak against
 * it: for a block list those that no other block list has, for an allow list those that a
 * block list has. A spam wave fills neither group alone: its clients are soon on several
 * lists, and honest mail goes on. docs/health.md has the rule and its measured rate of
 * false alarms. Plain values; the owner locks. */

#include <stdbool.h>
#include <stdint.h>

struct surge {
    uint32_t run;        /* listed clients in a row */
    uint32_t suspect_at; /* the run that asks for a test: doubled each time, and back
                            with time */
    uint32_t window, window_listed;
    uint32_t bad_windows; /* in a row */
    double share;         /* of listed ones, over a long time: its history */
    uint64_t history;     /* clients that it rests on */
};

enum surge_finding {
    SURGE_CALM,
    SURGE_SUSPECT, /* set it aside and ask its test points: if they are right it is well
                    */
    SURGE_CERTAIN  /* set it aside until it is calm again, whatever its test points say */
};

void surge_init(struct surge *surge);

/* Notes one watched client. factor is health.surge: how many times its own history is too
 * much; 0 watches only for lists that list everybody. */
enum surge_finding surge_note(struct surge *surge, bool listed, int factor);

/* Whether the last full window was ordinary and no run is on: a list set aside for a
 * surge may come back. */
bool surge_is_calm(const struct surge *surge);

#endif
