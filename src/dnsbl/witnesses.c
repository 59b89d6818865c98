/* SPDX-License-Identifier: BSD-2-Clause */
#include "dnsbl/witnesses.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"

#define DAYS_KEPT     30
#define DAYS_REGULAR  3
#define DAYS_TRUSTED  1 /* after the last acceptance, whatever lists say meanwhile */
#define DAYS_LATELY   2
#define WEEK          7
#define NAMED         64
#define NAMED_EACH_MS 60000 /* once there are so many */
#define ROWS          (WITNESS_SETS * WITNESS_WAYS)

/* One client, or one domain. */
struct regular {
    char name[WITNESS_NAME]; /* an address's text, or a domain; "": free */
    uint32_t days;           /* bit i: accepted i days before last_day */
    int last_day;            /* since 1970 */
    uint64_t lists;          /* that had it when it last came */
    uint64_t senders[2]; /* a bit for a few each; of the week that senders_day is in, and
                            of the one before */
    int senders_day;
    char example[WITNESS_NAME]; /* the local part of one of them; "" */
};

enum table { CLIENTS, DOMAINS, OWN, TABLES }; /* OWN: own users have sent as those */
static const char *const table_names[TABLES] = {"clients", "domains", "own"};

struct witnesses {
    pthread_mutex_t lock;
    struct regular tables[TABLES][ROWS]; /* sets of WITNESS_WAYS, by the name's hash */
    struct named {
        char client[WITNESS_NAME]; /* "": free */
        uint64_t list;             /* its bit */
    } named[NAMED];                /* a ring */
    size_t named_next;
    int64_t named_ms; /* CLOCK_MONOTONIC: the last one's */
};

/* Whoever chooses names that fall together forgets his own. */
static uint64_t hash_of(const char *name)
{
    return octets_hash(name, strlen(name), OCTETS_HASH_START);
}

uint64_t witnesses_list_bit(const char *list)
{
    return UINT64_C(1) << hash_of(list) % 64;
}

/* On how many of the last days it was accepted. */
static int days_of(const struct regular *r, int today)
{
    int age = today - r->last_day;

    return r->name[0] != '\0' && age >= 0 && age < DAYS_KEPT
               ? __builtin_popcount(r->days & ((1u << (DAYS_KEPT - age)) - 1))
               : 0;
}

static bool is_regular(const struct regular *r, int today)
{
    return days_of(r, today) >= DAYS_REGULAR;
}

/* Whether a is evicted before b: who came on fewer days, then who came earlier. */
static bool is_less(const struct regular *a, const struct regular *b)
{
    int days_a = __builtin_popcount(a->days), days_b = __builtin_popcount(b->days);

    return days_a != days_b ? days_a < days_b : a->last_day < b->last_day;
}

/* The name's place; NULL where it has none, and takes or can take none. Lock held. */
static struct regular *place_of(struct witnesses *w, enum table table, const char *name,
                                bool take)
{
    struct regular *set = &w->tables[table][hash_of(name) % WITNESS_SETS * WITNESS_WAYS];
    struct regular *least = set;

    if (name[0] == '\0' || strlen(name) >= WITNESS_NAME)
        return NULL;
    for (int i = 0; i < WITNESS_WAYS; i++) {
        if (strcmp(set[i].name, name) == 0)
            return &set[i];
        if (is_less(&set[i], least))
            least = &set[i];
    }
    if (!take)
        return NULL;
    memset(least, 0, sizeof *least);
    snprintf(least->name, sizeof least->name, "%s", name);
    return least;
}

/* Moves its weeks on. */
static void age_senders(struct regular *r, int today)
{
    int weeks = today / WEEK - r->senders_day / WEEK;

    if (weeks == 0)
        return;
    r->senders[1] = weeks == 1 ? r->senders[0] : 0;
    r->senders[0] = 0;
    r->senders_day = today;
}

/* A mail was accepted or refused; local: of a sender of that domain, NULL for clients.
 * Lock held. */
