/* SPDX-License-Identifier: BSD-2-Clause */
/* Windows against a model that keeps every event, and their edges. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rules/counters.h"
#include "rules/window.h"

#define NOW INT64_C(1790000000)

#define KEYS     6
#define STEPS    60000
#define ELEMENTS 3000

static const int spans[] = {300, 900, 3600, 10800, 86400, 604800};
#define SPANS (sizeof spans / sizeof spans[0])

struct model {
    struct {
        int64_t at_s;
        int n; /* what was taken back is gone */
    } events[STEPS];
    size_t count;
    int64_t element_s[ELEMENTS]; /* when it was seen last */
};

/* splitmix64 */
static uint64_t drawn(uint64_t *state)
{
    uint64_t i = *state += 0x9e3779b97f4a7c15ULL;

    i = (i ^ (i >> 30)) * 0xbf58476d1ce4e5b9ULL;
    i = (i ^ (i >> 27)) * 0x94d049bb133111ebULL;
    return i ^ (i >> 31);
}

static uint64_t element_hash(uint64_t element)
{
    return counters_hash(&element, sizeof element);
}

/* The sum of what happened in the bucket of now and the 11 before it. */
static uint64_t exact_sum(const struct model *model, int span_s, int64_t now_s)
{
    int64_t width_s = span_s / 12;
    uint64_t sum = 0;

    for (size_t i = model->count; i > 0; i--) {
        if (model->events[i - 1].at_s / width_s <= now_s / width_s - 12)
            break;
        sum += (uint64_t)model->events[i - 1].n;
    }
    return sum;
}

static uint32_t exact_distinct(const struct model *model, int span_s, int64_t now_s)
{
    uint32_t count = 0;

    for (size_t i = 0; i < ELEMENTS; i++)
        count += model->element_s[i] != 0 &&
                 model->element_s[i] / (span_s / 2) >= now_s / (span_s / 2) - 1;
    return count;
}

struct errors {
    double squares, worst; /* in units of what is usual */
    size_t count, beyond;  /* beyond 5 % */
};

static void check_reading(const struct model *model,
                          const struct counter_reading *reading, int64_t now_s,
                          struct errors *errors)
{
    assert_int_equal(reading->count, 2 * SPANS);
    for (size_t i = 0; i < reading->count; i++) {
        int span_s = reading->windows[i].span_s;
        uint32_t exact;
        double off, load, usual;

        if (reading->windows[i].count == COUNT_RECIPIENTS) {
            assert_int_equal(reading->values[i], exact_sum(model, span_s, now_s));
            continue;
        }
        exact = exact_distinct(model, span_s, now_s);
        if (exact <= SKETCH_LIST) {
            assert_int_equal(reading->values[i], exact);
            continue;
        }
        off = fabs((double)reading->values[i] - exact) / exact;
        /* Whang 1990: what linear counting is off by, root mean square */
        load = (double)exact / SKETCH_BITS;
        usual = sqrt(SKETCH_BITS * (exp(load) - load - 1)) / exact;
        errors->squares += off * off;
        errors->count++;
        errors->beyond += off > 0.05;
        if (off / usual > errors->worst)
            errors->worst = off / usual;
    }
}

static struct counters *model_counters(void)
{
    struct counter_layout layouts[RULE_BY_COUNT] = {0};
    struct counter_layout *login = &layouts[RULE_BY_LOGIN];

    for (size_t i = 0; i < SPANS; i++) {
        login->windows[login->count++] =
            (struct counter_window){.count = COUNT_RECIPIENTS, .span_s = spans[i]};
        login->windows[login->count++] =
            (struct counter_window){.count = COUNT_DISTINCT, .span_s = spans[i]};
    }
    return counters_new(1000, layouts, NOW);
}

/* Mostly some seconds, now and then hours or days. */
static int64_t drawn_step(uint64_t *state)
{
    uint64_t kind = drawn(state) % 10000, step = drawn(state);

    if (kind < 2)
        return (int64_t)(step % (10 * 86400));
    if (kind < 10)
        return (int64_t)(step % 36000);
    return (int64_t)(step % 12);
}

