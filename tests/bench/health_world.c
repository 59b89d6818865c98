/* SPDX-License-Identifier: BSD-2-Clause */
#include "health_world.h"

#include <math.h>
#include <string.h>

#define GREY_DAYS  10
#define GREY_SHARE 0.02 /* of the spam */

const struct kind kinds[LISTS] = {
    {"large-policy", 0.90, 900, 0.60, 0.001, true},
    {"quick", 0.75, 180, 0, 0.002, false},
    {"traps", 0.50, 1800, 0, 0.003, true},
    {"small", 0.30, 7200, 0, 0.002, false},
    {"late", 0.40, 3600, 0, 0.002, false},
    {"harsh", 0.45, 21600, 0.1, 0.02, true},
    {"rare", 0.02, 86400, 0, 0.0002, false},
    {"allow", 0.0005, 0, 0, 0.5, true},
    {"names", 0.60, 3600, 0, 0.001, false},
};

const struct site sites[SITES] = {
    {"9 lists, 20 % honest", 2, 0.20, 0x1ff},
    {"9 lists, 60 % honest", 2, 0.60, 0x1ff},
    {"large-policy and quick, 20 % honest", 2, 0.20, 0x03},
    {"quick, traps, rare, names, 20 % honest", 2, 0.20, 0x146},
    {"large-policy alone, 10 % honest", 2, 0.10, 0x01},
    {"quick alone, 20 % honest", 2, 0.20, 0x02},
    {"small alone, 40 % honest", 0.1, 0.40, 0x08},
};

static uint64_t chance_state;

static uint64_t mixed(uint64_t z) /* splitmix64 */
{
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

void chance_begin(uint64_t seed)
{
    chance_state = mixed(seed);
}

double chance(void)
{
    return (double)(mixed(chance_state += 0x9e3779b97f4a7c15u) >> 11) * 0x1p-53;
}

double exponential(double mean)
{
    return -mean * log(1 - chance());
}

double hashed(uint64_t a, uint64_t b, uint64_t c)
{
    return (double)(mixed(mixed(mixed(a + 1) + b) + c) >> 11) * 0x1p-53;
}

void world_begin(struct world *w, const struct site *site)
{
    *w = (struct world){.site = site, .next_wave_s = exponential(8 * HOUR)};
}

bool world_is_ipv6(uint32_t id)
{
    return id % 8 == 7;
}

static void begin_wave(struct world *w)
{
    struct wave *wave = &w->wave;

    wave->begin_s = w->now_s;
    wave->alone = chance() < 0.2;
    wave->end_s = w->now_s + 600 + exponential(wave->alone ? HOUR / 4 : 1.5 * HOUR);
    /* 3 to 8 of 100 clients are honest then */
    wave->times = wave->alone ? 5 : w->site->honest / (0.03 + 0.05 * chance()) - 1;
    wave->policy = chance() < 0.5 ? chance() : 0;
    for (int k = 0; k < LISTS; k++) {
        wave->reach[k] = chance() < 0.3 ? 0.05 * chance() : kinds[k].reach * chance();
        if (chance() < 0.3) /* its own prey */
            wave->reach[k] = 0.5 + 0.49 * chance();
        wave->delay_s[k] = kinds[k].delay_s * (0.1 + 2 * chance());
    }
    w->next_wave_s = wave->end_s + exponential(8 * HOUR);
}

static struct client bot(const struct wave *wave, bool in_wave, double now_s)
{
    double age_s = in_wave ? now_s - wave->begin_s : exponential(30 * HOUR);
    struct client c = {.id = IDS + (uint32_t)(chance() * 0xf00000),
                       .named = chance() < 0.1};

    for (int k = 0; k < LISTS; k++) {
        double reach = kinds[k].reach, delay_s = kinds[k].delay_s;
        double policy = kinds[k].policy;

        if (in_wave && k != LIST_ALLOW) {
            reach = wave->alone ? 1 : wave->reach[k];
            delay_s = wave->alone ? 0 : wave->delay_s[k];
            policy *= wave->policy;
        }
        if (chance() < policy || (chance() < reach && exponential(delay_s) <= age_s))
            c.listed |= 1u << k;
    }
    return c;
}

/* A spammer with a good name, that the lists get to know within days, or never. */
static bool lists_grey(uint32_t id, int k, double now_s)
{
    uint64_t now = (uint64_t)(now_s / (GREY_DAYS * DAY)), slot = (id - SENDERS) / GREYS;
    uint64_t life = now - (now + 40 - slot) % 40; /* its last one */
    double born_s = (double)life * GREY_DAYS * DAY;

    return k != LIST_ALLOW && hashed(id, life, (uint64_t)k) < kinds[k].reach &&
           now_s > born_s - 2 * DAY * log(1 - hashed(id, life, (uint64_t)k + LISTS));
}

bool world_lists(const struct world *w, uint32_t id, int k)
{
    uint64_t when = k == LIST_ALLOW ? 0 : (uint64_t)(w->now_s / (3 * DAY));

    if (id >= IDS)
        return false;
    return id < SENDERS ? hashed(id, (uint64_t)k, when) < kinds[k].false_share
                        : lists_grey(id, k, w->now_s);
}

static struct client who_comes_again(const struct world *w, bool honest)
{
    struct client c = {.honest = honest};

    if (honest)
        c.id = (uint32_t)exp(chance() * log(SENDERS)) - 1;
    else
        c.id = SENDERS + (uint32_t)(w->now_s / (GREY_DAYS * DAY)) % 40 * GREYS +
               (uint32_t)(chance() * GREYS);
    c.named = c.id % 10 != 9;
    for (int k = 0; k < LISTS; k++)
        c.listed |= (unsigned)world_lists(w, c.id, k) << k;
    return c;
}

static bool is_quiet_night(double now_s)
{
    double hour = fmod(now_s, DAY) / HOUR;

    return hour > 1 && hour < 5 && hashed((uint64_t)(now_s / DAY), 0, 0) < 0.5;
}

struct client world_next(struct world *w)
{
    bool in_wave = w->now_s < w->wave.end_s;
    double extra = in_wave ? w->site->rate * w->wave.times : 0, is;
    double usual = w->site->rate * (1 + 0.6 * sin(w->now_s / DAY * 2 * M_PI));
    double honest = w->site->honest;
    struct client c;

    if (in_wave && w->wave.alone) {
        usual = 0;
    } else if (is_quiet_night(w->now_s)) {
        usual *= honest;
        honest = 1;
        extra = 0;
    }
    w->now_s += exponential(1 / (usual + extra));
    if (w->now_s >= w->next_wave_s)
        begin_wave(w);
    is = chance() * (usual + extra);
    if (is >= usual)
        c = bot(&w->wave, in_wave, w->now_s);
    else if (chance() < honest)
        c = who_comes_again(w, true);
    else if (chance() < GREY_SHARE)
        c = who_comes_again(w, false);
    else
        c = bot(&w->wave, false, w->now_s);
    c.ipv6 = world_is_ipv6(c.id);
    return c;
}
