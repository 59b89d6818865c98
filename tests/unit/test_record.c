/* SPDX-License-Identifier: BSD-2-Clause */
/* Records of decisions: what was put in comes out, and what is damaged is refused. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "journal/record.h"

static const struct in_addr addresses[] = {{0x0200007f}, {0x0400007f}};

static const struct record_answer answers[] = {
    {.list = 0,
     .check = 0,
     .state = 1,
     .counted = true,
     .cached = true,
     .decided = true,
     .weight = 8,
     .ttl_s = 690,
     .age_s = 210,
     .skip = "",
     .address_count = 2,
     .addresses = addresses},
    {.list = 1,
     .check = 3,
     .state = 0,
     .counted = true,
     .weight = 0,
     .ttl_s = 60,
     .ms = 18,
     .skip = ""},
    {.list = 2,
     .check = 0,
     .state = 4,
     .status = 2,
     .late = true,
     .ms = 5000,
     .skip = ""},
    {.list = 300,
     .check = 4,
     .state = 4,
     .status = 9,
     .counted = true,
     .weight = -8,
     .skip = "down"},
};
#define ANSWERS (sizeof answers / sizeof answers[0])

static struct record sample(void)
{
    struct record r = {.at_ms = INT64_C(1795608000123),
                       .verdict = 3,
                       .stage = 3,
                       .score = 12,
                       .missing = -8,
                       .reject = 8,
                       .tag = 4,
                       .took_ms = 18,
                       .configuration = 1795600000,
                       .has_client = true,
                       .client_name = "mail.example",
                       .helo = "helo",
                       .sender = "a@b.example",
                       .login = "anna",
                       .exempt = "",
                       .reason = "why",
                       .entry_action = 1,
                       .entry_subject = 2,
                       .entry = "b.example",
                       .entry_reason = "spam",
                       .entry_since = 1795000000,
                       .answer_count = ANSWERS,
                       .answers = (struct record_answer *)answers};

    assert_int_equal(ipaddr_parse("2001:db8::7", &r.client), 0);
    return r;
}

static void check_answer(const struct record_answer *a, const struct record_answer *want)
{
    assert_int_equal(a->list, want->list);
    assert_int_equal(a->check, want->check);
    assert_int_equal(a->state, want->state);
    assert_int_equal(a->status, want->status);
    assert_int_equal(a->counted, want->counted);
    assert_int_equal(a->late, want->late);
    assert_int_equal(a->cached, want->cached);
    assert_int_equal(a->decided, want->decided);
    assert_int_equal(a->weight, want->weight);
    assert_int_equal(a->ttl_s, want->ttl_s);
    assert_int_equal(a->age_s, want->age_s);
    assert_int_equal(a->ms, want->ms);
    assert_string_equal(a->skip, want->skip);
    assert_int_equal(a->address_count, want->address_count);
    if (a->address_count > 0)
        assert_memory_equal(a->addresses, want->addresses,
                            a->address_count * sizeof(struct in_addr));
}

static void check_head(const struct record *r, const struct record *want)
{
    assert_true(r->at_ms == want->at_ms);
    assert_int_equal(r->verdict, want->verdict);
    assert_int_equal(r->stage, want->stage);
    assert_int_equal(r->score, want->score);
    assert_int_equal(r->missing, want->missing);
    assert_int_equal(r->reject, want->reject);
    assert_int_equal(r->tag, want->tag);
    assert_true(r->configuration == want->configuration);
    assert_true(ipaddr_equal(&r->client, &want->client));
    assert_string_equal(r->client_name, want->client_name);
    assert_string_equal(r->sender, want->sender);
    assert_string_equal(r->login, want->login);
    assert_string_equal(r->reason, want->reason);
    assert_int_equal(r->entry_action, want->entry_action);
    assert_string_equal(r->entry, want->entry);
    assert_true(r->entry_since == want->entry_since);
    assert_int_equal(r->answer_count, want->answer_count);
    for (size_t i = 0; i < r->answer_count; i++)
        check_answer(&r->answers[i], &want->answers[i]);
}

/* The parts of a message with that many recipients. */
static struct octets whole(const struct record *head, unsigned recipients)
{
    struct octets octets = {0};
    char text[32];

    record_add_head(&octets, head);
    for (unsigned i = 0; i < recipients; i++) {
        struct record_recipient one = {.text = text, .outcome = i % 4, .detail = "5.1.1"};

        snprintf(text, sizeof text, "r%u@c.example", i);
        record_add_recipient(&octets, &one);
    }
    record_add_end(&octets, END_MESSAGE, "4cQ1aB");
    record_add_folded(&octets, 41, 1795608000999);
    assert_false(octets.failed);
    return octets;
}

