/* SPDX-License-Identifier: BSD-2-Clause */
/* The journal's directory: whose it is, what goes from it and when, what stays free. */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "journal/journal_parts.h"

bool retention_has_lock(struct journal *journal)
{
    char path[PATH_MAX];
    struct stat held, there;
    int n = snprintf(path, sizeof path, "%s/lock", journal->directory);

    if (journal->lock_fd < 0)
        return false;
    if (n > 0 && n < PATH_MAX && fstat(journal->lock_fd, &held) == 0 &&
        stat(path, &there) == 0 && held.st_dev == there.st_dev &&
        held.st_ino == there.st_ino)
        return true;
    close(journal->lock_fd);
    journal->lock_fd = -1;
    return false;
}

int retention_lock(struct journal *journal, char error[static DAY_ERROR_SIZE])
{
    char path[PATH_MAX];
    int n = snprintf(path, sizeof path, "%s/lock", journal->directory), fd;

    if (n < 0 || n >= PATH_MAX ||
        (mkdir(journal->directory, 0700) != 0 && errno != EEXIST)) {
        text_sentence(error, DAY_ERROR_SIZE, "%s: cannot be made: %s", journal->directory,
                      strerror(errno));
        return -1;
    }
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        text_sentence(error, DAY_ERROR_SIZE, "%s: %s", path, strerror(errno));
        return -1;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        text_sentence(error, DAY_ERROR_SIZE, "%s: another daemon writes its journal here",
                      journal->directory);
        close(fd);
        return -1;
    }
    journal->lock_fd = fd;
    return 0;
}

int retention_check_free(const char *directory, int64_t min_free,
                         char error[static DAY_ERROR_SIZE])
{
    struct statvfs fs;

    if (min_free <= 0)
        return 0;
    if (statvfs(directory, &fs) != 0) {
        text_sentence(error, DAY_ERROR_SIZE, "%s: %s", directory, strerror(errno));
        return -1;
    }
    if ((int64_t)(fs.f_bavail * fs.f_frsize) >= min_free)
        return 0;
    text_sentence(error, DAY_ERROR_SIZE,
                  "%s: less than min-free is left on the disk (%lld MB of %lld)",
                  directory, (long long)(fs.f_bavail * fs.f_frsize >> 20),
                  (long long)(min_free >> 20));
    return -1;
}

#define NAME_SIZE        64
#define JUMP_S           3600
#define BELIEVED_AFTER_S 86400

/* A file of the journal, as the directory has it; or one that was put aside. */
struct kept {
    char name[NAME_SIZE];
    bool is_aside;
    int64_t day;
    enum day_kind kind;
    int64_t bytes; /* -1: it is gone */
};

/* Reads the name of a day's file, or of one that was put aside: "….db.damaged-1764028800".
 * Returns 0, or -1 where it is none. */
static int read_name(const char *name, struct kept *out)
{
    const char *aside = strstr(name, ".damaged-");
    char day[NAME_SIZE];

    *out = (struct kept){.is_aside = aside != NULL};
    if (!text_copy(name, out->name, sizeof out->name))
        return -1;
    if (aside == NULL)
        return day_of_name(name, &out->day, &out->kind);
    text_sentence(day, sizeof day, "%.*s", (int)(aside - name), name);
    return day_of_name(day, &out->day, &out->kind);
}

static int64_t size_of(const char *directory, const char *name, const char *more)
{
    char path[PATH_MAX];
    struct stat st;
    int n = snprintf(path, sizeof path, "%s/%s%s", directory, name, more);

    return n > 0 && n < PATH_MAX && stat(path, &st) == 0 ? (int64_t)st.st_size : 0;
}

/* Accepted mail before refusals, the oldest day first: what is to go first. */
static int by_age(const void *a, const void *b)
{
    const struct kept *x = a, *y = b;

    if (x->kind != y->kind)
        return x->kind == DAY_ACCEPTED ? -1 : 1;
    return (x->day > y->day) - (x->day < y->day);
}

/* Reads the directory. Returns how many files there are; the caller frees *out. */
static size_t read_kept(const char *directory, struct kept **out)
{
    DIR *dir = opendir(directory);
    struct dirent *entry;
    size_t count = 0;

    *out = NULL;
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        struct kept kept, *grown;

        if (read_name(entry->d_name, &kept) != 0)
            continue;
        kept.bytes = size_of(directory, entry->d_name, "") +
                     (kept.is_aside ? 0 : size_of(directory, entry->d_name, "-wal"));
        grown = realloc(*out, (count + 1) * sizeof **out);
        if (grown == NULL)
            break;
        *out = grown;
        grown[count++] = kept;
    }
    if (dir != NULL)
        closedir(dir);
    if (count > 1)
        qsort(*out, count, sizeof **out, by_age);
    return count;
}

