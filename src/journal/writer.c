/* SPDX-License-Identifier: BSD-2-Clause */
/* The thread that writes the journal. What comes in a short time of one decision is one
 * row; what a file does not take is dropped, and tried again later. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "journal/journal_parts.h"

#define CHECKPOINT_MS 60000
#define FOLDS_MAX     100000

/* What was queued of one decision, put together. */
struct pending {
    UT_hash_handle hh;
    struct {
        journal_id id;
        uint64_t refused;
    } key;
    struct octets octets;
    struct journal_configuration *configuration; /* a reference; NULL without a head */
    char *alone;
};

/* A flood: one network, one verdict, one reason. */
struct fold {
    UT_hash_handle hh;
    uint64_t key;
    unsigned count;    /* in this minute */
    journal_id leader; /* stands for those beyond FOLD_FROM */
    uint64_t folded;   /* not written yet: so many more */
    int64_t last_ms;
};

/* --- the files --- */

void writer_close_day(struct open_day *day)
{
    if (day->day == NULL)
        return;
    if (day->in_transaction)
        day_cancel(day->day);
    day_close(day->day);
    *day = (struct open_day){0};
}

static void close_days(struct journal *journal)
{
    for (int i = 0; i < OPEN_DAYS; i++)
        writer_close_day(&journal->days[i]);
}

/* The place for one more file: a free one, or that of the oldest day that nothing is being
 * written to. */
static struct open_day *place(struct journal *journal)
{
    struct open_day *oldest = NULL;

    for (int i = 0; i < OPEN_DAYS; i++) {
        struct open_day *day = &journal->days[i];

        if (day->day == NULL)
            return day;
        if (!day->in_transaction && (oldest == NULL || day->number < oldest->number))
            oldest = day;
    }
    if (oldest != NULL)
        writer_close_day(oldest);
    return oldest;
}

/* A broken file is put aside, so that today's mail is kept all the same. */
static void put_aside(const char *path, const char *error)
{
    char aside[PATH_MAX];
    int n = snprintf(aside, sizeof aside, "%s.damaged-%lld", path, (long long)time(NULL));

    if (n > 0 && n < PATH_MAX && rename(path, aside) == 0) {
        log_error("journal: %s: kept as %s, a new file is begun", error, aside);
        for (int i = 0; i < 2; i++) {
            char other[PATH_MAX];

            n = snprintf(other, sizeof other, "%s%s", path, i == 0 ? "-wal" : "-shm");
            if (n > 0 && n < PATH_MAX)
                (void)unlink(other); /* it belongs to the broken one */
        }
    }
}

struct open_day *writer_day(struct journal *journal, int64_t number, enum day_kind kind,
                            char error[static DAY_ERROR_SIZE])
{
    struct open_day *day;
    char path[PATH_MAX];
    enum day_result result;

    for (int i = 0; i < OPEN_DAYS; i++)
        if (journal->days[i].day != NULL && journal->days[i].number == number &&
            journal->days[i].kind == kind)
            return &journal->days[i];
    day = place(journal);
    if (day == NULL || !day_path(journal->directory, number, kind, path)) {
        text_sentence(error, DAY_ERROR_SIZE, "no place for one more day");
        return NULL;
    }
    result = day_open(path, journal->key, &day->day, error);
    if (result == DAY_DAMAGED) {
        put_aside(path, error);
        result = day_open(path, journal->key, &day->day, error);
    }
    if (result != DAY_OK)
        return NULL;
    day->number = number;
    day->kind = kind;
    return day;
}

/* Files that somebody has removed are begun again: what is written to them is lost. */
static void close_removed(struct journal *journal)
{
    char path[PATH_MAX];

    for (int i = 0; i < OPEN_DAYS; i++) {
        struct open_day *day = &journal->days[i];

        if (day->day != NULL &&
            day_path(journal->directory, day->number, day->kind, path) &&
            access(path, F_OK) != 0 && errno == ENOENT) {
            log_error("journal: %s was removed: a new file is begun", path);
            writer_close_day(day);
        }
    }
}

