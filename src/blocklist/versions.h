/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BLOCKLIST_VERSIONS_H
#define BLOCKLIST_VERSIONS_H

/* The versions of rows, where the list is shared by the hosts of a farm: of each row the
 * newest version wins, on every host, whatever the order in which changes arrive. A change
 * made here gets its version by temporary triggers, as the audit log its lines, and the
 * row's key waits in the outbox until the farm has it; what was removed or has ended is
 * kept in the table gone, so that nothing older brings it back.
 *
 * A host that is alone and never was of a farm has none of that. Used by whoever has taken
 * struct transaction, but for what is said to be fixed. */

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct blocklist_clock;

struct version {
    int64_t at; /* ms; the clock of the host that made the change */
    int64_t id; /* random; 0 to 2^63 - 1 */
};

/* Below 0, 0 or above, as a is older than b, the same or newer. */
int version_compare(struct version a, struct version b);

/* The rule of merging: whether a row of that version counts where its key has the version
 * stored, and its entry a mark of removal (NULL: none). */
bool version_counts(struct version row, const struct version *stored,
                    const struct version *mark);

/* Half of the numbers that an INTEGER of SQLite and a JSON reader agree on. */
#define VERSION_AT_MAX INT64_C(4503599627370496)

struct versions {
    bool on;           /* fixed: of a farm, or was once */
    char **keep_local; /* fixed: sources that stay here; NULL-terminated, NULL: none */
    const struct blocklist_clock *clock;
    int64_t last_at; /* the greatest that was ever given or taken here */
    int64_t at;      /* what all changes of this transaction get; 0: none yet */
    bool marking;    /* rows go by one mark, not each by its own removal */
    bool noted;      /* last_at is in the file */
};

/* Returns 0, or -1 without memory. */
int versions_init(struct versions *versions, bool farm, const char *const *keep_local,
                  size_t count);
void versions_destroy(struct versions *versions);

/* Reads from the database whether it is, or was, of a farm. Returns SQLite's code. */
int versions_open(struct versions *versions, sqlite3 *db,
                  const struct blocklist_clock *clock);

/* Makes version_id() and the like on a connection that writes; versions_attach the triggers
 * too. Return SQLite's code. */
int versions_functions(struct versions *versions, sqlite3 *db);
int versions_attach(struct versions *versions, sqlite3 *db);

void versions_begin(struct versions *versions); /* at the begin of a transaction */

/* Before its commit: keeps last_at. Returns SQLite's code. */
int versions_note(struct versions *versions, sqlite3 *db);

/* Writes the mark that all of an entry is removed, in place of all that was known of its
 * rows. Returns SQLite's code; nothing is done on a host that is alone. */
int versions_mark(struct versions *versions, sqlite3 *db, const char *entry,
                  const char *reason, const char *who);

bool versions_is_local(const struct versions *versions, const char *source);

/* Of the entry, source and side: what the table refused keeps a row under. */
int64_t versions_key(const char *entry, int allow, const char *source);

#endif
