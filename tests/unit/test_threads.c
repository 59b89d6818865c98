/* SPDX-License-Identifier: BSD-2-Clause */
/* Many threads ask while one lists, imports and the filter is built again: what was
 * acknowledged is found by all from then on, and what never was listed never is. */

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "blocklist/store.h"
#include "blocklist_helper.h"

#ifdef __SANITIZE_THREAD__
#define ASKERS 2 /* else they leave no time for who changes */
#else
#define ASKERS 4
#endif
#define BATCHES 6
#define BATCH   15000 /* all of them are more than the first filter has room for */
#define SINGLES 150

struct shared {
    struct box *box;
    atomic_uint known; /* numbers below it were acknowledged */
    atomic_bool done;
    atomic_uint wrong, asked;
};

static void *ask_all_the_time(void *context)
{
    struct shared *shared = context;
    struct blocklist_match match;
    uint32_t roll = 12345;
    char text[64];

    while (!atomic_load(&shared->done)) {
        unsigned known = atomic_load(&shared->known);

        roll = roll * 1664525u + 1013904223u;
        if (known > 0) {
            snprintf(text, sizeof text, "x@d%u.example", (roll >> 4) % known);
            if (box_ask(shared->box, text, &match) != BLOCKLIST_BLOCK)
                atomic_fetch_add(&shared->wrong, 1);
            else
                blocklist_hit(shared->box->blocklist, &match);
        }
        snprintf(text, sizeof text, "x@never%u.example", roll);
        if (box_ask(shared->box, text, &match) != BLOCKLIST_NONE)
            atomic_fetch_add(&shared->wrong, 1);
        atomic_fetch_add(&shared->asked, 1);
    }
    return NULL;
}

static void import_batch(struct box *box, struct shared *shared)
{
    static const struct blocklist_actor actor = {"cron", 0};
    struct blocklist_import_options options = {.actor = &actor};
    struct blocklist_import *import =
        blocklist_import_begin(box->blocklist, &options, box->error);
    struct blocklist_import_counts counts;
    unsigned first = atomic_load(&shared->known);
    char text[64];

    assert_non_null(import);
    for (unsigned i = 0; i < BATCH; i++) {
        struct entry entry;
        struct blocklist_row_in row = {.entry = &entry};

        snprintf(text, sizeof text, "d%u.example", first + i);
        entry = box_entry(text);
        assert_int_equal(blocklist_import_row(import, &row, box->error), BLOCKLIST_OK);
    }
    assert_int_equal(blocklist_import_commit(import, false, &counts, box->error),
                     BLOCKLIST_OK);
    atomic_store(&shared->known, first + BATCH);
}

static void add_some(struct box *box, struct shared *shared)
{
    char text[64];

    for (unsigned i = 0; i < SINGLES; i++) {
        snprintf(text, sizeof text, "d%u.example", atomic_load(&shared->known));
        assert_int_equal(box_add(box, text, false, NULL, 0), BLOCKLIST_OK);
        atomic_fetch_add(&shared->known, 1);
    }
}

/* A daemon may have to end while callbacks are under way. */
static void ask_after_the_stop(struct box *box, struct shared *shared)
{
    struct timespec pause = {.tv_nsec = 1000000};
    unsigned asked;

    blocklist_stop(box->blocklist);
    asked = atomic_load(&shared->asked);
    for (int i = 0; i < 5000 && atomic_load(&shared->asked) < asked + 100; i++)
        nanosleep(&pause, NULL);
    assert_true(atomic_load(&shared->asked) >= asked + 100);
}

static void test_ask_while_changing(void **state)
{
    struct shared shared = {.known = 0};
    struct blocklist_status status;
    pthread_t askers[ASKERS];
    struct box box;

    (void)state;
    box_start(&box);
    if (box_try_open(&box, BLOCKLIST_DAMAGE_STOP) == NULL)
        fail_msg("%s", box.error);
    shared.box = &box;
    for (unsigned i = 0; i < ASKERS; i++)
        assert_int_equal(pthread_create(&askers[i], NULL, ask_all_the_time, &shared), 0);
    for (unsigned i = 0; i < BATCHES; i++) {
        import_batch(&box, &shared);
        store_rebuild(box.blocklist); /* under way while the next are added */
        add_some(&box, &shared);
        flusher_work(box.blocklist);
    }
    ask_after_the_stop(&box, &shared);
    atomic_store(&shared.done, true);
    for (unsigned i = 0; i < ASKERS; i++)
        pthread_join(askers[i], NULL);
    assert_int_equal(atomic_load(&shared.wrong), 0);
    assert_true(atomic_load(&shared.asked) > 1000);
    box_close(&box);
    box_open(&box, false);
    blocklist_status(box.blocklist, &status);
    assert_int_equal(status.entries[ENTRY_DOMAIN], atomic_load(&shared.known));
    assert_true(box_number(&box, "SELECT sum(hits) FROM hit") > 100);
    box_end(&box);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_ask_while_changing)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
