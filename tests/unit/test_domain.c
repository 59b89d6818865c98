/* SPDX-License-Identifier: BSD-2-Clause */
/* Names in one form, and the addresses of people. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/domain.h"

#define LABEL63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct {
    const char *label, *in;
    const char *want; /* NULL: refused */
} names[] = {
    {"plain", "example.org", "example.org"},
    {"case and dot", "Example.ORG.", "example.org"},
    {"no dot", "localhost", "localhost"},
    {"underscore", "_dmarc.Example.org", "_dmarc.example.org"},
    {"hyphens", "a--b.-c-.d", "a--b.-c-.d"},
    {"IDN",
     "B\xc3\xbc"
     "cher.Example",
     "xn--bcher-kva.example"},
    {"IDN, upper case",
     "B\xc3\x9c"
     "CHER.example",
     "xn--bcher-kva.example"},
    {"IDN, dot at the end",
     "b\xc3\xbc"
     "cher.example.",
     "xn--bcher-kva.example"},
    {"IDN, sharp s stays",
     "stra\xc3\x9f"
     "e.example",
     "xn--strae-oqa.example"},
    {"A-label", "XN--bcher-KVA.example", "xn--bcher-kva.example"},
    {"longest label", LABEL63 ".example", LABEL63 ".example"},
    {"longest name",
     LABEL63 "." LABEL63 "." LABEL63
             ".bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
             "bbbbbbbbbb",
     LABEL63 "." LABEL63 "." LABEL63
             ".bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
             "bbbbbbbbbb"},
    {"longest name, with dot",
     LABEL63 "." LABEL63 "." LABEL63
             ".bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
             "bbbbbbbbbb.",
     LABEL63 "." LABEL63 "." LABEL63
             ".bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
             "bbbbbbbbbb"},
    {"name too long",
     LABEL63 "." LABEL63 "." LABEL63
             ".bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
             "bbbbbbbbbbb",
     NULL},
    {"label too long", "a" LABEL63 ".example", NULL},
    {"empty", "", NULL},
    {"root", ".", NULL},
    {"empty label", "a..b", NULL},
    {"empty label first", ".a", NULL},
    {"two dots at the end", "a..", NULL},
    {"space", "a b", NULL},
    {"space behind", "a ", NULL},
    {"at", "a@b", NULL},
    {"backslash", "a\\.b", NULL},
    {"line end", "a\n", NULL},
    {"literal", "[192.0.2.1]", NULL},
    {"no UTF-8",
     "b\xfc"
     "cher.example",
     NULL},
    {"IDN with a space", "b\xc3\xbc cher.example", NULL},
};

static void test_canonical(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char out[DOMAIN_SIZE] = "x";
        int rc = domain_canonical(names[i].in, out);

        if (rc != (names[i].want != NULL ? 0 : -1) ||
            strcmp(out, names[i].want != NULL ? names[i].want : "") != 0)
            fail_msg("%s: %d \"%s\"", names[i].label, rc, out);
    }
}

static void test_numeric(void **state)
{
    (void)state;
    assert_true(domain_is_numeric("192.0.2.1"));
    assert_true(domain_is_numeric("1"));
    assert_true(domain_is_numeric("a.1"));
    assert_false(domain_is_numeric("1.a"));
    assert_false(domain_is_numeric("1a"));
}

