#include "dnsbl/surge.h"

#include <math.h>
#include <string.h>

#define SUSPECT_RUN  20
#define WINDOW       50    /* clients */
#define WINDOW_LEAST 10    /* listed ones: fewer are no surge */
#define BAD_WINDOWS  3     /* in a row are certain */
#define KNOWN_FROM   200   /* clients: a history to compare with */
#define MEMORY       5000  /* clients, about, that the history remembers */
#define SHARE_FLOOR  0.005 /* "ten times never" would be a single listing */
#define WAVE_SHARE   0.90  /* so many of a wave's clients may be a quick list's alone */
#define SUSPECT_ODDS 13.8  /* -ln of one in a million */
#define CERTAIN_ODDS 20.7  /* -ln of one in a thousand million */
#define CALMER       0.98  /* of the longer run asked for, with each calm window */
#define SHARE_MOST   0.995

void surge_init(struct surge *surge)
{
    memset(surge, 0, sizeof *surge);
}

/* The run that a list with this share does not get to. */
static uint32_t unlikely_run(double share, double odds)
{
    if (share > SHARE_MOST)
        share = SHARE_MOST;
    return (uint32_t)(odds / -log(share)) + 1;
}

/* The run that a list in its ordinary state, or in a wave, does not get to. */
static uint32_t certain_run(const struct surge *surge)
{
    return unlikely_run(surge->share > WAVE_SHARE ? surge->share : WAVE_SHARE,
                        CERTAIN_ODDS);
}

static uint32_t least_suspect_run(const struct surge *surge)
{
    uint32_t run =
        surge->share > 0 ? unlikely_run(surge->share, SUSPECT_ODDS) : SUSPECT_RUN;

    return run > SUSPECT_RUN ? run : SUSPECT_RUN;
}

static bool window_is_bad(const struct surge *surge, int factor)
{
    double share = surge->share > SHARE_FLOOR ? surge->share : SHARE_FLOOR;

    return factor > 0 && surge->history >= KNOWN_FROM &&
           surge->window_listed >= WINDOW_LEAST &&
           surge->window_listed >= factor * share * WINDOW;
}

/* A slow mean; the first clients count fully. What came in bad windows is left out, so
 * that a surge does not become its own history. */
static void learn(struct surge *surge)
{
    uint64_t weight = surge->history < MEMORY ? surge->history : MEMORY;

    surge->share = (surge->share * (double)weight + surge->window_listed) /
                   (double)(weight + WINDOW);
    surge->history += WINDOW;
}

static enum surge_finding end_window(struct surge *surge, int factor)
{
    bool bad = window_is_bad(surge, factor);

    if (bad) {
        surge->bad_windows++;
    } else {
        surge->bad_windows = 0;
        if (surge->run < least_suspect_run(surge))
            learn(surge);
        surge->suspect_at = (uint32_t)(surge->suspect_at * CALMER);
    }
    surge->window = surge->window_listed = 0;
    if (!bad)
        return SURGE_CALM;
    return surge->bad_windows >= BAD_WINDOWS ? SURGE_CERTAIN : SURGE_SUSPECT;
}

enum surge_finding surge_note(struct surge *surge, bool listed, int factor)
{
    enum surge_finding finding = SURGE_CALM;

    surge->run = listed ? surge->run + 1 : 0;
    surge->window++;
    surge->window_listed += listed;
    if (surge->window == WINDOW)
        finding = end_window(surge, factor);
    if (surge->run >= certain_run(surge))
        return SURGE_CERTAIN;
    if (surge->run >= surge->suspect_at && surge->run >= least_suspect_run(surge)) {
        surge->suspect_at = 2 * surge->run;
        return finding == SURGE_CERTAIN ? finding : SURGE_SUSPECT;
    }
    return finding;
}

bool surge_is_calm(const struct surge *surge)
{
    return surge->bad_windows == 0 && surge->run < SUSPECT_RUN;
}
