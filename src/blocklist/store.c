/* SPDX-License-Identifier: BSD-2-Clause */
/* What all parts of the blocklist share: its state, its clock, the waits of its threads,
 * its file and the connections that read it. */

#include "blocklist/store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/sql.h"
#include "base/text.h"
#include "blocklist/backup.h"
#include "blocklist/schema.h"

/* So that on-damage is followed at the next start. */
static void request_check(const struct blocklist *blocklist)
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
        request_check(blocklist);
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

/* --- the time that ends are reckoned from --- */

#define SECOND_NS 1000000000LL

static int64_t read_clock(clockid_t id)
{
    struct timespec ts;

    clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * SECOND_NS + ts.tv_nsec;
}

static int64_t system_wall(void *context)
{
    (void)context;
    return read_clock(CLOCK_REALTIME);
}

static int64_t system_steady(void *context)
{
    (void)context;
    return read_clock(CLOCK_BOOTTIME);
}

static const struct blocklist_clock system_clock = {system_wall, system_steady, NULL};

static int64_t wall(const struct walltime *walltime)
{
    return walltime->clock->wall_ns(walltime->clock->context);
}

static int64_t steady(const struct walltime *walltime)
{
    return walltime->clock->steady_ns(walltime->clock->context);
}

static void hold(struct walltime *walltime, int64_t jump_ns)
{
    char span[SPAN_TEXT_SIZE];

    atomic_store(&walltime->jump_ns, jump_ns);
    atomic_store(&walltime->jumped_at_ns, steady(walltime));
    span_text(llabs(jump_ns) / SECOND_NS * 1000, span);
    log_warning("blocklist: clock=%s by=%s: entries begin by the later and end by the "
                "earlier time",
                jump_ns > 0 ? "jumped-forward" : "jumped-back", span);
}

void walltime_init(struct walltime *walltime, const struct blocklist_clock *clock,
                   time_t last_seen)
{
    int64_t now, rest;

    walltime->clock = clock != NULL ? clock : &system_clock;
    now = wall(walltime);
    rest = now - (int64_t)last_seen * SECOND_NS;
    atomic_store(&walltime->offset_ns, now - steady(walltime));
    atomic_store(&walltime->jump_ns, 0);
    if (last_seen == 0 ||
        (rest >= -WALLTIME_JUMP_S * SECOND_NS && rest <= WALLTIME_REST_S * SECOND_NS))
        return;
    atomic_fetch_sub(&walltime->offset_ns, rest);
    hold(walltime, rest);
}

time_t walltime_now(const struct walltime *walltime)
{
    return (time_t)((steady(walltime) + atomic_load(&walltime->offset_ns)) / SECOND_NS);
}

static time_t wall_s(const struct walltime *walltime)
{
    return (time_t)(wall(walltime) / SECOND_NS);
}

static void follow(struct walltime *walltime, int64_t offset_ns)
{
    atomic_store(&walltime->offset_ns, offset_ns);
    if (atomic_exchange(&walltime->jump_ns, 0) != 0)
        log_notice("blocklist: clock=trusted");
}

void walltime_trust(struct walltime *walltime)
{
    follow(walltime, wall(walltime) - steady(walltime));
}

/* The clocks are read once: what is followed is what was looked at. */
void walltime_tick(struct walltime *walltime)
{
    int64_t now = steady(walltime);
    int64_t offset = wall(walltime) - now;
    int64_t ahead = offset - atomic_load(&walltime->offset_ns);
    int64_t known = atomic_load(&walltime->jump_ns);

    if (llabs(ahead) <= WALLTIME_JUMP_S * SECOND_NS) {
        follow(walltime, offset); /* in step, or it came back by itself */
        return;
    }
    if (known == 0 || llabs(ahead - known) > WALLTIME_JUMP_S * SECOND_NS)
        hold(walltime, ahead);
    else if (now - atomic_load(&walltime->jumped_at_ns) >= WALLTIME_HOLD_S * SECOND_NS)
        follow(walltime, offset);
}

