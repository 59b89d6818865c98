/* What is left out under load: the order of the lists, and the networks' places. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "policy/shed.h"

static void ranks(void **state)
{
    static const struct {
        const char *label;
        int max_queries;
        int least[5], most[5], want[5];
    } cases[] = {
        {"no list is worth less than another",
         100,
         {0, 0, 0, 0, 0},
         {8, 8, 8, 8, 8},
         {100, 100, 100, 100, 100}},
        {"monitor first, then by what they can add",
         100,
         {0, 0, 0, 0, 0},
         {0, 2, 4, 8, 8},
         {80, 86, 93, 100, 100}},
        {"an allow list is worth what it can take off",
         100,
         {-5, 0, 0, 0, -1},
         {0, 2, 5, 8, 0},
         {95, 90, 95, 100, 85}},
        {"all in monitor", 10, {0, 0, 0, 0, 0}, {0, 0, 0, 0, 0}, {8, 8, 8, 8, 8}},
        {"one query at once", 1, {0, 0, 0, 0, 0}, {0, 1, 2, 3, 4}, {1, 1, 1, 1, 1}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct dnsbl items[5] = {0};
        struct dnsbl_set lists = {items, 5};

        for (int k = 0; k < 5; k++) {
            items[k].least = cases[i].least[k];
            items[k].most = cases[i].most[k];
        }
        shed_rank(&lists, cases[i].max_queries);
        for (int k = 0; k < 5; k++)
            if (items[k].most_load != cases[i].want[k])
                fail_msg("%s: list %d: %d, not %d", cases[i].label, k, items[k].most_load,
                         cases[i].want[k]);
    }
}

static struct shed_network network_at(const struct shed *shed, const char *text)
{
    struct ipaddr client;

    assert_int_equal(ipaddr_parse(text, &client), 0);
    return shed_network_of(shed, &client);
}

static struct shed *new_shed(int max_queries)
{
    struct shed *shed = calloc(1, sizeof *shed);

    assert_non_null(shed);
    shed_init(shed, max_queries);
    return shed;
}

static void networks(void **state)
{
    static const struct {
        const char *label, *a, *b;
        bool same;
    } cases[] = {
        {"a /24", "192.0.2.1", "192.0.2.254", true},
        {"two of them", "192.0.2.1", "192.0.3.1", false},
        {"a /48", "2001:db8:1:2::1", "2001:db8:1:ffff::9", true},
        {"two of them", "2001:db8:1::1", "2001:db8:2::1", false},
        {"the octets of another family", "32.1.13.1", "2001:d00::1", false},
    };
    struct shed *shed = new_shed(1000);

    (void)state;
    shed->secret = 1; /* no chance meeting in one cell */
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct shed_network a = network_at(shed, cases[i].a);
        struct shed_network b = network_at(shed, cases[i].b);
        bool same = a.cell[0] == b.cell[0] && a.cell[1] == b.cell[1];

        if (same != cases[i].same)
            fail_msg("%s: %s and %s", cases[i].label, cases[i].a, cases[i].b);
    }
    free(shed);
}

/* A network has its share and no more; what was answered makes room; another network and
 * the unknown client are not touched. */
static void places(void **state)
{
    static const struct {
        const char *label;
        int max_queries, want;
    } cases[] = {{"a tenth", 5000, 500}, {"the least", 20, SHED_NETWORK_LEAST}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct shed *shed = new_shed(cases[i].max_queries);
        struct shed_network flood = network_at(shed, "192.0.2.1");
        struct shed_network other = network_at(shed, "198.51.100.1");
        struct shed_network unknown = shed_network_of(shed, NULL);
        int taken = 0;

        while (taken < 10000 && shed_has_place(shed, flood)) {
            shed_asked(shed, flood);
            shed_asked(shed, unknown);
            taken++;
        }
        if (taken != cases[i].want)
            fail_msg("%s: %d places", cases[i].label, taken);
        assert_true(shed_has_place(shed, unknown));
        if (other.cell[0] != flood.cell[0] || other.cell[1] != flood.cell[1])
            assert_true(shed_has_place(shed, other));
        shed_answered(shed, flood);
        assert_true(shed_has_place(shed, flood));
        free(shed);
    }
}

/* A flood of many networks fills cells; hardly any other network shares both of its. */
static void innocent(void **state)
{
    struct shed *shed = new_shed(1000);
    int held_up = 0;
    char text[32];

    (void)state;
    shed->secret = 1;
    for (int i = 0; i < 100; i++) {
        snprintf(text, sizeof text, "10.0.%d.1", i);
        for (int k = 0; k < SHED_NETWORK_LEAST; k++)
            shed_asked(shed, network_at(shed, text));
    }
    for (int i = 0; i < 10000; i++) {
        snprintf(text, sizeof text, "%d.%d.7.1", 20 + i / 200, i % 200);
        held_up += !shed_has_place(shed, network_at(shed, text));
    }
    assert_true(held_up < 50); /* (100 / 4096)^2 of them: 6 */
    free(shed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranks),
        cmocka_unit_test(networks),
        cmocka_unit_test(places),
        cmocka_unit_test(innocent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
