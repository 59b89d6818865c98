/* SPDX-License-Identifier: BSD-2-Clause */
/* What add and remove acknowledged is there after kill -9 at any moment, and after a
 * power loss, and nothing is half there. RBLMILTER_TEST_ROUNDS changes how often each is
 * tried.
 *
 * The power loss is played by a layer under SQLite (a VFS) that remembers what was
 * written since the last sync of each file. When the power goes, it takes all that back
 * and lets only some of it, chosen by chance, reach the disk. */

#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "blocklist/store.h"
#include "blocklist/transaction.h"
#include "blocklist_helper.h"

#define ROUNDS 60

/* --- the layer under SQLite --- */

struct write {
    struct write *before; /* the one before it, of the same file */
    sqlite3_int64 offset, size_before;
    int length;     /* -1: a truncation to offset */
    char *was, *is; /* was: as much as there was */
    int was_length;
};

/* A file as the disk sees it, however many connections have it open: a sync through one
 * is a sync of all that was written. Kept to the end of the process. */
struct disk_file {
    struct disk_file *next;
    char *name;             /* NULL: a temporary one, which is nobody's loss */
    struct write *unsynced; /* the newest first */
};

struct layer_file {
    sqlite3_file base;
    struct layer_file *next;
    struct disk_file *disk;
    sqlite3_file *real;
};

static sqlite3_vfs layer;
static sqlite3_vfs *real_vfs;
static struct disk_file *disk_files;
static struct layer_file *open_files;
static pthread_mutex_t layer_lock = PTHREAD_MUTEX_INITIALIZER;

static sqlite3_file *real_of(sqlite3_file *file)
{
    return ((struct layer_file *)file)->real;
}

static void remember(struct layer_file *file, const void *data, int length,
                     sqlite3_int64 offset)
{
    struct write *write = calloc(1, sizeof *write);

    write->before = file->disk->unsynced;
    write->offset = offset;
    write->length = length;
    file->real->pMethods->xFileSize(file->real, &write->size_before);
    write->was_length = length < 0 ? (int)(write->size_before - offset) : length;
    if (write->was_length < 0 || offset >= write->size_before)
        write->was_length = 0;
    else if (offset + write->was_length > write->size_before)
        write->was_length = (int)(write->size_before - offset);
    write->was = malloc((size_t)write->was_length + 1);
    if (write->was_length > 0)
        file->real->pMethods->xRead(file->real, write->was, write->was_length, offset);
    if (length > 0) {
        write->is = malloc((size_t)length);
        memcpy(write->is, data, (size_t)length);
    }
    file->disk->unsynced = write;
}

static void forget(struct disk_file *file)
{
    for (struct write *write = file->unsynced, *before; write != NULL; write = before) {
        before = write->before;
        free(write->was);
        free(write->is);
        free(write);
    }
    file->unsynced = NULL;
}

static int layer_write(sqlite3_file *file, const void *data, int length,
                       sqlite3_int64 offset)
{
    int rc;

    pthread_mutex_lock(&layer_lock);
    remember((struct layer_file *)file, data, length, offset);
    rc = real_of(file)->pMethods->xWrite(real_of(file), data, length, offset);
    pthread_mutex_unlock(&layer_lock);
    return rc;
}

static int layer_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    int rc;

    pthread_mutex_lock(&layer_lock);
    remember((struct layer_file *)file, NULL, -1, size);
    rc = real_of(file)->pMethods->xTruncate(real_of(file), size);
    pthread_mutex_unlock(&layer_lock);
    return rc;
}

static int layer_sync(sqlite3_file *file, int flags)
{
    (void)flags; /* the real disk need not be bothered */
    pthread_mutex_lock(&layer_lock);
    forget(((struct layer_file *)file)->disk);
    pthread_mutex_unlock(&layer_lock);
    return SQLITE_OK;
}

/* Plays what of the unsynced writes reached the disk, in their order. */
static void replay(sqlite3_file *real, const struct write *write)
{
    if (write == NULL)
        return;
    replay(real, write->before);
    if (random() % 2 == 0)
        return;
    if (write->length < 0)
        real->pMethods->xTruncate(real, write->offset);
    else
        real->pMethods->xWrite(real, write->is, write->length, write->offset);
}

