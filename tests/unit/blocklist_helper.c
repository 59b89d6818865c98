/* SPDX-License-Identifier: BSD-2-Clause */
#include "blocklist_helper.h"

#include <fcntl.h>
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "blocklist/shared.h"
#include "blocklist/store.h"

static int64_t wall_ns(void *context)
{
    return ((struct box *)context)->wall_ns;
}

static int64_t steady_ns(void *context)
{
    return ((struct box *)context)->steady_ns;
}

void box_start(struct box *box)
{
    memset(box, 0, sizeof *box);
    /* Memory, where there is some: what is tested is not the disk's speed. */
    snprintf(box->folder, sizeof box->folder, "%s/rblmilter-test.XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    assert_non_null(mkdtemp(box->folder));
    snprintf(box->path, sizeof box->path, "%s/blocklist.db", box->folder);
    box->wall_ns = (int64_t)START_TIME * 1000000000;
    box->steady_ns = 5000000000;
    box->clock = (struct blocklist_clock){wall_ns, steady_ns, box};
}

void box_join(struct box *box)
{
    bool done = false;

    while (!done)
        assert_int_equal(shared_join(box->blocklist, &done, box->error), BLOCKLIST_OK);
}

void box_start_farm(struct box *box)
{
    box_start(box);
    box->farm = true;
    box_open(box, false);
    box_join(box);
}

struct blocklist *box_try_open(struct box *box, enum blocklist_on_damage on_damage)
{
    struct blocklist_options options = {.database = box->path,
                                        .on_damage = on_damage,
                                        .farm = box->farm,
                                        .keep_local = box->keep_local,
                                        .keep_local_count =
                                            box->keep_local != NULL ? 1 : 0,
                                        .clock = &box->clock};

    box->blocklist = blocklist_open(&options, box->error);
    return box->blocklist;
}

void box_wait_filter(struct box *box)
{
    struct blocklist_status status;

    for (int i = 0; i < 5000; i++) {
        blocklist_status(box->blocklist, &status);
        if (status.bloom_ready && status.counted)
            return;
        usleep(1000);
    }
    fail_msg("the filter was not built");
}

void box_open(struct box *box, bool strip_tags)
{
    if (box_try_open(box, BLOCKLIST_DAMAGE_STOP) == NULL)
        fail_msg("%s", box->error);
    blocklist_configure(box->blocklist, 0, strip_tags);
    box_wait_filter(box);
}

void box_close(struct box *box)
{
    blocklist_close(box->blocklist);
    box->blocklist = NULL;
}

void box_end(struct box *box)
{
    char command[128];

    box_close(box);
    snprintf(command, sizeof command, "rm -rf %s", box->folder);
    assert_int_equal(system(command), 0);
}

void box_pass(struct box *box, int64_t seconds)
{
    box->wall_ns += seconds * 1000000000;
    box->steady_ns += seconds * 1000000000;
}

struct entry box_entry(const char *text)
{
    struct entry entry;
    char error[ENTRY_ERROR_SIZE];

    if (entry_parse(text, &entry, error) != 0)
        fail_msg("%s: %s", text, error);
    return entry;
}

static const struct blocklist_actor actor = {"postmaster", 1000};

enum blocklist_result box_add(struct box *box, const char *text, bool allow,
                              const char *source, int64_t expires_in)
{
    struct entry entry = box_entry(text);
    struct blocklist_row_in row = {
        .entry = &entry, .allow = allow, .source = source, .reason = "test"};

    if (expires_in != 0)
        row.expires = blocklist_now(box->blocklist) + expires_in;

    return blocklist_add(box->blocklist, &row, 1, NULL, &actor, NULL, box->error);
}

enum blocklist_result box_tempfail(struct box *box, const char *text, const char *source,
                                   int64_t expires_in, struct blocklist_beside *beside)
{
    struct entry entry = box_entry(text);
    struct blocklist_row_in row = {
        .entry = &entry, .tempfail = true, .source = source, .reason = "slow down"};

    if (expires_in != 0)
        row.expires = blocklist_now(box->blocklist) + expires_in;
    return blocklist_add(box->blocklist, &row, 1, NULL, &actor, beside, box->error);
}

enum blocklist_result box_remove(struct box *box, const char *text, const char *source)
{
    struct entry entry = box_entry(text);
    size_t removed;

    return blocklist_remove(box->blocklist, &entry, 1, source, "done", false, &actor,
                            &removed, box->error);
}

const struct blocklist_actor box_actor = {"cron", 0};

struct blocklist_import *box_import(struct box *box, bool replace)
{
    struct blocklist_import_options options = {
        .source = "feed", .reason = "fed", .replace = replace, .actor = &box_actor};
    struct blocklist_import *import =
        blocklist_import_begin(box->blocklist, &options, box->error);

    if (import == NULL)
        fail_msg("%s", box->error);
    return import;
}

enum blocklist_result box_feed(struct box *box, struct blocklist_import *import,
                               const char *text, const char *source, time_t expires)
{
    bool allow = *text == '!', tempfail = *text == '~';
    struct entry entry = box_entry(text + (allow || tempfail));
    struct blocklist_row_in row = {.entry = &entry,
                                   .allow = allow,
                                   .tempfail = tempfail,
                                   .source = source,
                                   .expires = expires};

    return blocklist_import_row(import, &row, box->error);
}

struct blocklist_import_counts box_commit(struct box *box,
                                          struct blocklist_import *import, bool dry_run)
{
    struct blocklist_import_counts counts;

    if (blocklist_import_commit(import, dry_run, &counts, box->error) != BLOCKLIST_OK)
        fail_msg("%s", box->error);
    return counts;
}

void expect_counts(const char *label, struct blocklist_import_counts got, unsigned rows,
                   unsigned added, unsigned changed, unsigned unchanged, unsigned removed)
{
    if (got.rows != rows || got.added != added || got.changed != changed ||
        got.unchanged != unchanged || got.removed != removed)
        fail_msg("%s: rows %u added %u changed %u unchanged %u removed %u", label,
                 (unsigned)got.rows, (unsigned)got.added, (unsigned)got.changed,
                 (unsigned)got.unchanged, (unsigned)got.removed);
}

enum blocklist_verdict box_ask(struct box *box, const char *subject,
                               struct blocklist_match *match)
{
    struct blocklist_subjects subjects = {NULL, NULL, NULL, NULL, NULL};
    struct blocklist_match unused;
    struct mail_address sender;
    struct ipaddr client;

    if (strncmp(subject, "host:", 5) == 0)
        subjects.client_name = subject + 5;
    else if (strncmp(subject, "helo:", 5) == 0)
        subjects.helo = subject + 5;
    else if (strncmp(subject, "user:", 5) == 0)
        subjects.login = subject + 5;
    else if (ipaddr_parse(subject, &client) == 0)
        subjects.client = &client;
    else if (mail_address_parse(subject, &sender) == 0)
        subjects.sender = &sender;
    return blocklist_lookup(box->blocklist, &subjects, match != NULL ? match : &unused);
}

static int take_number(void *context, int columns, char **values, char **names)
{
    (void)names;
    if (columns > 0 && values[0] != NULL)
        *(int64_t *)context = strtoll(values[0], NULL, 10);
    return 0;
}

int64_t box_number(struct box *box, const char *sql)
{
    sqlite3 *db = NULL;
    int64_t number = -1;
    char *error = NULL;

    assert_int_equal(sqlite3_open(box->path, &db), SQLITE_OK);
    sqlite3_busy_timeout(db, 5000);
    if (sqlite3_exec(db, sql, take_number, &number, &error) != SQLITE_OK)
        fail_msg("%s: %s", sql, error);
    sqlite3_close(db);
    return number;
}

void box_sql(struct box *box, const char *sql)
{
    (void)box_number(box, sql);
}

struct words {
    char *out;
    size_t size;
};

/* The newest comes first: each goes in front of those that are there. */
static bool put_word(void *context, const struct blocklist_event *event)
{
    struct words *words = context;
    char rest[1024];

    snprintf(rest, sizeof rest, "%s", words->out);
    snprintf(words->out, words->size, "%s%s%s", event->action, *rest != '\0' ? " " : "",
             rest);
    return true;
}

void box_audit(struct box *box, const char *text, char *out, size_t size)
{
    struct words words = {out, size};
    int64_t before = 0;

    out[0] = '\0';
    while (before >= 0)
        assert_int_equal(blocklist_log(box->blocklist, text, 0, &before, 3, put_word,
                                       &words, box->error),
                         BLOCKLIST_OK);
}

unsigned box_count_files(const struct box *box, const char *pattern)
{
    char path[200];
    glob_t found;
    unsigned count;

    snprintf(path, sizeof path, "%s/%s", box->folder, pattern);
    count = glob(path, 0, NULL, &found) == 0 ? (unsigned)found.gl_pathc : 0;
    globfree(&found);
    return count;
}

/* Writes over the file from an offset on, or cuts it there. */
void box_spoil(const struct box *box, off_t offset, size_t length)
{
    char junk[4096];
    int fd = open(box->path, O_WRONLY);

    assert_true(fd >= 0);
    memset(junk, 0x5a, sizeof junk);
    if (length == 0)
        assert_int_equal(ftruncate(fd, offset), 0);
    else
        assert_int_equal(pwrite(fd, junk, length, offset), (ssize_t)length);
    close(fd);
}

/* Makes a backup in the maintenance thread's place, once that has done its first round,
 * which makes none, and sleeps for a minute: two at a time would be in each other's way.
 */
void box_back_up(struct box *box, int keep)
{
    struct blocklist_status status;

    for (int i = 0; i < 5000; i++) {
        blocklist_status(box->blocklist, &status);
        if (status.checked)
            break;
        usleep(1000);
    }
    usleep(20000);
    blocklist_configure(box->blocklist, keep, false);
    assert_int_equal(maintenance_backup(box->blocklist), 0);
}

/* A closed database with domain.xyz listed, then (with_backup) backed up, then b.example.
 */
void box_make(struct box *box, bool with_backup)
{
    box_start(box);
    box_open(box, false);
    assert_int_equal(box_add(box, "domain.xyz", false, NULL, 0), BLOCKLIST_OK);
    if (with_backup) {
        box_back_up(box, 3);
    }
    assert_int_equal(box_add(box, "b.example", false, NULL, 0), BLOCKLIST_OK);
    box_close(box);
}
