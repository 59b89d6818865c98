/* SPDX-License-Identifier: BSD-2-Clause */
/* Addresses and networks: one form, and who is asked about. */

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/un.h>

#include <cmocka.h>

#include "base/ipaddr.h"

static const struct {
    const char *label, *in;
    const char *want; /* NULL: refused */
} addresses[] = {
    {"IPv4", "192.0.2.1", "192.0.2.1"},
    {"IPv6", "2001:DB8:0:0::1", "2001:db8::1"},
    {"mapped", "::ffff:192.0.2.1", "192.0.2.1"},
    {"mapped, in hex", "::FFFF:c000:201", "192.0.2.1"},
    {"unspecified", "::", "::"},
    {"of a translator", "64:ff9b::192.0.2.1", "192.0.2.1"},
    {"of a translator, in hex", "64:FF9B::c000:201", "192.0.2.1"},
    {"of a translator's own prefix", "64:ff9b:1::c000:201", "64:ff9b:1::c000:201"},
    {"compatible is not mapped", "::192.0.2.1", "::192.0.2.1"},
    {"empty", "", NULL},
    {"short", "192.0.2", NULL},
    {"octal", "192.0.2.010", NULL},
    {"too large", "192.0.2.256", NULL},
    {"blank", "192.0.2.1 ", NULL},
    {"brackets", "[2001:db8::1]", NULL},
    {"scope", "fe80::1%eth0", NULL},
    {"network", "192.0.2.0/24", NULL},
    {"name", "localhost", NULL},
};

static const struct {
    const char *label, *in;
    const char *want; /* NULL: refused */
} networks[] = {
    {"IPv4", "192.0.2.0/24", "192.0.2.0/24"},
    {"host bits", "192.0.2.77/24", "192.0.2.0/24"},
    {"odd prefix", "192.0.2.255/25", "192.0.2.128/25"},
    {"one address", "192.0.2.1", "192.0.2.1"},
    {"one address, told so", "192.0.2.1/32", "192.0.2.1"},
    {"all", "192.0.2.1/0", "0.0.0.0/0"},
    {"IPv6", "2001:db8:ffff::1/33", "2001:db8:8000::/33"},
    {"IPv6, one address", "2001:db8::1/128", "2001:db8::1"},
    {"mapped", "::ffff:192.0.2.1/120", "192.0.2.0/24"},
    {"mapped, all of IPv4", "::ffff:0:0/96", "0.0.0.0/0"},
    {"of a translator", "64:ff9b::192.0.2.0/120", "192.0.2.0/24"},
    {"Postfix: IPv6", "[::1]/128", "::1"},
    {"Postfix: mapped", "[::ffff:127.0.0.0]/104", "127.0.0.0/8"},
    {"Postfix: IPv6 network", "[2001:db8::]/32", "2001:db8::/32"},
    {"Postfix: address", "[2001:db8::1]", "2001:db8::1"},
    {"half a bracket", "[2001:db8::/32", NULL},
    {"brackets around nothing", "[]/8", NULL},
    {"mapped, wider than IPv4", "::ffff:0:0/95", NULL},
    {"mask too long", "192.0.2.0/33", NULL},
    {"IPv6 mask too long", "2001:db8::/129", NULL},
    {"no prefix", "192.0.2.0/", NULL},
    {"sign", "192.0.2.0/-1", NULL},
    {"netmask", "192.0.2.0/255.255.255.0", NULL},
    {"two slashes", "192.0.2.0/24/8", NULL},
    {"no address", "/24", NULL},
    {"large prefix", "192.0.2.0/4294967320", NULL},
};

static const struct {
    const char *address;
    bool local;
} locals[] = {
    {"0.0.0.0", true},
    {"10.255.0.1", true},
    {"11.0.0.0", false},
    {"100.63.255.255", false},
    {"100.64.0.0", true},
    {"100.127.255.255", true},
    {"100.128.0.0", false},
    {"127.0.0.2", true},
    {"169.254.1.1", true},
    {"172.15.255.255", false},
    {"172.16.0.0", true},
    {"172.31.255.255", true},
    {"172.32.0.0", false},
    {"192.168.0.1", true},
    {"192.169.0.1", false},
    {"224.0.0.1", true},
    {"255.255.255.255", true},
    {"223.255.255.255", false},
    {"192.0.2.1", false},
    {"198.51.100.1", false},
    {"203.0.113.1", false},
    {"::", true},
    {"::1", true},
    {"::2", false},
    {"fc00::1", true},
    {"fdff::1", true},
    {"fe80::1", true},
    {"febf::1", true},
    {"fec0::1", false},
    {"ff02::1", true},
    {"2001:db8::1", false},
    {"::ffff:10.0.0.1", true},
    {"::ffff:192.0.2.1", false},
};

static void test_addresses(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++) {
        struct ipaddr ip;
        char text[IPADDR_TEXT_SIZE] = "";
        int rc = ipaddr_parse(addresses[i].in, &ip);

        if (rc == 0)
            ipaddr_text(&ip, text);
        if ((rc == 0) != (addresses[i].want != NULL) ||
            (rc == 0 && strcmp(text, addresses[i].want) != 0))
            fail_msg("%s: %d \"%s\"", addresses[i].label, rc, text);
    }
}

