/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BLOCKLIST_AUDIT_H
#define BLOCKLIST_AUDIT_H

/* What follows each change of a listing by itself, on any connection that writes: the
 * audit log, the filter and the counts. It is done by temporary triggers, so that no
 * statement can forget it; but where rows of the farm are merged (merge.c). A connection
 * and its audit belong to one thread at a time. */

#include <sqlite3.h>
#include <stdint.h>

#include "blocklist/admin.h"
#include "blocklist/bloom.h"

struct audit {
    sqlite3 *db;
    struct bloom *bloom;
    sqlite3_stmt *set_actor;
    /* since audit_begin, by rows */
    uint64_t added, changed, removed;
    int64_t kinds[ENTRY_KIND_COUNT], allow;
};

/* For statements that write the audit log themselves: where to, and a row of listing as
 * JSON. */
#define AUDIT_COLUMNS                                                                    \
    "audit (at, login, uid, action, entry, source, allow, tempfail, reason, before, "    \
    "after)"
#define AUDIT_JSON_OF(row)                                                               \
    "json_object('action',iif(" row ".allow,'allow',iif(" row                            \
    ".tempfail,'tempfail','block')),'reason'," row ".reason,'since'," row                \
    ".since,'expires'," row ".expires,'who'," row ".who)"

enum audit_mode {
    AUDIT_ALL,        /* each new row is written to the audit log */
    AUDIT_NO_ADDITION /* imports: the row itself says, until it is changed or removed */
};

/* Returns SQLite's code. audit stays where it is as long as db is open. */
int audit_attach(struct audit *audit, sqlite3 *db, struct bloom *bloom,
                 enum audit_mode mode);
void audit_detach(struct audit *audit); /* before db is closed */

/* Says who does what from now on. Return SQLite's code; audit_begin zeroes the counts. */
int audit_actor(struct audit *audit, const char *action,
                const struct blocklist_actor *actor, const char *reason, int64_t now);
int audit_begin(struct audit *audit, const char *action,
                const struct blocklist_actor *actor, const char *reason, int64_t now);

#endif
