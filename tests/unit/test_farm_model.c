/* SPDX-License-Identifier: BSD-2-Clause */
/* Five hosts, each a real blocklist, and an engine that is a few arrays: random histories of
 * changes, of deliveries that are dropped, doubled and come in any order, of hosts that
 * are killed and an engine that is set back or emptied. When all is healed each host has what
 * an oracle says, which knows every change that was acknowledged: of each row the newest.
 *
 * FARM_SEED=n repeats one history, FARM_HISTORIES=n runs more. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "blocklist/shared.h"
#include "blocklist_helper.h"
#include "farm_engine.h"

#define HOSTS    5
#define STEPS    120
#define PER_CALL 7

/* --- a host --- */

struct host {
    struct box box;
    int64_t epoch;
};

struct world {
    struct host hosts[HOSTS];
    struct engine engine, older;
    bool has_older;
    struct table oracle;
    struct kept all[CHANGES]; /* every change that any host acknowledged */
    int all_count;
};

static char error[BLOCKLIST_ERROR_SIZE];

static struct blocklist *of(struct host *host)
{
    return host->box.blocklist;
}

static void host_open(struct host *host)
{
    bool done = false;

    box_open(&host->box, false);
    while (!done)
        assert_int_equal(shared_join(of(host), &done, error), BLOCKLIST_OK);
}

struct call {
    int64_t ids[PER_CALL], empty[PER_CALL];
    struct kept rows[PER_CALL];
    int count, empty_count;
};

static bool take_key(void *context, int64_t id, bool person, const struct shared_row *row)
{
    struct call *call = context;

    (void)person;
    if (row == NULL) {
        call->empty[call->empty_count++] = id;
        return true;
    }
    call->rows[call->count] = kept_of(row);
    call->ids[call->count++] = id;
    return true;
}

/* Sends some of the outbox: lost on its way (0), its answer lost (1), all well (2). */
static int host_publish(struct world *world, struct host *host, int luck)
{
    struct call call = {.count = 0};
    int64_t seq;

    assert_int_equal(shared_outbox(of(host), PER_CALL, take_key, &call, error),
                     BLOCKLIST_OK);
    if (call.empty_count > 0)
        assert_int_equal(
            shared_outbox_sent(of(host), call.empty, (size_t)call.empty_count, 0, error),
            BLOCKLIST_OK);
    if (call.count == 0 || luck == 0)
        return call.empty_count;
    seq = engine_publish(&world->engine, call.rows, call.count);
    if (luck == 2)
        assert_int_equal(shared_outbox_sent(of(host), call.ids, (size_t)call.count,
                                            seq > 0 ? seq : 1, error),
                         BLOCKLIST_OK);
    return call.count;
}

struct compared {
    struct engine *engine;
    struct kept own[KEYS];
    int own_count;
};

static bool compare_row(void *context, const struct shared_row *row)
{
    struct compared *compared = context;
    struct kept own = kept_of(row);

    for (int i = 0; i < compared->engine->state.count; i++)
        if (kept_same_key(&compared->engine->state.rows[i], &own) &&
            version_compare(compared->engine->state.rows[i].version, own.version) >= 0)
            return true;
    compared->own[compared->own_count++] = own;
    return true;
}

/* As reconcile.c does it, by and large: all is compared. */
static void host_reconcile(struct world *world, struct host *host)
{
    struct engine *engine = &world->engine;
    struct compared compared = {.engine = engine};
    struct shared_row rows[KEYS];
    struct shared_place place = {.entry = ""};
    struct shared_counts counts = {0};
    struct shared_state state = {0};
    bool done;

    assert_int_equal(
        shared_rows(of(host), &place, 0, 1000, compare_row, &compared, &done, error),
        BLOCKLIST_OK);
    assert_true(done);
    for (int i = 0; i < compared.own_count; i++)
        rows[i] = kept_row(&compared.own[i]);
    assert_int_equal(shared_outbox_add(of(host), rows, (size_t)compared.own_count, error),
                     BLOCKLIST_OK);
    for (int i = 0; i < engine->state.count; i++)
        rows[i] = kept_row(&engine->state.rows[i]);
    assert_int_equal(shared_merge(of(host), rows, (size_t)engine->state.count, NULL,
                                  false, &counts, error),
                     BLOCKLIST_OK);
    assert_int_equal(counts.refused, 0);
    state.seq = engine->seq;
    state.stamp = engine->changes[engine->seq].stamp;
    snprintf(state.epoch, sizeof state.epoch, "%lld", (long long)engine->epoch);
    assert_int_equal(shared_state_set(of(host), &state, error), BLOCKLIST_OK);
}

