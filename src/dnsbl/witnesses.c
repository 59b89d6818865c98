/* SPDX-License-Identifier: BSD-2-Clause */
#include "dnsbl/witnesses.h"

#include <errno.h>
#include <jansson.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/jsonfile.h"
#include "base/log.h"
#include "base/text.h"

#define DAYS_KEPT     30
#define DAYS_REGULAR  3
#define DAYS_TRUSTED  1 /* after the last acceptance, whatever lists say meanwhile */
#define WEEK          7
#define NAMED         64
#define NAMED_EACH_MS 60000 /* once there are so many */

/* One client, or one domain. */
struct regular {
    char name[WITNESS_NAME]; /* an address's text, or a domain; "": free */
    uint32_t days;           /* bit i: accepted i days before last_day */
    int last_day;            /* since 1970 */
    uint64_t lists;          /* that had it when it last came */
    uint64_t senders[2]; /* a bit for a few each; of the week since senders_day, and of
                                the one before */
    int senders_day;
    char example[WITNESS_NAME]; /* the local part of one of them; "" */
};

struct table {
    struct regular sets[WITNESS_SETS][WITNESS_WAYS];
};

struct witnesses {
    pthread_mutex_t lock;
    char *path;
    struct table clients, domains;
    struct table own; /* domains that own users have sent as */
    struct named {
        struct ipaddr client; /* family 0: free */
        uint64_t list;        /* its bit */
    } named[NAMED];           /* a ring */
    size_t named_next;
    int64_t named_ms; /* CLOCK_MONOTONIC: the last one's */
};

/* FNV-1a: whoever chooses names that fall together forgets his own. */
static uint32_t hash_of(const char *name)
{
    uint32_t hash = 2166136261u;

    for (; *name != '\0'; name++)
        hash = (hash ^ (uint8_t)*name) * 16777619u;
    return hash ^ hash >> 16;
}

uint64_t witnesses_list_bit(const char *list)
{
    return UINT64_C(1) << hash_of(list) % 64;
}

static bool is_regular(const struct regular *r, int today)
{
    int age = today - r->last_day;

    return r->name[0] != '\0' && age >= 0 && age < DAYS_KEPT &&
           __builtin_popcount(r->days & ((1u << (DAYS_KEPT - age)) - 1)) >= DAYS_REGULAR;
}

/* Whether a gives way before b: who has been seen on fewer days, then who came earlier.
 */
static bool is_less(const struct regular *a, const struct regular *b)
{
    int days_a = __builtin_popcount(a->days), days_b = __builtin_popcount(b->days);

    return days_a != days_b ? days_a < days_b : a->last_day < b->last_day;
}

/* The name's place, or NULL; lock held. */
static struct regular *find(struct table *table, const char *name)
{
    struct regular *set = table->sets[hash_of(name) % WITNESS_SETS];

    for (int i = 0; i < WITNESS_WAYS; i++)
        if (strcmp(set[i].name, name) == 0)
            return &set[i];
    return NULL;
}

/* The place of the name in its set, or the one that it takes; lock held. */
static struct regular *place_of(struct table *table, const char *name)
{
    struct regular *set = table->sets[hash_of(name) % WITNESS_SETS], *least = set;
    struct regular *found = find(table, name);

    if (found != NULL)
        return found;
    for (int i = 0; i < WITNESS_WAYS; i++)
        if (is_less(&set[i], least))
            least = &set[i];
    memset(least, 0, sizeof *least);
    snprintf(least->name, sizeof least->name, "%s", name);
    return least;
}

static void accepted(struct witnesses *w, struct table *table, const char *name,
                     uint64_t lists, int today)
{
    struct regular *r;

    pthread_mutex_lock(&w->lock);
    r = place_of(table, name);
    if (r->days == 0 || r->last_day > today) /* new, or the clock was ahead */
        r->days = 1;
    else if (r->last_day < today)
        r->days =
            (today - r->last_day < DAYS_KEPT ? r->days << (today - r->last_day) : 0) | 1;
    r->last_day = today;
    r->lists = lists;
    pthread_mutex_unlock(&w->lock);
}

