/* SPDX-License-Identifier: BSD-2-Clause */
/* All rows of this host and of the farm are compared, and what differs is repaired: newer
 * ones of the farm are taken, own ones that it lacks are put into the outbox. One routine
 * for a new host, one that was away for long, a database that was lost, emptied or set back.
 * It may be cut at any point, and run at any time. */

#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "farm/parts.h"

#define BATCH_ROWS 5000
#define DAY_MS     INT64_C(86400000)
#define MINUTE_MS  60000
#define IN_DOUBT   (-1) /* a stamp that no change has */

/* Of rows, BATCH_ROWS at most. */
struct keys {
    struct shared_place *all;
    size_t count;
};

/* A comparison under way. */
struct walk {
    struct farm *farm;
    struct farm_comparison *out;
    bool wanted[SHARED_BUCKETS]; /* buckets that differ */
    int64_t floor_ms;            /* dead rows older than that are left out */
    int64_t drop_ms; /* own rows older than that which the farm lacks go; 0 none */
    bool quiet;      /* a new host's first list */
    bool full;       /* rows of one version are compared, too */

    const PGresult *result; /* a batch of the farm's rows, in order */
    int at, count;
    bool last; /* there are no more behind it */
    struct shared_row *taken;
    size_t taken_count;

    struct shared_place place; /* how far this host's are looked at */
    struct keys own;           /* that the farm lacks or has older */
    struct keys dropped;       /* older than drop_ms */
};

/* As both sides sort: by bytes. */
static int compare_keys(const struct shared_row *a, const struct shared_row *b)
{
    int order = strcmp(a->entry, b->entry);

    if (order == 0)
        order = (a->side > b->side) - (a->side < b->side);
    return order != 0 ? order : strcmp(a->source, b->source);
}

static void note(struct farm_comparison *out, const struct shared_row *row,
                 const char *what)
{
    char name[100], action[20], source[40]; /* cut; the server may send anything */

    if (out->row_count == sizeof out->rows / sizeof out->rows[0])
        return;
    (void)utf8_show(row->entry, name, sizeof name);
    (void)utf8_show(row->side == 0 ? "removed" : row->action, action, sizeof action);
    (void)utf8_show(row->source, source, sizeof source);
    text_sentence(out->rows[out->row_count++], sizeof out->rows[0], "%s %s %s: %s", name,
                  action, source, what);
}

static void take(struct walk *walk, const struct shared_row *row)
{
    walk->taken[walk->taken_count++] = *row;
}

static void keep_key(struct keys *keys, const struct shared_row *row)
{
    struct shared_place *key = &keys->all[keys->count++];

    /* they fit, as the blocklist's do */
    (void)text_copy(row->entry, key->entry, sizeof key->entry);
    (void)text_copy(row->source, key->source, sizeof key->source);
    key->side = row->side;
}

/* Whether a row of the same version says something else. What has an end may have ended on one
 * side before the other heard of it. */
static bool says_else(const struct shared_row *a, const struct shared_row *b)
{
    if (a->expires != 0 || b->expires != 0)
        return false;
    return strcmp(a->action, b->action) != 0 || strcmp(a->reason, b->reason) != 0 ||
           (strcmp(a->action, "removed") != 0 && a->since != b->since);
}

static void on_both(struct walk *walk, const struct shared_row *theirs,
                    const struct shared_row *ours)
{
    int order = version_compare(theirs->version, ours->version);

    if (order > 0) {
        walk->out->older++;
        note(walk->out, theirs, "it is newer in the farm");
        take(walk, theirs);
    } else if (order < 0) {
        walk->out->newer++;
        note(walk->out, ours, "it is newer here");
        keep_key(&walk->own, ours);
    } else if (walk->full && says_else(theirs, ours)) {
        walk->out->other++;
        note(walk->out, ours, "the farm's says something else");
    }
}

static void only_there(struct walk *walk, const struct shared_row *row)
{
    walk->out->missing++;
    note(walk->out, row, "this host does not have it");
    take(walk, row);
}

