/* SPDX-License-Identifier: BSD-2-Clause */
#include "rules_world.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rules/counters.h"

#define INSIDE       0.3 /* of a sender's recipients, in domains of one's own: assumed */
#define FIRST_OCTETS 0x20000000u /* 32.0.0.0: no private network, nobody is asked */

/* --- chance --- */

static uint64_t chance_state;

uint64_t mixed(uint64_t z) /* splitmix64 */
{
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

void chance_begin(uint64_t seed)
{
    chance_state = mixed(seed + 1);
}

double chance(void)
{
    return (double)(mixed(chance_state += 0x9e3779b97f4a7c15u) >> 11) * 0x1p-53;
}

double between(double low, double high)
{
    return low + chance() * (high - low);
}

double log_between(double low, double high)
{
    return low * pow(high / low, chance());
}

double exponential(double mean)
{
    return -mean * log(1 - chance());
}

double log_normal(double mean, double sigma)
{
    double normal = sqrt(-2 * log(1 - chance())) * cos(2 * M_PI * chance());

    return mean * exp(sigma * normal - sigma * sigma / 2);
}

int poisson(double mean)
{
    int n = 0;

    for (double at = exponential(1); at < mean; at += exponential(1))
        n++;
    return n;
}

/* --- the rules --- */

static void report(void *context, const char *text)
{
    (void)context;
    fprintf(stderr, "%s\n", text);
}

/* Their folder: another one, or etc/rules.d of the source tree. */
static void rules_folder(char *out, size_t size, const char *other)
{
    const char *srcdir = getenv("srcdir") != NULL ? getenv("srcdir") : ".";
    const char *path = other != NULL ? other : srcdir;
    char cwd[2048];

    if (getcwd(cwd, sizeof cwd) == NULL)
        abort();
    snprintf(out, size, "%s%s%s%s", path[0] == '/' ? "" : cwd, path[0] == '/' ? "" : "/",
             path, other != NULL ? "" : "/etc/rules.d");
}

static struct config *load_rules(const char *other)
{
    static const char *const rules[] = {"bulk",    "dirty-list", "hijacked",
                                        "young",   "prober",     "repeat",
                                        "trapped", "complained", "strangers"};
    char path[] = "/tmp/rules-sim-XXXXXX", folder[4096];
    int fd = mkstemp(path);
    FILE *out = fd >= 0 ? fdopen(fd, "w") : NULL;
    struct config *config;

    if (out == NULL)
        abort();
    rules_folder(folder, sizeof folder, other);
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++)
        fprintf(out, "include(\"%s/%s.conf\")\n", folder, rules[i]);
    fprintf(out, "automatic { own-domains = { \"" OWN "\" }\n"
                 "traps = { \"trap@" OWN "\" } }\n");
    if (fclose(out) != 0)
        abort();
    config = config_load(path, report, NULL);
    unlink(path);
    if (config == NULL || config->rule_count > RULES_MAX)
        abort();
    return config;
}

static void hear(void *context, const struct finding *finding,
                 const struct usage_subject *subject)
{
    struct world *w = context;
    size_t r = (size_t)(finding->rule - w->config->rules);
    bool is_client = finding->rule->lists & RULE_LISTS_CLIENT;

    if (w->first[r] == 0 && getenv("SIM_WHY") != NULL)
        fprintf(stderr, "%s %s %s\n", finding->rule->name, finding->key,
                finding->because);
    if (w->first[r] == 0)
        w->first[r] = w->tried;
    if (w->listed[r] == 0 && !(is_client && subject->is_shared)) /* guard rail 4 */
        w->listed[r] = w->tried;
    if (!is_client || strstr(finding->key, "@" OWN) != NULL)
        w->against_own = true;
}

void world_begin(struct world *w, const char *folder)
{
    struct counter_layout layouts[RULE_BY_COUNT];

    memset(w, 0, sizeof *w);
    w->config = load_rules(folder);
    w->suffixes = suffix_list_new();
    rule_set_layouts(w->config, layouts);
    w->usage = (struct usage){
        .counters = counters_new(1000000, layouts, BEGIN - 60 * DAY),
        .config = w->config,
        .suffixes = w->suffixes,
        .found = hear,
        .context = w,
    };
    if (w->usage.counters == NULL || w->suffixes == NULL)
        abort();
}

void world_end(struct world *w)
{
    counters_free(w->usage.counters);
    suffix_list_free(w->suffixes);
    config_unref(w->config);
}

void world_forget(struct world *w)
{
    memset(w->first, 0, sizeof w->first);
    memset(w->listed, 0, sizeof w->listed);
}

void world_sender(struct world *w, const char *login, const char *address)
{
    w->login = login;
    w->tried = 0;
    w->act_count = w->acts_added = 0;
    w->against_own = w->is_usual = false;
    w->contacts = 0;
    world_forget(w);
    if (mail_address_parse(address, &w->from) != 0)
        abort();
}

