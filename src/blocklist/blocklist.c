/* Opening, closing and status of the blocklist. */

#include "blocklist/blocklist.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "blocklist/backup.h"
#include "blocklist/schema.h"
#include "blocklist/sql.h"
#include "blocklist/store.h"

/* A larger file is not read whole before the first answer: the keeper does it then. */
#define START_CHECK_BYTES (64 << 20)

void store_trouble(struct blocklist *blocklist, const char *error, bool damage)
{
    bool news = false;

    pthread_mutex_lock(&blocklist->state_lock);
    if (error != NULL) {
        news = strcmp(blocklist->error, error) != 0 && (!blocklist->damaged || damage);
        if (news)
            text_sentence(blocklist->error, sizeof blocklist->error, "%s", error);
        blocklist->damaged = blocklist->damaged || damage;
    } else if (!blocklist->damaged) {
        blocklist->error[0] = '\0';
    }
    pthread_mutex_unlock(&blocklist->state_lock);
    if (news)
        log_error("blocklist: %s", error);
}

bool store_is_stopping(struct blocklist *blocklist)
{
    bool stopping;

    pthread_mutex_lock(&blocklist->wake_lock);
    stopping = blocklist->stopping;
    pthread_mutex_unlock(&blocklist->wake_lock);
    return stopping;
}

bool store_wait(struct blocklist *blocklist, int timeout_ms, bool for_rebuild)
{
    struct timespec until = clock_timespec(clock_ms() + timeout_ms);
    bool go_on;
    int rc = 0;

    pthread_mutex_lock(&blocklist->wake_lock);
    while (rc == 0 && !blocklist->stopping && !(for_rebuild && blocklist->rebuild))
        rc = pthread_cond_clockwait(&blocklist->wake, &blocklist->wake_lock,
                                    CLOCK_MONOTONIC, &until);
    go_on = !blocklist->stopping;
    pthread_mutex_unlock(&blocklist->wake_lock);
    return go_on;
}

void store_rebuild(struct blocklist *blocklist)
{
    pthread_mutex_lock(&blocklist->wake_lock);
    blocklist->rebuild = true;
    pthread_cond_broadcast(&blocklist->wake);
    pthread_mutex_unlock(&blocklist->wake_lock);
}

/* So that no second daemon opens the file: its filter would not know our changes. A file
 * of its own, because closing any descriptor of the database drops SQLite's locks. */
static int take_lock(struct blocklist *blocklist, char *error)
{
    char path[PATH_MAX];
    int n = snprintf(path, sizeof path, "%s.lock", blocklist->path);

    if (n < 0 || (size_t)n >= sizeof path) {
        text_sentence(error, BLOCKLIST_OPEN_ERROR_SIZE, "%s: the path is too long",
                      blocklist->path);
        return -1;
    }
    blocklist->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (blocklist->lock_fd >= 0 && flock(blocklist->lock_fd, LOCK_EX | LOCK_NB) == 0)
        return 0;
    text_sentence(error, BLOCKLIST_OPEN_ERROR_SIZE, "%s: %s", path,
                  errno == EWOULDBLOCK ? "another rblmilter has the database open"
                                       : strerror(errno));
    return -1;
}

static uint64_t file_size(const char *path, const char *suffix)
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

/* Made by ourselves, as SQLite would let everybody read it: reasons may name people. Its
 * -wal and -shm have the same mode. */
static void make_file(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd >= 0)
        close(fd); /* otherwise it is there, or SQLite tells why it cannot be made */
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
    if (result == SCHEMA_OK && file_size(blocklist->path, "") <= START_CHECK_BYTES) {
        result = schema_check(*db, error, BLOCKLIST_OPEN_ERROR_SIZE);
        blocklist->checked = result == SCHEMA_OK;
    }
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

