/* SPDX-License-Identifier: BSD-2-Clause */
/* Whose a rewritten sender is: by BATV, SRS, VERP; and what only looks like one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/rewritten.h"

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
    } rows[] = {
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
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char out[LOCAL_PART_SIZE] = "";
        bool found = rewritten_without_recipient(rows[i].in, rows[i].n, out);

        if (found != (rows[i].want != NULL) || (found && strcmp(out, rows[i].want) != 0))
            fail_msg("%s, %d: \"%s\"", rows[i].in, rows[i].n, out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_inside),
        cmocka_unit_test(test_without_recipient),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