static void test_model(void **state)
{
    struct counters *counters = model_counters();
    struct model *models = calloc(KEYS, sizeof *models);
    struct counter_reading reading;
    struct errors errors = {0};
    uint64_t random = 1;
    int64_t now_s = NOW;

    (void)state;
    assert_non_null(counters);
    assert_non_null(models);
    for (int step = 0; step < STEPS; step++) {
        size_t k = drawn(&random) % KEYS;
        struct model *model = &models[k];
        uint64_t element = drawn(&random) % (uint64_t[]){5, 12, 40, 300, 1500, 3000}[k];
        struct counter_event events[3] = {
            {.count = COUNT_RECIPIENTS, .n = 1 + (int)(drawn(&random) % 20)},
            {.count = COUNT_DISTINCT, .n = 1, .element = element_hash(element)},
        };
        char name[] = {(char)('a' + k), '\0'};
        size_t count = 2;

        now_s += drawn_step(&random);
        model->events[model->count].at_s = now_s;
        model->events[model->count++].n = events[0].n;
        model->element_s[element] = now_s;
        if (drawn(&random) % 3 == 0) { /* the mail was given up */
            size_t back = model->count - 1 - drawn(&random) % model->count % 100;

            events[count++] = (struct counter_event){.count = COUNT_RECIPIENTS,
                                                     .n = -model->events[back].n,
                                                     .at_s = model->events[back].at_s};
            model->events[back].n = 0;
        }
        assert_true(counters_add(counters, RULE_BY_LOGIN, name, false, events, count,
                                 now_s, &reading));
        if (step % 16 == 0)
            check_reading(model, &reading, now_s, &errors);
        if (step % 64 == 0) { /* what is read later */
            int64_t later_s = now_s + (int64_t)(drawn(&random) % 20000);

            assert_true(counters_read(counters, RULE_BY_LOGIN, name, later_s, &reading));
            check_reading(model, &reading, later_s, &errors);
        }
    }
    print_message("distinct: %zu readings of more than %d, off by %.2f %% (root mean "
                  "square), %zu by more than 5 %%, the worst %.1f times what is usual\n",
                  errors.count, SKETCH_LIST,
                  100 * sqrt(errors.squares / (double)errors.count), errors.beyond,
                  errors.worst);
    assert_true(errors.count > 1000);
    assert_true(sqrt(errors.squares / (double)errors.count) < 0.025);
    assert_true(errors.beyond < errors.count / 40);
    assert_true(errors.worst < 5);
    free(models);
    counters_free(counters);
}

/* The value at some time after what has happened in the buckets of 5m, of 25 s each. */
static void test_ring(void **state)
{
    static const struct {
        const char *label;
        int n;
        int64_t at_s, read_s; /* after NOW, which begins a bucket */
        uint32_t value;
    } rows[] = {
        {"counted", 5, 0, 0, 5},
        {"the next bucket", 7, 25, 25, 12},
        {"all of the span", 0, 0, 299, 12},
        {"the first has gone", 0, 0, 300, 7},
        {"the second, too", 0, 0, 325, 0},
        {"taken back", -3, 25, 49, 9},
        {"what was never there", -100, 50, 49, 9},
        {"more than the bucket had: of the one before", -6, 25, 49, 3},
        {"more than there was", -100, 25, 49, 0},
        {"a second back", 1, 24, 24, 1},
        {"a span later", 2, 325, 325, 2},
        {"of the bucket before", 1, 299, 325, 3},
        {"taken back too late", -5, 0, 325, 3},
        {"the clock is back by more than the span", 4, 0, 0, 4},
        {"as much as fits", INT32_MAX, 0, 0, 4u + INT32_MAX},
        {"more", INT32_MAX, 0, 0, UINT32_MAX},
        {"more in another bucket", INT32_MAX, 25, 25, UINT32_MAX},
    };
    struct ring ring = {0};
    int64_t begin_s = NOW / 25 * 25;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint32_t value;

        if (rows[i].n < 0)
            ring_take_back(&ring, 300, begin_s + rows[i].at_s, (uint32_t)-rows[i].n);
        else if (rows[i].n > 0)
            ring_add(&ring, 300, begin_s + rows[i].at_s, (uint32_t)rows[i].n);
        value = ring_value(&ring, 300, begin_s + rows[i].read_s);
        if (value != rows[i].value)
            fail_msg("%s: %" PRIu32, rows[i].label, value);
    }
    assert_true(ring_is_ahead(&ring, 300, begin_s));
    assert_false(ring_is_ahead(&ring, 300, begin_s + 25));
}

