/* SPDX-License-Identifier: BSD-2-Clause */
/* ENTRY texts: one form for each, clear errors, what is too wide. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "blocklist/entry.h"

static const struct {
    const char *label, *in;
    enum entry_kind kind;
    const char *want; /* NULL: refused */
} cases[] = {
    {"address", "anna.a@domain.xyz", ENTRY_ADDRESS, "anna.a@domain.xyz"},
    {"address: case", "Anna.A@Domain.XYZ", ENTRY_ADDRESS, "anna.a@domain.xyz"},
    {"address: dot, <>, spaces", "  <Anna@domain.xyz.> ", ENTRY_ADDRESS,
     "anna@domain.xyz"},
    {"address: tag stays", "anna+News@domain.xyz", ENTRY_ADDRESS, "anna+news@domain.xyz"},
    {"address: IDN",
     "anna@B\xc3\xbc"
     "cher.example",
     ENTRY_ADDRESS, "anna@xn--bcher-kva.example"},
    {"address: SMTPUTF8 case", "\xc3\x84nna@a.example", ENTRY_ADDRESS,
     "\xc3\xa4nna@a.example"},
    {"address: SMTPUTF8 NFC", "A\xcc\x88nna@a.example", ENTRY_ADDRESS,
     "\xc3\xa4nna@a.example"},
    {"address: quoted without need", "\"anna\"@a.example", ENTRY_ADDRESS,
     "anna@a.example"},
    {"address: quoted with need", "\"A b\"@a.example", ENTRY_ADDRESS,
     "\"a b\"@a.example"},
    {"address: quote in it", "\"a\\\"b\"@a.example", ENTRY_ADDRESS,
     "\"a\\\"b\"@a.example"},
    {"address: ! at the start", "!anna@a.example", ENTRY_ADDRESS, "\"!anna\"@a.example"},
    {"address: # at the start", "#anna@a.example", ENTRY_ADDRESS, "\"#anna\"@a.example"},
    {"address: two @", "a@b@c.example", ENTRY_ADDRESS, "\"a@b\"@c.example"},
    {"null sender", "<>", ENTRY_ADDRESS, "<>"},
    {"domain", "domain.xyz", ENTRY_DOMAIN, "domain.xyz"},
    {"domain: case, dot", "Domain.XYZ.", ENTRY_DOMAIN, "domain.xyz"},
    {"domain: @", "@domain.xyz", ENTRY_DOMAIN, "domain.xyz"},
    {"domain: dot before", ".domain.xyz", ENTRY_DOMAIN, "domain.xyz"},
    {"domain: star", "*.domain.xyz", ENTRY_DOMAIN, "domain.xyz"},
    {"domain: IDN",
     "b\xc3\xbc"
     "cher.example",
     ENTRY_DOMAIN, "xn--bcher-kva.example"},
    {"IPv4", "192.0.2.1", ENTRY_NETWORK, "192.0.2.1"},
    {"IPv4 /32", "192.0.2.1/32", ENTRY_NETWORK, "192.0.2.1"},
    {"IPv4 in []", "[192.0.2.1]", ENTRY_NETWORK, "192.0.2.1"},
    {"host bits", "192.0.2.77/24", ENTRY_NETWORK, "192.0.2.0/24"},
    {"IPv6 spelling", "2001:DB8:0:0::1", ENTRY_NETWORK, "2001:db8::1"},
    {"IPv6 network", "2001:db8::1/32", ENTRY_NETWORK, "2001:db8::/32"},
    {"Postfix's IPv6", "[2001:db8::]/32", ENTRY_NETWORK, "2001:db8::/32"},
    {"Postfix's IPv4-mapped", "[::ffff:127.0.0.0]/104", ENTRY_NETWORK, "127.0.0.0/8"},
    {"of a translator", "64:ff9b::c000:201", ENTRY_NETWORK, "192.0.2.1"},
    {"a name of numbers", "1.2.3.xyz", ENTRY_DOMAIN, "1.2.3.xyz"},
    {"IPv4-mapped", "::ffff:192.0.2.1", ENTRY_NETWORK, "192.0.2.1"},
    {"host", "host:Mail.Domain.XYZ.", ENTRY_HOST, "host:mail.domain.xyz"},
    {"host: prefix in capitals", "HOST:mail.domain.xyz", ENTRY_HOST,
     "host:mail.domain.xyz"},
    {"user", "user:Anna", ENTRY_USER, "user:anna"},
    {"user: an address", "user:Anna@Domain.XYZ", ENTRY_USER, "user:anna@domain.xyz"},
    {"user: spaces around", "user: anna ", ENTRY_USER, "user:anna"},
    {"empty", "", ENTRY_ADDRESS, NULL},
    {"spaces", "  ", ENTRY_ADDRESS, NULL},
    {"mask too long", "192.0.2.0/33", ENTRY_NETWORK, NULL},
    {"half an address", "192.0.2", ENTRY_NETWORK, NULL},
    {"half an IPv6 address", "2001:db8:::", ENTRY_NETWORK, NULL},
    {"no domain", "anna@", ENTRY_ADDRESS, NULL},
    {"address literal", "anna@[192.0.2.1]", ENTRY_ADDRESS, NULL},
    {"bad domain", "anna@do main.xyz", ENTRY_ADDRESS, NULL},
    {"empty label", "a..b", ENTRY_DOMAIN, NULL},
    {"space in a domain", "a b.xyz", ENTRY_DOMAIN, NULL},
    {"no UTF-8", "\xff\xfe@a.example", ENTRY_ADDRESS, NULL},
    {"control character", "an\na@a.example", ENTRY_ADDRESS, NULL},
    {"C1", "an\xc2\x9b@a.example", ENTRY_ADDRESS, NULL},
    {"right to left", "an\xe2\x80\xaena@a.example", ENTRY_ADDRESS, NULL},
    {"isolate in a login", "user:an\xe2\x81\xa6na", ENTRY_USER, NULL},
    {"no width", "anna\xe2\x80\x8b@a.example", ENTRY_ADDRESS, NULL},
    {"a joiner in a login", "user:an\xe2\x80\x8dna", ENTRY_USER, NULL},
    {"no width in a domain", "a\xe2\x80\x8b.example", ENTRY_DOMAIN, NULL},
    {"soft hyphen in a host", "host:a\xc2\xad.example", ENTRY_HOST, NULL},
    {"byte order mark",
     "\xef\xbb\xbf"
     "192.0.2.1",
     ENTRY_NETWORK, NULL},
    {"a joined emoji is a name", "\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x92\xbb.ws",
     ENTRY_DOMAIN, "xn--1ug1855pcha.ws"},
    {"an emoji with its selector", "user:\xe2\x98\x95\xef\xb8\x8f", ENTRY_USER,
     "user:\xe2\x98\x95\xef\xb8\x8f"},
    {"host: IP", "host:192.0.2.1", ENTRY_HOST, NULL},
    {"host: nothing", "host:", ENTRY_HOST, NULL},
    {"user: nothing", "user:", ENTRY_USER, NULL},
};

