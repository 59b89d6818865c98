/* SPDX-License-Identifier: BSD-2-Clause */
#include "journal/search.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"
#include "journal/journal_parts.h"

#define FLUSH_MS 3000
#define RECENT_S 3600 /* a message that is not over is hardly older */

/* --- one decision --- */

/* What is older was written by itself; and the writer may be busy with a checkpoint. */
static void begin_of_id(struct journal *journal, journal_id id)
{
    if ((int64_t)journal_id_time(id) > (int64_t)time(NULL) - RECENT_S)
        journal_flush(journal, FLUSH_MS);
    reader_begin(journal);
}

static void load_configuration(struct journal_reader *reader, struct day *day,
                               int64_t number)
{
    if (number == reader->number)
        return;
    free(reader->lists);
    free(reader->text);
    reader->number =
        day_configuration(day, number, &reader->lists, &reader->text) == 0 ? number : 0;
}

/* All that is known of a decision, from the files of its day, and of those marked. Returns
 * whether there is anything. */
static bool load(struct journal_reader *reader, journal_id id, struct octets *out,
                 struct record *record)
{
    int64_t number = day_of(journal_id_time(id));
    struct day *days[] = {reader_day(reader, number, DAY_ACCEPTED),
                          reader_day(reader, number, DAY_REFUSED),
                          reader_day(reader, INT64_MIN, DAY_MARKED)};
    size_t count = sizeof days / sizeof days[0], rows = 0;

    out->used = 0;
    for (size_t i = 0; i < count; i++)
        if (days[i] != NULL && (i < 2 || rows == 0))
            rows += day_load(days[i], id, out);
    if (rows == 0 || out->failed || record_decode(out->bytes, out->used, record) != 0)
        return false;
    if (record->at_ms == 0) { /* only what followed: its verdict could not be kept */
        record_clear(record);
        return false;
    }
    record->id = id;
    for (size_t i = 0; i < count; i++)
        if (days[i] != NULL)
            load_configuration(reader, days[i], record->configuration);
    return true;
}

static void report(struct journal_reader *reader, const struct record *record,
                   bool folded,
                   void (*found)(void *context, const struct journal_found *found),
                   void *context)
{
    struct day *marked = reader_day(reader, INT64_MIN, DAY_MARKED);
    struct day_mark mark;
    bool has_mark = marked != NULL && day_mark_of(marked, record->id, &mark) == 0;
    bool known = reader->number == record->configuration && reader->lists != NULL;
    struct journal_found one = {.record = record,
                                .lists = known ? reader->lists : "",
                                .configuration = known ? reader->text : "",
                                .mark = has_mark ? &mark : NULL,
                                .folded = folded};

    found(context, &one);
}

bool journal_find_id(struct journal *journal, journal_id id,
                     void (*found)(void *context, const struct journal_found *found),
                     void *context)
{
    struct octets octets = {0};
    struct record record;
    struct day *day;
    journal_id leader = 0;
    bool any;

    begin_of_id(journal, id);
    any = load(journal->reader, id, &octets, &record);
    day = reader_day(journal->reader, day_of(journal_id_time(id)), DAY_REFUSED);
    if (!any && day != NULL)
        leader = day_leader(day, id);
    if (leader != 0)
        any = load(journal->reader, leader, &octets, &record);
    if (any) {
        report(journal->reader, &record, leader != 0, found, context);
        record_clear(&record);
    }
    reader_end(journal);
    free(octets.bytes);
    return any;
}

/* --- by what is known of it --- */

struct hit {
    int64_t at_ms;
    journal_id id;
};

struct search {
    struct journal *journal;
    const struct journal_query *query;
    struct hit *hits; /* of one day */
    size_t count, wanted;
    const struct day *file; /* that is searched */
    size_t file_count;      /* of it */
    struct octets octets;
};

static bool is_known(const struct search *search, journal_id id)
{
    for (size_t i = 0; i < search->count; i++)
        if (search->hits[i].id == id)
            return true;
    return false;
}