/* --- one decision --- */

/* Where local parts are not kept: a hash in their place. */
static const char *masked(const uint8_t *key, const char *text, char *out, size_t size)
{
    char address[DAY_ADDRESS_SIZE], hash[DAY_HASH_SIZE];
    const char *domain;

    if (text[0] == '\0' || text[0] == '~')
        return text;
    day_address(text, address, &domain);
    day_hash(key, address, hash);
    text_sentence(out, size, "%s%s%s", hash, domain[0] != '\0' ? "@" : "", domain);
    return out;
}

#define MASKED_SIZE (DAY_HASH_SIZE + 1 + 256)

/* The same record with hashes for addresses and logins; in is empty then. */
static void mask(const uint8_t *key, struct octets *in)
{
    struct octets out = {0};
    struct record record;
    char sender[MASKED_SIZE], login[MASKED_SIZE], recipient[MASKED_SIZE];
    bool has_head = record_has_head(in->bytes, in->used);

    if (record_decode(in->bytes, in->used, &record) != 0)
        return;
    record.sender = masked(key, record.sender, sender, sizeof sender);
    record.login = masked(key, record.login, login, sizeof login);
    if (has_head)
        record_add_head(&out, &record);
    for (size_t i = 0; i < record.recipient_count; i++) {
        record.recipients[i].text =
            masked(key, record.recipients[i].text, recipient, sizeof recipient);
        record_add_recipient(&out, &record.recipients[i]);
    }
    if (record.end != END_OPEN || record.queue_id[0] != '\0')
        record_add_end(&out, record.end, record.queue_id);
    record_clear(&record);
    free(in->bytes);
    *in = out;
}

static enum day_result add_to(struct open_day *day, struct pending *p,
                              const struct record *record,
                              char error[static DAY_ERROR_SIZE])
{
    enum day_result result = DAY_OK;

    if (p->configuration != NULL)
        result =
            day_add_configuration(day->day, p->configuration->number,
                                  p->configuration->lists, p->configuration->text, error);
    if (result == DAY_OK && p->alone != NULL)
        result = day_add_alone(day->day, p->alone, error);
    if (result == DAY_OK)
        result =
            day_add(day->day, p->key.id, p->octets.bytes, p->octets.used, record, error);
    return result;
}

static struct open_day *day_for(struct journal *journal, journal_id id, bool refused,
                                char error[static DAY_ERROR_SIZE])
{
    struct open_day *day = writer_day(journal, day_of(journal_id_time(id)),
                                      refused ? DAY_REFUSED : DAY_ACCEPTED, error);

    if (day == NULL || day->in_transaction)
        return day;
    if (day_begin(day->day, error) != DAY_OK)
        return NULL;
    day->in_transaction = true;
    return day;
}

/* --- floods --- */

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

static void forget_folds(struct journal *journal)
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
static bool is_folded(struct journal *journal, const struct pending *p,
                      const struct record *r, struct fold **out)
{
    struct fold *fold;

    if (p->configuration == NULL || !r->has_client || r->verdict < 2)
        return false;
    fold = fold_of(journal, r);
    *out = fold;
    if (fold == NULL || ++fold->count <= FOLD_FROM)
        return false;
    if (fold->leader == 0) {
        fold->leader = p->key.id;
        return false;
    }
    return true;
}

