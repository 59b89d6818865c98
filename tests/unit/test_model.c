/* SPDX-License-Identifier: BSD-2-Clause */
/* A plain list in memory beside the store: after each of many random changes, ends,
 * imports and restarts both must say the same. RBLMILTER_TEST_STEPS and _SEED change how
 * many and which. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "blocklist/store.h"
#include "blocklist_helper.h"

#define STEPS 20000

/* Near to one another, so that they overlap. */
static const char *const entries[] = {"anna@domain.xyz",
                                      "anna+news@domain.xyz",
                                      "otto@a.domain.xyz",
                                      "domain.xyz",
                                      "a.domain.xyz",
                                      "b.a.domain.xyz",
                                      "xyz",
                                      "<>",
                                      "192.0.2.7",
                                      "192.0.2.0/28",
                                      "192.0.2.0/24",
                                      "192.0.0.0/16",
                                      "0.0.0.0/0",
                                      "2001:db8::7",
                                      "2001:db8::/64",
                                      "2001:db8::/32",
                                      "::/0",
                                      "host:domain.xyz",
                                      "host:a.domain.xyz",
                                      "host:xyz",
                                      "user:anna",
                                      "user:otto@domain.xyz"};
static const char *const subjects[] = {"anna@domain.xyz",     "anna+news@domain.xyz",
                                       "anna+x@domain.xyz",   "otto@a.domain.xyz",
                                       "x@b.a.domain.xyz",    "x@xyz",
                                       "x@other.example",     "<>",
                                       "192.0.2.7",           "192.0.2.8",
                                       "192.0.2.99",          "192.0.9.9",
                                       "198.51.100.1",        "2001:db8::7",
                                       "2001:db8::8",         "2001:db8:1::1",
                                       "2001:db9::1",         "host:a.domain.xyz",
                                       "host:domain.xyz",     "host:b.xyz",
                                       "helo:c.a.domain.xyz", "host:other.example",
                                       "user:Anna",           "user:otto@domain.xyz",
                                       "user:nobody"};
static const char *const sources[] = {"manual", "feed"};
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* One place per entry, side and source; on the side of listings the last word counts. */
struct row {
    bool stands, tempfail;
    time_t expires;
};

struct model {
    struct row rows[COUNT(entries)][2][COUNT(sources)];
    time_t now;
    uint64_t random;
};

static unsigned roll(struct model *model, unsigned sides)
{
    model->random = model->random * 6364136223846793005ULL + 1442695040888963407ULL;
    return (unsigned)(model->random >> 33) % sides;
}

static bool row_stands(const struct model *model, const struct row *row)
{
    return row->stands && (row->expires == 0 || row->expires > model->now);
}

static bool stands(const struct model *model, size_t entry, int allow)
{
    for (size_t s = 0; s < COUNT(sources); s++)
        if (row_stands(model, &model->rows[entry][allow][s]))
            return true;
    return false;
}

/* What an entry that stands comes to: one source that blocks is enough. */
static enum blocklist_verdict verdict_of(const struct model *model, size_t entry)
{
    if (stands(model, entry, 1))
        return BLOCKLIST_ALLOW;
    for (size_t s = 0; s < COUNT(sources); s++) {
        const struct row *row = &model->rows[entry][0][s];

        if (row_stands(model, row) && !row->tempfail)
            return BLOCKLIST_BLOCK;
    }
    return BLOCKLIST_TEMPFAIL;
}

/* How near an entry is to a subject: 0 not at all. Written without the store's code. */
static int name_nearness(const char *name, const char *entry)
{
    size_t length = strlen(name), tail = strlen(entry);

    if (length < tail || strcmp(name + length - tail, entry) != 0 ||
        (length > tail && name[length - tail - 1] != '.'))
        return 0;
    return (int)tail;
}

static int nearness(const char *subject, const char *entry)
{
    struct network network;
    struct ipaddr client;
    char stripped[100];
    const char *at = strchr(subject, '@');
    bool bare = strchr(entry, ':') == NULL || strstr(entry, "::") != NULL;

    if (strncmp(subject, "host:", 5) == 0 || strncmp(subject, "helo:", 5) == 0)
        return strncmp(entry, "host:", 5) == 0 ? name_nearness(subject + 5, entry + 5)
                                               : 0;
    if (strncmp(subject, "user:", 5) == 0)
        return strcasecmp(subject, entry) == 0;
    if (ipaddr_parse(subject, &client) == 0)
        return bare && network_parse(entry, &network) == 0 &&
                       network_contains(&network, &client)
                   ? network.prefix + 1
                   : 0;
    if (strcmp(subject, entry) == 0)
        return 1000;
    if (at == NULL || !bare)
        return 0;
    snprintf(stripped, sizeof stripped, "%.*s%s", (int)strcspn(subject, "+"), subject,
             at);
    if (strchr(subject, '+') != NULL && strcmp(stripped, entry) == 0)
        return 900;
    return network_parse(entry, &network) != 0 ? name_nearness(at + 1, entry) : 0;
}

static enum blocklist_verdict expected(const struct model *model, const char *subject)
{
    enum blocklist_verdict verdict = BLOCKLIST_NONE;
    int best = 0;

    for (size_t e = 0; e < COUNT(entries); e++) {
        int near = nearness(subject, entries[e]);

        if (near <= best || (!stands(model, e, 0) && !stands(model, e, 1)))
            continue;
        if (strncmp(subject, "helo:", 5) == 0 && stands(model, e, 1))
            continue; /* anyone can say it: it lets nobody pass */
        best = near;
        verdict = verdict_of(model, e);
    }
    return verdict;
}