static void note(struct witnesses *w, bool accepted, enum table table, const char *name,
                 const char *local, uint64_t lists, int today)
{
    struct regular *r = place_of(w, table, name, accepted);

    if (r == NULL)
        return;
    if (!accepted) {
        if (today - r->last_day > DAYS_TRUSTED)
            r->lists |= lists;
        return;
    }
    if (r->days == 0 || r->last_day > today) /* new, or the clock was ahead */
        r->days = 1;
    else if (r->last_day < today)
        r->days =
            (today - r->last_day < DAYS_KEPT ? r->days << (today - r->last_day) : 0) | 1;
    r->last_day = today;
    r->lists = lists;
    if (local == NULL)
        return;
    age_senders(r, today);
    r->senders[0] |= UINT64_C(1) << hash_of(local) % 64;
    if (strlen(local) < sizeof r->example && utf8_is_clean(local))
        (void)text_copy(local, r->example, sizeof r->example); /* it fits */
}

void witnesses_judged(struct witnesses *w, bool accepted, const struct ipaddr *client,
                      const struct mail_address *sender, uint64_t lists, int today)
{
    char text[IPADDR_TEXT_SIZE];

    pthread_mutex_lock(&w->lock);
    if (client != NULL && !ipaddr_is_local(client)) {
        ipaddr_text(client, text);
        note(w, accepted, CLIENTS, text, NULL, lists, today);
    }
    if (sender != NULL)
        note(w, accepted, DOMAINS, sender->domain, sender->local, lists, today);
    pthread_mutex_unlock(&w->lock);
}

void witnesses_own_sender(struct witnesses *w, const struct mail_address *sender,
                          int today)
{
    pthread_mutex_lock(&w->lock);
    note(w, true, OWN, sender->domain, sender->local, 0, today);
    pthread_mutex_unlock(&w->lock);
}

void witnesses_named(struct witnesses *w, const struct ipaddr *client, uint64_t list_bit)
{
    int64_t now_ms = clock_ms();
    struct named *place;

    pthread_mutex_lock(&w->lock);
    place = &w->named[w->named_next % NAMED];
    if (place->client[0] == '\0' || now_ms - w->named_ms >= NAMED_EACH_MS) {
        ipaddr_text(client, place->client);
        place->list = list_bit;
        w->named_next++;
        w->named_ms = now_ms;
    }
    pthread_mutex_unlock(&w->lock);
}

void witnesses_disown(struct witnesses *w, uint64_t list_bits)
{
    pthread_mutex_lock(&w->lock);
    for (size_t i = 0; i < NAMED; i++)
        if (w->named[i].list & list_bits)
            w->named[i] = (struct named){0};
    pthread_mutex_unlock(&w->lock);
}

static bool is_of_family(const char *name, int family)
{
    return family == 0 ||
           (name[0] != '\0' && (strchr(name, ':') != NULL) == (family == 6));
}

/* Of all names that are offered one after another, most stay in out, by lot. */
static void offer(char (*out)[WITNESS_NAME], size_t most, size_t *offered,
                  const char *name)
{
    size_t at = *offered < most ? *offered : (size_t)random() % (*offered + 1);

    (*offered)++;
    if (at < most)
        memcpy(out[at], name, WITNESS_NAME);
}

size_t witnesses_draw(struct witnesses *w, int family, uint64_t list_bit, int today,
                      char (*out)[WITNESS_NAME], size_t most)
{
    const struct regular *rows = w->tables[family == 0 ? DOMAINS : CLIENTS];
    size_t count = 0, offered;

    pthread_mutex_lock(&w->lock);
    /* Who has not come for days may be a spammer that is rightly listed since. */
    for (int lately = 1; lately >= 0; lately--) {
        offered = 0;
        for (const struct regular *r = rows; r < rows + ROWS; r++)
            if ((today - r->last_day <= DAYS_LATELY) == lately && is_regular(r, today) &&
                (r->lists & list_bit) == 0 && is_of_family(r->name, family))
                offer(out + count, most - count, &offered, r->name);
        count += offered < most - count ? offered : most - count;
    }
    pthread_mutex_unlock(&w->lock);
    return count;
}

size_t witnesses_draw_named(struct witnesses *w, int family, char (*out)[WITNESS_NAME],
                            size_t most)
{
    size_t offered = 0;

    pthread_mutex_lock(&w->lock);
    for (size_t i = 0; i < NAMED && family != 0; i++)
        if (is_of_family(w->named[i].client, family))
            offer(out, most, &offered, w->named[i].client);
    pthread_mutex_unlock(&w->lock);
    return offered < most ? offered : most;
}