static void take_back(sqlite3_file *real, const struct write *write)
{
    for (; write != NULL; write = write->before) {
        if (write->was_length > 0)
            real->pMethods->xWrite(real, write->was, write->was_length, write->offset);
        real->pMethods->xTruncate(real, write->size_before);
    }
}

/* The end: nothing more is written, and of what was not synced some is lost. */
static void lose_power(void)
{
    pthread_mutex_lock(&layer_lock);
    for (struct layer_file *file = open_files; file != NULL; file = file->next) {
        struct write *unsynced = file->disk->unsynced;

        file->disk->unsynced = NULL; /* others may have the same file open */
        take_back(file->real, unsynced);
        if (random() % 4 != 0)
            replay(file->real, unsynced);
    }
    _exit(0);
}

static int layer_close(sqlite3_file *file)
{
    struct layer_file **link = &open_files;
    int rc;

    pthread_mutex_lock(&layer_lock);
    while (*link != (struct layer_file *)file)
        link = &(*link)->next;
    *link = (*link)->next;
    rc = real_of(file)->pMethods->xClose(real_of(file));
    pthread_mutex_unlock(&layer_lock);
    return rc;
}

static int layer_read(sqlite3_file *file, void *out, int length, sqlite3_int64 offset)
{
    return real_of(file)->pMethods->xRead(real_of(file), out, length, offset);
}

static int layer_size(sqlite3_file *file, sqlite3_int64 *out)
{
    return real_of(file)->pMethods->xFileSize(real_of(file), out);
}

static int layer_do_lock(sqlite3_file *file, int level)
{
    return real_of(file)->pMethods->xLock(real_of(file), level);
}

static int layer_unlock(sqlite3_file *file, int level)
{
    return real_of(file)->pMethods->xUnlock(real_of(file), level);
}

static int layer_check(sqlite3_file *file, int *out)
{
    return real_of(file)->pMethods->xCheckReservedLock(real_of(file), out);
}

static int layer_control(sqlite3_file *file, int what, void *argument)
{
    return real_of(file)->pMethods->xFileControl(real_of(file), what, argument);
}

static int layer_sector(sqlite3_file *file)
{
    return real_of(file)->pMethods->xSectorSize(real_of(file));
}

static int layer_traits(sqlite3_file *file)
{
    (void)file;
    return 0; /* nothing is promised */
}

static int layer_map(sqlite3_file *file, int page, int size, int extend,
                     void volatile **out)
{
    return real_of(file)->pMethods->xShmMap(real_of(file), page, size, extend, out);
}

static int layer_shm_lock(sqlite3_file *file, int offset, int count, int flags)
{
    return real_of(file)->pMethods->xShmLock(real_of(file), offset, count, flags);
}

static void layer_barrier(sqlite3_file *file)
{
    real_of(file)->pMethods->xShmBarrier(real_of(file));
}

static int layer_unmap(sqlite3_file *file, int remove)
{
    return real_of(file)->pMethods->xShmUnmap(real_of(file), remove);
}

static const sqlite3_io_methods layer_methods = {
    .iVersion = 2,
    .xClose = layer_close,
    .xRead = layer_read,
    .xWrite = layer_write,
    .xTruncate = layer_truncate,
    .xSync = layer_sync,
    .xFileSize = layer_size,
    .xLock = layer_do_lock,
    .xUnlock = layer_unlock,
    .xCheckReservedLock = layer_check,
    .xFileControl = layer_control,
    .xSectorSize = layer_sector,
    .xDeviceCharacteristics = layer_traits,
    .xShmMap = layer_map,
    .xShmLock = layer_shm_lock,
    .xShmBarrier = layer_barrier,
    .xShmUnmap = layer_unmap,
};

static struct disk_file *find_disk_file(const char *name)
{
    struct disk_file *file = disk_files;

    while (file != NULL &&
           (name == NULL || file->name == NULL || strcmp(file->name, name) != 0))
        file = file->next;
    if (file != NULL)
        return file;
    file = calloc(1, sizeof *file);
    file->name = name != NULL ? strdup(name) : NULL;
    file->next = disk_files;
    disk_files = file;
    return file;
}

