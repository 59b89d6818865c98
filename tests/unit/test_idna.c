/* SPDX-License-Identifier: BSD-2-Clause */
/* Names beyond ASCII: what IDNA2008 knows, what registries sell beyond it, and that
 * either spelling of a name finds the other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <idn2.h>

#include "base/domain.h"
#include "base/idna.h"

/* The wanted Punycode is Python's, of the text without the marks that UTS 46 ignores. */
static const struct {
    const char *label, *in;
    const char *want; /* NULL: no name */
} names[] = {
    {"IDNA2008",
     "stra\xc3\x9f"
     "e.example",
     "xn--strae-oqa.example"},
    {"a suit", "i\xe2\x99\xa5.example", "xn--i-n3p.example"},
    {"a heart", "i\xe2\x9d\xa4.example", "xn--i-7iq.example"},
    {"upper case", "I\xe2\x99\xa5NY.Example", "xn--iny-zx5a.example"},
    {"emoji", "\xf0\x9f\x92\xa9.la", "xn--ls8h.la"},
    {"with a selector, which is ignored", "\xe2\x98\x95\xef\xb8\x8f.us", "xn--53h.us"},
    {"joined", "\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x92\xbb.ws", "xn--1ug1855pcha.ws"},
    {"joined, with a selector", "\xe2\x9d\xa4\xef\xb8\x8f\xe2\x80\x8d\xf0\x9f\x94\xa5.ws",
     "xn--1ug010ai253b.ws"},
    {"a flag", "\xf0\x9f\x87\xa9\xf0\x9f\x87\xaa.ws", "xn--h77hc.ws"},
    {"a key", "1\xef\xb8\x8f\xe2\x83\xa3.ws", "xn--1-2sn.ws"},
    {"sharp s stays", "fa\xc3\x9f\xe2\x99\xa5.ws", "xn--fa-hia8359a.ws"},
    {"a letter in a circle", "\xe2\x92\xb6\xe2\x99\xa5.ws", "xn--a-n3p.ws"},
    {"hyphen first", "-\xc3\xbc.example", "xn----eha.example"},
    {"a label of each kind", "a.\xc3\xbc.\xe2\x99\xa5.xn--i-7iq.example",
     "a.xn--tda.xn--g6h.xn--i-7iq.example"},
    {"another full stop",
     "\xe2\x99\xa5\xe3\x80\x82"
     "example",
     "xn--g6h.example"},
    {"dot at the end", "\xe2\x99\xa5.example.", "xn--g6h.example"},
    {"empty label", "\xe2\x99\xa5..example", NULL},
    {"no-break space", "\xe2\x99\xa5\xc2\xa0.example", NULL},
    {"right to left override", "\xe2\x99\xa5\xe2\x80\xae.example", NULL},
    {"C1 control", "\xe2\x99\xa5\xc2\x85.example", NULL},
    {"no UTF-8", "\xe2\x99.example", NULL},
    {"space", "\xe2\x99\xa5 a.example", NULL},
};

static void test_names(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char out[DOMAIN_SIZE];
        int rc = domain_canonical(names[i].in, out);

        if ((rc == 0) != (names[i].want != NULL) ||
            (rc == 0 && strcmp(out, names[i].want) != 0))
            fail_msg("%s: %s: \"%s\"", names[i].label, names[i].in, out);
    }
}

static size_t write_code(uint32_t code, char *out)
{
    if (code < 0x800) {
        out[0] = (char)(0xc0 | code >> 6);
        out[1] = (char)(0x80 | (code & 63));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (char)(0xe0 | code >> 12);
        out[1] = (char)(0x80 | (code >> 6 & 63));
        out[2] = (char)(0x80 | (code & 63));
        return 3;
    }
    out[0] = (char)(0xf0 | code >> 18);
    out[1] = (char)(0x80 | (code >> 12 & 63));
    out[2] = (char)(0x80 | (code >> 6 & 63));
    out[3] = (char)(0x80 | (code & 63));
    return 4;
}

/* Returns whether the name with that character has A-labels, which must lead back to
 * themselves by way of the U-label that they stand for. */
static bool goes_round(uint32_t code)
{
    char text[32], first[DOMAIN_SIZE], again[DOMAIN_SIZE];
    char *unicode = NULL;
    size_t used;

    text[0] = 'a';
    used = 1 + write_code(code, text + 1);
    snprintf(text + used, sizeof text - used, "b.example");
    if (domain_canonical(text, first) != 0)
        return false;
    if (idn2_to_unicode_8z8z(first, &unicode, 0) != IDN2_OK)
        fail_msg("U+%04X: %s is nothing to libidn2", (unsigned)code, first);
    if (domain_canonical(unicode, again) != 0 || strcmp(first, again) != 0)
        fail_msg("U+%04X: %s, then %s", (unsigned)code, first, again);
    idn2_free(unicode);
    return true;
}

/* What registries sell beyond IDNA2008: symbols, arrows, dingbats, emoji. */
static void test_sold(void **state)
{
    static const struct {
        uint32_t first, last;
    } sold[] = {{0x2190, 0x23ff},   {0x25a0, 0x27bf},   {0x2900, 0x297f},
                {0x2b00, 0x2b73},   {0x1f000, 0x1f02b}, {0x1f300, 0x1f64f},
                {0x1f680, 0x1f6d7}, {0x1f900, 0x1f9ff}};

    (void)state;
    for (size_t i = 0; i < sizeof sold / sizeof sold[0]; i++)
        for (uint32_t code = sold[i].first; code <= sold[i].last; code++)
            if (!goes_round(code))
                fail_msg("U+%04X is in no name", (unsigned)code);
}

static void test_all(void **state)
{
    unsigned named = 0;

    (void)state;
    for (uint32_t code = 0xa1; code < 0x20000; code++)
        if (code < 0xd800 || code > 0xdfff)
            named += goes_round(code);
    assert_true(named > 100000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_sold),
        cmocka_unit_test(test_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