/* What reads as something else than it would be taken for: the sentence has the form that
 * was meant. */
static const struct {
    const char *in, *hint;
} refused[] = {
    {"192.0.2.10-20", "list 192.0.2.10/31, 192.0.2.12/30, 192.0.2.16/30, 192.0.2.20"},
    {"198.51.100.0-255", "list 198.51.100.0/24"},
    {"host:198.51.100.0-255", "list 198.51.100.0/24, without \"host:\""},
    {"192.0.2.0_24", "list 192.0.2.0/24"},
    {"192.0.2.0/255.255.255.0", "list 192.0.2.0/24"},
    {"192.0.2.1x", "neither a name nor a whole IP address"},
    {"203.0.113", "list 203.0.113.0/24"},
    {"203.0.113.", "list 203.0.113.0/24"},
    {"203.0.113.*", "list 203.0.113.0/24"},
    {"192.0.2.1:25", "list 192.0.2.1"},
    {"0.0.0.1-255.255.255.254", "imported as rbldnsd"},
    {"user:*", "one login, such as user:anna"},
    {"user:\xef\xbc\x8a", "one login, such as user:anna"}, /* a wide star */
    {"user:*@bad.example", "one login, such as user:anna"},
    {"*", "there are no patterns"},
    {"bad.*", "there are no patterns"},
    {"*bad.example", "list bad.example"},
    {"host:*bad.example", "list host:bad.example"},
    {"http://Bad.Example/x?y", "list bad.example"},
    {"bad.example/24", "list bad.example"},
    {"bad.example:25", "list bad.example"},
    {"192.0.2.0/33", "expected a network such as"},
};

static void test_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        struct entry entry;
        char error[ENTRY_ERROR_SIZE];

        if (entry_parse(refused[i].in, &entry, error) == 0 ||
            strstr(error, refused[i].hint) == NULL)
            fail_msg("%s: \"%s\" %s", refused[i].in, entry.text, error);
    }
}

