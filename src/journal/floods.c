/* SPDX-License-Identifier: BSD-2-Clause */
/* Floods: of what is refused or put off from one network for the same reason, the first of a
 * minute are kept, and one that stands for the rest. */

#include <stdlib.h>
#include <time.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "journal/journal_parts.h"

#define FOLDS_MAX 100000

/* A flood: one network, one verdict, one reason. */
struct fold {
    UT_hash_handle hh;
    uint64_t key;
    unsigned count;    /* in this minute */
    journal_id leader; /* stands for those beyond FOLD_FROM */
    uint64_t folded;   /* not written yet: so many more */
    int64_t last_ms;
};

static uint64_t mix(uint64_t hash, uint64_t value)
{
    hash = (hash ^ value) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 29;
}

static uint64_t fold_key(const struct record *r)
{
    struct network network;
    uint64_t key = mix(1, r->verdict);

    network_of(&r->client, r->client.family == 4 ? 24 : 48, &network);
    for (size_t i = 0; i < sizeof network.base.octets; i++)
        key = mix(key, network.base.octets[i]);
    for (const char *p = r->entry; *p != '\0'; p++)
        key = mix(key, (uint8_t)*p);
    for (size_t i = 0; i < r->answer_count; i++)
        if (r->answers[i].weight != 0)
            key = mix(key, (uint64_t)r->answers[i].list << 8 | r->answers[i].check);
    return key;
}

void floods_forget(struct journal *journal)
{
    struct fold *fold, *next;

    HASH_ITER (hh, journal->folds, fold, next) {
        HASH_DEL(journal->folds, fold);
        free(fold);
    }
}

static struct fold *fold_of(struct journal *journal, const struct record *r)
{
    uint64_t key = fold_key(r);
    struct fold *fold;

    HASH_FIND(hh, journal->folds, &key, sizeof key, fold);
    if (fold != NULL || HASH_COUNT(journal->folds) >= FOLDS_MAX)
        return fold;
    fold = calloc(1, sizeof *fold);
    if (fold == NULL)
        return NULL;
    fold->key = key;
    HASH_ADD(hh, journal->folds, key, sizeof fold->key, fold);
    return fold;
}

/* Whether the decision is one of a flood, which another one stands for: of what was
 * refused or put off from one network for the same reason, after the first of a minute.
 * Accepted mail is never folded. */
bool flood_has(struct journal *journal, journal_id id, const struct record *r,
               struct fold **out)
{
    struct fold *fold;

    if (!r->has_client || r->verdict < 2)
        return false;
    fold = fold_of(journal, r);
    *out = fold;
    if (fold == NULL || ++fold->count <= FOLD_FROM)
        return false;
    if (fold->leader == 0) {
        fold->leader = id;
        return false;
    }
    return true;
}

/* Writes how many more there were to those that stand for them. */
enum day_result floods_write(struct journal *journal, char error[static DAY_ERROR_SIZE])
{
    struct fold *fold, *next;
    struct record none = {.sender = "", .login = "", .queue_id = "", .entry = ""};
    enum day_result result = DAY_OK;

    if (!journal->has_folded)
        return DAY_OK;
    journal->has_folded = false;
    HASH_ITER (hh, journal->folds, fold, next) {
        struct octets octets = {0};
        struct open_day *day;

        if (fold->folded == 0 || result != DAY_OK)
            continue;
        record_add_folded(&octets, fold->folded, fold->last_ms);
        day = open_day_for(journal, fold->leader, true, error);
        result = day == NULL ? DAY_FAILED
                             : day_add(day->day, fold->leader, octets.bytes, octets.used,
                                       &none, error);
        if (result == DAY_DAMAGED)
            journal->damaged = day;
        free(octets.bytes);
        fold->folded = 0;
    }
    return result;
}

enum day_result flood_add(struct journal *journal, struct day *day, journal_id id,
                          struct fold *fold, int64_t at_ms,
                          char error[static DAY_ERROR_SIZE])
{
    enum day_result result = day_add_folded(day, id, fold->leader, error);

    if (result != DAY_OK)
        return result;
    fold->folded++;
    journal->has_folded = true;
    fold->last_ms = at_ms;
    pthread_mutex_lock(&journal->lock);
    journal->stats.folded++;
    pthread_mutex_unlock(&journal->lock);
    return result;
}

void floods_new_minute(struct journal *journal)
{
    int64_t minute = (int64_t)time(NULL) / 60;

    if (minute == journal->fold_minute)
        return;
    journal->fold_minute = minute;
    floods_forget(journal);
}
