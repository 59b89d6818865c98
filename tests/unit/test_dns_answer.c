/* SPDX-License-Identifier: BSD-2-Clause */
#include "dns/answer.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Packets are written in hex; a row of them reads: head, question, records. */
#define HEAD(flags, qd, an, ns) "1234" flags qd an ns "0000"
#define Q_A                     "03626c6f0174000001 0001" /* blo.t A */
#define Q_TXT                   "03626c6f0174000010 0001"
#define OWNER                   "c00c"
#define A(ttl, address)         OWNER "00010001" ttl "0004" address
#define SOA(ttl, minimum)                                                                \
    "00"                                                                                 \
    "00060001" ttl "0016"                                                                \
    "0000"                                                                               \
    "00000001000000020000000300000004" minimum

static const struct {
    const char *label;
    enum dns_type type;
    const char *hex, *want; /* "status ttl addresses or text" */
} cases[] = {
    {"one address", DNS_A,
     HEAD("8180", "0001", "0001", "0000") Q_A A("0000012c", "7f000002"),
     "found 300 127.0.0.2"},
    {"two, the smaller TTL", DNS_A,
     HEAD("8180", "0001", "0002", "0000") Q_A A("0000012c", "7f000002")
         A("00000014", "7f000003"),
     "found 20 127.0.0.2 127.0.0.3"},
    {"TTL with the highest bit", DNS_A,
     HEAD("8180", "0001", "0001", "0000") Q_A A("8000012c", "7f000002"),
     "found 0 127.0.0.2"},
    {"upper case in the question", DNS_A,
     HEAD("8180", "0001", "0001", "0000") "03424c4f0154000001 0001" A("0000012c",
                                                                      "7f000002"),
     "found 300 127.0.0.2"},
    {"CNAME before", DNS_A,
     HEAD("8180", "0001", "0002", "0000") Q_A OWNER
     "00050001 00000005 0005 0178017400"
     "c023 00010001 0000012c 0004 7f000002",
     "found 5 127.0.0.2"},
    {"CNAME behind its target", DNS_A,
     HEAD("8180", "0001", "0002", "0000") Q_A
     "0178017400 00010001 0000012c 0004 7f000002" OWNER "00050001 00000005 0002 c017",
     "found 5 127.0.0.2"},
    {"CNAME to nothing", DNS_A,
     HEAD("8180", "0001", "0001", "0001") Q_A OWNER
     "00050001 00000005 0005 0178017400" SOA("00000064", "00000032"),
     "none 50"},
    {"CNAME to itself", DNS_A,
     HEAD("8180", "0001", "0001", "0000") Q_A OWNER "00050001 00000005 0002 c00c",
     "invalid 0"},
    {"address of somebody else", DNS_A,
     HEAD("8180", "0001", "0001", "0000") Q_A
     "0178017400 00010001 0000012c 0004 7f000002",
     "invalid 0"},
    {"address of class CH", DNS_A,
     HEAD("8180", "0001", "0001", "0000") Q_A OWNER "00010003 0000012c 0004 7f000002",
     "invalid 0"},
    {"address of five octets", DNS_A,
     HEAD("8180", "0001", "0001", "0000") Q_A OWNER "00010001 0000012c 0005 7f00000200",
     "invalid 0"},
    {"TXT, first record, strings joined", DNS_TXT,
     HEAD("8180", "0001", "0002", "0000") Q_TXT OWNER
     "00100001 0000012c 0006 026869 026d65" OWNER "00100001 00000001 0002 0178",
     "found 300 hime"},
    {"TXT without NUL", DNS_TXT,
     HEAD("8180", "0001", "0001", "0000") Q_TXT OWNER "00100001 0000012c 0004 03680069",
     "found 300 hi"},
    {"TXT empty", DNS_TXT,
     HEAD("8180", "0001", "0001", "0000") Q_TXT OWNER "00100001 0000012c 0001 00",
     "found 300 "},
    {"TXT beyond its record", DNS_TXT,
     HEAD("8180", "0001", "0001", "0000") Q_TXT OWNER "00100001 0000012c 0003 036869",
     "invalid 0"},
    {"NXDOMAIN, SOA minimum", DNS_A,
     HEAD("8183", "0001", "0000", "0001") Q_A SOA("00000064", "00000032"), "none 50"},
    {"NXDOMAIN, SOA TTL", DNS_A,
     HEAD("8183", "0001", "0000", "0001") Q_A SOA("0000000a", "00000032"), "none 10"},
    {"NXDOMAIN without SOA", DNS_A, HEAD("8183", "0001", "0000", "0000") Q_A, "none 60"},
    {"NODATA", DNS_A, HEAD("8180", "0001", "0000", "0000") Q_A, "none 60"},
    {"SOA cut short", DNS_A,
     HEAD("8183", "0001", "0000", "0001") Q_A "00 00060001 00000064 0004 00000001",
     "invalid 0"},
    {"SERVFAIL", DNS_A, HEAD("8182", "0001", "0000", "0000") Q_A, "servfail 0"},
    {"SERVFAIL without question", DNS_A, HEAD("8182", "0000", "0000", "0000"),
     "servfail 0"},
    {"REFUSED", DNS_A, HEAD("8185", "0001", "0000", "0000") Q_A, "refused 0"},
    {"REFUSED with an address", DNS_A,
     HEAD("8185", "0001", "0001", "0000") Q_A A("0000012c", "7f000002"), "refused 0"},
    {"NOTIMP", DNS_A, HEAD("8184", "0001", "0000", "0000") Q_A, "notimp 0"},
    {"still truncated", DNS_A,
     HEAD("8380", "0001", "0001", "0000") Q_A A("0000012c", "7f000002"), "invalid 0"},
    {"a query", DNS_A, HEAD("0100", "0001", "0000", "0000") Q_A, "invalid 0"},
    {"another name", DNS_A,
     HEAD("8180", "0001", "0001", "0000") "0378787801740000010001" A("0000012c",
                                                                     "7f000002"),
     "invalid 0"},
    {"no such name, but of another name", DNS_A,
     HEAD("8183", "0001", "0000", "0000") "0378787801740000010001", "invalid 0"},
    {"another type", DNS_A,
     HEAD("8180", "0001", "0001", "0000") Q_TXT A("0000012c", "7f000002"), "invalid 0"},
    {"two questions", DNS_A, HEAD("8180", "0002", "0000", "0000") Q_A Q_A, "invalid 0"},
    {"no question", DNS_A, HEAD("8180", "0000", "0000", "0000"), "invalid 0"},
    {"fewer records than said", DNS_A,
     HEAD("8180", "0001", "0002", "0000") Q_A A("0000012c", "7f000002"), "invalid 0"},
    {"octets behind the end", DNS_A,
     HEAD("8180", "0001", "0001", "0000") Q_A A("0000012c", "7f000002") "00",
     "invalid 0"},
    {"a compression loop", DNS_A,
     HEAD("8180", "0001", "0001", "0000") Q_A "c017 00010001 0000012c 0004 7f000002",
     "invalid 0"},
    {"a pointer beyond the end", DNS_A,
     HEAD("8180", "0001", "0001", "0000") Q_A "cfff 00010001 0000012c 0004 7f000002",
     "invalid 0"},
    {"half a head", DNS_A, "123481", "invalid 0"},
    {"nothing", DNS_A, "", "invalid 0"},
};

