#ifndef BLOCKLIST_TRAIL_H
#define BLOCKLIST_TRAIL_H

/* What follows each change of a listing by itself, on any connection that writes: the
 * audit trail, the filter and the counts. It is done by temporary triggers, so that no
 * statement can forget it. A connection and its trail belong to one thread at a time. */

#include <sqlite3.h>
#include <stdint.h>

#include "blocklist/admin.h"
#include "blocklist/index.h"

struct trail {
    sqlite3 *db;
    struct index *index;
    sqlite3_stmt *set_actor;
    /* since trail_begin, by rows */
    uint64_t added, changed, removed;
    int64_t kinds[ENTRY_KIND_COUNT], allow;
};

enum trail_mode {
    TRAIL_ALL,        /* each new row is written to the trail */
    TRAIL_NO_ADDITION /* imports: the row itself tells, until it is changed or removed */
};

/* Returns SQLite's code. trail stays where it is as long as db is open. */
int trail_attach(struct trail *trail, sqlite3 *db, struct index *index,
                 enum trail_mode mode);
void trail_detach(struct trail *trail); /* before db is closed */

/* Says who does what from now on. Return SQLite's code; trail_begin zeroes the counts. */
int trail_actor(struct trail *trail, const char *action,
                const struct blocklist_actor *actor, const char *reason, int64_t now);
int trail_begin(struct trail *trail, const char *action,
                const struct blocklist_actor *actor, const char *reason, int64_t now);

#endif
