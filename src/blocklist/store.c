/* SPDX-License-Identifier: BSD-2-Clause */
/* What all parts of the blocklist share: its state, its clock, the waits of its threads.
 */

#include "blocklist/store.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/sql.h"
#include "base/text.h"
#include "blocklist/schema.h"

/* So that on-damage is followed at the next start. */
static void ask_for_check(const struct blocklist *blocklist)
{
    char path[PATH_MAX];
    int n = snprintf(path, sizeof path, "%s" STORE_CHECK_SUFFIX, blocklist->path);
    int fd = n > 0 && (size_t)n < sizeof path
                 ? open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600)
                 : -1;

    if (fd >= 0)
        close(fd);
    else
        log_error("blocklist: %s" STORE_CHECK_SUFFIX " cannot be made", blocklist->path);
}

void store_trouble(struct blocklist *blocklist, const char *error, bool damage)
{
    bool news = false, first = false;

    pthread_mutex_lock(&blocklist->state_lock);
    if (error != NULL) {
        first = damage && !blocklist->damaged;
        news = strcmp(blocklist->error, error) != 0 && (!blocklist->damaged || damage);
        if (news)
            text_sentence(blocklist->error, sizeof blocklist->error, "%s", error);
        blocklist->damaged = blocklist->damaged || damage;
    } else if (!blocklist->damaged) {
        blocklist->error[0] = '\0';
    }
    pthread_mutex_unlock(&blocklist->state_lock);
    if (first)
        ask_for_check(blocklist);
    if (news)
        log_error("blocklist: %s", error);
}

enum blocklist_result store_look_failed(struct blocklist *blocklist, sqlite3 *db, int rc,
                                        char *error)
{
    bool damage = rc == SQLITE_MISMATCH || sql_is_damage(rc);

    text_sentence(error, BLOCKLIST_ERROR_SIZE,
                  "the blocklist's database cannot be read: %s",
                  rc == SQLITE_MISMATCH ? "damaged: a row has a value out of range"
                                        : sqlite3_errmsg(db));
    if (damage)
        store_trouble(blocklist, error, true);
    return BLOCKLIST_FAILED;
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

time_t blocklist_now(const struct blocklist *blocklist)
{
    return walltime_later(&blocklist->walltime);
}

time_t blocklist_ended(const struct blocklist *blocklist)
{
    return walltime_earlier(&blocklist->walltime);
}

/* The connections that read: opened, closed, and taken in turn. */

int reader_open(struct reader *reader, const char *path, char *error, size_t size)
{
    if (schema_connect(path, SCHEMA_READ, &reader->db, error, size) != SCHEMA_OK)
        return -1;
    if (sql_prepare(reader->db, &reader->find,
                    "SELECT allow, tempfail, reason, since FROM listing WHERE entry = ?"
                    " AND (expires IS NULL OR expires > ?)"
                    " ORDER BY allow DESC, tempfail, since LIMIT 1") != SQLITE_OK) {
        text_sentence(error, size, "%s: %s", path, sqlite3_errmsg(reader->db));
        return -1;
    }
    return 0;
}

void reader_close(struct reader *reader)
{
    sqlite3_finalize(reader->find);
    sqlite3_close(reader->db);
    reader->find = NULL;
    reader->db = NULL;
}

/* A free connection, or else the one whose turn it is: each is held for one look. */
struct reader *reader_take(struct blocklist *blocklist)
{
    unsigned first = atomic_fetch_add(&blocklist->next_reader, 1);
    struct reader *reader;

    for (unsigned i = 0; i < STORE_READERS; i++) {
        reader = &blocklist->readers[(first + i) % STORE_READERS];
        if (pthread_mutex_trylock(&reader->lock) == 0)
            return reader;
    }
    reader = &blocklist->readers[first % STORE_READERS];
    pthread_mutex_lock(&reader->lock);
    return reader;
}

void reader_release(struct reader *reader)
{
    pthread_mutex_unlock(&reader->lock);
}
