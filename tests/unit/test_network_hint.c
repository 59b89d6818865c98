/* SPDX-License-Identifier: BSD-2-Clause */
/* What was meant by texts that look like addresses: only networks that read back, and
 * nothing for what could be many a thing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/network_hint.h"

static const struct {
    const char *label, *in;
    const char *want; /* "": no hint */
} hints[] = {
    {"range of the last octet", "192.0.2.10-20",
     "192.0.2.10/31, 192.0.2.12/30, 192.0.2.16/30, 192.0.2.20"},
    {"a whole network", "198.51.100.0-255", "198.51.100.0/24"},
    {"range of addresses", "192.0.2.128-192.0.3.127", "192.0.2.128/25, 192.0.3.0/25"},
    {"range of one", "192.0.2.7-7", "192.0.2.7"},
    {"all of IPv4", "0.0.0.0-255.255.255.255", "0.0.0.0/0"},
    {"range up to the last address", "255.255.255.254-255.255.255.255",
     "255.255.255.254/31"},
    {"range that goes back", "192.0.2.20-10", ""},
    {"range of more networks than there is room for", "0.0.0.1-255.255.255.254", ""},
    {"range beyond an octet", "192.0.2.10-256", ""},
    {"underline for a slash", "192.0.2.0_24", "192.0.2.0/24"},
    {"underline, IPv6", "2001:db8::_32", "2001:db8::/32"},
    {"netmask", "192.0.2.0/255.255.255.0", "192.0.2.0/24"},
    {"netmask of all", "192.0.2.1/255.255.255.255", "192.0.2.1"},
    {"netmask with a hole", "192.0.2.0/255.0.255.0", ""},
    {"port", "192.0.2.1:25", "192.0.2.1"},
    {"port, IPv6", "[2001:db8::1]:25", "2001:db8::1"},
    {"IPv6 is no port", "2001:db8:::1", ""},
    {"three octets", "203.0.113", "203.0.113.0/24"},
    {"three octets and a dot", "203.0.113.", "203.0.113.0/24"},
    {"star", "203.0.113.*", "203.0.113.0/24"},
    {"stars", "203.0.*.*", "203.0.0.0/16"},
    {"x", "203.0.113.x", "203.0.113.0/24"},
    {"short with a prefix", "203.0.113/24", "203.0.113.0/24"},
    {"star before the end", "203.*.113.1", ""},
    {"star within an octet", "203.0.113.1*", ""},
    {"a letter too many", "192.0.2.1x", ""},
    {"an octet too many", "192.0.2.1.5", ""},
    {"octet too large", "203.0.256", ""},
    {"name", "domain.xyz", ""},
    {"name with a hyphen", "mail-1.domain.xyz", ""},
    {"nothing", "", ""},
    {"only marks", "-_/:", ""},
};

static void test_hints(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof hints / sizeof hints[0]; i++) {
        char out[NETWORK_HINT_SIZE] = "x";
        bool found = network_hint(hints[i].in, out);

        if (strcmp(out, hints[i].want) != 0 || found != (*hints[i].want != '\0'))
            fail_msg("%s: %s: \"%s\"", hints[i].label, hints[i].in, out);
    }
}

static void test_looks_meant(void **state)
{
    static const struct {
        const char *name;
        bool meant;
    } rows[] = {
        {"192.0.2.1x", true},   {"192.0.2.10-20", true},
        {"192.0.2.0_24", true}, {"203.0.113.x", true},
        {"123.com", false},     {"1.2.3.xyz", false},
        {"a.x", false},         {"10-20.example", false},
        {"3com", false},        {"192.0.2.1.example", false},
        {"1.xn--p1ai", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (network_looks_meant(rows[i].name) != rows[i].meant)
            fail_msg("%s", rows[i].name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hints),
        cmocka_unit_test(test_looks_meant),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