static void add_elements(struct sketch *sketch, int64_t at_s, uint64_t from, uint64_t to)
{
    for (uint64_t i = from; i < to; i++)
        sketch_add(sketch, 3600, at_s, element_hash(i));
}

/* Halves of 30 minutes each, in each of the three forms that they have. */
static void test_sketch(void **state)
{
    static const struct {
        const char *label;
        uint64_t first, second, both; /* elements of the one half, the next, of both */
        bool exact;
    } rows[] = {
        {"a few", 3, 4, 5, true},
        {"a list and a few", 60, 4, 62, true},
        {"a few and a list", 4, 60, 62, true},
        {"two lists", 64, 64, 100, true},
        {"a bitmap and a list", 1000, 64, 1030, false},
        {"a list and a bitmap", 20, 1000, 1010, false},
        {"two bitmaps", 1000, 2000, 2500, false},
        {"the same twice", 300, 300, 300, false},
    };
    int64_t begin_s = NOW / 1800 * 1800;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct sketch sketch = {0};
        double off = rows[i].exact ? 0 : 0.05;
        const double wanted[] = {(double)rows[i].first, (double)rows[i].both,
                                 (double)rows[i].second, 0, 5};
        uint32_t values[5];

        add_elements(&sketch, begin_s, 0, rows[i].first);
        values[0] = sketch_value(&sketch, 3600, begin_s + 3599);
        add_elements(&sketch, begin_s + 1800, rows[i].both - rows[i].second,
                     rows[i].both);
        values[1] = sketch_value(&sketch, 3600, begin_s + 1800);
        values[2] = sketch_value(&sketch, 3600, begin_s + 3600);
        values[3] = sketch_value(&sketch, 3600, begin_s + 5400);
        add_elements(&sketch, begin_s + 5400, 0, 5); /* another life */
        values[4] = sketch_value(&sketch, 3600, begin_s + 5400);
        for (size_t k = 0; k < 5; k++)
            if (fabs(values[k] - wanted[k]) > off * wanted[k])
                fail_msg("%s: %zu: %" PRIu32, rows[i].label, k, values[k]);
        sketch_clear(&sketch);
    }
}

static void test_sketch_clock(void **state)
{
    struct sketch sketch = {0};
    int64_t begin_s = NOW / 1800 * 1800;

    (void)state;
    add_elements(&sketch, begin_s, 0, 10);
    add_elements(&sketch, begin_s - 1, 8, 12); /* another thread is a second behind */
    assert_int_equal(sketch_value(&sketch, 3600, begin_s), 12);
    assert_int_equal(sketch_value(&sketch, 3600, begin_s - 1), 12);
    assert_int_equal(sketch_value(&sketch, 3600, begin_s + 1800), 10);
    assert_true(sketch_is_ahead(&sketch, 3600, begin_s - 1));
    add_elements(&sketch, begin_s - 7200, 0, 3); /* the clock has gone back */
    assert_int_equal(sketch_value(&sketch, 3600, begin_s - 7200), 3);
    add_elements(&sketch, begin_s - 7200, 0, 100000); /* more than it can tell apart */
    assert_true(sketch_value(&sketch, 3600, begin_s - 7200) > 10000);
    sketch_clear(&sketch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ring),
        cmocka_unit_test(test_sketch),
        cmocka_unit_test(test_sketch_clock),
        cmocka_unit_test(test_model),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