/* One row of this host, beside the farm's up to it. */
static bool compare_own(void *context, const struct shared_row *ours)
{
    struct walk *walk = context;
    int order = 1;

    if (walk->own.count == BATCH_ROWS || walk->dropped.count == BATCH_ROWS)
        return false;
    while (walk->at < walk->count) {
        struct shared_row theirs = row_of_result(walk->result, walk->at, 0);

        order = compare_keys(&theirs, ours);
        if (order > 0)
            break;
        walk->at++;
        if (order == 0) {
            on_both(walk, &theirs, ours);
            return true;
        }
        only_there(walk, &theirs);
    }
    if (walk->at == walk->count && !walk->last)
        return false; /* the next batch may have it */
    if (!walk->wanted[ours->version.id & (SHARED_BUCKETS - 1)])
        return true;
    if (ours->version.at < walk->drop_ms) {
        keep_key(&walk->dropped, ours);
        return true;
    }
    walk->out->not_there++;
    note(walk->out, ours, "the farm does not have it");
    keep_key(&walk->own, ours);
    return true;
}

/* --- what is done about it --- */

/* Hands keys to one of the functions that take rows, of which these need no more. */
static int give_keys(struct farm *farm, struct keys *keys,
                     enum blocklist_result (*to)(struct blocklist *blocklist,
                                                 const struct shared_row *rows,
                                                 size_t count, char *error))
{
    struct shared_row *rows = calloc(keys->count + 1, sizeof *rows);
    char error[BLOCKLIST_ERROR_SIZE];
    enum blocklist_result result = BLOCKLIST_OK;

    if (rows == NULL)
        return farm_failed(farm, "no memory");
    for (size_t i = 0; i < keys->count; i++)
        rows[i] = (struct shared_row){.entry = keys->all[i].entry,
                                      .source = keys->all[i].source,
                                      .side = keys->all[i].side};
    if (keys->count > 0)
        result = to(farm->blocklist, rows, keys->count, error);
    free(rows);
    keys->count = 0;
    return result == BLOCKLIST_OK ? 0 : farm_failed(farm, error);
}

static int repair_here(struct walk *walk)
{
    size_t dropped = walk->dropped.count;

    if (give_keys(walk->farm, &walk->own, shared_outbox_add) != 0 ||
        give_keys(walk->farm, &walk->dropped, shared_drop) != 0)
        return -1;
    if (dropped > 0)
        log_notice("farm: dropped=%zu: this host was away for longer than the farm keeps "
                   "changes, and what the farm does not have was removed meanwhile",
                   dropped);
    return 0;
}

/* This host's rows up to the end of the batch are looked at; those just taken from it would
 * be seen as own ones that the farm lacks. */
static void go_behind_batch(struct walk *walk)
{
    const struct shared_place *place = &walk->place;
    const struct shared_row here = {
        .entry = place->entry, .side = place->side, .source = place->source};
    struct shared_place next;
    struct shared_row last;

    if (walk->count == 0)
        return;
    last = row_of_result(walk->result, walk->count - 1, 0);
    next.side = last.side;
    if (compare_keys(&last, &here) > 0 &&
        text_copy(last.entry, next.entry, sizeof next.entry) &&
        text_copy(last.source, next.source, sizeof next.source))
        walk->place = next;
}

/* This host's rows beside a batch of the farm's. */
static int compare_batch(struct walk *walk)
{
    struct farm *farm = walk->farm;
    char error[BLOCKLIST_ERROR_SIZE];
    int64_t refused = 0;
    bool done = false, full;

    do {

        if (shared_rows(farm->blocklist, &walk->place, walk->floor_ms, BATCH_ROWS,
                        compare_own, walk, &done, error) != BLOCKLIST_OK)
            return farm_failed(farm, error);
        full = walk->own.count == BATCH_ROWS || walk->dropped.count == BATCH_ROWS;
        if (repair_here(walk) != 0)
            return -1;
        if (atomic_load(&farm->stopping))
            return -1;
    } while (!done && (full || walk->at < walk->count || walk->last));
    for (; walk->at < walk->count; walk->at++) {
        struct shared_row theirs = row_of_result(walk->result, walk->at, 0);

        only_there(walk, &theirs);
    }
    if (walk->taken_count > 0 && merge_rows(farm, walk->taken, walk->taken_count, NULL,
                                            walk->quiet, &refused) != 0)
        return -1;
    walk->taken_count = 0;
    walk->out->refused += refused;
    go_behind_batch(walk);
    return 0;
}