/* --- acts --- */

static struct act *add(struct world *w, int64_t at_s, int kind, int n)
{
    struct act *act = &w->acts[w->act_count];

    if (w->act_count == ACTS_MAX)
        abort();
    *act = (struct act){.at_s = at_s,
                        .kind = kind,
                        .n = n,
                        .order = w->acts_added++,
                        .is_usual = w->is_usual};
    w->act_count++;
    return act;
}

void world_event(struct world *w, int64_t at_s, int kind, int n)
{
    add(w, at_s, kind, n);
}

struct act *world_mail(struct world *w, int64_t at_s, uint32_t network, int n,
                       double dead)
{
    double inside = w->login[0] != '\0' ? INSIDE : 1;
    struct act *act;
    int unknown = 0, bounces = 0;

    for (int i = 0; i < n; i++)
        if (chance() < dead)
            (*(chance() < inside ? &unknown : &bounces))++;
    if (bounces > 0)
        world_event(w, at_s + 2 + (int64_t)exponential(30), ACT_BOUNCES, bounces);
    act = add(w, at_s, ACT_MAIL, n - unknown);
    act->unknown = unknown;
    act->network = network;
    return act;
}

static int by_time(const void *a, const void *b)
{
    const struct act *x = a, *y = b;

    if (x->at_s != y->at_s)
        return x->at_s < y->at_s ? -1 : 1;
    return (x->order > y->order) - (x->order < y->order);
}

/* Of whom one writes to again and again the n-th as often as 1 / n: Zipf, assumed. */
static uint64_t whom(const struct world *w)
{
    if (w->contacts == 0 || chance() < w->new_contacts)
        return (uint64_t)(chance() * 0x1p62);
    return (uint64_t)pow(w->contacts + 1, chance());
}

static void recipient(struct world *w, struct usage_message *m, const struct act *act,
                      int n, enum usage_outcome outcome)
{
    uint64_t to = act->to > 0 ? (1ull << 62) + act->to + (uint64_t)n : whom(w);
    bool inside = outcome == USAGE_UNKNOWN || w->login[0] == '\0' ||
                  (double)(mixed(to) % 1000) < INSIDE * 1000;
    char address[64];

    snprintf(address, sizeof address, "<r%llu@%s>", (unsigned long long)to,
             inside ? OWN : "elsewhere.example");
    w->tried += !act->is_usual;
    usage_recipient(&w->usage, m, address,
                    outcome == USAGE_UNKNOWN ? "error"
                    : inside                 ? "virtual"
                                             : "smtp",
                    outcome, act->at_s);
}

static void play_mail(struct world *w, const struct act *act)
{
    struct usage_message m = {0};
    struct ipaddr client;
    struct usage_envelope envelope = {.client = &client,
                                      .client_name = act->client_name,
                                      .sender = &w->from,
                                      .login = w->login};
    char text[16];
    uint32_t octets = FIRST_OCTETS + act->network * 256 + 7;

    snprintf(text, sizeof text, "%u.%u.%u.%u", octets >> 24, octets >> 16 & 255,
             octets >> 8 & 255, octets & 255);
    if (ipaddr_parse(text, &client) != 0)
        abort();
    usage_begin(&w->usage, &m, &envelope);
    if (act->refused) {
        w->tried++;
        usage_refused(&w->usage, &m, act->at_s);
        usage_end(&w->usage, &m, false, act->at_s);
        return;
    }
    for (int i = 0; i < act->n; i++)
        recipient(w, &m, act, i, USAGE_ACCEPTED);
    for (int i = 0; i < act->unknown; i++)
        recipient(w, &m, act, act->n + i, USAGE_UNKNOWN);
    for (int i = 0; i < act->traps; i++) {
        w->tried++;
        usage_recipient(&w->usage, &m, "<trap@" OWN ">", "virtual", USAGE_ACCEPTED,
                        act->at_s);
    }
    usage_end(&w->usage, &m, true, act->at_s + 1);
}

void world_play(struct world *w, int64_t until_s)
{
    char user[96];
    size_t i;

    snprintf(user, sizeof user, "user:%s", w->login);
    qsort(w->acts, w->act_count, sizeof w->acts[0], by_time);
    for (i = 0; i < w->act_count && w->acts[i].at_s < until_s; i++) {
        const struct act *act = &w->acts[i];

        if (act->kind == ACT_MAIL)
            play_mail(w, act);
        else if (w->login[0] != '\0')
            (void)usage_event(&w->usage,
                              act->kind == ACT_BOUNCES ? COUNT_BOUNCES : COUNT_LIST_MAIL,
                              user, act->n, act->at_s);
    }
    w->act_count -= i;
    memmove(w->acts, w->acts + i, w->act_count * sizeof w->acts[0]);
}
