/* SPDX-License-Identifier: BSD-2-Clause */
#include "journal/journal.h"

#include <errno.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "journal/journal_parts.h"

#define STOP_MS    2000
#define QUEUE_KEPT (1u << 20) /* octets: what a queue keeps while it is empty */

static const char queue_is_full[] = "they come faster than the disk takes them";

static int init_locks(struct journal *journal)
{
    return pthread_mutex_init(&journal->lock, NULL) == 0 &&
                   pthread_mutex_init(&journal->reader_lock, NULL) == 0 &&
                   clock_cond_init(&journal->wake) == 0 &&
                   clock_cond_init(&journal->written) == 0
               ? 0
               : -1;
}

struct journal *journal_new(const struct journal_settings *settings)
{
    struct journal *journal = calloc(1, sizeof *journal);

    if (journal == NULL)
        return NULL;
    if (init_locks(journal) != 0) {
        free(journal);
        return NULL;
    }
    journal->lock_fd = -1;
    journal->oldest_written = INT64_MAX;
    journal->started = time(NULL);
    journal->believed = (int64_t)journal->started;
    journal->believed_at = clock_ms() / 1000;
    journal->directory = strdup(settings->directory);
    journal->ids = journal_ids_new();
    journal->reader = journal_reader_new();
    journal_configure(journal, settings);
    if (journal->directory == NULL || journal->ids == NULL || journal->reader == NULL) {
        journal_free(journal);
        return NULL;
    }
    writer_start(journal);
    if (pthread_create(&journal->thread, NULL, writer_main, journal) != 0) {
        journal_free(journal);
        return NULL;
    }
    journal->has_thread = true;
    return journal;
}

void journal_configure(struct journal *journal, const struct journal_settings *settings)
{
    pthread_mutex_lock(&journal->lock);
    journal->settings = *settings;
    journal->settings.directory = NULL; /* ours stays */
    atomic_store(&journal->on, settings->refused_s > 0);
    atomic_store(&journal->keeps_accepted,
                 settings->refused_s > 0 && settings->accepted_s > 0);
    pthread_mutex_unlock(&journal->lock);
}

/* --- the queue --- */

/* What one takes in the queue that has so many octets. */
static size_t queued_size(size_t octets)
{
    size_t unit = alignof(struct queued);

    return sizeof(struct queued) + (octets + unit - 1) / unit * unit;
}

struct queued *queued_next(const struct octets *queue, const struct queued *at)
{
    size_t offset =
        at == NULL ? 0
                   : (size_t)((const uint8_t *)at - queue->bytes) + queued_size(at->size);

    return offset < queue->used ? (void *)(queue->bytes + offset) : NULL;
}

void queue_clear(struct octets *queue)
{
    for (struct queued *q = queued_next(queue, NULL); q != NULL;
         q = queued_next(queue, q)) {
        journal_configuration_unref(q->configuration);
        free(q->alone);
    }
    queue->used = 0;
    if (queue->size > QUEUE_KEPT) {
        free(queue->bytes);
        *queue = (struct octets){0};
    }
}

/* Appends one with its octets. Without memory, the queue stays as it was. */
static bool queue_add(struct octets *queue, const struct queued *queued,
                      const uint8_t *octets)
{
    static const uint8_t filling[alignof(struct queued)];
    size_t used = queue->used;

    octets_add(queue, queued, sizeof *queued);
    octets_add(queue, octets, queued->size);
    octets_add(queue, filling, used + queued_size(queued->size) - queue->used);
    if (!queue->failed)
        return true;
    queue->failed = false;
    queue->used = used;
    return false;
}

void journal_stop(struct journal *journal)
{
    struct timespec until = clock_timespec(clock_ms() + STOP_MS);
    bool ended;

    if (journal == NULL || !journal->has_thread)
        return;
    pthread_mutex_lock(&journal->lock);
    journal->stopping = true;
    pthread_cond_signal(&journal->wake);
    while (!journal->ended)
        if (pthread_cond_timedwait(&journal->written, &journal->lock, &until) != 0)
            break;
    ended = journal->ended;
    pthread_mutex_unlock(&journal->lock);
    if (ended) {
        pthread_join(journal->thread, NULL);
        journal->has_thread = false;
    } else {
        log_warning("journal: stopped with decisions not written");
    }
}

void journal_free(struct journal *journal)
{
    if (journal == NULL)
        return;
    journal_stop(journal);
    if (journal->has_thread)
        return; /* it is at work still: at the end of the process */
    queue_clear(&journal->queue);
    free(journal->queue.bytes);
    free(journal->batch.bytes);
    free(journal->joined.bytes);
    pthread_mutex_destroy(&journal->lock);
    pthread_cond_destroy(&journal->wake);
    pthread_cond_destroy(&journal->written);
    pthread_mutex_destroy(&journal->reader_lock);
    journal_reader_free(journal->reader);
    journal_ids_free(journal->ids);
    free(journal->directory);
    free(journal);
}

