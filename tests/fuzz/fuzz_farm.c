/* SPDX-License-Identifier: BSD-2-Clause */
/* What a farm's database may answer: any text, NULL, too many rows or columns, numbers that
 * do not rise. The first line of the input says what is done: r(ead all), c(ompare all),
 * p(ublish), h(osts are looked at), b(eat), f(orget a host), n: what others have counted and found,
 * a: hits are asked for. What follows are the answers,
 * one for each statement: a line for each row, cells divided by tabs, \N for NULL, "*NUMBER"
 * repeats the row before it; an empty line ends an answer. With none left the server refuses.
 * Whatever comes, the list has rows only that an admin could have typed, and can type again;
 * what is shown is clean; a cursor never goes back by reading; the same rows once more change
 * nothing; what the admin takes off then, they do not bring back. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/sql.h"
#include "base/text.h"
#include "blocklist/transaction.h"
#include "farm/parts.h"
#include "fuzz_farm_server.h"
#include "rules/findings.h"
#include "rules/others.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char directory[40];

/* --- what rules make of it --- */

static struct others *others;
static struct findings *findings;

static json_t *report_nothing(void *context)
{
    (void)context;
    return json_array();
}

static void hear_counts(void *context, const char *own_node, unsigned hosts,
                        const struct farm_count *rows, size_t count)
{
    (void)context;
    for (size_t i = 0; i < count; i++)
        others_hear(others, own_node, hosts, &rows[i], 1);
}

static json_t *report_findings(void *context, size_t limit)
{
    (void)context;
    return findings_unreported(findings, limit, 1790553600);
}

static void reported_findings(void *context, const json_t *rows)
{
    (void)context;
    check(findings_reported(findings, rows) == 0);
}

static void hear_finding(void *context, const char *own_node, const json_t *row)
{
    const char *rule, *key;

    (void)context;
    check(findings_hear(findings, row, own_node, 1790553600, &rule, &key) >= 0);
}

static int forget_reported(void *context)
{
    (void)context;
    return findings_forget_reported(findings, 1790553600);
}

static void check_finding(void *context, const struct finding_row *row)
{
    char error[ENTRY_ERROR_SIZE];
    struct entry entry;

    (void)context;
    check(entry_parse(row->entry, &entry, error) == 0);
    check(strcmp(entry.text, row->entry) == 0);
    check(utf8_is_clean(row->rule) && utf8_is_clean(row->because) &&
          utf8_is_clean(row->held) && utf8_is_clean(row->who) &&
          utf8_is_clean(row->reason) && utf8_is_clean(row->node));
    check(row->state != FINDING_PENDING && row->for_s >= 0 && row->expires >= 0);
}

static void start_rules(struct farm *farm)
{
    char error[FINDINGS_ERROR_SIZE], path[64];

    snprintf(path, sizeof path, "%s/rules.db", directory);
    findings = findings_open(path, error);
    others = others_new();
    check(findings != NULL && others != NULL);
    farm->hooks = (struct farm_options){.alone = report_nothing,
                                        .report_counts = report_nothing,
                                        .hear_counts = hear_counts,
                                        .report_findings = report_findings,
                                        .reported_findings = reported_findings,
                                        .hear_finding = hear_finding,
                                        .forget_reported = forget_reported};
}

/* --- this host --- */

/* It stands, so that what has an end stands, too. */
static int64_t the_time(void *context)
{
    (void)context;
    return INT64_C(1800000000) * 1000000000;
}

static void remove_directory(void)
{
    char command[64];

    snprintf(command, sizeof command, "rm -rf %s", directory);
    check(system(command) == 0);
}

static struct farm *start(void)
{
    static char node[] = "mx1", kept[] = "kept";
    static struct farm farm = {.node = node, .keep_local = kept};
    static const struct blocklist_clock clock = {the_time, the_time, NULL};
    const char *const keep_local[] = {"kept"};
    struct blocklist_options options = {.on_damage = BLOCKLIST_DAMAGE_STOP,
                                        .farm = true,
                                        .keep_local = keep_local,
                                        .keep_local_count = 1,
                                        .clock = &clock};
    char error[BLOCKLIST_OPEN_ERROR_SIZE], path[64];