static void test_tree(void **state)
{
    static const struct {
        const char *domain, *parent;
        bool below;
    } rows[] = {
        {"a.example", "example", true},   {"example", "example", true},
        {"b.a.example", "example", true}, {"anexample", "example", false},
        {"example", "a.example", false},  {"example.org", "example", false},
        {"example", "", false},           {"", "example", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (domain_is_below(rows[i].domain, rows[i].parent) != rows[i].below)
            fail_msg("%s below %s", rows[i].domain, rows[i].parent);
    assert_string_equal(domain_parent("a.b.c"), "b.c");
    assert_null(domain_parent("c"));
}

static const struct {
    const char *label, *in;
    int rc;
    const char *local, *domain;
    bool literal, null;
} addresses[] = {
    {"plain", "<Anna+x@Domain.XYZ>", 0, "Anna+x", "domain.xyz", false, false},
    {"without <>", "a@b.c", 0, "a", "b.c", false, false},
    {"null sender", "<>", 0, "", "", false, true},
    {"nothing", "", 0, "", "", false, true},
    {"local alone", "<postmaster>", 0, "postmaster", "", false, false},
    {"quoted", "<\"a b\"@c.d>", 0, "a b", "c.d", false, false},
    {"quoted without need", "<\"anna\"@c.d>", 0, "anna", "c.d", false, false},
    {"at in quotes", "<\"a@b\"@c.d>", 0, "a@b", "c.d", false, false},
    {"at in quotes, no domain", "<\"a@b\">", 0, "a@b", "", false, false},
    {"quote in quotes", "<\"a\\\"b\"@c.d>", 0, "a\"b", "c.d", false, false},
    {"> in quotes", "<\"a>b\"@c.d>", 0, "a>b", "c.d", false, false},
    {"escaped", "<a\\ b@c.d>", 0, "a b", "c.d", false, false},
    {"empty quotes", "<\"\"@c.d>", 0, "", "c.d", false, false},
    {"literal", "<a@[192.0.2.1]>", 0, "a", "", true, false},
    {"IPv6 literal", "<a@[IPv6:2001:db8::1]>", 0, "a", "", true, false},
    {"null with literal", "<@[192.0.2.1]>", 0, "", "", true, false},
    {"route", "<@a.b,@c.d:x@y.z>", 0, "x", "y.z", false, false},
    {"SMTPUTF8",
     "<\xc3\xbc@b\xc3\xbc"
     "cher.example>",
     0, "\xc3\xbc", "xn--bcher-kva.example", false, false},
    {"dot at the end", "<a@B.c.>", 0, "a", "b.c", false, false},
    {"no domain behind the at", "<a@>", 0, "a", "", false, false},
    {"no valid domain", "<a@b c>", 0, "a", "", false, false},
    {"nothing but an invalid domain", "<@b c>", -1, "", "", false, true},
    {"nothing around the at", "<@>", -1, "", "", false, true},
    {"only quotes", "<\"\">", -1, "", "", false, true},
    {"comment", "<a(b)@c.d>", -1, "", "", false, true},
    {"address behind a comment's start", "<a@b.c (@d.e>", -1, "", "", false, true},
    {"address behind a space", "<a@b.c @d.e>", -1, "", "", false, true},
    {"two addresses", "<a,b@c.d>", -1, "", "", false, true},
    {"group", "<a:b@c.d;>", -1, "", "", false, true},
    {"all of these in quotes", "<\"(),:; <>\"@c.d>", 0, "(),:; <>", "c.d", false, false},
    {"escaped comment", "<a\\(@c.d>", 0, "a(", "c.d", false, false},
    {"quotes without end", "<\"a@c.d>", 0, "a@c.d", "", false, false},
    {"two ats", "<a@b@c.d>", 0, "a@b", "c.d", false, false},
};

static void test_mail_address(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++) {
        struct mail_address a;
        int rc = mail_address_parse(addresses[i].in, &a);

        if (rc != addresses[i].rc || strcmp(a.local, addresses[i].local) != 0 ||
            strcmp(a.domain, addresses[i].domain) != 0 ||
            a.literal != addresses[i].literal ||
            mail_address_is_null(&a) != addresses[i].null)
            fail_msg("%s: %d \"%s\" at \"%s\"", addresses[i].label, rc, a.local,
                     a.domain);
    }
}

static void test_long_address(void **state)
{
    char in[2048];
    struct mail_address a;

    (void)state;
    memset(in, 'a', LOCAL_PART_SIZE - 1);
    snprintf(in + LOCAL_PART_SIZE - 1, sizeof in - LOCAL_PART_SIZE, "@b.c");
    assert_int_equal(mail_address_parse(in, &a), 0);
    assert_int_equal(strlen(a.local), LOCAL_PART_SIZE - 1);
    memset(in, 'a', LOCAL_PART_SIZE);
    snprintf(in + LOCAL_PART_SIZE, sizeof in - LOCAL_PART_SIZE, "@b.c");
    assert_int_equal(mail_address_parse(in, &a), 0); /* who sends it is known */
    assert_string_equal(a.local, "");
    assert_string_equal(a.domain, "b.c");
    assert_false(mail_address_is_null(&a));
    memset(in, 'a', sizeof in - 1);
    in[sizeof in - 1] = '\0';
    assert_int_equal(mail_address_parse(in, &a), -1);
    assert_string_equal(a.local, "");
}

static void test_registered(void **state)
{
    static const struct {
        const char *domain, *want;
    } rows[] = {
        {"a.b.example.co.uk", "example.co.uk"},
        {"example.co.uk", "example.co.uk"},
        {"co.uk", NULL},
        {"www.example.org", "example.org"},
        {"org", NULL},
    };
    struct suffix_list *list = suffix_list_new();

    (void)state;
    if (list == NULL)
        skip();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *found = suffix_list_registered(list, rows[i].domain);

        if (rows[i].want == NULL)
            assert_null(found);
        else
            assert_string_equal(found, rows[i].want);
    }
    suffix_list_free(list);
    suffix_list_free(NULL);
}

/* Whose a rewritten sender is: by BATV, SRS, VERP; and what only looks like one. */

