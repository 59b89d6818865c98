/* SPDX-License-Identifier: BSD-2-Clause */
/* The thread that writes the journal. What comes in a short time of one decision is one
 * row; what a file does not take is dropped, and tried again later. */

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "journal/journal_parts.h"

#define CHECKPOINT_MS 60000

/* One decision of a batch. */
struct pending {
    UT_hash_handle hh;
    struct {
        journal_id id;
        uint64_t refused;
    } key;
    struct queued *first, *last; /* its parts, as they were queued */
    const uint8_t *bytes;        /* of all of them; while it is written */
    size_t size;
    const struct journal_configuration *configuration; /* NULL without a head */
    const char *alone;                                 /* NULL none */
    bool written;                                      /* within a transaction */
    bool done;                                         /* it is on disk */
};

/* --- one decision --- */

/* One part with hashes for the local parts of addresses and for logins. */
static void mask_part(const uint8_t *key, const uint8_t *bytes, size_t size,
                      struct octets *out)
{
    char sender[TOKEN_MASKED_SIZE], login[TOKEN_MASKED_SIZE], entry[TOKEN_MASKED_SIZE];
    struct record record;

    if (record_decode(bytes, size, &record) != 0) {
        out->failed = true;
        return;
    }
    if (record_has_head(bytes, size)) {
        token_mask(key, record.sender, sender);
        token_mask(key, record.login, login);
        token_mask_entry(key, record.entry, entry);
        record.sender = sender;
        record.login = login;
        record.entry = entry;
        if (strpbrk(record.reason, "@%") != NULL)
            record.reason = ""; /* some lists repeat in it what they were queried for */
        record_add_head(out, &record);
    } else if (record.recipient_count > 0) {
        token_mask(key, record.recipients[0].text, sender);
        record.recipients[0].text = sender;
        record_add_recipient(out, &record.recipients[0]);
    } else {
        octets_add(out, bytes, size);
    }
    record_clear(&record);
}

static void mask(const uint8_t *key, const struct pending *p, struct octets *out)
{
    size_t size;

    for (const uint8_t *at = p->bytes, *end = at + p->size; at < end; at += size) {
        size = record_part_size(at, (size_t)(end - at));
        if (size == 0)
            out->failed = true;
        if (out->failed)
            return;
        mask_part(key, at, size, out);
    }
}

static enum day_result add_masked(struct day *day, const struct pending *p,
                                  char error[static DAY_ERROR_SIZE])
{
    struct octets masked = {0};
    struct record record;
    enum day_result result = DAY_OK; /* without memory it is lost, the others are not */

    mask(day_key(day), p, &masked);
    if (!masked.failed && record_decode(masked.bytes, masked.used, &record) == 0) {
        result = day_note_masked(day, error);
        if (result == DAY_OK)
            result = day_add(day, p->key.id, masked.bytes, masked.used, &record, error);
        record_clear(&record);
    }
    free(masked.bytes);
    return result;
}

static enum day_result add_to(struct open_day *day, const struct pending *p,
                              const struct record *record, bool local_parts,
                              char error[static DAY_ERROR_SIZE])
{
    enum day_result result = DAY_OK;

    if (p->configuration != NULL)
        result =
            day_add_configuration(day->day, p->configuration->number,
                                  p->configuration->lists, p->configuration->text, error);
    if (result == DAY_OK && p->alone != NULL)
        result = day_add_alone(day->day, p->alone, error);
    if (result != DAY_OK)
        return result;
    return local_parts ? day_add(day->day, p->key.id, p->bytes, p->size, record, error)
                       : add_masked(day->day, p, error);
}

/* Returns false: no memory. */
static bool join_parts(struct journal *journal, struct pending *p)
{
    struct octets *joined = &journal->joined;

    if (p->first == p->last) {
        p->bytes = (const uint8_t *)(p->first + 1);
        p->size = p->first->size;
        return true;
    }
    joined->used = 0;
    joined->failed = false;
    for (const struct queued *q = p->first; q != NULL; q = q->next)
        octets_add(joined, q + 1, q->size);
    p->bytes = joined->bytes;
    p->size = joined->used;
    return !joined->failed;
}