/* Lock held. */
static void note_sender(struct regular *r, const char *local, int today)
{
    int age = today - r->senders_day;

    if (age < 0 || age >= WEEK) {
        r->senders[1] = age >= 0 && age < 2 * WEEK ? r->senders[0] : 0;
        r->senders[0] = 0;
        r->senders_day = today;
    }
    r->senders[0] |= UINT64_C(1) << hash_of(local) % 64;
    if (strlen(local) < sizeof r->example && utf8_is_clean(local))
        (void)text_copy(local, r->example, sizeof r->example); /* it fits */
}

static void accepted_sender(struct witnesses *w, struct table *table,
                            const struct mail_address *sender, uint64_t lists, int today)
{
    struct regular *r;

    if (sender->domain[0] == '\0' || strlen(sender->domain) >= WITNESS_NAME)
        return;
    accepted(w, table, sender->domain, lists, today);
    pthread_mutex_lock(&w->lock);
    r = find(table, sender->domain);
    if (r != NULL)
        note_sender(r, sender->local, today);
    pthread_mutex_unlock(&w->lock);
}

void witnesses_accepted_sender(struct witnesses *w, const struct mail_address *sender,
                               uint64_t lists, int today)
{
    accepted_sender(w, &w->domains, sender, lists, today);
}

void witnesses_own_sender(struct witnesses *w, const struct mail_address *sender,
                          int today)
{
    accepted_sender(w, &w->own, sender, 0, today);
}

void witnesses_accepted_client(struct witnesses *w, const struct ipaddr *client,
                               uint64_t lists, int today)
{
    char text[IPADDR_TEXT_SIZE];

    if (ipaddr_is_local(client))
        return;
    ipaddr_text(client, text);
    accepted(w, &w->clients, text, lists, today);
}

void witnesses_accepted_domain(struct witnesses *w, const char *domain, uint64_t lists,
                               int today)
{
    if (domain[0] != '\0' && strlen(domain) < WITNESS_NAME)
        accepted(w, &w->domains, domain, lists, today);
}

static void refused(struct witnesses *w, struct table *table, const char *name,
                    uint64_t lists, int today)
{
    struct regular *r;

    pthread_mutex_lock(&w->lock);
    r = find(table, name);
    if (r != NULL && today - r->last_day > DAYS_TRUSTED)
        r->lists |= lists;
    pthread_mutex_unlock(&w->lock);
}

void witnesses_refused_client(struct witnesses *w, const struct ipaddr *client,
                              uint64_t lists, int today)
{
    char text[IPADDR_TEXT_SIZE];

    ipaddr_text(client, text);
    refused(w, &w->clients, text, lists, today);
}

void witnesses_refused_domain(struct witnesses *w, const char *domain, uint64_t lists,
                              int today)
{
    if (domain[0] != '\0')
        refused(w, &w->domains, domain, lists, today);
}