static const struct {
    const char *label, *in;
    const char *want; /* NULL: as it was */
} senders[] = {
    {"plain", "anna@a.example", NULL},
    {"null sender", "<>", NULL},
    {"BATV", "prvs=4123a4b5c6=anna@a.example", "anna@a.example"},
    {"BATV, the other order", "prvs=anna=4123a4b5c6@a.example", "anna@a.example"},
    {"BATV, with a slash", "prvs=anna/4123a4b5c6@a.example", "anna@a.example"},
    {"BATV in capitals", "PRVS=4123A4B5C6=Anna@a.example", "Anna@a.example"},
    {"BATV, a local part with =", "prvs=4123a4b5c6=a=b@a.example", "a=b@a.example"},
    {"BATV, a local part like a tag", "prvs=4123a4b5c6=1234abcdef@a.example",
     "1234abcdef@a.example"},
    {"BATV of another maker", "btv1==0123456789==anna@a.example", "anna@a.example"},
    {"BATV without a tag", "prvs=anna@a.example", NULL},
    {"BATV with another tag", "prvs=4123a4b5=anna@a.example", NULL},
    {"BATV of nobody", "prvs=4123a4b5c6=@a.example", NULL},
    {"SRS0", "SRS0=HHH=TT=list.example=anna@fwd.example", "anna@list.example"},
    {"SRS0, other marks", "SRS0+HHH=TT=list.example=anna@fwd.example",
     "anna@list.example"},
    {"SRS0, lower case", "srs0-hhh=tt=List.Example=anna@fwd.example",
     "anna@list.example"},
    {"SRS0, a local part with =", "SRS0=H=T=list.example=a=b@fwd.example",
     "a=b@list.example"},
    {"SRS1", "SRS1=HHH=first.example==HHH=TT=list.example=anna@fwd.example",
     "anna@list.example"},
    {"SRS1, other marks", "SRS1=H=first.example=+H=T=list.example=anna@fwd.example",
     "anna@list.example"},
    {"Microsoft's", "bounce+SRS=44ldt=IX=list.example=anna@fwd.example",
     "anna@list.example"},
    {"BATV within SRS", "SRS0=H=T=a.example=prvs=4123a4b5c6=anna@fwd.example",
     "anna@a.example"},
    {"SRS within BATV", "prvs=4123a4b5c6=SRS0=H=T=list.example=anna@fwd.example",
     "anna@list.example"},
    {"SRS0 of a literal", "SRS0=H=T=[192.0.2.1]=anna@fwd.example", NULL},
    {"SRS0 without a name", "SRS0=H=T=anna@fwd.example", NULL},
    {"SRS0 of nobody", "SRS0=H=T=list.example=@fwd.example", NULL},
    {"SRS0 without a mark", "SRS0HHH=TT=list.example=anna@fwd.example", NULL},
    {"SRS1 without a body", "SRS1=HHH=first.example@fwd.example", NULL},
};

static void test_inside(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof senders / sizeof senders[0]; i++) {
        struct mail_address sender, inside = {.local = "untouched"};
        char text[ADDRESS_SIZE];
        bool found;

        assert_int_equal(mail_address_parse(senders[i].in, &sender), 0);
        found = rewritten_inside(&sender, &inside);
        snprintf(text, sizeof text, "%s@%s", inside.local, inside.domain);
        if (found != (senders[i].want != NULL) ||
            strcmp(text, found ? senders[i].want : "untouched@") != 0)
            fail_msg("%s: %s: \"%s\"", senders[i].label, senders[i].in, text);
    }
}

static void test_without_recipient(void **state)
{
    static const struct {
        const char *in;
        int n;
        const char *want; /* NULL: none */
    } rewritten_rows[] = {
        {"bounces-anna=example.org", 0, "bounces"},
        {"bounces+anna=example.org", 0, "bounces"},
        {"list-bounces-anna-b=example.org", 0, "list-bounces-anna"},
        {"list-bounces-anna-b=example.org", 1, "list-bounces"},
        {"list-bounces-anna-b=example.org", 2, "list"},
        {"list-bounces-anna-b=example.org", 3, NULL},
        {"bounces-anna", 0, NULL},
        {"anna=example.org", 0, NULL},
        {"-anna=example.org", 0, NULL},
        {"bounces-a=b", 0, NULL},
        {"", 0, NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rewritten_rows / sizeof rewritten_rows[0]; i++) {
        char out[LOCAL_PART_SIZE] = "";
        bool found =
            rewritten_without_recipient(rewritten_rows[i].in, rewritten_rows[i].n, out);

        if (found != (rewritten_rows[i].want != NULL) ||
            (found && strcmp(out, rewritten_rows[i].want) != 0))
            fail_msg("%s, %d: \"%s\"", rewritten_rows[i].in, rewritten_rows[i].n, out);
    }
}

static void test_roles(void **state)
{
    static const struct {
        const char *address;
        bool is_role;
    } roles[] = {
        {"<postmaster@example.org>", true},
        {"<Abuse@example.org>", true},
        {"<MAILER-DAEMON>", true},
        {"<postmasters@example.org>", false},
        {"<anna@postmaster.example>", false},
        {"<>", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++) {
        struct mail_address a;

        assert_int_equal(mail_address_parse(roles[i].address, &a), 0);
        if (mail_address_is_role(&a) != roles[i].is_role)
            fail_msg("%s", roles[i].address);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_canonical),    cmocka_unit_test(test_numeric),
        cmocka_unit_test(test_tree),         cmocka_unit_test(test_mail_address),
        cmocka_unit_test(test_long_address), cmocka_unit_test(test_registered),
        cmocka_unit_test(test_inside),       cmocka_unit_test(test_without_recipient),
        cmocka_unit_test(test_roles),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