static void ask_all(struct box *box, const struct model *model, unsigned step)
{
    for (size_t i = 0; i < COUNT(subjects); i++) {
        enum blocklist_verdict got = box_ask(box, subjects[i], NULL);

        if (got != expected(model, subjects[i]))
            fail_msg("step %u: %s: the store says %d, the model %d", step, subjects[i],
                     got, expected(model, subjects[i]));
    }
}

static void step_add(struct box *box, struct model *model)
{
    size_t e = roll(model, COUNT(entries)), s = roll(model, COUNT(sources));
    int allow = roll(model, 3) == 0;
    int64_t expires_in = roll(model, 3) == 0 ? 1 + (int64_t)roll(model, 60) : 0;
    bool tempfail = !allow && roll(model, 2) == 0;

    assert_int_equal(tempfail
                         ? box_tempfail(box, entries[e], sources[s], expires_in, NULL)
                         : box_add(box, entries[e], allow, sources[s], expires_in),
                     BLOCKLIST_OK);
    model->rows[e][allow][s] =
        (struct row){true, tempfail, expires_in != 0 ? model->now + expires_in : 0};
}

static void step_remove(struct box *box, struct model *model)
{
    size_t e = roll(model, COUNT(entries));
    int s = (int)roll(model, COUNT(sources) + 1) - 1; /* -1: of all sources */
    bool any = false;

    for (int allow = 0; allow < 2; allow++)
        for (size_t k = 0; k < COUNT(sources); k++) {
            struct row *row = &model->rows[e][allow][k];

            if (s >= 0 && (size_t)s != k)
                continue;
            any =
                any || (row->stands && (row->expires == 0 || row->expires > model->now));
            row->stands = false;
        }
    assert_int_equal(box_remove(box, entries[e], s >= 0 ? sources[s] : NULL),
                     any ? BLOCKLIST_OK : BLOCKLIST_NO_SUCH_ENTRY);
}

static void step_import(struct box *box, struct model *model)
{
    static const struct blocklist_actor actor = {"cron", 0};
    bool replace = roll(model, 2) == 0, dry_run = roll(model, 4) == 0;
    size_t s = roll(model, COUNT(sources)), count = roll(model, 8);
    struct blocklist_import_options options = {
        .source = sources[s], .replace = replace, .actor = &actor};
    struct blocklist_import *import =
        blocklist_import_begin(box->blocklist, &options, box->error);
    struct blocklist_import_counts counts;
    struct model after = *model;

    assert_non_null(import);
    for (size_t e = 0; replace && e < COUNT(entries); e++)
        after.rows[e][0][s].stands = after.rows[e][1][s].stands = false;
    for (size_t i = 0; i < count; i++) {
        size_t e = roll(&after, COUNT(entries));
        int allow = roll(&after, 3) == 0;
        struct entry entry = box_entry(entries[e]);
        bool tempfail = !allow && roll(&after, 2) == 0;
        struct blocklist_row_in row = {
            .entry = &entry, .allow = allow, .tempfail = tempfail};

        if (roll(&after, 3) == 0)
            row.expires = after.now + 1 + roll(&after, 60);
        assert_int_equal(blocklist_import_row(import, &row, box->error), BLOCKLIST_OK);
        after.rows[e][allow][s] = (struct row){true, tempfail, row.expires};
    }
    model->random = after.random;
    if (roll(model, 5) == 0) {
        blocklist_import_abort(import);
        return;
    }
    assert_int_equal(blocklist_import_commit(import, dry_run, &counts, box->error),
                     BLOCKLIST_OK);
    if (!dry_run) {
        after.random = model->random;
        *model = after;
    }
}

static void step_time(struct box *box, struct model *model)
{
    int64_t seconds = roll(model, 10);

    box_pass(box, seconds);
    model->now += seconds;
    if (roll(model, 2) == 0)
        flusher_work(box->blocklist); /* what has run out is taken off, or is not yet */
}

static void step_reopen(struct box *box)
{
    box_close(box);
    if (box_try_open(box, BLOCKLIST_DAMAGE_STOP) == NULL)
        fail_msg("%s", box->error);
    blocklist_configure(box->blocklist, 0, true);
    /* Often asked before the filter is there */
}

static unsigned number_of(const char *name, unsigned otherwise)
{
    const char *text = getenv(name);

    return text != NULL ? (unsigned)strtoul(text, NULL, 10) : otherwise;
}

static void test_model(void **state)
{
    struct model model = {.now = START_TIME};
    unsigned steps = number_of("RBLMILTER_TEST_STEPS", STEPS);
    struct box box;

    (void)state;
    model.random = number_of("RBLMILTER_TEST_SEED", 1);
    box_start(&box);
    box_open(&box, true);
    for (unsigned step = 0; step < steps; step++) {
        unsigned what = roll(&model, 1000);

        if (what < 400)
            step_add(&box, &model);
        else if (what < 700)
            step_remove(&box, &model);
        else if (what < 950)
            step_time(&box, &model);
        else if (what < 995)
            step_import(&box, &model);
        else
            step_reopen(&box);
        ask_all(&box, &model, step);
    }
    box_end(&box);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_model)};

#ifdef __SANITIZE_THREAD__
    return 77; /* one thread: nothing to see; automake skips it */
#endif
    return cmocka_run_group_tests(tests, NULL, NULL);
}
