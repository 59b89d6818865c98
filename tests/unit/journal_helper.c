/* SPDX-License-Identifier: BSD-2-Clause */
#include "journal_helper.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/ipaddr.h"

const struct sample full_sample = {
    .client = "192.0.2.1",
    .verdict = 3,
    .sender = "Anna.A@Domain.XYZ",
    .login = "Otto",
    .entry = "domain.xyz",
    .queue_id = "4cQ1aB",
    .recipients = {"info@kunde.example", "x@two.example"},
};

journal_id id_at(time_t second, unsigned random)
{
    journal_id least, most;

    journal_id_range(second, &least, &most);
    return least + random;
}

/* --- its life --- */

void box_prepare(struct box *box)
{
    *box = (struct box){.settings = {.refused_s = 400 * 86400,
                                     .accepted_s = 400 * 86400,
                                     .local_parts = true}};
    (void)snprintf(box->directory, sizeof box->directory, "/tmp/test_journal-XXXXXX");
    assert_non_null(mkdtemp(box->directory));
    assert_int_equal(rmdir(box->directory), 0);
    box->settings.directory = box->directory;
}

void box_open(struct box *box)
{
    box->journal = journal_new(&box->settings);
    assert_non_null(box->journal);
    box->configuration =
        journal_configuration_new(box->journal, "zen\ncop\n", "the file");
    assert_non_null(box->configuration);
}

void box_start(struct box *box)
{
    box_prepare(box);
    box_open(box);
}

void box_close(struct box *box)
{
    if (box->journal == NULL)
        return;
    journal_configuration_unref(box->configuration);
    journal_free(box->journal);
    box->journal = NULL;
}

void box_restart(struct box *box)
{
    box_close(box);
    box_open(box);
}

void box_end(struct box *box)
{
    box_close(box);
    box_remove_files(box);
    (void)rmdir(box->directory);
}

/* --- putting --- */

static void add_more(struct octets *octets, const struct sample *sample)
{
    for (int i = 0; i < 3 && sample->recipients[i] != NULL; i++) {
        struct record_recipient one = {
            .text = sample->recipients[i], .outcome = RECIPIENT_REFUSED, .detail = ""};

        record_add_recipient(octets, &one);
    }
    if (sample->queue_id != NULL)
        record_add_end(octets, END_MESSAGE, sample->queue_id);
}

void box_put(struct box *box, journal_id id, bool refused, const struct sample *sample)
{
    struct octets octets = {0};
    struct record_answer answers[2] = {{.counted = true, .state = 1, .weight = 8},
                                       {.list = 1, .counted = true}};
    struct record record = {
        .at_ms = (int64_t)journal_id_time(id) * 1000,
        .verdict = sample->verdict,
        .score = 8,
        .configuration = journal_configuration_number(box->configuration),
        .sender = sample->sender,
        .login = sample->login,
        .reason = sample->reason,
        .entry = sample->entry,
        .entry_action = sample->entry != NULL,
        .answer_count = 2,
        .answers = answers,
    };

    record.has_client = ipaddr_parse(sample->client, &record.client) == 0;
    assert_true(record.has_client);
    record_add_head(&octets, &record);
    add_more(&octets, sample);
    assert_false(octets.failed);
    journal_put(box->journal, id, refused, &octets, box->configuration, NULL);
    free(octets.bytes);
}

void box_put_more(struct box *box, journal_id id, bool refused,
                  const struct sample *sample)
{
    struct octets octets = {0};

    add_more(&octets, sample);
    journal_put(box->journal, id, refused, &octets, NULL, NULL);
    free(octets.bytes);
}

/* --- finding --- */

static void remember(void *context, const struct journal_found *found)
{
    struct box *box = context;
    const struct record *r = found->record;
    struct found *f = &box->found[box->count];

    assert_true(box->count++ < FOUND_MAX);
    *f = (struct found){.id = r->id,
                        .at_ms = r->at_ms,
                        .verdict = r->verdict,
                        .recipients = r->recipient_count,
                        .folded = r->folded,
                        .folded_away = found->folded};
    (void)snprintf(f->queue_id, sizeof f->queue_id, "%s", r->queue_id);
    (void)snprintf(f->lists, sizeof f->lists, "%s", found->lists);
    (void)snprintf(f->mark, sizeof f->mark, "%s",
                   found->mark != NULL ? found->mark->reason : "");
}

/* By chance, values of tests do not collide. */
static bool wants_all(void *context, const struct record *record, const char *lists,
                      const uint8_t *key)
{
    (void)context;
    (void)lists;
    return record->at_ms > 0 && key != NULL;
}

unsigned box_find(struct box *box, enum token token, const char *value, unsigned limit)
{
    struct day_value one = {.token = token, .value = value};
    struct journal_query query = {.values = &one,
                                  .count = 1,
                                  .since = box->since,
                                  .limit = limit,
                                  .wants = wants_all,
                                  .found = remember,
                                  .context = box};
    unsigned count;

    box->count = 0;
    count = journal_find(box->journal, &query, &box->more);
    assert_int_equal(count, box->count);
    return count;
}

bool box_find_id(struct box *box, journal_id id)
{
    box->count = 0;
    return journal_find_id(box->journal, id, remember, box);
}

struct walk {
    journal_id *ids;
    unsigned count;
};

static bool note_walked(void *context, const struct journal_found *found)
{
    struct walk *walk = context;

    walk->ids = realloc(walk->ids, (walk->count + 1) * sizeof *walk->ids);
    assert_non_null(walk->ids);
    walk->ids[walk->count++] = found->record->id;
    return true;
}

static int by_id(const void *a, const void *b)
{
    journal_id x = *(const journal_id *)a, y = *(const journal_id *)b;

    return (x > y) - (x < y);
}