static bool take_id(void *context, journal_id id)
{
    struct search *search = context;
    struct journal_reader *reader = search->journal->reader;
    const struct journal_query *query = search->query;
    struct record record;
    int64_t at_ms;
    bool wanted;

    if (is_known(search, id) || !load(reader, id, &search->octets, &record))
        return true;
    wanted = record.at_ms / 1000 >= query->since &&
             query->wants(query->context, &record,
                          reader->number == record.configuration ? reader->lists : "",
                          day_key(search->file));
    at_ms = record.at_ms;
    record_clear(&record);
    if (!wanted)
        return true;
    search->hits[search->count++] = (struct hit){.at_ms = at_ms, .id = id};
    return ++search->file_count < search->wanted;
}

static int latest_first(const void *a, const void *b)
{
    const struct hit *x = a, *y = b;

    if (x->at_ms != y->at_ms)
        return x->at_ms < y->at_ms ? 1 : -1;
    return (x->id < y->id) - (x->id > y->id);
}

/* Reports what was found on one day, up to the limit. */
static unsigned report_day(struct search *search, unsigned done)
{
    const struct journal_query *query = search->query;
    struct journal_reader *reader = search->journal->reader;
    struct record record;

    qsort(search->hits, search->count, sizeof search->hits[0], latest_first);
    for (size_t i = 0; i < search->count && done < query->limit; i++) {
        if (!load(reader, search->hits[i].id, &search->octets, &record))
            continue;
        report(reader, &record, false, query->found, query->context);
        record_clear(&record);
        done++;
    }
    return done;
}

unsigned journal_find(struct journal *journal, const struct journal_query *query,
                      bool *more)
{
    struct search search = {.journal = journal, .query = query};
    struct journal_reader *reader = journal->reader;
    int64_t since = day_of(query->since);
    unsigned done = 0;

    *more = false;
    search.wanted = (size_t)query->limit + 1;
    search.hits = calloc(3 * search.wanted, sizeof *search.hits);
    if (search.hits == NULL)
        return 0;
    journal_flush(journal, FLUSH_MS);
    reader_begin(journal);
    for (size_t i = 0; i < reader->count && done <= query->limit;) {
        int64_t number = reader->files[i].number;

        if (number < since && number != INT64_MIN)
            break;
        search.count = 0;
        for (; i < reader->count && reader->files[i].number == number; i++) {
            struct day *day =
                number != INT64_MIN ? reader_day_of(reader, &reader->files[i]) : NULL;

            search.file_count = 0;
            search.file = day;
            if (day != NULL)
                (void)day_find(day, query->values, query->count, take_id,
                               &search); /* logged: the other days are worth showing */
        }
        *more |= done + search.count > query->limit;
        done = report_day(&search, done);
        if (*more)
            break;
    }
    reader_end(journal);
    free(search.hits);
    free(search.octets.bytes);
    return done;
}

struct near {
    journal_id id;
    journal_id *out;
    size_t count;
};

static bool take_near(void *context, journal_id id)
{
    struct near *near = context;

    bool is_new = journal_id_is_near(id, near->id);

    for (size_t i = 0; i < near->count; i++)
        is_new &= near->out[i] != id;
    if (is_new)
        near->out[near->count++] = id;
    return near->count < JOURNAL_MISREADS;
}

size_t journal_find_near(struct journal *journal, journal_id id,
                         journal_id out[static JOURNAL_MISREADS])
{
    struct near near = {.id = id, .out = out};
    journal_id least, most;

    journal_id_range(journal_id_time(id), &least, &most);
    begin_of_id(journal, id);
    for (int kind = DAY_REFUSED; kind <= DAY_ACCEPTED; kind++) {
        struct day *day = reader_day(journal->reader, day_of(journal_id_time(id)), kind);

        if (day != NULL && near.count < JOURNAL_MISREADS)
            (void)day_walk(day, least, most, take_near, &near); /* logged */
    }
    reader_end(journal);
    return near.count;
}