static int fetch(struct farm *farm)
{
    return connection_send(&farm->connection, "FETCH 5000 FROM rows", 0, NULL) == 0
               ? 0
               : farm_failed(farm, NULL);
}

static int walk_all(struct walk *walk)
{
    if (fetch(walk->farm) != 0)
        return -1;
    do {
        PGresult *result = connection_receive(&walk->farm->connection);
        int rc;

        if (result == NULL)
            return farm_failed(walk->farm, NULL);
        if (PQnfields(result) != ROW_COLUMN_COUNT || PQntuples(result) > BATCH_ROWS) {
            PQclear(result);
            return farm_failed(walk->farm, "the database answers what was not asked");
        }
        walk->result = result;
        walk->at = 0;
        walk->count = PQntuples(result);
        walk->last = walk->count < BATCH_ROWS;
        /* the server reads while this host writes */
        rc = walk->last || fetch(walk->farm) == 0 ? compare_batch(walk) : -1;
        PQclear(result);
        if (rc != 0)
            return -1;
    } while (!walk->last);
    return 0;
}

/* --- what differs at all --- */

/* How many buckets differ. */
static int compare_digests(struct walk *walk)
{
    struct shared_digest *here = malloc(sizeof *here), *there = malloc(sizeof *there);
    char error[BLOCKLIST_ERROR_SIZE];
    int differing = 0;

    if (here == NULL || there == NULL) {
        differing = farm_failed(walk->farm, "no memory");
        goto out;
    }
    if (shared_digest(walk->farm->blocklist, walk->floor_ms, here, error) !=
        BLOCKLIST_OK) {
        differing = farm_failed(walk->farm, error);
        goto out;
    }
    if (database_digest(walk->farm, walk->floor_ms, there) != 0) {
        differing = -1;
        goto out;
    }
    walk->out->refused = here->refused;
    for (int i = 0; i < SHARED_BUCKETS; i++) {
        walk->wanted[i] =
            here->count[i] != there->count[i] || here->ids[i] != there->ids[i];
        differing += walk->wanted[i];
        walk->out->here += here->count[i];
        walk->out->there += there->count[i];
    }
out:
    free(here);
    free(there);
    return differing;
}

/* Where this is cut, what was taken by then is behind no cursor: a server that is set
 * back meanwhile would not be noticed by it. So it is no place that is there. */
static int doubt_cursor(struct farm *farm)
{
    char error[BLOCKLIST_ERROR_SIZE];

    farm->state.seq = farm->state.seq > 0 ? farm->state.seq : 1;
    farm->state.stamp = IN_DOUBT;
    if (shared_state_set(farm->blocklist, &farm->state, error) == BLOCKLIST_OK)
        return 0;
    return farm_failed(farm, error);
}

/* A backup from before what removals are remembered for: what was removed since then would
 * come back from it. A host that has not been here since then, or whose cursor is where the
 * database ends, knows nothing newer. */
static bool is_too_old(const struct farm *farm, const struct shared_state *head,
                       int64_t now_ms)
{
    const struct shared_state *state = &farm->state;

    return head->seq > 0 && now_ms - farm->newest_ms > farm->keep_days * DAY_MS &&
           strcmp(state->epoch, head->epoch) == 0 && state->stamp != IN_DOUBT &&
           (state->seq != head->seq || state->stamp != head->stamp) &&
           state->read_at > farm->newest_ms + MINUTE_MS;
}

