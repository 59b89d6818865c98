/* How often surge.c cries wolf, and how late it cries: real-looking traffic of many days,
 * with spam waves, and lists that differ in speed, reach and honesty. docs/health.md has
 * the figures.
 *
 *     tests/bench/surge_sim [CLIENTS [SEED]]        # 10000000 by default, some seconds
 */

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dnsbl/surge.h"

#define HOUR        3600.0
#define SENDERS     20000 /* honest ones; how often each writes is Zipf's law */
#define LISTS_MAX   8
#define CACHED_S    HOUR
#define FACTOR      10 /* health.surge */
#define TEST_S      1.0
#define ATTACKS     400
#define ATTACK_MOST 20000 /* clients: then it counts as not found */

/* --- chance --- */

static uint64_t chance_state;

static double chance(void) /* splitmix64: 0 to 1 */
{
    uint64_t z = chance_state += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (double)((z ^ z >> 31) >> 11) * 0x1p-53;
}

static double exponential(double mean)
{
    return -mean * log(1 - chance());
}

/* --- the lists --- */

struct kind {
    const char *name;
    double reach;       /* of the bots that it ever lists */
    double delay_s;     /* mean, from a bot's first mail to the listing */
    double policy;      /* of all bots, listed before they send: dial-up ranges */
    double false_share; /* of honest senders; an allow list's rows: those that it has */
    bool allows;
};

static const struct kind kinds[LISTS_MAX] = {
    {"large+policy", 0.90, 900, 0.60, 0.001, false},
    {"quick", 0.75, 180, 0, 0.002, false},
    {"traps", 0.50, 1800, 0, 0.003, false},
    {"small", 0.30, 7200, 0, 0.002, false},
    {"late", 0.40, 3600, 0, 0.002, false},
    {"harsh", 0.45, 21600, 0.1, 0.02, false},
    {"rare", 0.02, 86400, 0, 0.0002, false},
    {"allow", 0.0005, 0, 0, 0.5, true},
};

static const struct site {
    const char *name;
    double rate;    /* clients a second, mean of the day */
    double honest;  /* of the mails, without waves */
    unsigned lists; /* the bits of those it asks */
} sites[] = {
    {"8 lists, 20 % honest", 2, 0.20, 0xff},
    {"8 lists, 60 % honest", 2, 0.60, 0xff},
    {"large+policy and quick, 20 % honest", 2, 0.20, 0x03},
    {"quick, traps, rare, 20 % honest", 2, 0.20, 0x46},
    {"large+policy alone, 10 % honest", 2, 0.10, 0x01},
    {"quick alone, 20 % honest", 2, 0.20, 0x02},
    {"small alone, 40 % honest", 0.1, 0.40, 0x08},
};

/* --- the traffic --- */

/* A wave: bots that nobody knew, all from its beginning on. Each list meets it in its own
 * way: some at once and nearly whole, some late, some never. */
struct wave {
    double begin_s, end_s, times; /* how many times the usual rate */
    double reach[LISTS_MAX], delay_s[LISTS_MAX], policy;
};

struct world {
    const struct site *site;
    double now_s, next_wave_s;
    struct wave wave;
    double seen_s[SENDERS];
    uint8_t falsely[SENDERS]; /* the lists that have this honest sender */
};

struct client {
    bool honest, cached;
    unsigned listed; /* bits */
};

static void world_begin(struct world *w, const struct site *site)
{
    memset(w, 0, sizeof *w);
    w->site = site;
    w->now_s = 2 * CACHED_S;
    w->next_wave_s = w->now_s + exponential(8 * HOUR);
    for (int i = 0; i < SENDERS; i++)
        for (int k = 0; k < LISTS_MAX; k++)
            w->falsely[i] |= (uint8_t)((chance() < kinds[k].false_share) << k);
}

static void begin_wave(struct world *w)
{
    struct wave *wave = &w->wave;

    wave->begin_s = w->now_s;
    wave->end_s = w->now_s + 600 + exponential(1.5 * HOUR);
    /* 3 to 8 of 100 clients are honest then */
    wave->times = w->site->honest / (0.03 + 0.05 * chance()) - 1;
    wave->policy = chance() < 0.5 ? chance() : 0;
    for (int k = 0; k < LISTS_MAX; k++) {
        wave->reach[k] = chance() < 0.3 ? 0.05 * chance() : kinds[k].reach * chance();
        if (chance() < 0.3) /* its own prey */
            wave->reach[k] = 0.5 + 0.49 * chance();
        wave->delay_s[k] = kinds[k].delay_s * (0.1 + 2 * chance());
    }
    w->next_wave_s = wave->end_s + exponential(8 * HOUR);
}