void walltime_warning(const struct walltime *walltime, char *out, size_t size)
{
    int64_t jump = atomic_load(&walltime->jump_ns);
    char span[SPAN_TEXT_SIZE];

    if (size > 0)
        out[0] = '\0';
    if (jump == 0)
        return;
    span_text(llabs(jump) / SECOND_NS * 1000, span);
    text_sentence(out, size,
                  "the clock jumped %s by %s: for a day or until \"rblctl reload\" "
                  "entries begin by "
                  "the later and end by the earlier of the two times",
                  jump > 0 ? "forward" : "back", span);
}

time_t blocklist_now(const struct blocklist *blocklist)
{
    time_t ours = walltime_now(&blocklist->walltime);
    time_t theirs = wall_s(&blocklist->walltime);

    return ours > theirs ? ours : theirs;
}

time_t blocklist_ended(const struct blocklist *blocklist)
{
    time_t ours = walltime_now(&blocklist->walltime);
    time_t theirs = wall_s(&blocklist->walltime);

    return ours < theirs ? ours : theirs;
}

/* --- the connections that read: opened, closed, and taken in turn --- */

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

/* A free connection, or else the one whose turn it is: each is held for one lookup. */
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

/* --- opening the database file, and what to do when it is damaged, or gone --- */

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

/* A file whose damage was found while it was in use is checked whatever its size, until
 * it is sound or moved out of the way. */
static bool check_is_wanted(const char *path, bool forget)
{
    char marker[PATH_MAX];
    int n = snprintf(marker, sizeof marker, "%s" STORE_CHECK_SUFFIX, path);

    if (n < 0 || (size_t)n >= sizeof marker)
        return false;
    return forget ? unlink(marker) == 0 : access(marker, F_OK) == 0;
}

static enum schema_result open_file(struct blocklist *blocklist, sqlite3 **db,
                                    char *error)
{
    enum schema_result result;
    /* Made by ourselves, as SQLite would let everybody read it: reasons may name people.
     * Its -wal and -shm have the same mode. */
    int fd = open(blocklist->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd >= 0)
        close(fd); /* otherwise it is there, or SQLite says why it cannot be made */
    result = schema_connect(blocklist->path, SCHEMA_WRITE, db, error,
                            BLOCKLIST_OPEN_ERROR_SIZE);
    return result == SCHEMA_OK ? schema_prepare(*db, error, BLOCKLIST_OPEN_ERROR_SIZE)
                               : result;
}

static enum schema_result try_open(struct blocklist *blocklist, sqlite3 **db, char *error)
{
    char backup[PATH_MAX];
    enum schema_result result;
    struct stat st;
    time_t made;

    *db = NULL;
    /* not there, or empty, although there are backups of it: it was lost */
    if ((stat(blocklist->path, &st) != 0 ? errno == ENOENT : st.st_size == 0) &&
        backup_newest(blocklist->path, backup, sizeof backup, &made)) {
        text_sentence(error, BLOCKLIST_OPEN_ERROR_SIZE,
                      "%s is gone or empty, though there are backups of it",
                      blocklist->path);
        return SCHEMA_DAMAGED;
    }
    result = open_file(blocklist, db, error);
    if (result == SCHEMA_OK &&
        (store_file_size(blocklist->path, "") <= START_CHECK_BYTES ||
         check_is_wanted(blocklist->path, false))) {
        result = schema_check(*db, error, BLOCKLIST_OPEN_ERROR_SIZE);
        blocklist->checked = result == SCHEMA_OK;
    }
    if (blocklist->checked)
        (void)check_is_wanted(blocklist->path, true);
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
    (void)check_is_wanted(path, true);
    if (on_damage == BLOCKLIST_DAMAGE_EMPTY)
        return 0;
    if (backup_restore(path, used, sizeof used, error, BLOCKLIST_OPEN_ERROR_SIZE) != 0)
        return -1;
    log_warning("blocklist: restored=%s: what was changed since then is lost", used);
    return 0;
}

int store_open_database(struct blocklist *blocklist, enum blocklist_on_damage on_damage,
                        sqlite3 **db, char *error)
{
    enum schema_result result = try_open(blocklist, db, error);
    struct stat st;

    if (result == SCHEMA_DAMAGED) {
        if (mend(blocklist->path, on_damage, error) != 0)
            return -1;
        /* an empty start leaves the backups where they are, but they no longer count as a
         * loss */
        result = on_damage == BLOCKLIST_DAMAGE_EMPTY ? open_file(blocklist, db, error)
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
