/* SPDX-License-Identifier: BSD-2-Clause */
#include "health_host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "health_turns.h"

#define CACHED_MS  3600000
#define TIMEOUT_MS 3000
#define MAILS      4096 /* that wait at a time */
#define REJECT     8
#define REGULARS   1000 /* at the beginning */
#define GRACE_S    10   /* what a health check saw just before a fault ended */

struct mail {
    struct client client;
    /* bits of lists; truth: as it was when they said it */
    unsigned heard, said, truth, fresh;
    int64_t at_ms, came_ms[LISTS];
};

static struct host *host;
static struct mail mails[MAILS];
static size_t mail_count;
static struct cached {
    int64_t came_ms : 62; /* 0: none */
    bool said : 1, truth : 1;
} cache[IDS][LISTS];

/* An honest list that is disabled is what must not be. */
static void judge_change(int k, bool ipv6, const struct list_half *half)
{
    const struct fate *fate = &host->fates[k];
    double now_s = (double)turns_now_ms / 1000;
    enum health health = atomic_load(&half->health), *was = &host->was[k][ipv6];
    bool just_ended = now_s < fate->ended_s + GRACE_S;

    if (health == *was)
        return;
    *was = health;
    if (health == HEALTH_UNCHECKED || health == HEALTH_SUSPENDED || health_counts(health))
        return;
    if (health == HEALTH_LYING && (fate->is == FATE_LIES || just_ended))
        return;
    if (health == HEALTH_DOWN && (fate->is == FATE_DOWN || just_ended))
        return;
    host->disabled++;
    fprintf(stderr, "%s, day %.2f: %s%s: %s: %s\n", host->world.site->name, now_s / DAY,
            kinds[k].name, ipv6 ? ", IPv6" : "", health_name(health), half->why);
}

static void judge_changes(void)
{
    for (size_t i = 0; i < host->set.count; i++) {
        struct list_state *state = host->set.items[i].state;

        for (int half = 0; half < 2; half++)
            judge_change(turns_list(host->set.items[i].list), half, &state->halves[half]);
    }
}

/* --- mail --- */

static int weight_of(int k)
{
    return k == LIST_ALLOW ? -REJECT : REJECT;
}

/* Whether the list's IPv6 half is meant. */
static bool is_about_ipv6(int k, const struct client *c)
{
    return c->ipv6 && k != LIST_NAMES;
}

static bool asks(int k, const struct client *c)
{
    return !is_about_ipv6(k, c) || kinds[k].ipv6;
}

/* Whether what lists truly have, and what of it is believed, refuses the client;
 * counting: of block lists only those that count now (an allow list's word does while it
 * is down). */
static bool is_truly_listed(const struct mail *m, bool counting)
{
    int score = 0;

    for (size_t i = 0; i < host->set.count; i++) {
        const struct dnsbl *d = &host->set.items[i];
        int k = turns_list(d->list);
        bool ipv6 = is_about_ipv6(k, &m->client);

        if (!(m->truth & 1u << k) ||
            !dnsbl_believes(d, ipv6, RESULT_LISTED, m->came_ms[k]))
            continue;
        if (!counting || k == LIST_ALLOW || dnsbl_admit(d, ipv6) == ACCESS_QUERY)
            score += weight_of(k);
    }
    return score >= REJECT;
}

/* What session.c says the witnesses. */
static void note_verdict(const struct mail *m, bool accepted)
{
    struct witnesses *witnesses = prober_witnesses(host->prober);
    int today = (int)(time(NULL) / (int64_t)DAY);
    struct ipaddr ip = turns_address(m->client.id);
    struct mail_address sender = {.local = ""};
    uint64_t bits = 0;

    for (size_t i = 0; i < host->set.count; i++)
        if (m->said & 1u << turns_list(host->set.items[i].list))
            bits |= witnesses_list_bit(host->set.items[i].list->name);
    turns_domain(m->client.id, sender.domain);
    witnesses_judged(witnesses, accepted, m->client.named || !accepted ? &ip : NULL,
                     &sender, bits, today);
}

/* A clean mail was refused, or a listed one passed, since a list lies, or did when it
 * said what is cached. Returns whether it is so. */