/* Whether the host's cursor is in the engine. */
static bool is_there(struct world *world, struct host *host, struct shared_state *state)
{
    char epoch[40];

    assert_int_equal(shared_state(of(host), state, error), BLOCKLIST_OK);
    snprintf(epoch, sizeof epoch, "%lld", (long long)world->engine.epoch);
    return strcmp(epoch, state->epoch) == 0 && state->seq <= world->engine.seq &&
           (state->seq == 0 || world->engine.changes[state->seq].stamp == state->stamp);
}

/* Reads some, as sync.c does: the first row must be the one that was read last. */
static bool host_read(struct world *world, struct host *host)
{
    struct engine *engine = &world->engine;
    struct shared_row rows[PER_CALL];
    struct shared_counts counts = {0};
    struct shared_state state;
    size_t count = 0;

    if (!is_there(world, host, &state)) {
        host_reconcile(world, host);
        return true;
    }
    while (count < PER_CALL && state.seq < engine->seq) {
        state.seq++;
        state.stamp = engine->changes[state.seq].stamp;
        rows[count++] = kept_row(&engine->changes[state.seq]);
    }
    assert_int_equal(shared_merge(of(host), rows, count, &state, false, &counts, error),
                     BLOCKLIST_OK);
    return count > 0;
}

/* What it has read comes again, in any order. */
static void host_hears_echoes(struct world *world, struct host *host)
{
    struct shared_row rows[PER_CALL];
    struct shared_counts counts = {0};
    struct shared_state state;
    size_t count = 0;

    if (!is_there(world, host, &state))
        return;
    while (count < PER_CALL && state.seq > 0)
        rows[count++] = kept_row(&world->engine.changes[1 + random() % state.seq]);
    assert_int_equal(shared_merge(of(host), rows, count, NULL, false, &counts, error),
                     BLOCKLIST_OK);
}

/* --- changes, and what the oracle hears of them --- */

struct heard {
    struct world *world;
    const char *entry;
    int64_t newer_than;
};

static bool hear(void *context, const struct shared_row *row)
{
    struct heard *heard = context;
    struct kept kept = kept_of(row);

    if (strcmp(row->entry, heard->entry) == 0 && row->version.at > heard->newer_than) {
        assert_true(heard->world->all_count < CHANGES);
        heard->world->all[heard->world->all_count++] = kept;
        (void)table_put(&heard->world->oracle, &kept);
    }
    return true;
}

static int64_t newest_at(struct host *host)
{
    return box_number(&host->box, "SELECT max(last_at) FROM farm");
}

static void host_change(struct world *world, struct host *host)
{
    const char *name = kept_names[random() % NAME_COUNT],
               *source = kept_sources[random() % 2];
    struct heard heard = {world, name, newest_at(host)};
    struct shared_place place = {.entry = ""};
    enum blocklist_result result;
    bool done;

    switch (random() % 6) {
    case 0:
    case 1:
        result = box_add(&host->box, name, false, source, 0);
        break;
    case 2:
        result = box_tempfail(&host->box, name, source, 0, NULL);
        break;
    case 3:
        result = box_add(&host->box, name, true, source, 0);
        break;
    case 4:
        result = box_remove(&host->box, name, source);
        break;
    default:
        result = box_remove(&host->box, name, NULL);
        break;
    }
    if (result == BLOCKLIST_NO_SUCH_ENTRY)
        return;
    assert_int_equal(result, BLOCKLIST_OK);
    assert_int_equal(shared_rows(of(host), &place, 0, 1000, hear, &heard, &done, error),
                     BLOCKLIST_OK);
}

/* A server that is set back, or made anew, has lost its connections. */
static void all_reconnect(struct world *world)
{
    for (int i = 0; i < HOSTS; i++)
        assert_int_equal(shared_outbox_again(of(&world->hosts[i]), error), BLOCKLIST_OK);
}