static void test_networks(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof networks / sizeof networks[0]; i++) {
        struct network net;
        char text[NETWORK_TEXT_SIZE] = "";
        int rc = network_parse(networks[i].in, &net);

        if (rc == 0)
            network_text(&net, text);
        if ((rc == 0) != (networks[i].want != NULL) ||
            (rc == 0 && strcmp(text, networks[i].want) != 0))
            fail_msg("%s: %d \"%s\"", networks[i].label, rc, text);
    }
}

static void test_contains(void **state)
{
    static const struct {
        const char *network, *address;
        bool within;
    } rows[] = {
        {"192.0.2.0/24", "192.0.2.255", true},
        {"192.0.2.0/24", "192.0.3.0", false},
        {"192.0.2.128/25", "192.0.2.127", false},
        {"0.0.0.0/0", "255.1.2.3", true},
        {"0.0.0.0/0", "2001:db8::1", false},
        {"::/0", "2001:db8::1", true},
        {"::/0", "192.0.2.1", false},
        {"2001:db8::/33", "2001:db8:8000::", false},
        {"2001:db8::/33", "2001:db8:7fff::", true},
        {"192.0.2.1", "192.0.2.1", true},
        {"192.0.2.1", "192.0.2.2", false},
        {"192.0.2.0/24", "::ffff:192.0.2.9", true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct network net;
        struct ipaddr ip;

        assert_int_equal(network_parse(rows[i].network, &net), 0);
        assert_int_equal(ipaddr_parse(rows[i].address, &ip), 0);
        if (network_contains(&net, &ip) != rows[i].within)
            fail_msg("%s in %s", rows[i].address, rows[i].network);
    }
}

static void test_local(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof locals / sizeof locals[0]; i++) {
        struct ipaddr ip;

        assert_int_equal(ipaddr_parse(locals[i].address, &ip), 0);
        if (ipaddr_is_local(&ip) != locals[i].local)
            fail_msg("%s", locals[i].address);
    }
}

/* What libmilter hands over, Postfix's and sendmail's way. */
static void test_sockaddr(void **state)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    struct ipaddr a, b;

    (void)state;
    inet_pton(AF_INET, "192.0.2.1", &in.sin_addr);
    inet_pton(AF_INET6, "::ffff:192.0.2.1", &in6.sin6_addr);
    assert_int_equal(ipaddr_from_sockaddr((struct sockaddr *)&in, &a), 0);
    assert_int_equal(ipaddr_from_sockaddr((struct sockaddr *)&in6, &b), 0);
    assert_true(ipaddr_equal(&a, &b));
    assert_int_equal(ipaddr_bits(&b), 32);
    inet_pton(AF_INET6, "64:ff9b::192.0.2.1", &in6.sin6_addr);
    assert_int_equal(ipaddr_from_sockaddr((struct sockaddr *)&in6, &b), 0);
    assert_true(ipaddr_equal(&a, &b));
    inet_pton(AF_INET6, "2001:db8::1", &in6.sin6_addr);
    assert_int_equal(ipaddr_from_sockaddr((struct sockaddr *)&in6, &b), 0);
    assert_int_equal(ipaddr_bits(&b), 128);
    assert_false(ipaddr_equal(&a, &b));
    assert_int_equal(ipaddr_from_sockaddr((struct sockaddr *)&un, &a), -1);
    assert_int_equal(ipaddr_from_sockaddr(NULL, &a), -1);
}

static void test_network_of(void **state)
{
    struct ipaddr ip;
    struct network net;
    char text[NETWORK_TEXT_SIZE];

    (void)state;
    assert_int_equal(ipaddr_parse("192.0.2.77", &ip), 0);
    network_of(&ip, 24, &net);
    network_text(&net, text);
    assert_string_equal(text, "192.0.2.0/24");
    network_of(&ip, 64, &net); /* longer than the address */
    network_text(&net, text);
    assert_string_equal(text, "192.0.2.77");
}

/* What was meant by texts that look like addresses: only networks that read back, and
 * nothing for what could be many a thing. */

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
    } network_hint_rows[] = {
        {"192.0.2.1x", true},   {"192.0.2.10-20", true},
        {"192.0.2.0_24", true}, {"203.0.113.x", true},
        {"123.com", false},     {"1.2.3.xyz", false},
        {"a.x", false},         {"10-20.example", false},
        {"3com", false},        {"192.0.2.1.example", false},
        {"1.xn--p1ai", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof network_hint_rows / sizeof network_hint_rows[0]; i++)
        if (network_looks_meant(network_hint_rows[i].name) != network_hint_rows[i].meant)
            fail_msg("%s", network_hint_rows[i].name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses), cmocka_unit_test(test_networks),
        cmocka_unit_test(test_contains),  cmocka_unit_test(test_local),
        cmocka_unit_test(test_sockaddr),  cmocka_unit_test(test_network_of),
        cmocka_unit_test(test_hints),     cmocka_unit_test(test_looks_meant),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