    /* in memory, where there is some */
    (void)snprintf(directory, sizeof directory, "%s/fuzz-farm-XXXXXX",
                   access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    check(mkdtemp(directory) != NULL);
    atexit(remove_directory);
    log_open(LOG_TARGET_STDERR, LOG_LEVEL_ERROR, true);
    snprintf(path, sizeof path, "%s/db", directory);
    options.database = path;
    farm.blocklist = blocklist_open(&options, error);
    check(farm.blocklist != NULL);
    (void)snprintf(farm.instance, sizeof farm.instance, "%032d", 1);
    start_rules(&farm);
    pthread_mutex_init(&farm.lock, NULL);
    pthread_cond_init(&farm.news, NULL);
    return &farm;
}

/* An own row, and a cursor at change 5. */
static void begin(struct farm *farm)
{
    static const char sql[] =
        "DROP TRIGGER IF EXISTS audit_no_delete;"
        "DELETE FROM listing; DELETE FROM gone; DELETE FROM refused; DELETE FROM audit;"
        "DELETE FROM outbox; DELETE FROM farm;"
        "INSERT INTO farm VALUES (1, 9, 1, 'e', 5, 7, 1, 'kept', '');"
        "INSERT INTO listing (entry, kind, allow, source, reason, who, since, at, "
        "version)"
        " VALUES ('m.example', 1, 0, 'manual', '', 'anna', 1, 1000, 44)";
    char error[BLOCKLIST_ERROR_SIZE];

    check(transaction_begin(farm->blocklist, TRANSACTION_LAZY, "", &blocklist_self, "",
                            10000, error) == BLOCKLIST_OK);
    farm->blocklist->versions.last_at = 9;
    check(sql_exec(farm->blocklist->writer.db, sql) == SQLITE_OK);
    check(transaction_commit(farm->blocklist, error) == BLOCKLIST_OK);
    check(shared_state(farm->blocklist, &farm->state, error) == BLOCKLIST_OK);
    farm->compare_now = farm->answers = false;
    farm->beats = 1;
    farm->published_seq = 0;
    counts_begin(farm);
    farm->hits_walk = false;
    (void)snprintf(farm->hits_of, sizeof farm->hits_of, "m.example");
    free(farm->status.hosts);
    memset(&farm->status, 0, sizeof farm->status);
    (void)snprintf(farm->forget, sizeof farm->forget, "mx9");
}

static void act(struct farm *farm, char what)
{
    struct farm_comparison comparison;
    int64_t seq = farm->state.seq;

    switch (what) {
    case 'r':
        (void)pull_changes(farm);
        check(farm->state.seq >= seq);
        break;
    case 'c':
        (void)reconcile(farm, true, &comparison);
        for (unsigned i = 0; i < comparison.row_count; i++)
            check(utf8_is_clean(comparison.rows[i]));
        break;
    case 'p':
        (void)push_changes(farm);
        break;
    case 'h':
        (void)hosts_look(farm);
        break;
    case 'b':
        (void)hosts_beat(farm);
        break;
    case 'f':
        (void)hosts_forget(farm);
        break;
    case 'n':
        farm->next_counts_ms = 0;
        (void)counts_exchange(farm);
        break;
    case 'a':
        (void)counts_answer(farm);
        check(farm->hits.hits >= -1);
        break;
    default:
        break;
    }
}

/* --- what holds --- */

static bool check_row(void *context, const struct shared_row *row)
{
    char error[BLOCKLIST_ERROR_SIZE];
    struct entry entry;

    (void)context;
    check(entry_parse_kept(row->entry, &entry, error) == 0);
    check(strcmp(entry.text, row->entry) == 0);
    check(row->side >= 0 && row->side <= 2 && (row->side == 0) == (*row->source == '\0'));
    check(transaction_texts_are_fine(row->side == 0 ? "manual" : row->source, row->reason,
                                     error));
    check(utf8_is_clean(row->who) && row->since >= 0 && row->expires >= 0);
    check(row->version.at >= 0 && row->version.id >= 0);
    return true;
}

static void check_all(struct farm *farm)
{
    struct shared_place place = {.entry = ""};
    char error[BLOCKLIST_ERROR_SIZE];
    bool done = false;

    while (!done)
        check(shared_rows(farm->blocklist, &place, 0, 1000, check_row, NULL, &done,
                          error) == BLOCKLIST_OK);
    check(findings_each(findings, 0, NULL, 100, check_finding, NULL) == 0);
    check(utf8_is_clean(farm->status.error) && utf8_is_clean(farm->status.refused_why));
    for (unsigned i = 0; i < farm->status.host_count; i++)
        check(utf8_is_clean(farm->status.hosts[i].name) &&
              utf8_is_clean(farm->status.hosts[i].version));
}

/* Returns how many rows changed something. */
static uint64_t merge_again(struct farm *farm)
{
    struct shared_counts counts = {0};
    char error[BLOCKLIST_ERROR_SIZE];

    for (size_t i = 0; i < given_count; i++) {
        int first = PQnfields(given[i]) - ROW_COLUMN_COUNT;
        struct shared_row rows[500];

        if (first != 0 && first != 3)
            continue;
        for (int row = 0; row < PQntuples(given[i]); row++)
            rows[row] = row_of_result(given[i], row, first);
        check(shared_merge(farm->blocklist, rows, (size_t)PQntuples(given[i]), NULL,
                           false, &counts, error) == BLOCKLIST_OK);
    }
    return counts.applied;
}

struct kept {
    struct entry entry;
    bool allow, tempfail;
    char source[BLOCKLIST_SOURCE_SIZE], reason[BLOCKLIST_ADMIN_REASON + 1];
    time_t expires;
};
#define STAND_MAX 500
static struct kept stand[STAND_MAX];
static size_t stand_count;

static bool keep(void *context, const struct blocklist_row *row)
{
    struct kept *kept = &stand[stand_count++];
    char error[ENTRY_ERROR_SIZE];

    (void)context;
    check(entry_parse_kept(row->entry, &kept->entry, error) == 0);
    check(kept->entry.kind == row->kind);
    check(text_copy(row->source, kept->source, sizeof kept->source));
    check(text_copy(row->reason, kept->reason, sizeof kept->reason));
    kept->allow = row->allow;
    kept->tempfail = row->tempfail;
    kept->expires = row->expires;
    return stand_count < STAND_MAX;
}

/* What stands; returns how many. */
static size_t list(struct farm *farm)
{
    const struct blocklist_criteria criteria = {.sort = BLOCKLIST_SORT_ENTRY};
    struct blocklist_cursor cursor = {0};
    char error[BLOCKLIST_ERROR_SIZE];

    stand_count = 0;
    check(blocklist_list(farm->blocklist, &criteria, &cursor, STAND_MAX, keep, NULL,
                         error) == BLOCKLIST_OK);
    return stand_count;
}

static const struct blocklist_actor anna = {"anna", 1000};

static void type_again(struct farm *farm)
{
    static struct blocklist_row_in rows[STAND_MAX];
    char error[BLOCKLIST_ERROR_SIZE];

    for (size_t i = 0; i < stand_count; i++)
        rows[i] = (struct blocklist_row_in){.entry = &stand[i].entry,
                                            .allow = stand[i].allow,
                                            .tempfail = stand[i].tempfail,
                                            .source = stand[i].source,
                                            .reason = stand[i].reason,
                                            .expires = stand[i].expires};
    check(stand_count == 0 || blocklist_add(farm->blocklist, rows, stand_count, NULL,
                                            &anna, NULL, error) == BLOCKLIST_OK);
}

static void take_off(struct farm *farm)
{
    static struct entry entries[STAND_MAX];
    char error[BLOCKLIST_ERROR_SIZE];
    size_t count = 0, removed;

    for (size_t i = 0; i < stand_count; i++) /* an entry's rows are side by side */
        if (count == 0 || strcmp(entries[count - 1].text, stand[i].entry.text) != 0)
            entries[count++] = stand[i].entry;
    check(count == 0 || blocklist_remove(farm->blocklist, entries, count, NULL, NULL,
                                         false, &anna, &removed, error) == BLOCKLIST_OK);
}

static void check_changes(struct farm *farm)
{
    (void)merge_again(farm); /* some were not taken, as their numbers did not rise */
    check(merge_again(farm) == 0);
    check_all(farm);
    while (list(farm) > 0) {
        type_again(farm);
        take_off(farm);
    }
    check(merge_again(farm) == 0 && list(farm) == 0);
    for (size_t i = 0; i < given_count; i++)
        PQclear(given[i]);
    given_count = 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct farm *farm;
    char *text, *answers, *calls;

    if (size == 0)
        return 0;
    text = strndup((const char *)data, size);
    if (farm == NULL)
        farm = start();
    check(text != NULL);
    answers = text;
    calls = strsep(&answers, "\n");
    server_answers(answers);
    begin(farm);
    for (unsigned i = 0; calls[i] != '\0' && i < 6; i++)
        act(farm, calls[i]);
    check_all(farm);
    check_changes(farm);
    free(text);
    return 0;
}
