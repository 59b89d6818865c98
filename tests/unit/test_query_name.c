/* SPDX-License-Identifier: BSD-2-Clause */
/* The names that lists are asked under. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "dnsbl/query_name.h"

#define A60 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void addresses(void **state)
{
    static const struct {
        const char *label, *ip, *zone, *want;
    } cases[] = {
        {"IPv4", "192.0.2.1", "bl.example", "1.2.0.192.bl.example"},
        {"IPv4, all octets long", "255.254.253.252", "z", "252.253.254.255.z"},
        {"IPv4-mapped is IPv4", "::ffff:192.0.2.1", "bl.example", "1.2.0.192.bl.example"},
        {"IPv6, RFC 5782 2.4", "2001:db8:1:2:3:4:567:89ab", "ugly.example.com",
         "b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2.ugly.example."
         "com"},
        {"a zone too long for it", "2001:db8::1", A60 "." A60 "." A60 "." A60, NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char out[DOMAIN_SIZE] = "?";
        struct ipaddr ip;

        assert_int_equal(ipaddr_parse(cases[i].ip, &ip), 0);
        int rc = query_name_address(&ip, cases[i].zone, out);
        if (cases[i].want == NULL && (rc != -1 || out[0] != '\0'))
            fail_msg("%s: was not refused: \"%s\"", cases[i].label, out);
        if (cases[i].want != NULL && (rc != 0 || strcmp(out, cases[i].want) != 0))
            fail_msg("%s: \"%s\"", cases[i].label, out);
    }
}

static void domains(void **state)
{
    static const struct {
        const char *label, *domain, *want;
    } cases[] = {
        {"a domain", "spam.example", "spam.example.bl.example"},
        {"an A-label", "xn--bcher-kva.example", "xn--bcher-kva.example.bl.example"},
        {"without a dot", "localhost", NULL},
        {"an address", "192.0.2.1", NULL},
        {"too long with the zone", A60 "." A60 "." A60 "." A60, NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char out[DOMAIN_SIZE] = "?";
        int rc = query_name_domain(cases[i].domain, "bl.example", out);

        if (cases[i].want == NULL && (rc != -1 || out[0] != '\0'))
            fail_msg("%s: was not refused: \"%s\"", cases[i].label, out);
        if (cases[i].want != NULL && (rc != 0 || strcmp(out, cases[i].want) != 0))
            fail_msg("%s: \"%s\"", cases[i].label, out);
    }
}

/* The digests were made with sha1sum, md5sum and sha256sum | base32 of the canonical
 * address. */
static void senders(void **state)
{
    static const struct {
        const char *label, *sender;
        enum hash_kind hash;
        const char *want;
    } cases[] = {
        {"sha1", "<anna@example.com>", HASH_SHA1,
         "46864313fa6d54ca75d20f478c80edfa75d92a16.h.example"},
        {"case and tag are brought to one form", "<Anna+news@Example.COM>", HASH_SHA1,
         "46864313fa6d54ca75d20f478c80edfa75d92a16.h.example"},
        {"Gmail's dots", "a.n.n.a@googlemail.com", HASH_SHA1,
         "673ec47e2d3b18c88b6fa3db921ef86bbf0d3d3e.h.example"},
        {"md5", "anna@example.com", HASH_MD5,
         "6b56db1f84a3997b902509d3fbf0a306.h.example"},
        {"within BATV", "prvs=4123a4b5c6=anna@example.com", HASH_MD5,
         "6b56db1f84a3997b902509d3fbf0a306.h.example"},
        {"within SRS", "SRS0=HHH=TT=example.com=anna@fwd.example", HASH_MD5,
         "6b56db1f84a3997b902509d3fbf0a306.h.example"},
        {"sha256 in base32", "anna@example.com", HASH_SHA256,
         "67kuyiw5uwyxqatwmaonabmqtnyfip6eu25hfvzvwtfzxo3bd4aq.h.example"},
        {"the null sender", "<>", HASH_SHA1, NULL},
        {"no domain", "anna", HASH_SHA1, NULL},
        {"an address literal", "anna@[192.0.2.1]", HASH_SHA1, NULL},
        {"nothing but a tag", "+x@example.com", HASH_SHA1, NULL},
        {"no hash", "anna@example.com", HASH_NONE, NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct mail_address sender;
        char out[DOMAIN_SIZE] = "?";

        assert_int_equal(mail_address_parse(cases[i].sender, &sender), 0);
        int rc = query_name_sender(&sender, cases[i].hash, "h.example", out);
        if (cases[i].want == NULL && (rc != -1 || out[0] != '\0'))
            fail_msg("%s: was not refused: \"%s\"", cases[i].label, out);
        if (cases[i].want != NULL && (rc != 0 || strcmp(out, cases[i].want) != 0))
            fail_msg("%s: \"%s\"", cases[i].label, out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses),
        cmocka_unit_test(domains),
        cmocka_unit_test(senders),
    };

    return cmocka_run_group_tests_name("query_name", tests, NULL, NULL);
}