static enum day_result write_one(struct journal *journal, struct pending *p,
                                 bool local_parts, char error[static DAY_ERROR_SIZE])
{
    struct open_day *day;
    struct record record;
    struct fold *fold = NULL;
    enum day_result result;

    /* what a flood is known by is in the answers; else they are not needed here */
    if (!join_parts(journal, p) ||
        (p->key.refused ? record_decode : record_decode_envelope)(p->bytes, p->size,
                                                                  &record) != 0)
        return DAY_OK; /* no memory: it is lost, the others are not */
    day = open_day_for(journal, p->key.id, p->key.refused, error);
    if (day == NULL)
        result = DAY_FAILED;
    else if (p->configuration != NULL && flood_has(journal, p->key.id, &record, &fold))
        result = flood_add(journal, day->day, p->key.id, fold, record.at_ms, error);
    else if (p->configuration == NULL && p->key.refused &&
             day_leader(day->day, p->key.id) != 0)
        result = DAY_OK; /* what follows of one that is folded */
    else
        result = add_to(day, p, &record, local_parts, error);
    if (result == DAY_DAMAGED)
        journal->damaged = day;
    record_clear(&record);
    return result;
}

/* --- a batch --- */

/* How many there are in a batch, or only those with a head. */
static size_t count_queued(const struct octets *batch, bool heads)
{
    size_t count = 0;

    for (const struct queued *q = queued_next(batch, NULL); q != NULL;
         q = queued_next(batch, q))
        count += !heads || q->configuration != NULL;
    return count;
}

/* The decisions of a batch, in the order in which they were begun. Returns their memory, to
 * be freed; NULL: there is none. */
static struct pending *gather(const struct octets *batch, struct pending **table)
{
    struct pending *all = calloc(count_queued(batch, false), sizeof *all);
    struct pending *p, *unused = all;

    *table = NULL;
    if (all == NULL)
        return NULL;
    for (struct queued *q = queued_next(batch, NULL); q != NULL;
         q = queued_next(batch, q)) {
        unused->key.id = q->id;
        unused->key.refused = q->refused;
        HASH_FIND(hh, *table, &unused->key, sizeof unused->key, p);
        if (p == NULL) {
            p = unused++;
            p->first = q;
            HASH_ADD(hh, *table, key, sizeof p->key, p);
        } else {
            p->last->next = q;
        }
        p->last = q;
        if (q->configuration != NULL)
            p->configuration = q->configuration;
        if (p->alone == NULL)
            p->alone = q->alone;
    }
    return all;
}

/* Notes what of a batch is in a file that was committed, so that it is not written again,
 * and that searches have to begin a new read of the file. */
static void note_done(struct journal *journal, struct pending *table,
                      const struct open_day *day)
{
    pthread_mutex_lock(&journal->lock);
    if (day->number < journal->oldest_written)
        journal->oldest_written = day->number;
    pthread_mutex_unlock(&journal->lock);
    for (struct pending *p = table; p != NULL; p = p->hh.next)
        if (p->written && p->key.refused == (day->kind == DAY_REFUSED) &&
            day_of(journal_id_time(p->key.id)) == day->number)
            p->done = true;
}

static enum day_result commit(struct journal *journal, struct pending *table,
                              char error[static DAY_ERROR_SIZE])
{
    enum day_result result = DAY_OK;

    for (int i = 0; i < OPEN_DAYS && result == DAY_OK; i++) {
        struct open_day *day = &journal->days[i];

        if (!day->in_transaction)
            continue;
        result = day_commit(day->day, error);
        day->in_transaction = result != DAY_OK;
        if (result == DAY_DAMAGED)
            journal->damaged = day;
        if (result == DAY_OK)
            note_done(journal, table, day);
    }
    return result;
}