static bool blame_liars(const struct mail *m)
{
    bool blamed = false;

    for (int k = 0; k < LISTS; k++) {
        struct fate *fate = &host->fates[k];

        if (!(m->said & ~m->truth & 1u << k))
            continue;
        blamed = true;
        if (fate->is == FATE_LIES && !fate->found)
            fate->cost++;
        else
            fate->later++;
    }
    return blamed;
}

/* Remembers whom block lists name, as session.c does. */
static void note_named(const struct mail *m)
{
    const struct dnsbl *allow = host_list(host, LIST_ALLOW);
    unsigned by = m->fresh & m->said & ~(1u << LIST_NAMES | 1u << LIST_ALLOW);
    struct ipaddr ip = turns_address(m->client.id);
    struct dnsbl *d;

    if (allow != NULL &&
        (!(m->heard & 1u << LIST_ALLOW) || !dnsbl_counts(allow, m->client.ipv6)))
        return;
    for (int k = 0; k < LISTS; k++)
        if (by & 1u << k && (d = host_list(host, k)) != NULL &&
            dnsbl_believes(d, m->client.ipv6, RESULT_LISTED, m->came_ms[k])) {
            witnesses_named(prober_witnesses(host->prober), &ip,
                            witnesses_list_bit(d->list->name));
            return;
        }
}

/* The verdict, as tally.c has it: what is held may or may not count, and is waited for.
 * Returns false while it is. */
static bool decide(const struct mail *m)
{
    int least = 0, most = 0;
    bool late = turns_now_ms >= m->at_ms + TIMEOUT_MS, rejects, silent = false;

    for (size_t i = 0; i < host->set.count; i++) {
        const struct dnsbl *d = &host->set.items[i];
        int k = turns_list(d->list), weight = weight_of(k);
        bool ipv6 = is_about_ipv6(k, &m->client), held = dnsbl_is_held(d, ipv6);

        if (!(m->said & 1u << k) ||
            !dnsbl_believes(d, ipv6, RESULT_LISTED, m->came_ms[k]))
            continue;
        /* what fell silent while a health check was under way is in doubt at the
         * deadline, and refuses nobody then (docs/health.md) */
        silent |= held && host->fates[k].is == FATE_DOWN;
        least += held && weight > 0 ? 0 : weight;
        most += held && weight < 0 ? 0 : weight;
    }
    if (!late && least < REJECT && most >= REJECT)
        return false;
    if (turns_now_ms - m->at_ms > host->longest_ms)
        host->longest_ms = turns_now_ms - m->at_ms;
    rejects = least >= REJECT;
    if (rejects && m->client.honest && !is_truly_listed(m, false))
        host->refused += !blame_liars(m);
    if (!rejects && !silent && is_truly_listed(m, true))
        host->passed += !blame_liars(m);
    if (rejects)
        note_named(m);
    note_verdict(m, !rejects);
    return true;
}

static void decide_waiting(void)
{
    for (size_t i = 0; i < mail_count;) {
        if (decide(&mails[i]))
            mails[i] = mails[--mail_count];
        else
            i++;
    }
}

/* One lookup for mail: fills in what the list says, and lets it be noted. */
static void look_up(const struct dnsbl *d, struct mail *m)
{
    const struct client *c = &m->client;
    int k = turns_list(d->list);
    bool ipv6 = is_about_ipv6(k, c), comes_again = c->id < IDS;
    struct cached none = {0}, *kept = comes_again ? &cache[c->id][k] : &none;
    int64_t clock = clock_ms();
    enum access access = dnsbl_admit(d, ipv6);
    bool cached = kept->came_ms != 0 && clock - kept->came_ms < CACHED_MS &&
                  dnsbl_believes(d, ipv6, kept->said ? RESULT_LISTED : RESULT_NOT_LISTED,
                                 kept->came_ms);
    bool down = host->fates[k].is == FATE_DOWN && !cached;
    struct dns_answer *answer;
    struct dnsbl_result result;

    if (access == ACCESS_SKIP || (access == ACCESS_CACHE_ONLY && !cached))
        return;
    if (!cached) {
        none.came_ms = clock;
        none.truth = !down && c->listed >> k & 1;
        none.said = none.truth || (!down && turns_lies(k, c->id, ipv6));
        if (down || !comes_again)
            kept = &none;
        else
            *kept = none;
    }
    m->heard |= (unsigned)!down << k;
    m->said |= (unsigned)kept->said << k;
    m->truth |= (unsigned)kept->truth << k;
    m->fresh |= (unsigned)!cached << k;
    m->came_ms[k] = kept->came_ms;
    answer = turns_answer(kept->said);
    if (down)
        answer = dns_answer_failure(DNS_TIMEOUT);
    result = result_judge(d->list, answer);
    dnsbl_heard(d, &(struct heard){.answer = answer,
                                   .result = &result,
                                   .cached = cached,
                                   .ipv6 = ipv6,
                                   .took_ms = down ? TIMEOUT_MS : 20});
}

