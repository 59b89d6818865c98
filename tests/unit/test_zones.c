/* SPDX-License-Identifier: BSD-2-Clause */
/* The dead lists: which zones they catch, and which not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "known/zones.h"

#define LIVES (-1)

static const struct {
    const char *label, *zone;
    const char *name; /* NULL: not dead */
    int action;       /* enum dead_zone_action, or LIVES */
} cases[] = {
    {"the domain itself", "sorbs.net", "SORBS", DEAD_ZONE_WARN},
    {"below it", "dnsbl.sorbs.net", "SORBS", DEAD_ZONE_WARN},
    {"deep below it", "spam.dnsbl.sorbs.net", "SORBS", DEAD_ZONE_WARN},
    {"only whole labels", "notsorbs.net", NULL, LIVES},
    {"the domain above", "net", NULL, LIVES},
    {"lists the world", "combined.njabl.org", "NJABL", DEAD_ZONE_REFUSE},
    {"lists the world, AHBL", "dnsbl.ahbl.org", "AHBL", DEAD_ZONE_REFUSE},
    {"lists the world, ORDB", "relays.ordb.org", "ORDB", DEAD_ZONE_REFUSE},
    {"parked", "bl.spamcannibal.org", "SpamCannibal", DEAD_ZONE_REFUSE},
    {"a host below a living domain", "ix.dnsbl.manitu.net", "NiX Spam", DEAD_ZONE_WARN},
    {"its living domain", "manitu.net", NULL, LIVES},
    {"one zone of abuse.ch", "spam.abuse.ch", "abuse.ch", DEAD_ZONE_WARN},
    {"another of abuse.ch", "urlhaus.abuse.ch", NULL, LIVES},
    {"replaced by another", "cbl.abuseat.org", "CBL", DEAD_ZONE_WARN},
    {"nobody keeps it", "rbl.smtpcheck.net", "smtpcheck", DEAD_ZONE_WARN},
    {"ZEN lives", "zen.spamhaus.org", NULL, LIVES},
    {"DBL lives", "dbl.spamhaus.org", NULL, LIVES},
    {"mistyped ZEN", "zne.spamhaus.org", "this name below spamhaus.org",
     DEAD_ZONE_REFUSE},
    {"never existed", "rbl.spamhaus.org", "this name below spamhaus.org",
     DEAD_ZONE_REFUSE},
    {"the longer suffix", "swl.spamhaus.org", "Spamhaus SWL", DEAD_ZONE_WARN},
    {"with a key", "abc.zen.dq.spamhaus.net", NULL, LIVES},
    {"SpamCop lives", "bl.spamcop.net", NULL, LIVES},
    {"one's own", "bl.example.org", NULL, LIVES},
};

static void finds_dead_lists_by_suffix(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct dead_zone *d = dead_zone_find(cases[i].zone);

        print_message("%s\n", cases[i].label);
        if (cases[i].name == NULL) {
            assert_null(d);
            continue;
        }
        assert_non_null(d);
        assert_string_equal(d->name, cases[i].name);
        assert_int_equal(d->action, cases[i].action);
        assert_true(d->died[0] != '\0');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(finds_dead_lists_by_suffix)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