/* --- marks --- */

/* A file that has the decision, which was loaded. */
static struct day *source_of(struct journal_reader *reader, journal_id id)
{
    int64_t number = day_of(journal_id_time(id));
    struct day *marked = reader_day(reader, INT64_MIN, DAY_MARKED);
    struct day *refused = reader_day(reader, number, DAY_REFUSED);

    if (refused != NULL && day_has(refused, id))
        return refused;
    return marked != NULL && day_has(marked, id)
               ? marked
               : reader_day(reader, number, DAY_ACCEPTED);
}

/* Within a transaction of the file of those marked. */
static enum day_result set_mark(struct day *day, const struct journal_reader *reader,
                                const struct record *record, const struct octets *octets,
                                const char *login, const char *reason, const char *alone,
                                char error[static DAY_ERROR_SIZE])
{
    struct record untold = {.sender = "", .login = "", .queue_id = "", .entry = ""};
    enum day_result result = day_mark(day, record->id, login, reason, alone, error);

    if (result != DAY_OK)
        return result;
    if (reason == NULL)
        return day_remove(day, record->id, error);
    if (day_has(day, record->id))
        return DAY_OK;
    result = day_add_configuration(day, record->configuration, reader->lists,
                                   reader->text, error);
    if (result != DAY_OK)
        return result;
    /* found by its id alone, so it needs no tokens */
    return day_add(day, record->id, octets->bytes, octets->used, &untold, error);
}

int journal_mark(struct journal *journal, journal_id id, const char *login,
                 const char *reason, const char *alone, char error[static DAY_ERROR_SIZE])
{
    struct journal_reader *reader = journal->reader;
    char path[PATH_MAX];
    struct octets octets = {0};
    struct record record;
    struct day *day = NULL;
    int rc = -1;

    journal_flush(journal, FLUSH_MS);
    reader_begin(journal);
    if (!day_path(journal->directory, 0, DAY_MARKED, path) ||
        !load(reader, id, &octets, &record)) {
        text_sentence(error, DAY_ERROR_SIZE, "there is no such decision");
        goto out;
    }
    if (day_open(path, day_key(source_of(reader, id)), &day, error) == DAY_OK &&
        day_begin(day, error) == DAY_OK &&
        set_mark(day, reader, &record, &octets, login, reason, alone, error) == DAY_OK &&
        day_commit(day, error) == DAY_OK) {
        day_checkpoint(day);
        rc = 0;
    }
    record_clear(&record);
out:
    day_close(day);
    reader_end(journal);
    free(octets.bytes);
    return rc;
}

void journal_alone(struct journal *journal,
                   void (*each)(void *context, const char *list, uint64_t count,
                                journal_id wrong),
                   void *context)
{
    struct journal_reader *reader = journal->reader;

    journal_flush(journal, FLUSH_MS);
    reader_begin(journal);
    for (size_t i = 0; i < reader->count; i++)
        if (reader_day_of(reader, &reader->files[i]) != NULL)
            day_each_alone(reader->files[i].day, each, context);
    reader_end(journal);
}

void journal_each_gap(struct journal *journal, int64_t since,
                      void (*each)(void *context, int64_t began_ms, int64_t ended_ms,
                                   uint64_t dropped),
                      void *context)
{
    struct journal_reader *reader = journal->reader;
    struct journal_gap open;

    reader_begin(journal);
    for (size_t i = 0; i < reader->count; i++)
        if (reader->files[i].kind == DAY_REFUSED &&
            reader->files[i].number >= day_of(since) &&
            reader_day_of(reader, &reader->files[i]) != NULL)
            day_each_gap(reader->files[i].day, each, context);
    reader_end(journal);
    pthread_mutex_lock(&journal->lock);
    open = journal->stats.gap;
    pthread_mutex_unlock(&journal->lock);
    if (open.began_ms != 0 && open.ended_ms == 0)
        each(context, open.began_ms, 0, open.dropped);
}