static size_t from_hex(const char *hex, uint8_t out[static 512])
{
    size_t size = 0;
    unsigned octet;

    while (*hex != '\0') {
        if (*hex == ' ') {
            hex++;
            continue;
        }
        assert_int_equal(sscanf(hex, "%2x", &octet), 1);
        assert_true(size < 512);
        out[size++] = (uint8_t)octet;
        hex += 2;
    }
    return size;
}

static void show(const struct reply *reply, enum dns_type type, char out[static 2048])
{
    size_t size = (size_t)snprintf(out, 2048, "%s %u", dns_status_name(reply->status),
                                   reply->ttl_s);

    if (type == DNS_TXT && reply->status == DNS_FOUND)
        snprintf(out + size, 2048 - size, " %s", reply->text);
    for (unsigned i = 0; i < reply->address_count; i++)
        size += (size_t)snprintf(out + size, 2048 - size, " %s",
                                 inet_ntoa(reply->addresses[i]));
}

static void test_packets(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t packet[512];
        struct reply reply;
        char text[2048];
        size_t size = from_hex(cases[i].hex, packet);

        /* Of its own size, for the sanitizer to see what is read beyond it. */
        uint8_t *exact = malloc(size + (size == 0));
        assert_non_null(exact);
        memcpy(exact, packet, size);
        reply_parse(exact, size, cases[i].type, "blo.t", &reply);
        free(exact);
        show(&reply, cases[i].type, text);
        if (strcmp(text, cases[i].want) != 0)
            fail_msg("%s: wanted \"%s\", got \"%s\"", cases[i].label, cases[i].want,
                     text);
    }
}

/* A thousand addresses: as many as are kept, and no more. */
static void test_many_addresses(void **state)
{
    static const char head[] = HEAD("8180", "0001", "03e8", "0000") Q_A;
    static uint8_t packet[512 + 1000 * 16];
    uint8_t record[512];
    struct reply reply;
    size_t size = from_hex(head, packet);

    (void)state;
    assert_int_equal(from_hex(A("0000012c", "7f000002"), record), 16);
    for (int i = 0; i < 1000; i++, size += 16)
        memcpy(packet + size, record, 16);
    reply_parse(packet, size, DNS_A, "blo.t", &reply);
    assert_int_equal(reply.status, DNS_FOUND);
    assert_int_equal(reply.address_count, DNS_ADDRESSES_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_packets),
        cmocka_unit_test(test_many_addresses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
