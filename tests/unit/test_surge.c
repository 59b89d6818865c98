/* When a list is taken to list the world. Rates in real-looking traffic are measured by
 * tests/bench/surge_sim. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dnsbl/surge.h"

#define FACTOR 10

/* What is noted, in stretches: of each hundred clients so many are listed, evenly. */
struct stretch {
    int clients, of_100;
};

struct outcome {
    int suspects, certain_at; /* the client at which it was certain; 0: never */
};

static void play(struct surge *s, const struct stretch *part, int factor,
                 struct outcome *out, int *at)
{
    for (int i = 0; i < part->clients; i++) {
        bool listed = (i + 1) * part->of_100 / 100 > i * part->of_100 / 100;
        enum surge_finding finding = surge_note(s, listed, factor);

        ++*at;
        out->suspects += finding == SURGE_SUSPECT;
        if (finding == SURGE_CERTAIN && out->certain_at == 0)
            out->certain_at = *at;
    }
}

static void finds(void **state)
{
    static const struct {
        const char *label;
        int factor;
        struct stretch parts[4];
        int suspects_least, suspects_most;
        int certain_least, certain_most; /* clients after the start of the last part */
    } cases[] = {
        {"nothing listed", FACTOR, {{10000, 0}}, 0, 0, 0, 0},
        {"as ever", FACTOR, {{10000, 5}}, 0, 0, 0, 0},
        {"as ever, much", FACTOR, {{10000, 80}}, 0, 0, 0, 0},
        {"twice as many", FACTOR, {{10000, 3}, {10000, 6}}, 0, 0, 0, 0},
        {"a wave: nine in ten for a while",
         FACTOR,
         {{10000, 40}, {3000, 90}, {1000, 40}},
         0,
         0,
         0,
         0},
        {"nine in ten from the very start", FACTOR, {{10000, 90}}, 0, 0, 0, 0},
        {"everybody", FACTOR, {{10000, 5}, {2000, 100}}, 1, 4, 100, 410},
        {"everybody, of a list that has much",
         FACTOR,
         {{10000, 60}, {2000, 100}},
         1,
         6,
         100,
         410},
        {"everybody, without a history", FACTOR, {{2000, 100}}, 1, 6, 100, 410},
        {"everybody, without a factor", 0, {{10000, 5}, {2000, 100}}, 1, 6, 100, 410},
        {"more than ten times its history",
         FACTOR,
         {{10000, 2}, {1000, 40}},
         1,
         3,
         100,
         200},
        {"the same without a factor", 0, {{10000, 2}, {1000, 40}}, 0, 0, 0, 0},
        {"ten times next to nothing is nothing",
         FACTOR,
         {{10000, 0}, {1000, 10}},
         0,
         0,
         0,
         0},
        {"no history to compare with", FACTOR, {{150, 2}, {1000, 40}}, 0, 0, 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct outcome out = {0};
        struct surge s;
        int at = 0, begun = 0;

        surge_init(&s);
        for (int k = 0; k < 4 && cases[i].parts[k].clients > 0; k++) {
            begun = at;
            play(&s, &cases[i].parts[k], cases[i].factor, &out, &at);
        }
        int delay = out.certain_at > 0 ? out.certain_at - begun : 0;
        if (cases[i].certain_most == 0
                ? out.suspects < cases[i].suspects_least ||
                      out.suspects > cases[i].suspects_most || out.certain_at != 0
                : delay < cases[i].certain_least || delay > cases[i].certain_most ||
                      out.suspects < cases[i].suspects_least)
            fail_msg("%s: suspected %d times, certain after %d", cases[i].label,
                     out.suspects, delay);
    }
}

/* Test points that are right do not ask for the next test as soon again. */
static void suspects_ever_later(void **state)
{
    int at[3] = {0}, found = 0;
    struct surge s;

    (void)state;
    surge_init(&s);
    for (int i = 1; i <= 150; i++)
        if (surge_note(&s, true, FACTOR) == SURGE_SUSPECT && found < 3)
            at[found++] = i;
    assert_int_equal(found, 3);
    assert_int_equal(at[0], 20);
    assert_int_equal(at[1], 40);
    assert_in_range(at[2], 70, 80); /* a little calmer meanwhile */
}

/* The surge is no part of the history, and the list is calm only after an ordinary
 * window. */
static void is_calm_again(void **state)
{
    struct outcome out = {0};
    struct surge s;
    int at = 0;

    (void)state;
    surge_init(&s);
    play(&s, &(struct stretch){10000, 3}, FACTOR, &out, &at);
    assert_true(surge_is_calm(&s));
    double share = s.share;
    assert_true(share > 0.02 && share < 0.04);
    play(&s, &(struct stretch){5000, 100}, FACTOR, &out, &at);
    assert_true(out.certain_at > 0);
    assert_false(surge_is_calm(&s));
    assert_true(s.share == share);
    surge_note(&s, false, FACTOR);
    assert_false(surge_is_calm(&s)); /* one that it does not list is no proof */
    play(&s, &(struct stretch){100, 3}, FACTOR, &out, &at);
    assert_true(surge_is_calm(&s));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds),
        cmocka_unit_test(suspects_ever_later),
        cmocka_unit_test(is_calm_again),
    };

    return cmocka_run_group_tests_name("surge", tests, NULL, NULL);
}
