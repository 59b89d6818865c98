/* SPDX-License-Identifier: BSD-2-Clause */
/* The wall clock jumps there and back while many add, remove and ask: what was
 * acknowledged holds from then on, with an end or without one. */

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "blocklist/store.h"
#include "blocklist/transaction.h"
#include "blocklist_helper.h"

#define CHANGERS 3
#define ASKERS   3
#define ROUNDS   12
#define OLD      20         /* entries that stand all the time */
#define END_S    (2 * 3600) /* beyond all steps that are followed */

struct shared {
    struct box *box;
    atomic_bool done;
    atomic_uint changes, asked, overlooked, left;
    atomic_uint number; /* of the next changer */
};

static void expect(struct shared *shared, const char *subject,
                   enum blocklist_verdict want)
{
    enum blocklist_verdict got = box_ask(shared->box, subject, NULL);

    atomic_fetch_add(&shared->asked, 1);
    if (got != want)
        atomic_fetch_add(got == BLOCKLIST_NONE ? &shared->overlooked : &shared->left, 1);
}

/* An entry of its own, added again, given an end, given none, allowed and removed. */
static void *change(void *context)
{
    struct shared *shared = context;
    unsigned number = atomic_fetch_add(&shared->number, 1);
    struct box mine = {.blocklist =
                           shared->box->blocklist}; /* its error is of one thread */
    char text[64], client[64];

    for (unsigned i = 0; !atomic_load(&shared->done); i++) {
        /* networks of ever other lengths: the first of a length must be seen, too */
        snprintf(text, sizeof text, "2001:db8:%x:%x::/%u", number, i % 65536,
                 64 + i % 65);
        snprintf(client, sizeof client, "2001:db8:%x:%x::", number, i % 65536);
        for (unsigned step = 0; step < 3; step++) {
            if (box_add(&mine, text, false, NULL, step == 1 ? END_S : 0) != BLOCKLIST_OK)
                atomic_fetch_add(&shared->overlooked, 1);
            expect(shared, client, BLOCKLIST_BLOCK);
        }
        if (box_add(&mine, text, true, NULL, i % 2 ? END_S : 0) != BLOCKLIST_OK)
            atomic_fetch_add(&shared->overlooked, 1);
        expect(shared, client, BLOCKLIST_ALLOW);
        if (box_remove(&mine, text, NULL) != BLOCKLIST_OK)
            atomic_fetch_add(&shared->left, 1);
        expect(shared, client, BLOCKLIST_NONE);
        atomic_fetch_add(&shared->changes, 1);
    }
    return NULL;
}

static void *ask(void *context)
{
    struct shared *shared = context;
    char text[64];

    for (unsigned i = 0; !atomic_load(&shared->done); i++) {
        snprintf(text, sizeof text, "old%u@people.example", i % OLD);
        expect(shared, text, BLOCKLIST_BLOCK);
    }
    return NULL;
}

/* The store's own thread looks at the clock once a second, at any moment of these. */
static void jump_there_and_back(struct shared *shared)
{
    static const int64_t jumps_s[] = {-3600, 365 * 86400, -86400, 40 * 86400, -500, 500};
    struct box *box = shared->box;

    for (unsigned i = 0; i < ROUNDS; i++) {
        int64_t jump_ns = jumps_s[i % (sizeof jumps_s / sizeof jumps_s[0])] * 1000000000;
        useconds_t stays = i % 3 == 0 ? 400000 : 150000;

        box->wall_ns += jump_ns;
        usleep(stays);
        box_pass(box, 1);
        if (i % 4 == 0)
            store_rebuild(box->blocklist);
        box->wall_ns -= jump_ns;
        usleep(stays);
    }
}

static void list_old(struct box *box)
{
    char text[64];

    for (unsigned i = 0; i < OLD; i++) {
        snprintf(text, sizeof text, "old%u@people.example", i);
        assert_int_equal(box_add(box, text, false, NULL, i % 2 ? END_S : 0),
                         BLOCKLIST_OK);
    }
}

static void test_no_change_is_overlooked(void **state)
{
    struct shared shared = {.number = 0};
    pthread_t threads[CHANGERS + ASKERS];
    struct box box;

    (void)state;
    box_start(&box);
    box_open(&box, false);
    list_old(&box);
    shared.box = &box;
    for (unsigned i = 0; i < CHANGERS + ASKERS; i++)
        assert_int_equal(
            pthread_create(&threads[i], NULL, i < CHANGERS ? change : ask, &shared), 0);
    jump_there_and_back(&shared);
    atomic_store(&shared.done, true);
    for (unsigned i = 0; i < CHANGERS + ASKERS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&shared.overlooked), 0);
    assert_int_equal(atomic_load(&shared.left), 0);
    assert_true(atomic_load(&shared.changes) > 30);
    assert_true(atomic_load(&shared.asked) > 1000);
    box_end(&box);
}

/* Started under a wrong clock the store cannot know how long it was off: it goes on from
 * when it was last seen. What has no end is not touched when the clock is right again,
 * and what was given one meanwhile does not end later than it should. */
