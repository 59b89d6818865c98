/* SPDX-License-Identifier: BSD-2-Clause */
#include "journal/search.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"
#include "journal/journal_parts.h"

#define FLUSH_MS    3000
#define RECENT_S    3600 /* a message that is not over is hardly older */
#define READER_OPEN 64 /* files that stay open between searches: 30 days of both kinds */

struct reader_file {
    int64_t number;
    enum day_kind kind;
    struct day *day;
    bool seen; /* in the directory, at the last look */
};

/* Files open for reading, the newest day first, and the configuration used last. */
struct journal_reader {
    const char *directory; /* borrowed; NULL before the first search */
    struct reader_file *files;
    size_t count;
    struct timespec changed; /* the directory, when it was read last; 0: read it again */
    int64_t number;          /* of lists and text; 0 none */
    char *lists, *text;
};

struct journal_reader *journal_reader_new(void)
{
    return calloc(1, sizeof(struct journal_reader));
}

void journal_reader_free(struct journal_reader *reader)
{
    if (reader == NULL)
        return;
    for (size_t i = 0; i < reader->count; i++)
        day_close(reader->files[i].day);
    free(reader->files);
    free(reader->lists);
    free(reader->text);
    free(reader);
}

/* --- the files --- */

static struct reader_file *file_of(struct journal_reader *reader, int64_t number,
                                   enum day_kind kind)
{
    for (size_t i = 0; i < reader->count; i++)
        if (reader->files[i].number == number && reader->files[i].kind == kind)
            return &reader->files[i];
    return NULL;
}

static struct reader_file *add_file(struct journal_reader *reader, int64_t number,
                                    enum day_kind kind)
{
    struct reader_file *files =
        realloc(reader->files, (reader->count + 1) * sizeof *files);

    if (files == NULL)
        return NULL;
    reader->files = files;
    files[reader->count] = (struct reader_file){.number = number, .kind = kind};
    return &files[reader->count++];
}

static void note_file(struct journal_reader *reader, int64_t number, enum day_kind kind)
{
    struct reader_file *file = file_of(reader, number, kind);

    if (file == NULL)
        file = add_file(reader, number, kind);
    if (file != NULL)
        file->seen = true;
}

/* The file, opened when it is first needed; NULL: it cannot be read. */
static struct day *day_at(struct journal_reader *reader, struct reader_file *file)
{
    char path[PATH_MAX], error[DAY_ERROR_SIZE];

    if (file->day == NULL &&
        day_path(reader->directory, file->number, file->kind, path) &&
        day_open(path, NULL, &file->day, error) != DAY_OK)
        log_debug("journal: %s", error);
    return file->day;
}

static int newest_first(const void *a, const void *b)
{
    const struct reader_file *x = a, *y = b;

    if (x->number != y->number)
        return x->number > y->number ? -1 : 1;
    return (int)x->kind - (int)y->kind;
}

/* Closes what is not there any more, or was replaced. */
static void close_removed(struct journal_reader *reader)
{
    char path[PATH_MAX];

    for (size_t i = 0; i < reader->count; i++) {
        struct reader_file *file = &reader->files[i];

        if (file->day == NULL ||
            (day_path(reader->directory, file->number, file->kind, path) &&
             day_is_at(file->day, path)))
            continue;
        day_close(file->day);
        file->day = NULL;
    }
}

void journal_reader_close_removed(struct journal *journal)
{
    if (pthread_mutex_trylock(&journal->reader_lock) != 0)
        return;
    if (journal->reader->directory != NULL)
        close_removed(journal->reader);
    pthread_mutex_unlock(&journal->reader_lock);
}

/* Whether files have come, gone or been renamed since the directory was read last. */
static bool has_changed(struct journal_reader *reader)
{
    struct timespec was = reader->changed;
    struct stat st;

    reader->changed = (struct timespec){0};
    if (stat(reader->directory, &st) != 0)
        return true;
    if (st.st_mtim.tv_sec + 1 <
        time(NULL)) /* else it may change with the time unchanged */
        reader->changed = st.st_mtim;
    return was.tv_sec == 0 || was.tv_sec != st.st_mtim.tv_sec ||
           was.tv_nsec != st.st_mtim.tv_nsec;
}

/* What is in the directory now. */
static void refresh(struct journal_reader *reader)
{
    struct dirent *entry;
    size_t kept = 0;
    DIR *dir;

    if (!has_changed(reader))
        return;
    dir = opendir(reader->directory);
    close_removed(reader);
    for (size_t i = 0; i < reader->count; i++)
        reader->files[i].seen = false;
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        int64_t number;
        enum day_kind kind;

        if (day_of_name(entry->d_name, &number, &kind) == 0)
            note_file(reader, number, kind);
        else if (strcmp(entry->d_name, "marked.db") == 0)
            note_file(reader, INT64_MIN, DAY_MARKED);
    }
    if (dir != NULL)
        closedir(dir);
    else
        reader->changed = (struct timespec){0};
    for (size_t i = 0; i < reader->count; i++) {
        if (reader->files[i].seen)
            reader->files[kept++] = reader->files[i];
        else
            day_close(reader->files[i].day);
    }
    reader->count = kept;
    if (kept > 1)
        qsort(reader->files, kept, sizeof reader->files[0], newest_first);
}