unsigned box_walk(struct box *box)
{
    struct walk walk = {0};
    char error[DAY_ERROR_SIZE];

    assert_int_equal(journal_walk(box->journal, 0, note_walked, &walk, error), 0);
    if (walk.count > 1)
        qsort(walk.ids, walk.count, sizeof *walk.ids, by_id);
    for (unsigned i = 1; i < walk.count; i++)
        assert_true(walk.ids[i - 1] != walk.ids[i]);
    free(walk.ids);
    return walk.count;
}

static void note_gap(void *context, int64_t began_ms, int64_t ended_ms, uint64_t dropped)
{
    struct box *box = context;

    box->gap = (struct journal_gap){began_ms, ended_ms, dropped};
    box->count++;
}

unsigned box_gaps(struct box *box)
{
    box->count = 0;
    journal_each_gap(box->journal, 0, note_gap, box);
    return (unsigned)box->count;
}

/* --- time --- */

time_t box_new_minute(struct box *box)
{
    while (time(NULL) % 60 > 45)
        usleep(100000);
    journal_flush(box->journal, 5000);
    pthread_mutex_lock(&box->journal->lock);
    box->journal->fold_minute = 0; /* the writer is at rest, and takes the lock first */
    pthread_mutex_unlock(&box->journal->lock);
    return time(NULL);
}

void box_retry_now(struct box *box)
{
    /* the writer looks at its settings once a round: what it does with older ones is over */
    const struct timespec two_rounds = {0, 2 * COMMIT_MS * 1000000L};

    journal_flush(box->journal, 5000);
    nanosleep(&two_rounds, NULL);
    pthread_mutex_lock(&box->journal->lock);
    box->journal->retry_ms = 0;
    pthread_mutex_unlock(&box->journal->lock);
}

/* --- files --- */

static const char *path_of(struct box *box, const char *name)
{
    static _Thread_local char paths[2][512];
    static _Thread_local unsigned turn;
    char *path = paths[turn++ % 2];

    (void)snprintf(path, sizeof paths[0], "%s%s%s", box->directory,
                   name[0] != '\0' ? "/" : "", name);
    return path;
}

const char *box_day_name(time_t day, const char *kind)
{
    static char names[4][64];
    static unsigned turn;
    char *name = names[turn++ % 4];
    struct tm tm;

    assert_non_null(gmtime_r(&day, &tm));
    (void)snprintf(name, sizeof names[0], "%04d-%02d-%02d.%s.db", tm.tm_year + 1900,
                   tm.tm_mon + 1, tm.tm_mday, kind);
    return name;
}

void box_lock_file(struct box *box, time_t day, const char *kind)
{
    sqlite3 *db = NULL;
    const char *path = path_of(box, box_day_name(day, kind));

    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN EXCLUSIVE", NULL, NULL, NULL), SQLITE_OK);
    box->locked = db;
}

void box_unlock_file(struct box *box)
{
    assert_int_equal(sqlite3_exec(box->locked, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(box->locked), SQLITE_OK);
}

bool box_has(struct box *box, const char *name)
{
    return access(path_of(box, name), F_OK) == 0;
}

void box_text_file(struct box *box, const char *name, const char *text)
{
    FILE *f = fopen(path_of(box, name), "w");

    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

void box_folder(struct box *box, const char *name)
{
    assert_int_equal(mkdir(path_of(box, name), 0700), 0);
}

void box_old_file(struct box *box, const char *name, size_t size)
{
    box_text_file(box, name, "");
    assert_int_equal(truncate(path_of(box, name), (off_t)size), 0);
}

void box_overwrite(struct box *box, time_t day, size_t from, size_t size)
{
    const char *path = path_of(box, box_day_name(day, "refused"));
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    struct stat st;
    char octets[512];

    assert_true(fd >= 0 && fstat(fd, &st) == 0);
    memset(octets, 0x5a, sizeof octets);
    for (size_t at = from; at < from + size && at < (size_t)st.st_size; at += 512)
        assert_int_equal(pwrite(fd, octets, sizeof octets, (off_t)at), sizeof octets);
    assert_int_equal(close(fd), 0);
}

void box_truncate(struct box *box, time_t day, size_t size)
{
    assert_int_equal(truncate(path_of(box, box_day_name(day, "refused")), (off_t)size),
                     0);
}

/* Calls each for the files whose names have that part. */
static unsigned each_file(struct box *box, const char *part,
                          void (*each)(struct box *box, const char *name))
{
    DIR *dir = opendir(box->directory);
    unsigned count = 0;

    for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
        if (entry->d_name[0] == '.' || strstr(entry->d_name, part) == NULL)
            continue;
        count++;
        if (each != NULL)
            each(box, entry->d_name);
    }
    if (dir != NULL)
        closedir(dir);
    return count;
}

static void remove_file(struct box *box, const char *name)
{
    assert_int_equal(remove(path_of(box, name)), 0);
}

void box_remove_day(struct box *box, time_t day)
{
    (void)each_file(box, box_day_name(day, "refused"), remove_file);
}

void box_remove_files(struct box *box)
{
    (void)each_file(box, "", remove_file);
}

unsigned box_count_files(struct box *box, const char *part_of_name)
{
    return each_file(box, part_of_name, NULL);
}

bool box_files_hold(struct box *box, const char *text)
{
    char command[256];

    (void)snprintf(command, sizeof command, "grep -raqi -e '%s' %s", text,
                   box->directory);
    return system(command) == 0;
}

unsigned box_open_files(void)
{
    DIR *dir = opendir("/proc/self/fd");
    unsigned count = 0;

    assert_non_null(dir);
    while (readdir(dir) != NULL)
        count++;
    closedir(dir);
    return count;
}