/* Writes how many more there were to those that stand for them. */
static enum day_result write_folds(struct journal *journal,
                                   char error[static DAY_ERROR_SIZE])
{
    struct fold *fold, *next;
    struct record none = {.sender = "", .login = "", .queue_id = "", .entry = ""};
    enum day_result result = DAY_OK;

    HASH_ITER (hh, journal->folds, fold, next) {
        struct octets octets = {0};
        struct open_day *day;

        if (fold->folded == 0 || result != DAY_OK)
            continue;
        record_add_folded(&octets, fold->folded, fold->last_ms);
        day = day_for(journal, fold->leader, true, error);
        result = day == NULL ? DAY_FAILED
                             : day_add(day->day, fold->leader, octets.bytes, octets.used,
                                       &none, error);
        free(octets.bytes);
        fold->folded = 0;
    }
    return result;
}

static enum day_result write_one(struct journal *journal, struct pending *p,
                                 char error[static DAY_ERROR_SIZE])
{
    struct open_day *day;
    struct record record;
    struct fold *fold = NULL;
    enum day_result result;

    if (record_decode(p->octets.bytes, p->octets.used, &record) != 0)
        return DAY_OK; /* no memory: it is lost, the others are not */
    day = day_for(journal, p->key.id, p->key.refused, error);
    if (day == NULL) {
        result = DAY_FAILED;
    } else if (is_folded(journal, p, &record, &fold)) {
        fold->folded++;
        pthread_mutex_lock(&journal->lock);
        journal->stats.folded++;
        pthread_mutex_unlock(&journal->lock);
        fold->last_ms = record.at_ms;
        result = day_add_folded(day->day, p->key.id, fold->leader, error);
    } else {
        result = add_to(day, p, &record, error);
    }
    if (result == DAY_DAMAGED)
        journal->damaged = day;
    record_clear(&record);
    return result;
}

/* --- a batch --- */

static struct pending *pending_of(struct pending **table, const struct queued *q)
{
    struct pending *p, sought = {.key = {q->id, q->refused}};

    HASH_FIND(hh, *table, &sought.key, sizeof sought.key, p);
    if (p != NULL)
        return p;
    p = calloc(1, sizeof *p);
    if (p == NULL)
        return NULL;
    p->key.id = q->id;
    p->key.refused = q->refused;
    HASH_ADD(hh, *table, key, sizeof p->key, p);
    return p;
}

/* Takes the queued ones apart into what is known of each decision; frees them. Returns how
 * many decisions began. */
static uint64_t gather(struct queued *first, struct pending **table)
{
    uint64_t decisions = 0;

    for (struct queued *q = first, *next; q != NULL; q = next) {
        struct pending *p = pending_of(table, q);

        next = q->next;
        decisions += q->configuration != NULL;
        if (p != NULL && p->octets.bytes == NULL) {
            p->octets = q->octets;
            q->octets = (struct octets){0};
        } else if (p != NULL) {
            octets_add(&p->octets, q->octets.bytes, q->octets.used);
        }
        if (p != NULL && q->configuration != NULL) {
            journal_configuration_unref(p->configuration);
            p->configuration = q->configuration;
            q->configuration = NULL;
        }
        if (p != NULL && p->alone == NULL) {
            p->alone = q->alone;
            q->alone = NULL;
        }
        journal_configuration_unref(q->configuration);
        free(q->octets.bytes);
        free(q->alone);
        free(q);
    }
    return decisions;
}

static void free_pending(struct pending **table)
{
    struct pending *p, *next;

    HASH_ITER (hh, *table, p, next) {
        HASH_DEL(*table, p);
        free(p->octets.bytes);
        journal_configuration_unref(p->configuration);
        free(p->alone);
        free(p);
    }
}

static enum day_result commit(struct journal *journal, char error[static DAY_ERROR_SIZE])
{
    enum day_result result = DAY_OK;

    for (int i = 0; i < OPEN_DAYS && result == DAY_OK; i++) {
        if (!journal->days[i].in_transaction)
            continue;
        result = day_commit(journal->days[i].day, error);
        journal->days[i].in_transaction = result != DAY_OK;
        if (result == DAY_DAMAGED)
            journal->damaged = &journal->days[i];
    }
    return result;
}