/* Writes what of a batch is not on disk yet: of each file all of it, or nothing. */
static enum day_result write_batch(struct journal *journal, struct pending *table,
                                   bool local_parts, char error[static DAY_ERROR_SIZE])
{
    enum day_result result = DAY_OK;

    floods_new_minute(journal);
    for (struct pending *p = table; p != NULL; p = p->hh.next)
        p->written = p->done;
    for (struct pending *p = table; p != NULL && result == DAY_OK; p = p->hh.next) {
        if (p->done)
            continue;
        if (!open_days_have_place(journal, p->key.id, p->key.refused))
            result = commit(journal, table, error);
        if (result == DAY_OK)
            result = write_one(journal, p, local_parts, error);
        p->written = result == DAY_OK;
    }
    if (result == DAY_OK)
        result = floods_write(journal, error);
    if (result == DAY_OK)
        result = commit(journal, table, error);
    return result;
}

/* How many decisions began in a batch; those on disk, or those that are not. */
static uint64_t count_begun(const struct pending *table, bool done)
{
    uint64_t count = 0;

    for (const struct pending *p = table; p != NULL; p = p->hh.next)
        count += p->configuration != NULL && p->done == done;
    return count;
}

/* --- while nothing can be written --- */

/* The rest of the batch is given up. What was folded in it is not there to lead to. */
static void fail(struct journal *journal, const char *error, uint64_t decisions)
{
    uint64_t dropped;

    open_days_close(journal);
    floods_forget(journal);
    journal->damaged = NULL;
    journal->retry_ms = clock_ms() + RETRY_MS;
    pthread_mutex_lock(&journal->lock);
    journal_note_dropped(journal, decisions, error);
    dropped = journal->stats.gap.dropped;
    pthread_mutex_unlock(&journal->lock);
    log_error("journal: decisions are not kept: %s, dropped=%llu", error,
              (unsigned long long)dropped);
}

/* It works again, if how long it did not can be kept, to be reported. */
static void recover(struct journal *journal)
{
    struct journal_gap gap;
    struct open_day *day;
    char error[DAY_ERROR_SIZE];
    bool failing;

    pthread_mutex_lock(&journal->lock);
    failing = journal->stats.failing;
    journal->stats.gap.ended_ms =
        failing ? journal_now_ms() : journal->stats.gap.ended_ms;
    gap = journal->stats.gap;
    journal->stats.failing = false; /* what is dropped from now on is a gap of its own */
    pthread_mutex_unlock(&journal->lock);
    journal->retry_ms = 0;
    if (!failing)
        return;
    day = open_day_get(journal, day_of(gap.ended_ms / 1000), DAY_REFUSED, error);
    if (day == NULL ||
        day_add_gap(day->day, gap.began_ms, gap.ended_ms, gap.dropped, error) != DAY_OK) {
        fail(journal, error, 0);
        pthread_mutex_lock(&journal->lock);
        journal->stats.gap.began_ms = gap.began_ms;
        journal->stats.gap.dropped += gap.dropped;
        pthread_mutex_unlock(&journal->lock);
        return;
    }
    log_notice("journal: decisions are kept again: %llu were not",
               (unsigned long long)gap.dropped);
}

/* What a batch needs before anything is written. Returns 0, or -1. */
static int prepare(struct journal *journal, int64_t min_free,
                   char error[static DAY_ERROR_SIZE])
{
    if (!retention_has_lock(journal)) {
        open_days_close(journal);
        if (retention_lock(journal, error) != 0)
            return -1;
    }
    if (!journal->has_key && retention_key(journal) != 0) {
        text_sentence(error, DAY_ERROR_SIZE, "no random numbers");
        return -1;
    }
    journal->has_key = true;
    open_days_close_removed(journal);
    if (journal->full) {
        text_sentence(error, DAY_ERROR_SIZE, "%s: today's alone are larger than max-size",
                      journal->directory);
        return -1;
    }
    return retention_check_free(journal->directory, min_free, error);
}

