/* SPDX-License-Identifier: BSD-2-Clause */
/* The connections that read: opened, closed, and taken in turn. */

#include "base/text.h"
#include "blocklist/schema.h"
#include "blocklist/store.h"

int reader_open(struct reader *reader, const char *path, char *error, size_t size)
{
    if (schema_connect(path, SCHEMA_READ, &reader->db, error, size) != SCHEMA_OK)
        return -1;
    if (sqlite3_prepare_v3(reader->db,
                           "SELECT allow, reason, since FROM listing WHERE entry = ?"
                           " AND (expires IS NULL OR expires > ?)"
                           " ORDER BY allow DESC, since LIMIT 1",
                           -1, SQLITE_PREPARE_PERSISTENT, &reader->find,
                           NULL) != SQLITE_OK) {
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