static void step(struct world *world)
{
    struct host *host = &world->hosts[random() % HOSTS];

    switch (random() % 24) {
    case 0: /* killed, or stopped: what is in the file is there */
        box_close(&host->box);
        host_open(host);
        break;
    case 1: /* a clock that steps, forth or back */
        host->box.wall_ns += (random() % 7200 - 3600) * INT64_C(1000000000);
        break;
    case 2:
        assert_int_equal(shared_outbox_again(of(host), error), BLOCKLIST_OK);
        break;
    case 3:
        world->older = world->engine;
        world->has_older = true;
        break;
    case 4: /* a failover that lost changes, or a backup that was restored */
        if (world->has_older) {
            world->engine = world->older;
            all_reconnect(world);
        }
        break;
    case 5:
        if (random() % 4 == 0) {
            int64_t epoch = world->engine.epoch + 1;

            memset(&world->engine, 0, sizeof world->engine);
            world->engine.epoch = epoch;
            world->has_older = false;
            all_reconnect(world);
        }
        break;
    case 6:
    case 7:
        host_hears_echoes(world, host);
        break;
    case 8:
    case 9:
    case 10:
    case 11:
    case 12:
        (void)host_publish(world, host, (int)(random() % 3));
        break;
    case 13:
    case 14:
    case 15:
        (void)host_read(world, host);
        break;
    default:
        host_change(world, host);
        break;
    }
}

/* All connections work again: until nothing is left to do. */
static void heal(struct world *world)
{
    bool busy = true;

    all_reconnect(world);
    for (int round = 0; busy; round++) {
        assert_true(round < 200);
        busy = false;
        for (int i = 0; i < HOSTS; i++) {
            while (host_read(world, &world->hosts[i]))
                busy = true;
            while (host_publish(world, &world->hosts[i], 2) > 0)
                busy = true;
        }
    }
}

static bool add_standing(void *context, const struct shared_row *row)
{
    struct table *table = context;

    table->rows[table->count++] = kept_of(row);
    return true;
}

static void check(struct world *world, unsigned seed)
{
    char want[TABLE_TEXT_SIZE], found[TABLE_TEXT_SIZE];

    table_text(&world->oracle, want);
    if (getenv("FARM_SEED") != NULL)
        for (int i = 0; i < world->all_count; i++)
            printf("%2d: side %d %s %s %s at %lld\n", i, world->all[i].side,
                   world->all[i].entry, world->all[i].action, world->all[i].source,
                   (long long)world->all[i].version.at - START_TIME * 1000);
    for (int i = 0; i < HOSTS; i++) {
        struct shared_place place = {.entry = ""};
        struct table table = {.count = 0};
        int64_t waiting;
        bool done;

        assert_int_equal(shared_rows(of(&world->hosts[i]), &place, 0, 1000, add_standing,
                                     &table, &done, error),
                         BLOCKLIST_OK);
        table_text(&table, found);
        if (strcmp(found, want) != 0)
            fail_msg("seed %u, host %d: has \"%s\", expected \"%s\"", seed, i, found,
                     want);
        assert_int_equal(shared_waiting(of(&world->hosts[i]), &waiting, error),
                         BLOCKLIST_OK);
        if (waiting != 0)
            fail_msg("seed %u, host %d: %d keys wait for good", seed, i, (int)waiting);
    }
    table_text(&world->engine.state, found);
    if (strcmp(found, want) != 0)
        fail_msg("seed %u: the engine has \"%s\", expected \"%s\"", seed, found, want);
}

static void history(unsigned seed)
{
    struct world *world = calloc(1, sizeof *world);

    assert_non_null(world);
    srandom(seed);
    world->engine.epoch = 1;
    for (int i = 0; i < HOSTS; i++) {
        box_start(&world->hosts[i].box);
        world->hosts[i].box.farm = true;
        world->hosts[i].box.wall_ns +=
            (i - 2) * INT64_C(3000) * 1000000000; /* clocks apart */
        host_open(&world->hosts[i]);
    }
    for (int i = 0; i < STEPS; i++)
        step(world);
    heal(world);
    check(world, seed);
    for (int i = 0; i < HOSTS; i++)
        box_end(&world->hosts[i].box);
    free(world);
}

static void test_histories(void **state)
{
    const char *seed = getenv("FARM_SEED"), *more = getenv("FARM_HISTORIES");
#ifdef __SANITIZE_ADDRESS__
    const int usual = 4; /* many times as slow, and there is one thread */
#else
    const int usual = 12;
#endif
    int count = more != NULL ? (int)strtol(more, NULL, 10) : usual;

    (void)state;
    if (seed != NULL)
        history((unsigned)strtoul(seed, NULL, 10));
    else
        for (int i = 0; i < count; i++)
            history(1000 + (unsigned)i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_histories)};

#ifdef __SANITIZE_THREAD__
    return 77; /* one thread: nothing to see; automake skips it */
#endif
    return cmocka_run_group_tests(tests, NULL, NULL);
}