static void take_example(struct accepted_lately *out, const struct regular *r)
{
    if (r->example[0] != '\0')
        snprintf(out->example, sizeof out->example, "%s@%s", r->example, r->name);
}

void witnesses_of_domain(struct witnesses *w, const char *domain, int today,
                         struct accepted_lately *out)
{
    *out = (struct accepted_lately){0};
    pthread_mutex_lock(&w->lock);
    for (size_t i = 0; i < ROWS; i++) {
        struct regular *r = &w->tables[DOMAINS][i], *own = &w->tables[OWN][i];

        if (is_regular(r, today) && domain_is_below(r->name, domain)) {
            age_senders(r, today);
            out->senders += (unsigned)__builtin_popcountll(r->senders[0] | r->senders[1]);
            if (out->own == 0 && (r->senders[0] | r->senders[1]) != 0)
                take_example(out, r);
        }
        if (days_of(own, today) > 0 && domain_is_below(own->name, domain)) {
            out->own++;
            take_example(out, own);
        }
    }
    pthread_mutex_unlock(&w->lock);
}

void witnesses_of_network(struct witnesses *w, const struct network *network, int today,
                          struct accepted_lately *out)
{
    struct ipaddr ip;

    *out = (struct accepted_lately){0};
    pthread_mutex_lock(&w->lock);
    for (size_t i = 0; i < ROWS; i++) {
        const struct regular *r = &w->tables[CLIENTS][i];

        if (!is_regular(r, today) || ipaddr_parse(r->name, &ip) != 0 ||
            !network_contains(network, &ip))
            continue;
        out->clients++;
        snprintf(out->example, sizeof out->example, "%s", r->name);
    }
    pthread_mutex_unlock(&w->lock);
}

static void load_row(struct witnesses *w, enum table table, json_t *row)
{
    const char *name = "", *example = "";
    json_int_t days = 0, last_day = 0, lists = 0, senders[2] = {0}, day = 0;
    struct regular *r;

    /* an older version wrote the first four alone */
    if (json_unpack(row, "[s, I, I, I]", &name, &days, &last_day, &lists) != 0 ||
        days <= 0 || days > UINT32_MAX || last_day < 0 || last_day > INT32_MAX)
        return;
    r = place_of(w, table, name, true);
    if (r == NULL)
        return;
    r->days = (uint32_t)days;
    r->last_day = (int)last_day;
    r->lists = (uint64_t)lists;
    if (json_unpack(row, "[s, I, I, I, I, I, I, s]", &name, &days, &last_day, &lists,
                    &senders[0], &senders[1], &day, &example) != 0 ||
        day < 0 || day > INT32_MAX)
        return;
    r->senders[0] = (uint64_t)senders[0];
    r->senders[1] = (uint64_t)senders[1];
    r->senders_day = (int)day;
    (void)text_copy(example, r->example, sizeof r->example); /* else none */
}

struct witnesses *witnesses_new(const json_t *saved)
{
    struct witnesses *w = calloc(1, sizeof *w);
    json_t *row;
    size_t i;

    if (w == NULL)
        return NULL;
    pthread_mutex_init(&w->lock, NULL);
    for (enum table t = 0; t < TABLES; t++)
        json_array_foreach (json_object_get(saved, table_names[t]), i, row)
            load_row(w, t, row);
    return w;
}

void witnesses_free(struct witnesses *w)
{
    if (w == NULL)
        return;
    pthread_mutex_destroy(&w->lock);
    free(w);
}

json_t *witnesses_save(struct witnesses *w)
{
    json_t *root = json_object(), *rows;

    pthread_mutex_lock(&w->lock);
    for (enum table t = 0; t < TABLES; t++) {
        rows = json_array();
        for (const struct regular *r = w->tables[t]; r < w->tables[t] + ROWS; r++)
            if (r->name[0] != '\0')
                json_array_append_new(
                    rows,
                    json_pack("[s, I, I, I, I, I, I, s]", r->name, (json_int_t)r->days,
                              (json_int_t)r->last_day, (json_int_t)r->lists,
                              (json_int_t)r->senders[0], (json_int_t)r->senders[1],
                              (json_int_t)r->senders_day, r->example));
        json_object_set_new(root, table_names[t], rows);
    }
    pthread_mutex_unlock(&w->lock);
    return root;
}
