/* SPDX-License-Identifier: BSD-2-Clause */
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

#include "base/sql.h"
#include "base/text.h"
#include "blocklist/schema.h"
#include "blocklist/transaction.h"

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

#define LAST_SEEN_MAX 9000000000 /* the year 2255 */

static int open_connections(struct blocklist *blocklist,
                            const struct blocklist_options *options, char *error)
{
    sqlite3 *db;
    int64_t seen;

    if (store_open_database(blocklist, options->on_damage, &db, error) != 0) {
        sqlite3_close(db);
        return -1;
    }
    /* Damage that a large file's start does not look for; nanoseconds must not overflow */
    if (sql_number(db, &seen, "SELECT value FROM meta WHERE name = 'last_seen'", "") !=
            SQLITE_OK ||
        seen < 0 || seen > LAST_SEEN_MAX)
        seen = 0;
    walltime_init(&blocklist->walltime, options->clock, (time_t)seen);
    if (transaction_open(db, blocklist) != SQLITE_OK) {
        text_sentence(error, BLOCKLIST_OPEN_ERROR_SIZE, "%s: %s", blocklist->path,
                      sqlite3_errmsg(db));
        return -1;
    }
    for (int i = 0; i < STORE_READERS; i++)
        if (reader_open(&blocklist->readers[i], blocklist->path, error,
                        BLOCKLIST_OPEN_ERROR_SIZE) != 0)
            return -1;
    if (reader_open(&blocklist->looker, blocklist->path, error,
                    BLOCKLIST_OPEN_ERROR_SIZE) != 0)
        return -1;
    if (options->farm && shared_open(blocklist, error, BLOCKLIST_OPEN_ERROR_SIZE) != 0)
        return -1;
    return schema_connect(blocklist->path, SCHEMA_READ, &blocklist->maintenance_db, error,
                          BLOCKLIST_OPEN_ERROR_SIZE) == SCHEMA_OK
               ? 0
               : -1;
}

static struct blocklist *allocate(const struct blocklist_options *options)
{
    struct blocklist *blocklist = calloc(1, sizeof *blocklist);

    if (blocklist == NULL || (blocklist->path = strdup(options->database)) == NULL ||
        versions_init(&blocklist->versions, options->farm, options->keep_local,
                      options->keep_local_count) != 0 ||
        bloom_init(&blocklist->bloom) != 0) {
        if (blocklist != NULL)
            versions_destroy(&blocklist->versions);
        free(blocklist != NULL ? blocklist->path : NULL);
        free(blocklist);
        return NULL;
    }
    blocklist->lock_fd = -1;
    blocklist_configure(blocklist, options->backups, options->strip);
    pthread_mutex_init(&blocklist->writer.lock, NULL);
    pthread_cond_init(&blocklist->writer.released, NULL);
    pthread_mutex_init(&blocklist->import_lock, NULL);
    pthread_mutex_init(&blocklist->looker.lock, NULL);
    pthread_mutex_init(&blocklist->wake_lock, NULL);
    pthread_mutex_init(&blocklist->state_lock, NULL);
    pthread_cond_init(&blocklist->wake, NULL);
    for (int i = 0; i < STORE_READERS; i++)
        pthread_mutex_init(&blocklist->readers[i].lock, NULL);
    hits_init(&blocklist->hits);
    hits_init(&blocklist->farm_hits);
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
    blocklist->flusher_runs =
        pthread_create(&blocklist->flusher, NULL, flusher_main, blocklist) == 0;
    blocklist->maintenance_runs =
        blocklist->flusher_runs &&
        pthread_create(&blocklist->maintenance, NULL, maintenance_main, blocklist) == 0;
    if (blocklist->maintenance_runs)
        return blocklist;
    text_sentence(error, BLOCKLIST_OPEN_ERROR_SIZE, "no thread can be started");
failed:
    blocklist_close(blocklist);
    return NULL;
}

void blocklist_stop(struct blocklist *blocklist)
{
    if (blocklist == NULL)
        return;
    pthread_mutex_lock(&blocklist->wake_lock);
    blocklist->stopping = true;
    pthread_cond_broadcast(&blocklist->wake);
    pthread_mutex_unlock(&blocklist->wake_lock);
    if (blocklist->maintenance_runs) {
        sqlite3_interrupt(blocklist->maintenance_db);
        pthread_join(blocklist->maintenance, NULL);
    }
    if (blocklist->flusher_runs) {
        pthread_join(blocklist->flusher, NULL);
        flusher_work(blocklist);
    }
    blocklist->maintenance_runs = blocklist->flusher_runs = false;
}

void blocklist_close(struct blocklist *blocklist)
{
    if (blocklist == NULL)
        return;
    blocklist_stop(blocklist);
    for (int i = 0; i < STORE_READERS; i++) {
        reader_close(&blocklist->readers[i]);
        pthread_mutex_destroy(&blocklist->readers[i].lock);
    }
    reader_close(&blocklist->looker);
    sqlite3_close(blocklist->maintenance_db);
    shared_close(blocklist);
    if (blocklist->writer.db != NULL)
        transaction_close(&blocklist->writer);
    if (blocklist->lock_fd >= 0)
        close(blocklist->lock_fd);
    versions_destroy(&blocklist->versions);
    hits_destroy(&blocklist->hits);
    hits_destroy(&blocklist->farm_hits);
    bloom_destroy(&blocklist->bloom);
    pthread_mutex_destroy(&blocklist->import_lock);
    pthread_mutex_destroy(&blocklist->looker.lock);
    pthread_mutex_destroy(&blocklist->writer.lock);
    pthread_cond_destroy(&blocklist->writer.released);
    pthread_mutex_destroy(&blocklist->wake_lock);
    pthread_mutex_destroy(&blocklist->state_lock);
    pthread_cond_destroy(&blocklist->wake);
    free(blocklist->path);
    free(blocklist);
}

void blocklist_configure(struct blocklist *blocklist, int backups, unsigned strip)
{
    atomic_store(&blocklist->backups, backups);
    atomic_store(&blocklist->strip, strip);
}

const char *blocklist_library_version(void)
{
    return sqlite3_libversion();
}

void blocklist_trust_clock(struct blocklist *blocklist)
{
    walltime_trust(&blocklist->walltime);
}

bool blocklist_has_allow_entries(struct blocklist *blocklist)
{
    bool has;

    pthread_mutex_lock(&blocklist->state_lock);
    has = blocklist->allow > 0 || !blocklist->counted;
    pthread_mutex_unlock(&blocklist->state_lock);
    return has;
}

void blocklist_status(struct blocklist *blocklist, struct blocklist_status *out)
{
    memset(out, 0, sizeof *out);
    (void)snprintf(out->database, sizeof out->database, "%s", blocklist->path);
    out->database_bytes = store_file_size(blocklist->path, "");
    out->wal_bytes = store_file_size(blocklist->path, "-wal");
    bloom_size(&blocklist->bloom, &out->bloom_bytes, &out->bloom_keys, &out->bloom_ready);
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

uint64_t blocklist_changes(const struct blocklist *blocklist)
{
    return atomic_load_explicit(&blocklist->changes, memory_order_relaxed);
}