static void test_parse(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct entry entry, again;
        char error[ENTRY_ERROR_SIZE];
        int rc = entry_parse(cases[i].in, &entry, error);

        if ((rc == 0) != (cases[i].want != NULL) ||
            (rc == 0 &&
             (strcmp(entry.text, cases[i].want) != 0 || entry.kind != cases[i].kind)))
            fail_msg("%s: %s: got \"%s\" (%s) %s", cases[i].label, cases[i].in,
                     entry.text, entry_kind_name(entry.kind), error);
        if (rc != 0) {
            assert_true(strlen(error) > 10);
            continue;
        }
        assert_int_equal(entry_parse(entry.text, &again, error), 0);
        assert_string_equal(entry.text, again.text);
        assert_int_equal(entry.kind, again.kind);
        assert_true(entry_hash(&entry) == entry_hash(&again));
    }
}

static void test_too_long(void **state)
{
    char text[2000], error[ENTRY_ERROR_SIZE];
    struct entry entry;

    (void)state;
    for (size_t length = 1; length < sizeof text - 20; length += 7) {
        memset(text, 'a', length);
        strcpy(text + length, "@a.example");
        if (entry_parse(text, &entry, error) == 0)
            assert_string_equal(entry.text, text); /* whole, or refused */
        else
            assert_true(length > 64);
    }
}

static const struct {
    const char *label, *entry;
    bool allow, wide;
} widths[] = {
    {"address", "anna@gmail.com", false, false},
    {"domain", "domain.example", false, false},
    {"top-level domain", "com", false, true},
    {"public suffix", "co.uk", false, true},
    {"public suffix as a host", "host:co.uk", false, true},
    {"provider", "gmail.com", false, true},
    {"the first of the table", "126.com", false, true},
    {"the last", "zoznam.sk", false, true},
    {"of a country", "virginmedia.com", false, true},
    {"of another", "hanmail.net", false, true},
    {"allowing a provider is no danger", "gmail.com", true, false},
    {"allowing a top-level domain is", "com", true, true},
    {"below a provider", "mail.gmail.com", false, false},
    {"null sender", "<>", false, true},
    {"/7", "192.0.0.0/7", false, true},
    {"/8", "193.0.0.0/8", false, false},
    {"all of IPv4, allowed", "0.0.0.0/0", true, true},
    {"IPv6 /18", "2001::/18", false, true},
    {"IPv6 /19", "2001::/19", false, false},
    {"in an exempt network", "198.51.100.7", false, true},
    {"around an exempt network", "198.51.0.0/16", false, true},
    {"the exempt network allowed", "198.51.100.7", true, false},
    {"beside an exempt network", "198.51.101.0/24", false, false},
    {"user", "user:anna", false, false},
    {"all addresses", "*@bad.example", false, true},
    {"all addresses, allowed", "*@bad.example", true, true},
    {"some addresses", "bounce-*@bad.example", false, true},
    {"one character", "ann?@bad.example", false, true},
    {"some logins", "user:ann*", false, true},
    {"some logins with a domain", "user:ann*@bad.example", false, true},
};

static void test_too_wide(void **state)
{
    struct suffix_list *suffixes = suffix_list_new();
    struct network exempt;
    struct entry_limits limits = {
        .suffixes = suffixes, .exempt = &exempt, .exempt_count = 1};

    (void)state;
    assert_int_equal(network_parse("198.51.100.0/24", &exempt), 0);
    for (size_t i = 0; i < sizeof widths / sizeof widths[0]; i++) {
        struct entry entry;
        char why[ENTRY_ERROR_SIZE];

        assert_int_equal(entry_parse(widths[i].entry, &entry, why), 0);
        if (entry_too_wide(&entry, widths[i].allow, &limits, why) != widths[i].wide)
            fail_msg("%s: %s %s", widths[i].label, widths[i].entry, why);
        assert_int_equal(why[0] != '\0', widths[i].wide);
    }
    suffix_list_free(suffixes);
}

/* What is there already can be asked for and removed; the error names the character. */
static void test_hidden(void **state)
{
    static const char text[] = "an\xe2\x80\xaena@a.example";
    char error[ENTRY_ERROR_SIZE];
    struct entry entry;

    (void)state;
    assert_int_equal(entry_parse(text, &entry, error), -1);
    assert_string_equal(error,
                        "there is the hidden character U+202E in it: expected only "
                        "what can be seen");
    assert_string_equal(entry.text, "");
    assert_int_equal(entry_parse_kept(text, &entry, error), 0);
    assert_string_equal(entry.text, text);
    assert_int_equal(entry_parse("\xe2\x99\xa5\xe2\x80\xae.example", &entry, error), -1);
    assert_non_null(strstr(error, "U+202E"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hidden),   cmocka_unit_test(test_parse),
        cmocka_unit_test(test_refused),  cmocka_unit_test(test_too_long),
        cmocka_unit_test(test_too_wide),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