static void new_minute(struct journal *journal)
{
    int64_t minute = (int64_t)time(NULL) / 60;

    if (minute == journal->fold_minute)
        return;
    journal->fold_minute = minute;
    forget_folds(journal);
}

/* Writes all of a batch, or nothing of it. */
static enum day_result write_batch(struct journal *journal, struct pending *table,
                                   bool local_parts, char error[static DAY_ERROR_SIZE])
{
    enum day_result result = DAY_OK;
    struct pending *p, *next;

    new_minute(journal);
    HASH_ITER (hh, table, p, next) {
        if (!local_parts)
            mask(journal->key, &p->octets);
        result = write_one(journal, p, error);
        if (result != DAY_OK)
            break;
    }
    if (result == DAY_OK)
        result = write_folds(journal, error);
    if (result == DAY_OK)
        result = commit(journal, error);
    return result;
}

/* --- while nothing can be written --- */

static int64_t now_unix_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void fail(struct journal *journal, const char *error, uint64_t decisions)
{
    uint64_t dropped;

    close_days(journal);
    journal->retry_ms = clock_ms() + RETRY_MS;
    pthread_mutex_lock(&journal->lock);
    if (!journal->stats.failing)
        journal->stats.gap = (struct journal_gap){.began_ms = now_unix_ms()};
    journal->stats.failing = true;
    text_sentence(journal->stats.error, sizeof journal->stats.error, "%s", error);
    journal->stats.dropped += decisions;
    journal->stats.gap.dropped += decisions;
    dropped = journal->stats.gap.dropped;
    pthread_mutex_unlock(&journal->lock);
    log_error("journal: decisions are not kept: %s, dropped=%llu", error,
              (unsigned long long)dropped);
}

/* It works again: how long it did not is kept for those who ask. */
static void recovered(struct journal *journal)
{
    struct journal_gap gap;
    struct open_day *day;
    char error[DAY_ERROR_SIZE];

    journal->retry_ms = 0;
    pthread_mutex_lock(&journal->lock);
    if (!journal->stats.failing) {
        pthread_mutex_unlock(&journal->lock);
        return;
    }
    journal->stats.failing = false;
    journal->stats.gap.ended_ms = now_unix_ms();
    gap = journal->stats.gap;
    pthread_mutex_unlock(&journal->lock);
    log_notice("journal: decisions are kept again: %llu were not",
               (unsigned long long)gap.dropped);
    day = writer_day(journal, day_of(gap.ended_ms / 1000), DAY_REFUSED, error);
    if (day == NULL ||
        day_add_gap(day->day, gap.began_ms, gap.ended_ms, gap.dropped, error) != DAY_OK)
        log_warning("journal: %s", error);
}

static void drop(struct journal *journal, struct pending **table, uint64_t decisions)
{
    free_pending(table);
    pthread_mutex_lock(&journal->lock);
    journal->stats.dropped += decisions;
    if (journal->stats.failing)
        journal->stats.gap.dropped += decisions;
    pthread_mutex_unlock(&journal->lock);
}

/* What a batch needs before anything is written. Returns 0, or -1. */
static int prepare(struct journal *journal, int64_t min_free,
                   char error[static DAY_ERROR_SIZE])
{
    if (journal->lock_fd < 0 && retention_lock(journal, error) != 0)
        return -1;
    if (access(journal->directory, F_OK) != 0) {
        close_days(journal);
        close(journal->lock_fd);
        journal->lock_fd = -1;
        if (retention_lock(journal, error) != 0)
            return -1;
    }
    if (!journal->has_key && retention_key(journal) != 0) {
        text_sentence(error, DAY_ERROR_SIZE, "no random numbers");
        return -1;
    }
    journal->has_key = true;
    close_removed(journal);
    if (journal->full) {
        text_sentence(error, DAY_ERROR_SIZE, "%s: today's alone are larger than max-size",
                      journal->directory);
        return -1;
    }
    return retention_check_free(journal->directory, min_free, error);
}

