/* SPDX-License-Identifier: BSD-2-Clause */
#include "power_layer.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

void lose_power(void)
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

void put_layer_under_sqlite(void)
{
    real_vfs = sqlite3_vfs_find(NULL);
    layer = *real_vfs;
    layer.zName = "layer";
    layer.szOsFile = (int)sizeof(struct layer_file) + real_vfs->szOsFile;
    layer.xOpen = layer_open;
    sqlite3_vfs_register(&layer, 1);
}