static void test_started_under_a_wrong_clock(void **state)
{
    struct box box;

    (void)state;
    box_start(&box);
    box_open(&box, false);
    list_old(&box);
    box_close(&box);
    box_pass(&box, 40);
    box.wall_ns -= 86400LL * 1000000000;
    box_open(&box, false);
    assert_int_equal(box_add(&box, "new@people.example", false, NULL, 0), BLOCKLIST_OK);
    assert_int_equal(box_add(&box, "brief@people.example", false, NULL, 60),
                     BLOCKLIST_OK);
    box.wall_ns += 86400LL * 1000000000;
    walltime_tick(&box.blocklist->walltime);
    assert_int_equal(box_ask(&box, "old0@people.example", NULL), BLOCKLIST_BLOCK);
    assert_int_equal(box_ask(&box, "old1@people.example", NULL), BLOCKLIST_BLOCK);
    assert_int_equal(box_ask(&box, "new@people.example", NULL), BLOCKLIST_BLOCK);
    assert_int_equal(box_ask(&box, "brief@people.example", NULL), BLOCKLIST_BLOCK);
    box_pass(&box, 61);
    assert_int_equal(box_ask(&box, "brief@people.example", NULL), BLOCKLIST_NONE);
    assert_int_equal(box_ask(&box, "new@people.example", NULL), BLOCKLIST_BLOCK);
    box_end(&box);
}

/* A host without a battery for its clock, which is set after the boot; and one whose clock
 * was ahead. An entry lasts as long as it was given, at least, whichever time was right. */
static void test_step_then_reload(void **state)
{
    static const int64_t steps_s[] = {2 * 3600, -2 * 3600};
    struct box box;

    (void)state;
    for (size_t i = 0; i < sizeof steps_s / sizeof steps_s[0]; i++) {
        box_start(&box);
        box_open(&box, false);
        box.wall_ns += steps_s[i] * 1000000000;
        walltime_tick(&box.blocklist->walltime);
        assert_int_equal(box_add(&box, "new.example", false, NULL, 1800), BLOCKLIST_OK);
        assert_int_equal(box_number(&box, "SELECT expires - since FROM listing"), 1800);
        blocklist_trust_clock(box.blocklist);
        box_pass(&box, 1700);
        flusher_work(box.blocklist);
        assert_int_equal(box_ask(&box, "a@new.example", NULL), BLOCKLIST_BLOCK);
        box_pass(&box, 2 * 3600 + 200);
        assert_int_equal(box_ask(&box, "a@new.example", NULL), BLOCKLIST_NONE);
        box_end(&box);
    }
}

/* Nobody knows which is right: what only one of the two clocks has ended stands. */
static void test_ends_by_the_earlier(void **state)
{
    static const int64_t steps_s[] = {2 * 3600, -2 * 3600};
    struct box box;

    (void)state;
    for (size_t i = 0; i < sizeof steps_s / sizeof steps_s[0]; i++) {
        box_start(&box);
        box_open(&box, false);
        assert_int_equal(box_add(&box, "old.example", false, NULL, 3600), BLOCKLIST_OK);
        box.wall_ns += steps_s[i] * 1000000000;
        walltime_tick(&box.blocklist->walltime);
        box_pass(&box, 3500);
        flusher_work(box.blocklist);
        assert_int_equal(box_ask(&box, "a@old.example", NULL), BLOCKLIST_BLOCK);
        box_pass(&box, 200);
        flusher_work(box.blocklist);
        assert_int_equal(box_ask(&box, "a@old.example", NULL),
                         steps_s[i] < 0 ? BLOCKLIST_BLOCK : BLOCKLIST_NONE);
        box_pass(&box, 2 * 3600);
        flusher_work(box.blocklist);
        assert_int_equal(box_ask(&box, "a@old.example", NULL), BLOCKLIST_NONE);
        box_end(&box);
    }
}

static bool was_seen(struct box *box)
{
    return box_number(box, "SELECT value FROM meta WHERE name = 'last_seen'") > 0;
}

/* What the next start needs to see a jump is noted also when somebody else is writing at
 * the first try, as is the rule under load. */
static void test_seen_though_busy(void **state)
{
    bool busy = false;

    (void)state;
    for (unsigned i = 0; i < 50 && !busy; i++) {
        struct box box;

        box_start(&box);
        assert_non_null(box_try_open(&box, BLOCKLIST_DAMAGE_STOP));
        assert_int_equal(transaction_lock(box.blocklist, 1000, box.error), BLOCKLIST_OK);
        busy = !was_seen(&box); /* we were before the store's own thread */
        if (busy)
            usleep(500000);
        transaction_unlock(box.blocklist);
        for (unsigned wait = 0; busy && wait < 50 && !was_seen(&box); wait++)
            usleep(100000);
        assert_true(was_seen(&box));
        box_end(&box);
    }
    assert_true(busy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_change_is_overlooked),
        cmocka_unit_test(test_started_under_a_wrong_clock),
        cmocka_unit_test(test_step_then_reload),
        cmocka_unit_test(test_ends_by_the_earlier),
        cmocka_unit_test(test_seen_though_busy),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