static void begin(struct journal *journal)
{
    pthread_mutex_lock(&journal->reader_lock);
    journal->reader->directory = journal->directory;
    refresh(journal->reader);
}

/* What is older was written by itself; and the writer may be busy with a checkpoint. */
static void begin_of_id(struct journal *journal, journal_id id)
{
    if ((int64_t)journal_id_time(id) > (int64_t)time(NULL) - RECENT_S)
        journal_flush(journal, FLUSH_MS);
    begin(journal);
}

/* The newest stay open; a year's would take the daemon's descriptors. */
static void end(struct journal *journal)
{
    struct journal_reader *reader = journal->reader;

    for (size_t i = READER_OPEN; i < reader->count; i++) {
        day_close(reader->files[i].day);
        reader->files[i].day = NULL;
    }
    pthread_mutex_unlock(&journal->reader_lock);
}

/* --- one decision --- */

static struct day *day_in(struct journal_reader *reader, int64_t number,
                          enum day_kind kind)
{
    struct reader_file *file = file_of(reader, number, kind);

    return file != NULL ? day_at(reader, file) : NULL;
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
    struct day *days[] = {day_in(reader, number, DAY_ACCEPTED),
                          day_in(reader, number, DAY_REFUSED),
                          day_in(reader, INT64_MIN, DAY_MARKED)};
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
    struct day *marked = day_in(reader, INT64_MIN, DAY_MARKED);
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
    day = day_in(journal->reader, day_of(journal_id_time(id)), DAY_REFUSED);
    if (!any && day != NULL)
        leader = day_leader(day, id);
    if (leader != 0)
        any = load(journal->reader, leader, &octets, &record);
    if (any) {
        report(journal->reader, &record, leader != 0, found, context);
        record_clear(&record);
    }
    end(journal);
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
    begin(journal);
    for (size_t i = 0; i < reader->count && done <= query->limit;) {
        int64_t number = reader->files[i].number;

        if (number < since && number != INT64_MIN)
            break;
        search.count = 0;
        for (; i < reader->count && reader->files[i].number == number; i++) {
            struct day *day =
                number != INT64_MIN ? day_at(reader, &reader->files[i]) : NULL;

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
    end(journal);
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
        struct day *day = day_in(journal->reader, day_of(journal_id_time(id)), kind);

        if (day != NULL && near.count < JOURNAL_MISREADS)
            (void)day_walk(day, least, most, take_near, &near); /* logged */
    }
    end(journal);
    return near.count;
}

/* --- marks --- */

/* A file that has the decision, which was loaded. */
static struct day *source_of(struct journal_reader *reader, journal_id id)
{
    int64_t number = day_of(journal_id_time(id));
    struct day *marked = day_in(reader, INT64_MIN, DAY_MARKED);
    struct day *refused = day_in(reader, number, DAY_REFUSED);

    if (refused != NULL && day_has(refused, id))
        return refused;
    return marked != NULL && day_has(marked, id) ? marked
                                                 : day_in(reader, number, DAY_ACCEPTED);
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
    begin(journal);
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
    end(journal);
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
    begin(journal);
    for (size_t i = 0; i < reader->count; i++)
        if (day_at(reader, &reader->files[i]) != NULL)
            day_each_alone(reader->files[i].day, each, context);
    end(journal);
}

void journal_each_gap(struct journal *journal, int64_t since,
                      void (*each)(void *context, int64_t began_ms, int64_t ended_ms,
                                   uint64_t dropped),
                      void *context)
{
    struct journal_reader *reader = journal->reader;
    struct journal_gap open;

    begin(journal);
    for (size_t i = 0; i < reader->count; i++)
        if (reader->files[i].kind == DAY_REFUSED &&
            reader->files[i].number >= day_of(since) &&
            day_at(reader, &reader->files[i]) != NULL)
            day_each_gap(reader->files[i].day, each, context);
    end(journal);
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
    journal_id id; /* of the step at hand; 0: at its end */
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
    begin(journal);
    numbers = calloc(journal->reader->count + 1, sizeof *numbers);
    for (size_t i = journal->reader->count; numbers != NULL && i > 0; i--) {
        int64_t number = journal->reader->files[i - 1].number;

        if (number >= day_of(since) && (count == 0 || numbers[count - 1] != number))
            numbers[count++] = number;
    }
    end(journal);
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
