/* SPDX-License-Identifier: BSD-2-Clause */
/* The files of the journal that searches keep open. */

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/log.h"
#include "journal/journal_parts.h"

#define READER_OPEN 64 /* files that stay open between searches: 30 days of both kinds */

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

struct day *reader_day_of(struct journal_reader *reader, struct reader_file *file)
{
    char path[PATH_MAX], error[DAY_ERROR_SIZE];

    if (file->day == NULL &&
        day_path(reader->directory, file->number, file->kind, path) &&
        day_open(path, NULL, &file->day, error) != DAY_OK)
        log_debug("journal: %s", error);
    /* not one that is written: its log would grow as long as it is held */
    if (file->day != NULL && file->number != INT64_MIN &&
        file->number < day_of((int64_t)time(NULL)) - 1)
        day_hold(file->day, true);
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

void reader_begin(struct journal *journal)
{
    struct journal_reader *reader = journal->reader;
    int64_t written;

    pthread_mutex_lock(&journal->reader_lock);
    reader->directory = journal->directory;
    refresh(reader);
    pthread_mutex_lock(&journal->lock);
    written = journal->oldest_written;
    journal->oldest_written = INT64_MAX;
    pthread_mutex_unlock(&journal->lock);
    for (size_t i = 0; i < reader->count; i++)
        if (reader->files[i].day != NULL && reader->files[i].number >= written)
            day_hold(reader->files[i].day, false);
}

/* A year's would take the daemon's descriptors. */
void reader_end(struct journal *journal)
{
    struct journal_reader *reader = journal->reader;

    for (size_t i = READER_OPEN; i < reader->count; i++) {
        day_close(reader->files[i].day);
        reader->files[i].day = NULL;
    }
    pthread_mutex_unlock(&journal->reader_lock);
}

struct day *reader_day(struct journal_reader *reader, int64_t number, enum day_kind kind)
{
    struct reader_file *file = file_of(reader, number, kind);

    return file != NULL ? reader_day_of(reader, file) : NULL;
}
