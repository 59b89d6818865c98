/* SPDX-License-Identifier: BSD-2-Clause */
#include "blocklist/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <libgen.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/sql.h"
#include "base/text.h"
#include "blocklist/schema.h"

#define STEP_PAGES   256 /* 1 MiB */
#define STEP_REST_MS 5
#define DAY_S        86400
#define FUTURE_S     ((int64_t)1 << 40)

int backup_sync_folder(const char *path)
{
    char folder[PATH_MAX];
    int fd, rc;

    if (!text_copy(path, folder, sizeof folder))
        return -1;
    fd = open(dirname(folder), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    rc = fsync(fd);
    close(fd);
    return rc;
}

static bool join(char *out, size_t size, const char *a, const char *b)
{
    int n = snprintf(out, size, "%s%s", a, b);

    return n >= 0 && (size_t)n < size;
}

/* Copies step by step. Returns SQLite's code; SQLITE_ABORT when go_on ended it. */
static int copy_pages(sqlite3 *from, sqlite3 *to, backup_go_on *go_on, void *context)
{
    sqlite3_backup *backup = sqlite3_backup_init(to, "main", from, "main");
    int rc = SQLITE_OK;

    if (backup == NULL)
        return sqlite3_errcode(to);
    while (rc == SQLITE_OK || rc == SQLITE_BUSY || rc == SQLITE_LOCKED) {
        rc = sqlite3_backup_step(backup, STEP_PAGES);
        if (rc == SQLITE_DONE)
            break;
        if (go_on != NULL && !go_on(context)) {
            rc = SQLITE_ABORT;
            break;
        }
        (void)sqlite3_sleep(STEP_REST_MS);
    }
    if (sqlite3_backup_finish(backup) != SQLITE_OK && rc == SQLITE_DONE)
        rc = SQLITE_ERROR;
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* The copy is one file without -wal: it must be whole in itself. */
static int copy_to(sqlite3 *from, const char *path, backup_go_on *go_on, void *context,
                   char *error, size_t error_size)
{
    sqlite3 *to = NULL;
    int rc = sqlite3_open(path, &to);

    /* A half copy is thrown away, so it needs no journal. What it is made of is that one
     * moment's: the transaction keeps other writers' pages out of it. */
    if (rc == SQLITE_OK)
        rc = sql_exec(to, "PRAGMA journal_mode = OFF; PRAGMA synchronous = FULL");
    if (rc == SQLITE_OK)
        rc = sql_exec(from, "BEGIN; SELECT 1 FROM sqlite_schema LIMIT 1");
    if (rc == SQLITE_OK) {
        rc = copy_pages(from, to, go_on, context);
        (void)sql_exec(from, "COMMIT"); /* it only read */
    }
    if (rc == SQLITE_OK)
        rc = sql_exec(to, "PRAGMA journal_mode = DELETE");
    if (rc != SQLITE_OK)
        text_sentence(error, error_size, "%s: %s", path,
                      rc == SQLITE_ABORT ? "not finished" : sqlite3_errstr(rc));
    sqlite3_close(to);
    return rc == SQLITE_OK ? 0 : -1;
}

int backup_copy(sqlite3 *db, const char *path, backup_go_on *go_on, void *context,
                char *error, size_t error_size)
{
    char part[PATH_MAX];
    int fd;

    if (!join(part, sizeof part, path, ".part")) {
        text_sentence(error, error_size, "%s: the path is too long", path);
        return -1;
    }
    (void)unlink(part); /* of an earlier try, perhaps */
    fd = open(part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        text_sentence(error, error_size, "%s: %s", part, strerror(errno));
        return -1;
    }
    close(fd);
    if (copy_to(db, part, go_on, context, error, error_size) != 0) {
        (void)unlink(part);
        return -1;
    }
    if (rename(part, path) != 0 || backup_sync_folder(path) != 0) {
        text_sentence(error, error_size, "%s: %s", path, strerror(errno));
        return -1;
    }
    return 0;
}

bool backup_path(const char *database, time_t day, char *out, size_t size)
{
    char suffix[32];
    struct tm tm;

    return localtime_r(&day, &tm) != NULL &&
           strftime(suffix, sizeof suffix, ".backup-%Y%m%d", &tm) > 0 &&
           join(out, size, database, suffix);
}

/* A glob pattern that stands for path itself. */
static bool escape_glob(const char *path, char *out, size_t size)
{
    size_t used = 0;

    for (; *path != '\0'; path++) {
        if (used + 3 > size)
            return false;
        if (strchr("*?[\\", *path) != NULL)
            out[used++] = '\\';
        out[used++] = *path;
    }
    out[used] = '\0';
    return true;
}

/* When it was made. The clock may have been ahead then: what is of a day or a time to come is
 * older than all others, as nobody knows how old. */
static int64_t made_at(const char *path)
{
    char tomorrow[PATH_MAX];
    time_t now = time(NULL);
    struct stat st;

    if (stat(path, &st) != 0)
        return INT64_MIN;
    return st.st_mtime > now + DAY_S ||
                   !backup_path("", now + DAY_S, tomorrow, sizeof tomorrow) ||
                   strcmp(path + strlen(path) - strlen(tomorrow), tomorrow) > 0
               ? st.st_mtime - FUTURE_S
               : st.st_mtime;
}

static int by_age(const void *a, const void *b)
{
    const char *one = *(char *const *)a, *other = *(char *const *)b;
    int64_t first = made_at(one), second = made_at(other);

    return first != second ? (first < second ? -1 : 1) : strcmp(one, other);
}

/* All backups, the oldest first. The caller calls globfree. Returns false for none. */
static bool list_backups(const char *database, glob_t *found)
{
    char escaped[PATH_MAX], pattern[PATH_MAX + 80];

    memset(found, 0, sizeof *found);
    if (!escape_glob(database, escaped, sizeof escaped) ||
        !join(pattern, sizeof pattern, escaped,
              ".backup-[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]") ||
        glob(pattern, 0, NULL, found) != 0)
        return false;
    qsort(found->gl_pathv, found->gl_pathc, sizeof found->gl_pathv[0], by_age);
    return true;
}

bool backup_newest(const char *database, char *out, size_t size, time_t *made)
{
    glob_t found;
    struct stat st;
    bool is = list_backups(database, &found) &&
              text_copy(found.gl_pathv[found.gl_pathc - 1], out, size) &&
              stat(out, &st) == 0;

    globfree(&found);
    if (is)
        *made = st.st_mtime;
    return is;
}

void backup_prune(const char *database, int keep)
{
    glob_t found;

    if (list_backups(database, &found))
        for (size_t i = 0; i + (size_t)keep < found.gl_pathc; i++)
            if (unlink(found.gl_pathv[i]) != 0)
                log_warning("blocklist: backup=%s not removed: %s", found.gl_pathv[i],
                            strerror(errno));
    globfree(&found);
}

int backup_set_aside(const char *database, char *kept, size_t kept_size, char *error,
                     size_t error_size)
{
    char suffix[40];
    time_t now = time(NULL);
    struct tm tm;

    if (localtime_r(&now, &tm) != NULL &&
        strftime(suffix, sizeof suffix, ".damaged-%Y%m%dT%H%M%S", &tm) != 0 &&
        join(kept, kept_size, database, suffix) && sql_rename(database, kept) == 0)
        return backup_sync_folder(database);
    text_sentence(error, error_size, "%s cannot be moved out of the way: %s", database,
                  strerror(errno));
    return -1;
}

/* Whether a backup can be read from end to end; if so it is copied to its place. */
static int restore_from(const char *backup, const char *database, char *error,
                        size_t error_size)
{
    sqlite3 *db = NULL;
    int rc = -1;

    if (sqlite3_open_v2(backup, &db, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK ||
        sql_harden(db) != SQLITE_OK)
        text_sentence(error, error_size, "%s: %s", backup,
                      db != NULL ? sqlite3_errmsg(db) : "no memory");
    else if (schema_check(db, error, error_size) == SCHEMA_OK)
        rc = backup_copy(db, database, NULL, NULL, error, error_size);
    sqlite3_close(db);
    return rc;
}

int backup_restore(const char *database, char *used, size_t used_size, char *error,
                   size_t error_size)
{
    glob_t found;
    int rc = -1;

    text_sentence(error, error_size, "%s: there is no backup to restore", database);
    if (list_backups(database, &found))
        for (size_t i = found.gl_pathc; i > 0 && rc != 0; i--)
            if (text_copy(found.gl_pathv[i - 1], used, used_size))
                rc = restore_from(used, database, error, error_size);
    globfree(&found);
    return rc;
}
