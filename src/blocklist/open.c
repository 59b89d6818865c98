/* SPDX-License-Identifier: BSD-2-Clause */
/* Opening the database file: what to do when it is damaged, or gone. */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "blocklist/backup.h"
#include "blocklist/schema.h"
#include "blocklist/store.h"

/* A larger file is not read whole before the first answer: the maintenance thread does it
 * then. */
#define START_CHECK_BYTES (64 << 20)

uint64_t store_file_size(const char *path, const char *suffix)
{
    char name[PATH_MAX];
    struct stat st;
    int n = snprintf(name, sizeof name, "%s%s", path, suffix);

    return n >= 0 && (size_t)n < sizeof name && stat(name, &st) == 0
               ? (uint64_t)st.st_size
               : 0;
}

/* A database that is not there although backups of it are was lost; an empty file too. */
static bool was_lost(const char *path)
{
    char backup[PATH_MAX];
    struct stat st;
    time_t made;

    return (stat(path, &st) != 0 ? errno == ENOENT : st.st_size == 0) &&
           backup_newest(path, backup, sizeof backup, &made);
}

/* A file whose damage was found while it was in use is checked whatever its size, until
 * it is sound or moved out of the way. */
static bool check_is_asked(const char *path, bool forget)
{
    char marker[PATH_MAX];
    int n = snprintf(marker, sizeof marker, "%s" STORE_CHECK_SUFFIX, path);

    if (n < 0 || (size_t)n >= sizeof marker)
        return false;
    return forget ? unlink(marker) == 0 : access(marker, F_OK) == 0;
}

/* Made by ourselves, as SQLite would let everybody read it: reasons may name people. Its
 * -wal and -shm have the same mode. */
static void make_file(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd >= 0)
        close(fd); /* otherwise it is there, or SQLite says why it cannot be made */
}

static enum schema_result try_open(struct blocklist *blocklist, sqlite3 **db, char *error)
{
    enum schema_result result;

    *db = NULL;
    if (was_lost(blocklist->path)) {
        text_sentence(error, BLOCKLIST_OPEN_ERROR_SIZE,
                      "%s is gone or empty, though there are backups of it",
                      blocklist->path);
        return SCHEMA_DAMAGED;
    }
    make_file(blocklist->path);
    result = schema_connect(blocklist->path, SCHEMA_WRITE, db, error,
                            BLOCKLIST_OPEN_ERROR_SIZE);
    if (result == SCHEMA_OK)
        result = schema_prepare(*db, error, BLOCKLIST_OPEN_ERROR_SIZE);
    if (result == SCHEMA_OK &&
        (store_file_size(blocklist->path, "") <= START_CHECK_BYTES ||
         check_is_asked(blocklist->path, false))) {
        result = schema_check(*db, error, BLOCKLIST_OPEN_ERROR_SIZE);
        blocklist->checked = result == SCHEMA_OK;
    }
    if (blocklist->checked)
        (void)check_is_asked(blocklist->path, true);
    if (result != SCHEMA_OK) {
        sqlite3_close(*db);
        *db = NULL;
    }
    return result;
}

/* Returns 0 when there is a file to try again, or none. */
static int mend(const char *path, enum blocklist_on_damage on_damage, char *error)
{
    char kept[PATH_MAX], used[PATH_MAX];

    log_error("blocklist: %s", error);
    if (on_damage == BLOCKLIST_DAMAGE_STOP)
        return -1;
    if (backup_set_aside(path, kept, sizeof kept, error, BLOCKLIST_OPEN_ERROR_SIZE) != 0)
        return -1;
    log_warning("blocklist: damaged database kept=%s", kept);
    (void)check_is_asked(path, true);
    if (on_damage == BLOCKLIST_DAMAGE_EMPTY)
        return 0;
    if (backup_restore(path, used, sizeof used, error, BLOCKLIST_OPEN_ERROR_SIZE) != 0)
        return -1;
    log_warning("blocklist: restored=%s: what was changed since then is lost", used);
    return 0;
}

/* An empty start leaves the backups where they are, but they no longer count as a loss.
 */
static enum schema_result open_empty(struct blocklist *blocklist, sqlite3 **db,
                                     char *error)
{
    enum schema_result result;

    make_file(blocklist->path);
    result = schema_connect(blocklist->path, SCHEMA_WRITE, db, error,
                            BLOCKLIST_OPEN_ERROR_SIZE);
    if (result == SCHEMA_OK)
        result = schema_prepare(*db, error, BLOCKLIST_OPEN_ERROR_SIZE);
    return result;
}

int store_open_database(struct blocklist *blocklist, enum blocklist_on_damage on_damage,
                        sqlite3 **db, char *error)
{
    enum schema_result result = try_open(blocklist, db, error);
    struct stat st;

    if (result == SCHEMA_DAMAGED) {
        if (mend(blocklist->path, on_damage, error) != 0)
            return -1;
        result = on_damage == BLOCKLIST_DAMAGE_EMPTY ? open_empty(blocklist, db, error)
                                                     : try_open(blocklist, db, error);
    }
    if (result != SCHEMA_OK)
        return -1;
    if (stat(blocklist->path, &st) != 0) {
        text_sentence(error, BLOCKLIST_OPEN_ERROR_SIZE, "%s: %s", blocklist->path,
                      strerror(errno));
        return -1;
    }
    blocklist->device = st.st_dev;
    blocklist->inode = st.st_ino;
    return 0;
}