static struct client bot(const struct wave *wave, bool in_wave, double now_s)
{
    struct client c = {0};
    double age_s = in_wave ? now_s - wave->begin_s : exponential(30 * HOUR);

    for (int k = 0; k < LISTS_MAX; k++) {
        double reach = kinds[k].reach, delay_s = kinds[k].delay_s;
        double policy = kinds[k].policy;

        if (in_wave && !kinds[k].allows) {
            reach = wave->reach[k];
            delay_s = wave->delay_s[k];
            policy *= wave->policy;
        }
        if (chance() < policy || (chance() < reach && exponential(delay_s) <= age_s))
            c.listed |= 1u << k;
    }
    return c;
}

static struct client honest(struct world *w)
{
    int who = (int)exp(chance() * log(SENDERS)) - 1;
    struct client c = {.honest = true};

    c.cached = w->now_s - w->seen_s[who] < CACHED_S;
    if (!c.cached)
        w->seen_s[who] = w->now_s;
    c.listed = w->falsely[who];
    return c;
}

static struct client next_client(struct world *w)
{
    double usual = w->site->rate * (1 + 0.6 * sin(w->now_s / (24 * HOUR) * 2 * M_PI));
    bool in_wave = w->now_s < w->wave.end_s;
    double extra = in_wave ? w->site->rate * w->wave.times : 0, is;

    w->now_s += exponential(1 / (usual + extra));
    if (w->now_s >= w->next_wave_s)
        begin_wave(w);
    is = chance() * (usual + extra);
    if (is >= usual)
        return bot(&w->wave, true, w->now_s);
    return chance() < w->site->honest ? honest(w) : bot(&w->wave, false, w->now_s);
}

/* --- the lists' health, as record.c and registry.c have it --- */

struct state {
    struct surge surge;
    double aside_until_s; /* while its test points are asked */
    double retry_s, retry_at_s;
    bool held;
    uint64_t watched, suspects, certains;
    double aside_s;
};

/* Whether a client is a witness about list k (inquiry_settle.c). */
static bool is_witness(int k, unsigned listed, unsigned counting)
{
    unsigned others = listed & counting & ~(1u << k);

    for (int i = 0; i < LISTS_MAX; i++)
        if (others & 1u << i && !kinds[i].allows)
            return kinds[k].allows;
    return !kinds[k].allows;
}

static void retry(struct state *s, double now_s)
{
    if (surge_is_calm(&s->surge)) {
        s->held = false;
        return;
    }
    s->retry_s = s->retry_s < 600 ? s->retry_s * 2 : 600;
    s->retry_at_s = now_s + s->retry_s;
}

static void watch(struct state *s, bool listed, double now_s)
{
    s->watched++;
    switch (surge_note(&s->surge, listed, FACTOR)) {
    case SURGE_CALM:
        break;
    case SURGE_SUSPECT:
        if (s->held)
            break;
        s->suspects++;
        s->aside_until_s = now_s + TEST_S;
        s->aside_s += TEST_S;
        break;
    case SURGE_CERTAIN:
        if (s->held)
            break;
        s->certains++;
        s->held = true;
        s->retry_s = 15;
        s->retry_at_s = now_s + TEST_S;
        break;
    }
}

static bool counts(const struct state *s, double now_s)
{
    return !s->held && now_s >= s->aside_until_s;
}

static unsigned counting(const struct state *states, unsigned lists, double now_s)
{
    unsigned bits = 0;

    for (int k = 0; k < LISTS_MAX; k++)
        if (lists & 1u << k && counts(&states[k], now_s))
            bits |= 1u << k;
    return bits;
}

static void show_to_all(struct state *states, const struct site *site,
                        const struct client *c, double now_s)
{
    unsigned bits = counting(states, site->lists, now_s);

    for (int k = 0; k < LISTS_MAX; k++) {
        struct state *s = &states[k];

        if (!(site->lists & 1u << k) || now_s < s->aside_until_s)
            continue;
        if (is_witness(k, c->listed, bits))
            watch(s, c->listed >> k & 1, now_s);
        if (s->held && now_s >= s->retry_at_s)
            retry(s, now_s);
    }
}

/* --- a list that begins to list everybody --- */

struct damage {
    double mails[ATTACKS], honest[ATTACKS], seconds[ATTACKS];
    int count, missed;
};

/* From now on list k has share of all clients: how many mails that no other list speaks
 * against it hits until it is held. The world goes on meanwhile. */
