/* SPDX-License-Identifier: BSD-2-Clause */
/* The files of the days that are written: two days, each with what was refused and accepted. */

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/log.h"
#include "base/sql.h"
#include "base/text.h"
#include "journal/journal_parts.h"

void open_day_close(struct open_day *day)
{
    if (day->day == NULL)
        return;
    if (day->in_transaction)
        day_cancel(day->day);
    day_close(day->day);
    *day = (struct open_day){0};
}

void open_days_close(struct journal *journal)
{
    for (int i = 0; i < OPEN_DAYS; i++)
        open_day_close(&journal->days[i]);
}

/* The place for one more file: a free one, or that of the oldest day that nothing is being
 * written to. */
static struct open_day *place(struct journal *journal)
{
    struct open_day *oldest = NULL;

    for (int i = 0; i < OPEN_DAYS; i++) {
        struct open_day *day = &journal->days[i];

        if (day->day == NULL)
            return day;
        if (!day->in_transaction && (oldest == NULL || day->number < oldest->number))
            oldest = day;
    }
    if (oldest != NULL)
        open_day_close(oldest);
    return oldest;
}

/* A broken file is put aside, with what belongs to it, so that today's mail is kept all the
 * same. */
static void put_aside(const char *path, const char *error)
{
    char kept[PATH_MAX];

    text_sentence(kept, sizeof kept, "%s.damaged-%lld", path, (long long)time(NULL));
    if (sql_rename(path, kept) == 0) /* else opening it fails again, and says why */
        log_error("journal: %s: kept as %s, a new file is begun", error, kept);
}

struct open_day *open_day_get(struct journal *journal, int64_t number, enum day_kind kind,
                              char error[static DAY_ERROR_SIZE])
{
    struct open_day *day;
    char path[PATH_MAX];
    enum day_result result;

    for (int i = 0; i < OPEN_DAYS; i++)
        if (journal->days[i].day != NULL && journal->days[i].number == number &&
            journal->days[i].kind == kind)
            return &journal->days[i];
    day = place(journal);
    if (day == NULL || !day_path(journal->directory, number, kind, path)) {
        text_sentence(error, DAY_ERROR_SIZE, "no place for one more day");
        return NULL;
    }
    result = day_open(path, journal->key, &day->day, error);
    if (result == DAY_DAMAGED) {
        put_aside(path, error);
        result = day_open(path, journal->key, &day->day, error);
    }
    if (result != DAY_OK)
        return NULL;
    day->number = number;
    day->kind = kind;
    return day;
}

/* Files that somebody has removed are begun again: what is written to them is lost. */
void open_days_close_removed(struct journal *journal)
{
    char path[PATH_MAX];

    for (int i = 0; i < OPEN_DAYS; i++) {
        struct open_day *day = &journal->days[i];

        if (day->day != NULL &&
            day_path(journal->directory, day->number, day->kind, path) &&
            !day_is_at(day->day, path)) {
            log_error("journal: %s was removed or replaced: what is there now is used",
                      path);
            open_day_close(day);
        }
    }
}

struct open_day *open_day_for(struct journal *journal, journal_id id, bool refused,
                              char error[static DAY_ERROR_SIZE])
{
    struct open_day *day = open_day_get(journal, day_of(journal_id_time(id)),
                                        refused ? DAY_REFUSED : DAY_ACCEPTED, error);

    if (day == NULL || day->in_transaction)
        return day;
    switch (day_begin(day->day, error)) {
    case DAY_OK:
        day->in_transaction = true;
        return day;
    case DAY_DAMAGED:
        journal->damaged = day;
        return NULL;
    case DAY_FAILED:
        return NULL;
    }
    abort();
}

bool open_days_have_place(const struct journal *journal, journal_id id, bool refused)
{
    enum day_kind kind = refused ? DAY_REFUSED : DAY_ACCEPTED;
    int64_t number = day_of(journal_id_time(id));

    for (int i = 0; i < OPEN_DAYS; i++) {
        const struct open_day *day = &journal->days[i];

        if (!day->in_transaction || (day->number == number && day->kind == kind))
            return true;
    }
    return false;
}

bool open_days_replace_damaged(struct journal *journal, const char *error)
{
    struct open_day *day = journal->damaged;
    char path[PATH_MAX];

    if (day == NULL || !day_path(journal->directory, day->number, day->kind, path))
        return false;
    journal->damaged = NULL;
    open_days_close(journal);
    put_aside(path, error);
    return true;
}