static void send_mail(const struct client *client)
{
    struct mail *m = &mails[mail_count];

    *m = (struct mail){.client = *client, .at_ms = turns_now_ms};
    for (size_t i = 0; i < host->set.count; i++)
        if (asks(turns_list(host->set.items[i].list), client))
            look_up(&host->set.items[i], m);
    for (int k = 0; k < LISTS; k++)
        host->fates[k].mails++;
    if (decide(m))
        return;
    if (++mail_count == MAILS)
        abort(); /* the deadline would have ended the first ones long ago */
}

static void advance(int64_t until_ms)
{
    while (turns_next(until_ms, mail_count > 0)) {
        judge_changes();
        decide_waiting();
    }
}

void host_next(struct host *h)
{
    struct client client = world_next(&h->world);

    advance((int64_t)(h->world.now_s * 1000));
    send_mail(&client);
}

/* --- its life --- */

struct dnsbl *host_list(struct host *h, int k)
{
    for (size_t i = 0; i < h->set.count; i++)
        if (turns_list(h->set.items[i].list) == k)
            return &h->set.items[i];
    return NULL;
}

static void show(void *context, const char *text)
{
    (void)context;
    fprintf(stderr, "%s\n", text);
}

static struct config *make_config(const struct host *h)
{
    int fd = memfd_create("conf", 0);
    FILE *f = fdopen(fd, "w");
    struct config *config;
    char path[64];

    fprintf(f, "health { interval = \"1h\" }\n");
    for (int k = 0; k < LISTS; k++)
        if (h->world.site->lists & 1u << k && h->fates[k].is != FATE_AWAY)
            fprintf(f,
                    "list \"%s-%d\" { zone = \"%c.test\" weight = %d ipv6 = %s check = "
                    "{ \"%s\" } }\n",
                    kinds[k].name, h->fates[k].names, 'a' + k, weight_of(k),
                    kinds[k].ipv6 ? "true" : "false",
                    k == LIST_NAMES ? "sender-domain" : "client");
    fflush(f);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    config = config_load(path, show, NULL);
    fclose(f);
    if (config == NULL)
        exit(2);
    return config;
}

void host_reload(struct host *h)
{
    struct config *old = h->config;
    struct dnsbl_set before = h->set;

    h->config = make_config(h);
    if (dnsbl_set_init(&h->set, h->config, NULL, h->prober) != 0)
        exit(2);
    prober_forget_others(h->prober, h->config);
    dnsbl_set_clear(&before);
    config_unref(old);
    for (size_t i = 0; i < h->set.count; i++)
        for (int half = 0; half < 2; half++)
            h->was[turns_list(h->set.items[i].list)][half] =
                atomic_load(&h->set.items[i].state->halves[half].health);
}

static void seen_before(uint32_t count)
{
    for (uint32_t id = 0; id < count; id++) {
        struct mail m = {.client = {.id = id, .named = id % 10 != 9}};

        for (int day = 5; day > 0; day--) {
            turns_now_ms = -day * 86400000;
            note_verdict(&m, true);
        }
    }
    turns_now_ms = 0;
}

void host_begin(struct host *h, const struct site *site, bool regulars)
{
    memset(h, 0, sizeof *h);
    memset(cache, 0, sizeof cache);
    log_open(LOG_TARGET_STDERR, LOG_LEVEL_ERROR, true);
    host = h;
    turns_begin(h);
    world_begin(&h->world, site);
    h->prober = prober_new(NULL);
    if (h->prober == NULL)
        exit(2);
    host_reload(h);
    if (regulars)
        seen_before(REGULARS);
    if (prober_start(h->prober, NULL) != 0)
        exit(2);
    turns_started();
}

void host_end(struct host *h)
{
    prober_stop(h->prober);
    turns_end();
    mail_count = 0;
    dnsbl_set_clear(&h->set);
    config_unref(h->config);
    prober_free(h->prober);
}