static void test_round_trip(void **state)
{
    static const unsigned counts[] = {0, 1, 2, 3, 4, 5, 1000};
    struct record want = sample(), got;

    (void)state;
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        struct octets octets = whole(&want, counts[i]);

        assert_true(record_has_head(octets.bytes, octets.used));
        assert_int_equal(record_decode(octets.bytes, octets.used, &got), 0);
        check_head(&got, &want);
        assert_int_equal(got.recipient_count, counts[i]);
        if (counts[i] > 4) {
            assert_string_equal(got.recipients[4].text, "r4@c.example");
            assert_int_equal(got.recipients[3].outcome, RECIPIENT_BY_MTA);
            assert_string_equal(got.recipients[3].detail, "5.1.1");
        }
        assert_int_equal(got.end, END_MESSAGE);
        assert_string_equal(got.queue_id, "4cQ1aB");
        assert_true(got.folded == 41);
        record_clear(&got);
        free(octets.bytes);
    }
}

/* A long reason makes a part of more than 14 bits; a second head takes the first's place. */
static void test_long_and_twice(void **state)
{
    struct record want = sample(), got;
    struct octets octets = {0};
    char *reason = calloc(1, 40000);

    (void)state;
    assert_non_null(reason);
    memset(reason, 'x', 39999);
    record_add_head(&octets, &want);
    want.reason = reason;
    want.verdict = 1;
    record_add_head(&octets, &want);
    assert_int_equal(record_decode(octets.bytes, octets.used, &got), 0);
    check_head(&got, &want);
    record_clear(&got);
    free(octets.bytes);
    free(reason);
}

/* An answer after the verdict takes the place of none; of one that counted never. */
static void test_late(void **state)
{
    static const struct record_answer late[] = {
        {.list = 2,
         .check = 0,
         .state = 1,
         .ttl_s = 60,
         .ms = 5100,
         .skip = "",
         .address_count = 1,
         .addresses = addresses},
        {.list = 0, .check = 0, .state = 0, .skip = ""},
        {.list = 77,
         .check = 0,
         .state = 1,
         .skip = "",
         .address_count = 1,
         .addresses = addresses},
    };
    struct record want = sample(), got;
    struct octets octets = {0};

    (void)state;
    record_add_head(&octets, &want);
    record_add_late(&octets, late, 3);
    assert_int_equal(record_decode(octets.bytes, octets.used, &got), 0);
    assert_int_equal(got.answer_count, ANSWERS);
    assert_int_equal(got.answers[2].state, 1);
    assert_false(got.answers[2].counted);
    assert_true(got.answers[2].late);
    assert_int_equal(got.answers[2].address_count, 1);
    assert_int_equal(got.answers[0].state, 1);
    record_clear(&got);
    free(octets.bytes);
}

/* Cut anywhere it is refused, or is one of whole parts; a changed octet never hurts. */
static void test_damaged(void **state)
{
    struct record want = sample(), got;
    struct octets octets = whole(&want, 3);

    (void)state;
    for (size_t cut = 0; cut < octets.used; cut++)
        if (record_decode(octets.bytes, cut, &got) == 0)
            record_clear(&got);
    for (size_t at = 0; at < octets.used; at++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            octets.bytes[at] ^= (uint8_t)(1u << bit);
            if (record_decode(octets.bytes, octets.used, &got) == 0)
                record_clear(&got);
            octets.bytes[at] ^= (uint8_t)(1u << bit);
        }
    }
    assert_int_equal(record_decode(octets.bytes, 20, &got), -1);
    free(octets.bytes);
}

/* A later version's part is skipped. */
static void test_unknown_part(void **state)
{
    struct record want = sample(), got;
    struct octets octets = {0};

    (void)state;
    record_add_head(&octets, &want);
    octets_add(&octets,
               "\x7f\x03"
               "abc",
               5);
    record_add_end(&octets, END_ABORTED, "");
    assert_int_equal(record_decode(octets.bytes, octets.used, &got), 0);
    check_head(&got, &want);
    assert_int_equal(got.end, END_ABORTED);
    record_clear(&got);
    free(octets.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),   cmocka_unit_test(test_long_and_twice),
        cmocka_unit_test(test_late),         cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_unknown_part),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