/* Its log goes first: should this be the end of the process, the rest is found again. */
static void remove_kept(struct journal *journal, const struct kept *kept, const char *why)
{
    static const char *const endings[] = {"-shm", "-wal", ""};
    char path[PATH_MAX];

    for (int i = 0; i < OPEN_DAYS && !kept->is_aside; i++)
        if (journal->days[i].day != NULL && journal->days[i].number == kept->day &&
            journal->days[i].kind == kept->kind)
            open_day_close(&journal->days[i]);
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        int n = snprintf(path, sizeof path, "%s/%s%s", journal->directory, kept->name,
                         endings[i]);

        if (n < 0 || n >= PATH_MAX)
            return;
        if (remove(path) != 0 && errno != ENOENT && errno != ENOTEMPTY)
            log_warning("journal: %s: %s", path, strerror(errno));
    }
    log_info("journal: removed %s: %s", path, why);
}

/* Whether a day of that age is over. A day counts from its end. */
static bool is_over(const struct kept *kept, const struct journal_settings *settings,
                    int64_t now)
{
    int64_t keep_s =
        kept->kind == DAY_ACCEPTED ? settings->accepted_s : settings->refused_s;

    return (kept->day + 1) * 86400 + keep_s <= now;
}

/* A clock that jumps ahead would take every file with it: it is believed after a day. */
static int64_t believed_now(struct journal *journal)
{
    int64_t wall = (int64_t)time(NULL), steady = clock_ms() / 1000;
    int64_t expected = journal->believed + steady - journal->believed_at;
    bool jumped = wall > expected + JUMP_S;

    if (jumped && journal->jumped_at == 0) {
        journal->jumped_at = steady > 0 ? steady : 1;
        log_warning(
            "journal: the clock has jumped ahead by %lld s: no file is removed for "
            "its age by it within a day",
            (long long)(wall - expected));
    }
    if (!jumped)
        journal->jumped_at = 0;
    journal->believed =
        jumped && steady - journal->jumped_at < BELIEVED_AFTER_S ? expected : wall;
    journal->believed_at = steady;
    return journal->believed;
}

void retention_prune(struct journal *journal)
{
    int64_t now = believed_now(journal), bytes = 0, oldest = INT64_MAX;
    struct journal_settings settings;
    struct kept *kept;
    size_t count = read_kept(journal->directory, &kept);

    pthread_mutex_lock(&journal->lock);
    settings = journal->settings;
    pthread_mutex_unlock(&journal->lock);
    for (size_t i = 0; i < count; i++) {
        if (is_over(&kept[i], &settings, now)) {
            remove_kept(journal, &kept[i], "its time is over");
            kept[i].bytes = -1;
        } else {
            bytes += kept[i].bytes;
        }
    }
    for (size_t i = 0; i < count && settings.max_size > 0 && bytes > settings.max_size;
         i++) {
        /* not today's, nor tomorrow's, should the clock have been ahead a little */
        if (kept[i].bytes < 0 || (!kept[i].is_aside && kept[i].day >= day_of(now) &&
                                  kept[i].day <= day_of(now) + 1))
            continue;
        remove_kept(journal, &kept[i], "max-size");
        bytes -= kept[i].bytes;
        kept[i].bytes = -1;
    }
    for (size_t i = 0; i < count; i++)
        if (kept[i].bytes >= 0 && !kept[i].is_aside && kept[i].day < oldest)
            oldest = kept[i].day;
    free(kept);
    journal_reader_close_removed(journal);
    journal->full = settings.max_size > 0 && bytes > settings.max_size;
    pthread_mutex_lock(&journal->lock);
    journal->stats.bytes = bytes;
    journal->stats.oldest_day = oldest == INT64_MAX ? 0 : oldest * 86400;
    pthread_mutex_unlock(&journal->lock);
}

int retention_key(struct journal *journal)
{
    struct kept *kept, *newest = NULL;
    size_t count = read_kept(journal->directory, &kept);
    char path[PATH_MAX], error[DAY_ERROR_SIZE];
    struct day *day;
    int rc = -1;

    for (size_t i = 0; i < count; i++)
        if (!kept[i].is_aside && (newest == NULL || kept[i].day > newest->day))
            newest = &kept[i];
    if (newest != NULL && day_path(journal->directory, newest->day, newest->kind, path) &&
        day_open(path, NULL, &day, error) == DAY_OK) {
        memcpy(journal->key, day_key(day), TOKEN_KEY_SIZE);
        day_close(day);
        rc = 0;
    } else if (getrandom(journal->key, TOKEN_KEY_SIZE, 0) == TOKEN_KEY_SIZE) {
        rc = 0;
    }
    free(kept);
    return rc;
}