static void attack(struct world *w, struct state *states, int k, double share,
                   struct damage *out)
{
    struct state s = states[k];
    double began_s = w->now_s;
    int mails = 0, good = 0;

    for (int i = 0; i < ATTACK_MOST && !s.held; i++) {
        struct client c = next_client(w);
        bool listed = chance() < share || c.listed >> k & 1;
        unsigned bits = counting(states, w->site->lists, w->now_s);

        if (w->now_s < s.aside_until_s || !is_witness(k, c.listed & w->site->lists, bits))
            continue;
        mails += listed;
        good += listed && c.honest;
        if (!c.cached)
            watch(&s, listed, w->now_s);
    }
    if (!s.held)
        out->missed++;
    out->mails[out->count] = mails;
    out->honest[out->count] = good;
    out->seconds[out->count++] = w->now_s - began_s;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void show_damage(const struct site *site, int k, double share, struct damage *d)
{
    if (d->count == 0)
        return;
    qsort(d->mails, (size_t)d->count, sizeof d->mails[0], by_size);
    qsort(d->honest, (size_t)d->count, sizeof d->honest[0], by_size);
    qsort(d->seconds, (size_t)d->count, sizeof d->seconds[0], by_size);
    printf("| %s | %s | %.0f %% | %.0f / %.0f | %.0f / %.0f | %.0f / %.0f | %d of %d |\n",
           site->name, kinds[k].name, share * 100, d->mails[d->count / 2],
           d->mails[d->count * 95 / 100], d->honest[d->count / 2],
           d->honest[d->count * 95 / 100], d->seconds[d->count / 2],
           d->seconds[d->count * 95 / 100], d->missed, d->count);
}

static void run_attacks(const struct site *site, double share)
{
    static struct world w;
    struct state states[LISTS_MAX] = {0};
    static struct damage damage[LISTS_MAX];

    memset(damage, 0, sizeof damage);
    world_begin(&w, site);
    for (int k = 0; k < LISTS_MAX; k++)
        surge_init(&states[k].surge);
    for (int n = 0; n < ATTACKS; n++) {
        for (int i = 0; i < 20000; i++) {
            struct client c = next_client(&w);

            if (!c.cached)
                show_to_all(states, site, &c, w.now_s);
        }
        int k = n % LISTS_MAX;

        if (site->lists & 1u << k && counts(&states[k], w.now_s))
            attack(&w, states, k, share, &damage[k]);
    }
    for (int k = 0; k < LISTS_MAX; k++)
        show_damage(site, k, share, &damage[k]);
}

static void run_quiet(const struct site *site, uint64_t clients)
{
    static struct world w;
    struct state states[LISTS_MAX] = {0};
    uint64_t held[LISTS_MAX] = {0}, asked = 0;

    world_begin(&w, site);
    for (int k = 0; k < LISTS_MAX; k++)
        surge_init(&states[k].surge);
    for (uint64_t i = 0; i < clients; i++) {
        struct client c = next_client(&w);

        if (c.cached)
            continue;
        asked++;
        show_to_all(states, site, &c, w.now_s);
        for (int k = 0; k < LISTS_MAX; k++)
            held[k] += states[k].held;
    }
    for (int k = 0; k < LISTS_MAX; k++)
        if (site->lists & 1u << k)
            printf("| %s | %s | %.0f | %.1f | %.2f %% | %llu | %llu | %.3f %% |\n",
                   site->name, kinds[k].name, w.now_s / 86400,
                   (double)states[k].watched / 1e6, states[k].surge.share * 100,
                   (unsigned long long)states[k].suspects,
                   (unsigned long long)states[k].certains,
                   100.0 * (double)held[k] / (double)asked +
                       100 * states[k].aside_s / w.now_s);
}

int main(int argc, char **argv)
{
    static const double shares[] = {1.0, 0.7, 0.4};
    uint64_t clients = argc > 1 ? strtoull(argv[1], NULL, 10) : 10000000;

    chance_state = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    puts("| site | list | days | million watched | share at the end | suspected | "
         "certain | clients without it |\n|---|---|---|---|---|---|---|---|");
    for (size_t i = 0; i < sizeof sites / sizeof sites[0]; i++)
        run_quiet(&sites[i], clients);
    puts("\n| site | list | suddenly lists | mails hit p50 / p95 | of these honest | "
         "seconds | not found |\n|---|---|---|---|---|---|---|");
    for (size_t s = 0; s < sizeof shares / sizeof shares[0]; s++)
        for (size_t i = 0; i < sizeof sites / sizeof sites[0]; i++)
            run_attacks(&sites[i], shares[s]);
    return 0;
}