/* --- all of them --- */

/* One file that is walked through. */
struct walked {
    struct day *day;
    struct day_cursor *cursor;
    journal_id id; /* of the current step; 0: at its end */
    const uint8_t *bytes;
    size_t size;
};

static void walked_step(struct walked *walked)
{
    walked->id = walked->cursor != NULL
                     ? day_cursor_next(walked->cursor, &walked->bytes, &walked->size)
                     : 0;
}

static bool walk_one(struct journal_reader *reader, struct walked *walked,
                     struct octets *octets,
                     bool (*each)(void *context, const struct journal_found *found),
                     void *context)
{
    journal_id id = walked[0].id;
    struct record record;
    struct journal_found found = {.record = &record};
    bool go_on = true;

    if (id == 0 || (walked[1].id != 0 && walked[1].id < id))
        id = walked[1].id;
    octets->used = 0;
    for (int i = 0; i < 2; i++)
        for (; walked[i].id == id; walked_step(&walked[i]))
            octets_add(octets, walked[i].bytes, walked[i].size);
    if (octets->failed || record_decode(octets->bytes, octets->used, &record) != 0)
        return true;
    record.id = id;
    for (int i = 0; i < 2 && record.at_ms != 0; i++)
        if (walked[i].day != NULL)
            load_configuration(reader, walked[i].day, record.configuration);
    if (record.at_ms != 0 && reader->number == record.configuration &&
        reader->lists != NULL) {
        found.lists = reader->lists;
        found.configuration = reader->text;
        go_on = each(context, &found);
    }
    record_clear(&record);
    return go_on;
}

static bool walk_day(struct journal *journal, int64_t number, journal_id least,
                     bool (*each)(void *context, const struct journal_found *found),
                     void *context)
{
    struct walked walked[2] = {{0}};
    struct journal_reader reader = {0};
    struct octets octets = {0};
    char path[PATH_MAX], error[DAY_ERROR_SIZE];
    bool go_on = true;

    for (int i = 0; i < 2; i++) {
        enum day_kind kind = i == 0 ? DAY_ACCEPTED : DAY_REFUSED;

        if (day_path(journal->directory, number, kind, path) && access(path, F_OK) == 0 &&
            day_open(path, NULL, &walked[i].day, error) == DAY_OK)
            walked[i].cursor = day_cursor_new(walked[i].day, least);
        walked_step(&walked[i]);
    }
    while (go_on && (walked[0].id != 0 || walked[1].id != 0))
        go_on = walk_one(&reader, walked, &octets, each, context);
    for (int i = 0; i < 2; i++) {
        day_cursor_free(walked[i].cursor);
        day_close(walked[i].day);
    }
    free(reader.lists);
    free(reader.text);
    free(octets.bytes);
    return go_on;
}

int journal_walk(struct journal *journal, int64_t since,
                 bool (*each)(void *context, const struct journal_found *found),
                 void *context, char error[static DAY_ERROR_SIZE])
{
    int64_t *numbers, now = (int64_t)time(NULL);
    size_t count = 0;
    journal_id least, most;
    bool go_on = true;

    journal_flush(journal, FLUSH_MS);
    reader_begin(journal);
    numbers = calloc(journal->reader->count + 1, sizeof *numbers);
    for (size_t i = journal->reader->count; numbers != NULL && i > 0; i--) {
        int64_t number = journal->reader->files[i - 1].number;

        if (number >= day_of(since) && (count == 0 || numbers[count - 1] != number))
            numbers[count++] = number;
    }
    reader_end(journal);
    if (numbers == NULL) {
        text_sentence(error, DAY_ERROR_SIZE, "out of memory");
        return -1;
    }
    journal_id_range((time_t)(since < now ? since : now), &least, &most);
    for (size_t i = 0; i < count && go_on; i++)
        go_on = walk_day(journal, numbers[i], least, each, context);
    free(numbers);
    return 0;
}