void witnesses_named(struct witnesses *w, const struct ipaddr *client, uint64_t list_bit)
{
    int64_t now_ms = clock_ms();
    struct named *place;

    pthread_mutex_lock(&w->lock);
    place = &w->named[w->named_next % NAMED];
    if (place->client.family == 0 || now_ms - w->named_ms >= NAMED_EACH_MS) {
        *place = (struct named){*client, list_bit};
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

/* Calls take with the regulars that the list did not have, from a random one on, until it
 * says that it has enough. */
static void draw(struct witnesses *w, struct table *table, uint64_t list_bit, int today,
                 bool (*take)(void *context, const char *name), void *context)
{
    size_t count = WITNESS_SETS * WITNESS_WAYS, from = (size_t)random() % count;
    bool more = true;

    pthread_mutex_lock(&w->lock);
    for (size_t i = 0; i < count && more; i++) {
        /* steps of a number that shares no factor with count: neighbours of a set apart
         */
        size_t at = (from + i * 617) % count;
        const struct regular *r = &table->sets[at / WITNESS_WAYS][at % WITNESS_WAYS];

        if (is_regular(r, today) && (r->lists & list_bit) == 0)
            more = take(context, r->name);
    }
    pthread_mutex_unlock(&w->lock);
}

struct drawn {
    int family;
    struct ipaddr *addresses;
    char (*domains)[DOMAIN_SIZE];
    size_t count, most;
};

static bool take_address(void *context, const char *name)
{
    struct drawn *d = context;

    if (d->count < d->most && ipaddr_parse(name, &d->addresses[d->count]) == 0 &&
        d->addresses[d->count].family == d->family)
        d->count++;
    return d->count < d->most;
}

static bool take_domain(void *context, const char *name)
{
    struct drawn *d = context;

    if (d->count < d->most)
        snprintf(d->domains[d->count++], DOMAIN_SIZE, "%s", name);
    return d->count < d->most;
}

size_t witnesses_draw_clients(struct witnesses *w, int family, uint64_t list_bit,
                              int today, struct ipaddr *out, size_t most)
{
    struct drawn d = {.family = family, .addresses = out, .most = most};

    draw(w, &w->clients, list_bit, today, take_address, &d);
    return d.count;
}

size_t witnesses_draw_domains(struct witnesses *w, uint64_t list_bit, int today,
                              char (*out)[DOMAIN_SIZE], size_t most)
{
    struct drawn d = {.domains = out, .most = most};

    draw(w, &w->domains, list_bit, today, take_domain, &d);
    return d.count;
}

size_t witnesses_draw_named(struct witnesses *w, int family, struct ipaddr *out,
                            size_t most)
{
    size_t count = 0, from = (size_t)random() % NAMED;

    pthread_mutex_lock(&w->lock);
    for (size_t i = 0; i < NAMED && count < most; i++) {
        /* neighbours came together: apart, by a step that shares no factor with NAMED */
        const struct ipaddr *named = &w->named[(from + i * 27) % NAMED].client;

        if (named->family == family)
            out[count++] = *named;
    }
    pthread_mutex_unlock(&w->lock);
    return count;
}

static bool is_at_or_below(const char *name, const char *domain)
{
    size_t length = strlen(name), above = strlen(domain);

    return length >= above && strcmp(name + length - above, domain) == 0 &&
           (length == above || name[length - above - 1] == '.');
}

static bool is_recent(const struct regular *r, int today)
{
    return r->name[0] != '\0' && today - r->last_day >= 0 &&
           today - r->last_day < DAYS_KEPT;
}

static void take_example(struct accepted_lately *out, const struct regular *r)
{
    if (r->example[0] != '\0')
        snprintf(out->example, sizeof out->example, "%s@%s", r->example, r->name);
}

/* Lock held. */
static void add_senders(struct accepted_lately *out, const struct regular *r, int today)
{
    int age = today - r->senders_day;

    if (!is_regular(r, today) || age < 0 || age >= 2 * WEEK)
        return;
    out->senders +=
        (unsigned)__builtin_popcountll(r->senders[0] | (age < WEEK ? r->senders[1] : 0));
    if (out->own == 0)
        take_example(out, r);
}

void witnesses_of_domain(struct witnesses *w, const char *domain, int today,
                         struct accepted_lately *out)
{
    *out = (struct accepted_lately){0};
    pthread_mutex_lock(&w->lock);
    for (size_t i = 0; i < WITNESS_SETS; i++)
        for (size_t k = 0; k < WITNESS_WAYS; k++) {
            const struct regular *own = &w->own.sets[i][k];

            if (is_at_or_below(w->domains.sets[i][k].name, domain))
                add_senders(out, &w->domains.sets[i][k], today);
            if (!is_recent(own, today) || !is_at_or_below(own->name, domain))
                continue;
            out->own++;
            take_example(out, own);
        }
    pthread_mutex_unlock(&w->lock);
}

void witnesses_of_network(struct witnesses *w, const struct network *network, int today,
                          struct accepted_lately *out)
{
    struct ipaddr ip;

    *out = (struct accepted_lately){0};
    pthread_mutex_lock(&w->lock);
    for (size_t i = 0; i < WITNESS_SETS * WITNESS_WAYS; i++) {
        const struct regular *r = &w->clients.sets[i / WITNESS_WAYS][i % WITNESS_WAYS];

        if (!is_regular(r, today) || ipaddr_parse(r->name, &ip) != 0 ||
            !network_contains(network, &ip))
            continue;
        out->clients++;
        snprintf(out->example, sizeof out->example, "%s", r->name);
    }
    pthread_mutex_unlock(&w->lock);
}

static void load_table(struct table *table, const json_t *rows)
{
    size_t i;
    json_t *row;

    json_array_foreach (rows, i, row) {
        const char *name = "", *example;
        json_int_t days = 0, last_day = 0, lists = 0, day;
        struct regular *r;

        if (json_unpack(row, "[s, I, I, I]", &name, &days, &last_day, &lists) != 0 ||
            name[0] == '\0' || strlen(name) >= WITNESS_NAME || days <= 0 ||
            days > UINT32_MAX || last_day < 0 || last_day > INT32_MAX)
            continue;
        r = place_of(table, name);
        r->days = (uint32_t)days;
        r->last_day = (int)last_day;
        r->lists = (uint64_t)lists;
        for (size_t k = 0; k < 2; k++) /* what an older version did not write is 0 */
            r->senders[k] = (uint64_t)json_integer_value(json_array_get(row, 4 + k));
        day = json_integer_value(json_array_get(row, 6));
        r->senders_day = day >= 0 && day <= INT32_MAX ? (int)day : 0;
        example = json_string_value(json_array_get(row, 7));
        if (example != NULL && strlen(example) < sizeof r->example)
            snprintf(r->example, sizeof r->example, "%s", example);
    }
}

static json_t *save_table(const struct table *table)
{
    json_t *rows = json_array();

    for (size_t i = 0; i < WITNESS_SETS; i++)
        for (size_t k = 0; k < WITNESS_WAYS; k++) {
            const struct regular *r = &table->sets[i][k];

            if (r->name[0] != '\0')
                json_array_append_new(
                    rows,
                    json_pack("[s, I, I, I, I, I, I, s]", r->name, (json_int_t)r->days,
                              (json_int_t)r->last_day, (json_int_t)r->lists,
                              (json_int_t)r->senders[0], (json_int_t)r->senders[1],
                              (json_int_t)r->senders_day, r->example));
        }
    return rows;
}

struct witnesses *witnesses_new(const char *path)
{
    struct witnesses *w = calloc(1, sizeof *w);
    json_error_t error;
    json_t *root = NULL;

    if (w == NULL)
        return NULL;
    pthread_mutex_init(&w->lock, NULL);
    if (path == NULL)
        return w;
    w->path = strdup(path);
    if (w->path == NULL) {
        witnesses_free(w);
        return NULL;
    }
    if (access(path, F_OK) == 0) {
        root = json_load_file(path, 0, &error);
        if (root == NULL)
            log_warning("%s:%d: %s: regular clients are learned again", path, error.line,
                        error.text);
    }
    load_table(&w->clients, json_object_get(root, "clients"));
    load_table(&w->domains, json_object_get(root, "domains"));
    load_table(&w->own, json_object_get(root, "own"));
    json_decref(root);
    return w;
}

void witnesses_free(struct witnesses *w)
{
    if (w == NULL)
        return;
    pthread_mutex_destroy(&w->lock);
    free(w->path);
    free(w);
}

void witnesses_save(struct witnesses *w)
{
    json_t *root;

    if (w->path == NULL)
        return;
    pthread_mutex_lock(&w->lock);
    root = json_pack("{s:o, s:o, s:o}", "clients", save_table(&w->clients), "domains",
                     save_table(&w->domains), "own", save_table(&w->own));
    pthread_mutex_unlock(&w->lock);
    if (root == NULL || json_file_replace(w->path, root) != 0)
        log_warning("%s: the regular clients cannot be written: %s", w->path,
                    strerror(errno));
    json_decref(root);
}