/* Looks at the head, and sets what depends on it. */
static int begin(struct walk *walk, struct shared_state *head)
{
    struct farm *farm = walk->farm;
    int64_t now_ms;

    if (connection_do(&farm->connection,
                      "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY") != 0)
        return farm_failed(farm, NULL);
    if (database_head(farm, head, &now_ms) != 0)
        return -1;
    if (is_too_old(farm, head, now_ms))
        return farm_failed(farm,
                           "the database's newest change is older than removals are "
                           "remembered, and this host has read newer ones: a backup "
                           "so old would bring back what was removed. Drop the "
                           "schema farm and run \"rblctl farm init\"");
    walk->floor_ms = now_ms - (farm->keep_days - 1) * DAY_MS;
    walk->quiet = strcmp(farm->state.epoch, head->epoch) != 0;
    if (head->seq > 0 && farm->state.read_at > 0 &&
        now_ms - farm->state.read_at > farm->keep_days * DAY_MS)
        walk->drop_ms = now_ms - farm->keep_days * DAY_MS;
    walk->out->seq = head->seq;
    head->read_at = now_ms;
    (void)text_copy(farm->keep_local, head->keep_local, sizeof head->keep_local);
    (void)text_copy(PACKAGE_VERSION, head->program, sizeof head->program);
    head->joined = true;
    return 0;
}

static int compare(struct walk *walk)
{
    struct farm *farm = walk->farm;
    struct shared_state head = {0};
    int differing;
    bool all;

    if (begin(walk, &head) != 0 || database_plan(farm, true) != 0 ||
        (differing = compare_digests(walk)) < 0)
        return -1;
    all = walk->full || differing > SHARED_BUCKETS / 2;
    if (all)
        memset(walk->wanted, 1, sizeof walk->wanted);
    shared_expect(farm->blocklist, walk->out->there - walk->out->here);
    if (all && database_plan(farm, false) != 0)
        return -1;
    if ((all || differing > 0) &&
        (doubt_cursor(farm) != 0 ||
         database_declare(farm, walk->floor_ms, all ? NULL : walk->wanted) != 0 ||
         walk_all(walk) != 0))
        return -1;
    if (connection_do(&farm->connection, "COMMIT") != 0)
        return farm_failed(farm, NULL);
    farm->connection.slow = false;
    farm->state = head;
    return 0;
}

static void report(const struct farm_comparison *out)
{
    int64_t taken = out->older + out->missing, sent = out->newer + out->not_there;

    if (taken > 0 || sent > 0)
        log_notice("farm: repaired here=%" PRId64 " farm=%" PRId64 " taken=%" PRId64
                   " to-send=%" PRId64 " refused=%" PRId64,
                   out->here, out->there, taken, sent, out->refused);
    else
        log_info("farm: compared rows=%" PRId64 ": equal", out->here);
}

int reconcile(struct farm *farm, bool full, struct farm_comparison *out)
{
    struct walk *walk = calloc(1, sizeof *walk);
    char error[BLOCKLIST_ERROR_SIZE];
    int rc = -1;

    memset(out, 0, sizeof *out);
    if (walk == NULL)
        return farm_failed(farm, "no memory");
    walk->farm = farm;
    walk->out = out;
    walk->full = full;
    walk->taken = calloc(BATCH_ROWS + 1, sizeof *walk->taken);
    walk->own.all = calloc(BATCH_ROWS + 1, sizeof *walk->own.all);
    walk->dropped.all = calloc(BATCH_ROWS + 1, sizeof *walk->dropped.all);
    if (walk->taken == NULL || walk->own.all == NULL || walk->dropped.all == NULL)
        (void)farm_failed(farm, "no memory");
    else
        rc = compare(walk);
    if (rc == 0 && shared_state_set(farm->blocklist, &farm->state, error) != BLOCKLIST_OK)
        rc = farm_failed(farm, error);
    if (rc == 0) {
        farm->compare_now = false;
        report(out);
        pthread_mutex_lock(&farm->lock);
        farm->status.reconciled++;
        pthread_mutex_unlock(&farm->lock);
    }
    free(walk->taken);
    free(walk->own.all);
    free(walk->dropped.all);
    free(walk);
    return rc;
}