static int layer_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *out, int flags,
                      int *out_flags)
{
    struct layer_file *file = (struct layer_file *)out;
    int rc;

    (void)vfs;
    memset(file, 0, sizeof *file);
    file->real = (sqlite3_file *)(file + 1);
    rc = real_vfs->xOpen(real_vfs, name, file->real, flags, out_flags);
    if (rc != SQLITE_OK)
        return rc;
    file->base.pMethods = &layer_methods;
    pthread_mutex_lock(&layer_lock);
    file->disk = find_disk_file(name);
    file->next = open_files;
    open_files = file;
    pthread_mutex_unlock(&layer_lock);
    return SQLITE_OK;
}

static void put_layer_under_sqlite(void)
{
    real_vfs = sqlite3_vfs_find(NULL);
    layer = *real_vfs;
    layer.zName = "layer";
    layer.szOsFile = (int)sizeof(struct layer_file) + real_vfs->szOsFile;
    layer.xOpen = layer_open;
    sqlite3_vfs_register(&layer, 1);
}

/* --- the child that changes and is stopped --- */

static void tell(int fd, char what, unsigned number)
{
    char line[16];
    int n = snprintf(line, sizeof line, "%c%u\n", what, number);

    if (write(fd, line, (size_t)n) != n)
        _exit(3);
}

static struct entry numbered(const char *format, unsigned number)
{
    char text[64];

    snprintf(text, sizeof text, format, number);
    return box_entry(text);
}

/* Two entries in one change, so that half a change can be seen. */
static void add_pair(struct box *box, unsigned number)
{
    struct entry a = numbered("a%u.example", number), b = numbered("b%u.example", number);
    struct blocklist_row_in rows[] = {{.entry = &a, .reason = "why"}, {.entry = &b}};
    struct blocklist_actor actor = {"test", 0};

    if (blocklist_add(box->blocklist, rows, 2, NULL, &actor, NULL, box->error) !=
        BLOCKLIST_OK)
        _exit(4);
}

static void remove_pair(struct box *box, unsigned number)
{
    struct entry pair[] = {numbered("a%u.example", number),
                           numbered("b%u.example", number)};
    struct blocklist_actor actor = {"test", 0};
    size_t removed;

    if (blocklist_remove(box->blocklist, pair, 2, NULL, "", false, &actor, &removed,
                         box->error) != BLOCKLIST_OK)
        _exit(5);
}

/* Adds first, first + 1 … and removes every third again, telling each that is done, and
 * lets SQLite move the log now and then. When power_after > 0 the power goes then. */