struct journal_configuration *journal_configuration_new(struct journal *journal,
                                                        const char *lists,
                                                        const char *text)
{
    struct journal_configuration *c = calloc(1, sizeof *c);

    if (c == NULL)
        return NULL;
    c->refs = 1;
    c->lists = strdup(lists);
    c->text = strdup(text);
    if (c->lists == NULL || c->text == NULL) {
        journal_configuration_unref(c);
        return NULL;
    }
    pthread_mutex_lock(&journal->lock);
    c->number = (int64_t)time(NULL);
    if (c->number <= journal->last_configuration)
        c->number = journal->last_configuration + 1;
    journal->last_configuration = c->number;
    pthread_mutex_unlock(&journal->lock);
    return c;
}

struct journal_configuration *journal_configuration_ref(
    struct journal_configuration *configuration)
{
    if (configuration != NULL)
        atomic_fetch_add(&configuration->refs, 1);
    return configuration;
}

void journal_configuration_unref(struct journal_configuration *configuration)
{
    if (configuration == NULL || atomic_fetch_sub(&configuration->refs, 1) > 1)
        return;
    free(configuration->lists);
    free(configuration->text);
    free(configuration);
}

int64_t journal_configuration_number(const struct journal_configuration *configuration)
{
    return configuration->number;
}

journal_id journal_draw(struct journal *journal)
{
    time_t now = time(NULL);
    journal_id id;

    if (!atomic_load_explicit(&journal->on, memory_order_relaxed))
        return 0;
    /* the daemon before this one may have drawn ids in the second in which it was killed */
    if (now == journal->started)
        now++;
    pthread_mutex_lock(&journal->lock);
    id = journal_ids_draw(journal->ids, now, journal->settings.node);
    pthread_mutex_unlock(&journal->lock);
    return id;
}

bool journal_keeps(struct journal *journal, bool refused)
{
    return atomic_load_explicit(refused ? &journal->on : &journal->keeps_accepted,
                                memory_order_relaxed);
}

int64_t journal_now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void journal_note_dropped(struct journal *journal, uint64_t decisions, const char *error)
{
    struct journal_stats *stats = &journal->stats;

    if (!stats->failing && error == NULL)
        return;
    if (!stats->failing)
        stats->gap = (struct journal_gap){.began_ms = journal_now_ms()};
    stats->failing = true;
    if (error != NULL)
        text_sentence(stats->error, sizeof stats->error, "%s", error);
    stats->dropped += decisions;
    stats->gap.dropped += decisions;
}

/* What finds no room in the queue, or no memory. */
static void report_dropped(const char *why)
{
    static struct log_limit limit;
    unsigned held_back;

    if (log_limit_pass(&limit, RETRY_MS, &held_back))
        log_error("journal: decisions are not kept: %s, held-back=%u", why, held_back);
}

/* Lines it up; what finds no room, or no memory, is counted as dropped. */
static bool enqueue(struct journal *journal, const struct queued *queued,
                    const struct octets *octets, bool has_head)
{
    const char *why = NULL;

    pthread_mutex_lock(&journal->lock);
    journal->put++;
    if (journal->queue.used + queued_size(queued->size) > QUEUE_BYTES ||
        journal->stopping)
        why = queue_is_full;
    else if (octets->failed || !queue_add(&journal->queue, queued, octets->bytes))
        why = "out of memory";
    else if (++journal->queued_count == BATCH)
        pthread_cond_signal(&journal->wake);
    if (why != NULL) {
        journal->taken++;
        journal_note_dropped(journal, has_head, why);
    }
    pthread_mutex_unlock(&journal->lock);
    if (why != NULL)
        report_dropped(why);
    return why == NULL;
}

void journal_put(struct journal *journal, journal_id id, bool refused,
                 const struct octets *octets, struct journal_configuration *configuration,
                 const char *alone)
{
    bool has_head = record_has_head(octets->bytes, octets->used);
    struct queued queued = {
        .id = id,
        .configuration = has_head ? journal_configuration_ref(configuration) : NULL,
        .alone = alone != NULL ? strdup(alone) : NULL,
        .size = octets->used,
        .refused = refused};

    if (!enqueue(journal, &queued, octets, has_head)) {
        journal_configuration_unref(queued.configuration);
        free(queued.alone);
    }
}

void journal_flush(struct journal *journal, int wait_ms)
{
    struct timespec until = clock_timespec(clock_ms() + wait_ms);
    uint64_t put;

    pthread_mutex_lock(&journal->lock);
    put = journal->wanted = journal->put;
    pthread_cond_signal(&journal->wake);
    while (journal->taken < put && !journal->stopping)
        if (pthread_cond_timedwait(&journal->written, &journal->lock, &until) != 0)
            break;
    pthread_mutex_unlock(&journal->lock);
}

void journal_stats(struct journal *journal, struct journal_stats *out)
{
    pthread_mutex_lock(&journal->lock);
    *out = journal->stats;
    out->queued = journal->queue.used;
    pthread_mutex_unlock(&journal->lock);
}

const char *journal_directory(const struct journal *journal)
{
    return journal->directory;
}