/* Writes the batch that was taken. */
static void deal_with(struct journal *journal, const struct journal_settings *settings)
{
    struct pending *table, *all = gather(&journal->batch, &table);
    char error[DAY_ERROR_SIZE] = "";
    enum day_result result = DAY_FAILED;

    if (all == NULL) {
        fail(journal, "out of memory", count_queued(&journal->batch, true));
        return;
    }
    if (journal->retry_ms > clock_ms()) {
        pthread_mutex_lock(&journal->lock);
        journal_note_dropped(journal, count_begun(table, false), NULL);
        pthread_mutex_unlock(&journal->lock);
        goto out;
    }
    if (prepare(journal, settings->min_free, error) == 0)
        result = write_batch(journal, table, settings->local_parts, error);
    if (journal->damaged != NULL && open_days_replace_damaged(journal, error)) {
        floods_forget(journal);
        result = write_batch(journal, table, settings->local_parts, error);
    }
    if (result == DAY_OK)
        recover(journal);
    else
        fail(journal, error, count_begun(table, false));
    pthread_mutex_lock(&journal->lock);
    journal->stats.written += count_begun(table, true);
    pthread_mutex_unlock(&journal->lock);
out:
    HASH_CLEAR(hh, table);
    free(all);
}

/* Where nothing can be written, or nothing was yet, it is tried without a decision, too:
 * what is over has to go, and status has to report it. */
static void try_again(struct journal *journal, const struct journal_settings *settings)
{
    char error[DAY_ERROR_SIZE] = "";
    bool failing;

    pthread_mutex_lock(&journal->lock);
    failing = journal->stats.failing;
    pthread_mutex_unlock(&journal->lock);
    if (settings->refused_s == 0 || journal->retry_ms > clock_ms() ||
        (!failing && journal->lock_fd >= 0))
        return;
    if (prepare(journal, settings->min_free, error) == 0)
        recover(journal);
    else
        fail(journal, error, 0);
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
            open_day_close(day);
        return;
    }
}

/* Waits for the next batch; takes it. Returns false at the end. */
static bool take_batch(struct journal *journal, uint64_t *put,
                       struct journal_settings *settings)
{
    struct octets empty = journal->batch;
    struct timespec until = clock_timespec(clock_ms() + COMMIT_MS);
    int rc = 0;
    bool go_on;

    pthread_mutex_lock(&journal->lock);
    while (rc == 0 && journal->queued_count < BATCH &&
           journal->wanted <= journal->taken && !journal->stopping)
        rc = pthread_cond_timedwait(&journal->wake, &journal->lock, &until);
    journal->batch = journal->queue;
    journal->queue = empty;
    journal->queued_count = 0;
    *put = journal->put;
    *settings = journal->settings;
    go_on = !journal->stopping;
    pthread_mutex_unlock(&journal->lock);
    return go_on;
}

void writer_start(struct journal *journal)
{
    struct journal_settings settings = journal->settings;

    try_again(journal, &settings);
}

void *writer_main(void *context)
{
    struct journal *journal = context;
    struct journal_settings settings;
    uint64_t put;
    bool go_on;

    do {
        go_on = take_batch(journal, &put, &settings);
        if (journal->batch.used > 0)
            deal_with(journal, &settings);
        else
            try_again(journal, &settings);
        queue_clear(&journal->batch);
        pthread_mutex_lock(&journal->lock);
        journal->taken = put;
        pthread_cond_broadcast(&journal->written);
        pthread_mutex_unlock(&journal->lock);
        tend(journal);
        merge(journal);
    } while (go_on);
    open_days_close(journal);
    floods_forget(journal);
    if (journal->lock_fd >= 0)
        close(journal->lock_fd);
    pthread_mutex_lock(&journal->lock);
    journal->ended = true;
    pthread_cond_broadcast(&journal->written);
    pthread_mutex_unlock(&journal->lock);
    return NULL;
}