static int open_database(struct blocklist *blocklist, enum blocklist_on_damage on_damage,
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

static time_t read_last_seen(sqlite3 *db)
{
    sqlite3_stmt *stmt = NULL;
    time_t seen = 0;

    if (sqlite3_prepare_v2(db, "SELECT value FROM meta WHERE name = 'last_seen'", -1,
                           &stmt, NULL) == SQLITE_OK &&
        sqlite3_step(stmt) == SQLITE_ROW)
        seen = (time_t)sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    return seen;
}

static int open_connections(struct blocklist *blocklist,
                            const struct blocklist_options *options, char *error)
{
    sqlite3 *db;

    if (open_database(blocklist, options->on_damage, &db, error) != 0) {
        sqlite3_close(db);
        return -1;
    }
    if (writing_open(&blocklist->writing, db, &blocklist->index) != SQLITE_OK) {
        text_sentence(error, BLOCKLIST_OPEN_ERROR_SIZE, "%s: %s", blocklist->path,
                      sqlite3_errmsg(db));
        return -1;
    }
    walltime_init(&blocklist->walltime, options->clock, read_last_seen(db));
    for (int i = 0; i < STORE_READERS; i++)
        if (reader_open(&blocklist->readers[i], blocklist->path, error,
                        BLOCKLIST_OPEN_ERROR_SIZE) != 0)
            return -1;
    if (reader_open(&blocklist->looker, blocklist->path, error,
                    BLOCKLIST_OPEN_ERROR_SIZE) != 0)
        return -1;
    return schema_connect(blocklist->path, SCHEMA_READ, &blocklist->keeper_db, error,
                          BLOCKLIST_OPEN_ERROR_SIZE) == SCHEMA_OK
               ? 0
               : -1;
}

static struct blocklist *allocate(const struct blocklist_options *options)
{
    struct blocklist *blocklist = calloc(1, sizeof *blocklist);

    if (blocklist == NULL || (blocklist->path = strdup(options->database)) == NULL ||
        index_init(&blocklist->index) != 0) {
        free(blocklist != NULL ? blocklist->path : NULL);
        free(blocklist);
        return NULL;
    }
    blocklist->lock_fd = -1;
    blocklist_configure(blocklist, options->backups, options->strip_tags);
    pthread_mutex_init(&blocklist->writing.lock, NULL);
    pthread_cond_init(&blocklist->writing.released, NULL);
    pthread_mutex_init(&blocklist->looker.lock, NULL);
    pthread_mutex_init(&blocklist->wake_lock, NULL);
    pthread_mutex_init(&blocklist->state_lock, NULL);
    pthread_cond_init(&blocklist->wake, NULL);
    for (int i = 0; i < STORE_READERS; i++)
        pthread_mutex_init(&blocklist->readers[i].lock, NULL);
    hits_init(&blocklist->hits);
    return blocklist;
}

struct blocklist *blocklist_open(const struct blocklist_options *options,
                                 char error[static BLOCKLIST_OPEN_ERROR_SIZE])
{
    struct blocklist *blocklist = allocate(options);

    error[0] = '\0';
    if (blocklist == NULL) {
        text_sentence(error, BLOCKLIST_OPEN_ERROR_SIZE, "no memory");
        return NULL;
    }
    if (take_lock(blocklist, error) != 0 ||
        open_connections(blocklist, options, error) != 0)
        goto failed;
    blocklist->writer_runs =
        pthread_create(&blocklist->writer, NULL, writer_main, blocklist) == 0;
    blocklist->keeper_runs =
        blocklist->writer_runs &&
        pthread_create(&blocklist->keeper, NULL, keeper_main, blocklist) == 0;
    if (blocklist->keeper_runs)
        return blocklist;
    text_sentence(error, BLOCKLIST_OPEN_ERROR_SIZE, "no thread can be started");
failed:
    blocklist_close(blocklist);
    return NULL;
}

static void stop_threads(struct blocklist *blocklist)
{
    pthread_mutex_lock(&blocklist->wake_lock);
    blocklist->stopping = true;
    pthread_cond_broadcast(&blocklist->wake);
    pthread_mutex_unlock(&blocklist->wake_lock);
    if (blocklist->keeper_runs) {
        sqlite3_interrupt(blocklist->keeper_db);
        pthread_join(blocklist->keeper, NULL);
    }
    if (blocklist->writer_runs) {
        pthread_join(blocklist->writer, NULL);
        writer_work(blocklist);
    }
}

void blocklist_close(struct blocklist *blocklist)
{
    if (blocklist == NULL)
        return;
    stop_threads(blocklist);
    for (int i = 0; i < STORE_READERS; i++) {
        reader_close(&blocklist->readers[i]);
        pthread_mutex_destroy(&blocklist->readers[i].lock);
    }
    reader_close(&blocklist->looker);
    sqlite3_close(blocklist->keeper_db);
    if (blocklist->writing.db != NULL)
        writing_close(&blocklist->writing);
    if (blocklist->lock_fd >= 0)
        close(blocklist->lock_fd);
    hits_destroy(&blocklist->hits);
    index_destroy(&blocklist->index);
    pthread_mutex_destroy(&blocklist->looker.lock);
    pthread_mutex_destroy(&blocklist->writing.lock);
    pthread_cond_destroy(&blocklist->writing.released);
    pthread_mutex_destroy(&blocklist->wake_lock);
    pthread_mutex_destroy(&blocklist->state_lock);
    pthread_cond_destroy(&blocklist->wake);
    free(blocklist->path);
    free(blocklist);
}

void blocklist_configure(struct blocklist *blocklist, int backups, bool strip_tags)
{
    atomic_store(&blocklist->backups, backups);
    atomic_store(&blocklist->strip_tags, strip_tags);
}

const char *blocklist_library_version(void)
{
    return sqlite3_libversion();
}

time_t blocklist_now(const struct blocklist *blocklist)
{
    return walltime_now(&blocklist->walltime);
}

void blocklist_trust_clock(struct blocklist *blocklist)
{
    walltime_trust(&blocklist->walltime);
}

void blocklist_status(struct blocklist *blocklist, struct blocklist_status *out)
{
    memset(out, 0, sizeof *out);
    (void)snprintf(out->database, sizeof out->database, "%s", blocklist->path);
    out->database_bytes = file_size(blocklist->path, "");
    out->wal_bytes = file_size(blocklist->path, "-wal");
    index_size(&blocklist->index, &out->filter_bytes, &out->filter_keys,
               &out->filter_ready);
    hits_count(&blocklist->hits, &out->hits_pending, &out->hits_dropped);
    walltime_warning(&blocklist->walltime, out->clock, sizeof out->clock);
    pthread_mutex_lock(&blocklist->state_lock);
    for (int i = 0; i < ENTRY_KIND_COUNT; i++)
        out->entries[i] = blocklist->kinds[i] > 0 ? (uint64_t)blocklist->kinds[i] : 0;
    out->allow = blocklist->allow > 0 ? (uint64_t)blocklist->allow : 0;
    out->counted = blocklist->counted;
    out->checked = blocklist->checked;
    out->last_backup = blocklist->last_backup;
    memcpy(out->error, blocklist->error, sizeof out->error);
    pthread_mutex_unlock(&blocklist->state_lock);
}