static void change_until_stopped(struct box *box, int fd, unsigned first,
                                 unsigned power_after)
{
    struct blocklist_match match = {.subject = BLOCKLIST_BY_SENDER, .key = "a0.example"};

    if (box_try_open(box, BLOCKLIST_DAMAGE_STOP) == NULL)
        _exit(6);
    for (unsigned i = 0; i < 10000; i++) {
        add_pair(box, first + i);
        tell(fd, '+', first + i);
        if (i % 3 == 2) {
            tell(fd, '?', first + i - 1); /* from here on it may be gone */
            remove_pair(box, first + i - 1);
            tell(fd, '-', first + i - 1);
        }
        blocklist_hit(box->blocklist, &match);
        if (i % 7 == 6) {
            flusher_work(box->blocklist);
            (void)transaction_lock(box->blocklist, 10000, box->error);
            sqlite3_wal_checkpoint_v2(box->blocklist->writing.db, "main",
                                      SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
            transaction_unlock(box->blocklist);
        }
        if (power_after > 0 && i >= power_after)
            lose_power();
    }
    _exit(7);
}

/* --- what must be there afterwards --- */

#define NUMBERS_MAX 200000

enum said { SAID_NOTHING, SAID_ADDED, SAID_REMOVING, SAID_REMOVED };

/* Reads what the child acknowledges: so many lines, or all that is left. */
static unsigned read_told(FILE *from, unsigned char *said, unsigned highest,
                          unsigned most)
{
    char line[32];
    unsigned number;
    char what;

    while (most-- > 0 && fgets(line, sizeof line, from) != NULL) {
        if (strchr(line, '\n') == NULL || sscanf(line, "%c%u", &what, &number) != 2 ||
            number >= NUMBERS_MAX)
            break;
        said[number] = what == '+'   ? SAID_ADDED
                       : what == '?' ? SAID_REMOVING
                                     : SAID_REMOVED;
        if (number + 1 > highest)
            highest = number + 1;
    }
    return highest;
}

static void check(struct box *box, const unsigned char *said, unsigned highest, int round)
{
    box_open(box, false);
    for (unsigned i = 0; i < highest; i++) {
        char a[64], b[64];
        enum blocklist_verdict got_a, got_b;

        snprintf(a, sizeof a, "x@a%u.example", i);
        snprintf(b, sizeof b, "x@b%u.example", i);
        got_a = box_ask(box, a, NULL);
        got_b = box_ask(box, b, NULL);
        if (got_a != got_b)
            fail_msg("round %d: half of change %u is there", round, i);
        if (said[i] == SAID_ADDED && got_a != BLOCKLIST_BLOCK)
            fail_msg("round %d: %s was acknowledged and is lost", round, a);
        if (said[i] == SAID_REMOVED && got_a != BLOCKLIST_NONE)
            fail_msg("round %d: the removal of %s was acknowledged and is lost", round,
                     a);
    }
    box_close(box);
    assert_int_equal(box_number(box, "SELECT count(*) FROM pragma_quick_check"
                                     " WHERE quick_check = 'ok'"),
                     1);
    /* the audit log says of each row that stands, and of no other */
    assert_int_equal(box_number(box,
                                "SELECT count(*) FROM listing WHERE NOT EXISTS (SELECT 1"
                                " FROM audit WHERE audit.entry = listing.entry)"),
                     0);
    assert_int_equal(box_number(box,
                                "SELECT (SELECT count(*) FROM audit WHERE action = 'add')"
                                " - (SELECT count(*) FROM audit WHERE action = 'remove')"
                                " - (SELECT count(*) FROM listing)"),
                     0);
}

static unsigned rounds(void)
{
    const char *text = getenv("RBLMILTER_TEST_ROUNDS");

    return text != NULL ? (unsigned)strtoul(text, NULL, 10) : ROUNDS;
}

static pid_t start_child(struct box *box, unsigned first, unsigned power_after,
                         FILE **told)
{
    int fds[2];
    pid_t child;

    assert_int_equal(pipe(fds), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        close(fds[0]);
        srandom(first + 1);
        if (power_after > 0)
            put_layer_under_sqlite();
        change_until_stopped(box, fds[1], first, power_after);
    }
    close(fds[1]);
    *told = fdopen(fds[0], "r");
    assert_non_null(*told);
    return child;
}

static void test_kill(void **state)
{
    unsigned char *said = calloc(NUMBERS_MAX, 1);
    unsigned highest = 0;
    struct box box;

    (void)state;
    srandom(1);
    box_start(&box);
    for (unsigned round = 0; round < rounds(); round++) {
        FILE *told;
        pid_t child = start_child(&box, highest + 1, 0, &told);
        int status;

        /* after some changes, and anywhere within the next one */
        highest = read_told(told, said, highest + 1, 4 + (unsigned)random() % 40);
        usleep((useconds_t)(random() % 2000));
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        /* one that was under way and not told may be there or not: leave its number out
         */
        highest = read_told(told, said, highest, UINT_MAX) + 2;
        fclose(told);
        if (round % 4 == 3 || round + 1 == rounds())
            check(&box, said, highest, (int)round);
    }
    assert_true(highest > rounds() * 3);
    free(said);
    box_end(&box);
}

static void test_power_loss(void **state)
{
    unsigned char *said = calloc(NUMBERS_MAX, 1);
    unsigned highest = 0;
    char shm[128];
    struct box box;

    (void)state;
    srandom(2);
    box_start(&box);
    snprintf(shm, sizeof shm, "%s-shm", box.path);
    for (unsigned round = 0; round < rounds(); round++) {
        FILE *told;
        pid_t child = start_child(&box, highest + 1, 1 + (unsigned)random() % 40, &told);
        int status;

        highest = read_told(told, said, highest + 1, UINT_MAX) + 2;
        fclose(told);
        assert_int_equal(waitpid(child, &status, 0), child);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
            fail_msg("round %u: the child's status is %x", round, (unsigned)status);
        (void)unlink(shm); /* it is memory: a power loss takes it */
        check(&box, said, highest, (int)round);
    }
    free(said);
    box_end(&box);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kill),
        cmocka_unit_test(test_power_loss),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