/* Puts the file aside that writing has found to be broken. */
static bool replace_damaged(struct journal *journal, const char *error)
{
    struct open_day *day = journal->damaged;
    char path[PATH_MAX];

    if (day == NULL || !day_path(journal->directory, day->number, day->kind, path))
        return false;
    journal->damaged = NULL;
    close_days(journal);
    put_aside(path, error);
    return true;
}

static void deal_with(struct journal *journal, struct queued *first,
                      const struct journal_settings *settings)
{
    struct pending *table = NULL;
    char error[DAY_ERROR_SIZE] = "";
    uint64_t decisions = gather(first, &table);
    enum day_result result = DAY_FAILED;

    if (journal->retry_ms > clock_ms()) {
        drop(journal, &table, decisions);
        return;
    }
    if (prepare(journal, settings->min_free, error) == 0)
        result = write_batch(journal, table, settings->local_parts, error);
    if (result == DAY_DAMAGED && replace_damaged(journal, error))
        result = write_batch(journal, table, settings->local_parts, error);
    if (result != DAY_OK) {
        fail(journal, error, decisions);
    } else {
        recovered(journal);
        pthread_mutex_lock(&journal->lock);
        journal->stats.written += decisions;
        pthread_mutex_unlock(&journal->lock);
    }
    free_pending(&table);
}

/* --- the thread --- */

/* Once a minute: what is over goes, what was written goes from the log into the files. */
static void tend(struct journal *journal)
{
    if (journal->lock_fd < 0 || clock_ms() < journal->checkpoint_ms)
        return;
    journal->checkpoint_ms = clock_ms() + CHECKPOINT_MS;
    for (int i = 0; i < OPEN_DAYS; i++)
        if (journal->days[i].day != NULL)
            day_checkpoint(journal->days[i].day);
    retention_prune(journal);
}

/* Merges the index of days that are over, a little each time. */
static void merge(struct journal *journal)
{
    int64_t today = day_of((int64_t)time(NULL));

    for (int i = 0; i < OPEN_DAYS; i++) {
        struct open_day *day = &journal->days[i];

        if (day->day == NULL || day->number >= today || day->merged)
            continue;
        day->merged = !day_merge(day->day);
        if (day->merged && day->number < today - 1)
            writer_close_day(day);
        return;
    }
}

/* Waits for the next batch; takes it. Returns false at the end. */
static bool take_batch(struct journal *journal, struct queued **first, uint64_t *put,
                       struct journal_settings *settings)
{
    struct timespec until = clock_timespec(clock_ms() + COMMIT_MS);
    int rc = 0;
    bool go_on;

    pthread_mutex_lock(&journal->lock);
    while (rc == 0 && journal->queued_count < BATCH && journal->flushing == 0 &&
           !journal->stopping)
        rc = pthread_cond_timedwait(&journal->wake, &journal->lock, &until);
    *first = journal->first;
    *put = journal->put;
    *settings = journal->settings;
    journal->first = NULL;
    journal->last = &journal->first;
    journal->queued_bytes = 0;
    journal->queued_count = 0;
    go_on = !journal->stopping;
    pthread_mutex_unlock(&journal->lock);
    return go_on;
}

void *writer_main(void *context)
{
    struct journal *journal = context;
    struct journal_settings settings;
    struct queued *first;
    uint64_t put;
    bool go_on;

    do {
        go_on = take_batch(journal, &first, &put, &settings);
        if (first != NULL)
            deal_with(journal, first, &settings);
        pthread_mutex_lock(&journal->lock);
        journal->taken = put;
        pthread_cond_broadcast(&journal->written);
        pthread_mutex_unlock(&journal->lock);
        tend(journal);
        merge(journal);
    } while (go_on);
    close_days(journal);
    forget_folds(journal);
    if (journal->lock_fd >= 0)
        close(journal->lock_fd);
    return NULL;
}
