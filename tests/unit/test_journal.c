/* SPDX-License-Identifier: BSD-2-Clause */
/* The journal: what is put is found, whole, once, and by all that is known of it. Real files;
 * days are those of the ids. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <stdatomic.h>

#include "journal_helper.h"

#define DAY_S 86400

static const struct {
    const char *label;
    enum token token;
    const char *value;
    bool found;
} finds[] = {
    {"client", TOKEN_CLIENT, "192.0.2.1", true},
    {"another client", TOKEN_CLIENT, "192.0.2.2", false},
    {"network", TOKEN_CLIENT, "192.0.2.0/24", true},
    {"narrow network", TOKEN_CLIENT, "192.0.2.0/30", true},
    {"another network", TOKEN_CLIENT, "192.0.3.0/24", false},
    {"wide network", TOKEN_CLIENT, "192.0.0.0/16", true},
    {"another wide network", TOKEN_CLIENT, "192.1.0.0/16", false},
    {"IPv6", TOKEN_CLIENT, "2001:db8::1", false},
    {"sender", TOKEN_ADDRESS, "anna.a@domain.xyz", true},
    {"another address", TOKEN_ADDRESS, "anna.b@domain.xyz", false},
    {"sender's domain", TOKEN_DOMAIN, "domain.xyz", true},
    {"first recipient", TOKEN_ADDRESS, "info@kunde.example", true},
    {"second recipient", TOKEN_ADDRESS, "x@two.example", true},
    {"recipient's domain", TOKEN_DOMAIN, "two.example", true},
    {"login", TOKEN_ADDRESS, "otto", true},
    {"queue id", TOKEN_QUEUE_ID, "4cQ1aB", true},
    {"another queue id", TOKEN_QUEUE_ID, "4cQ1aC", false},
    {"entry", TOKEN_ENTRY, "domain.xyz", true},
    {"another entry", TOKEN_ENTRY, "192.0.2.0/25", false},
    {"another domain", TOKEN_DOMAIN, "domain.example", false},
};

static void check_finds(struct box *box, journal_id id)
{
    for (size_t i = 0; i < sizeof finds / sizeof finds[0]; i++) {
        unsigned count = box_find(box, finds[i].token, finds[i].value, 10);

        if (count != (unsigned)finds[i].found || (count == 1 && box->found[0].id != id))
            fail_msg("%s: %u found", finds[i].label, count);
    }
}

static void test_found_by_all_that_is_known(void **state)
{
    struct box box;
    journal_id id = id_at(time(NULL), 1);

    (void)state;
    box_start(&box);
    box_put(&box, id, true, &full_sample);
    check_finds(&box, id);
    assert_true(box_find_id(&box, id));
    assert_int_equal(box.found[0].verdict, 3);
    assert_int_equal(box.found[0].recipients, 2);
    assert_string_equal(box.found[0].queue_id, "4cQ1aB");
    assert_string_equal(box.found[0].lists, "zen\ncop\n");
    assert_false(box_find_id(&box, id + 1));
    box_restart(&box);
    check_finds(&box, id);
    box_end(&box);
}

/* Killed and started again within a second, no id is given twice. */
static void test_ids_of_the_second_of_the_start(void **state)
{
    time_t started, drawn;

    (void)state;
    do {
        struct box box;
        journal_id id;

        started = time(NULL);
        box_start(&box);
        id = journal_draw(box.journal);
        drawn = time(NULL);
        if (drawn == started)
            assert_int_equal(journal_id_time(id), started + 1);
        box_end(&box);
    } while (drawn != started);
}

static void test_clients_of_ipv6(void **state)
{
    static const struct {
        const char *value;
        bool found;
    } rows[] = {
        {"2001:db8:1:2::3", true},   {"2001:db8:1:2::/64", true},
        {"2001:db8:1::/48", true},   {"2001:db8:1:3::3", false},
        {"2001:db8:2::/48", false},  {"2001:d00::/24", true},
        {"2001:db8:1:3::/63", true}, {"32.1.13.184", false},
        {"no address", false},
    };
    struct record record = {
        .has_client = true, .sender = "", .login = "", .queue_id = "", .entry = ""};
    struct octets tokens = {0};
    struct token_match match;

    (void)state;
    assert_int_equal(ipaddr_parse("2001:db8:1:2::3", &record.client), 0);
    tokens_add(1, &record, &tokens);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if ((token_of(1, TOKEN_CLIENT, rows[i].value, &match) &&
             tokens_have(&tokens, &match)) != rows[i].found)
            fail_msg("%s", rows[i].value);
    free(tokens.bytes);
}

static void test_limit(void **state)
{
    struct box box;
    time_t now = time(NULL);
    bool more;

    (void)state;
    box_start(&box);
    for (unsigned i = 0; i < 10; i++) /* on five days, refused and accepted */
        box_put(&box, id_at(now - (time_t)(i / 2) * DAY_S, i), i % 2 == 0, &full_sample);
    for (unsigned limit = 1; limit <= 12; limit++) {
        assert_int_equal(box_find(&box, TOKEN_CLIENT, "192.0.2.1", limit),
                         limit < 10 ? limit : 10);
        more = box.more;
        assert_int_equal(more, limit < 10);
        for (size_t i = 1; i < box.count; i++)
            assert_true(box.found[i - 1].at_ms >= box.found[i].at_ms);
    }
    box.since = now - DAY_S - 1;
    assert_int_equal(box_find(&box, TOKEN_CLIENT, "192.0.2.1", 100), 4);
    box_end(&box);
}

static void test_parts_of_several_batches(void **state)
{
    struct sample head = full_sample, more = {.recipients = {"late@three.example"}};
    struct box box;
    journal_id id = id_at(time(NULL), 1);

    (void)state;
    head.queue_id = NULL;
    box_start(&box);
    box_put(&box, id, true, &head);
    journal_flush(box.journal, 5000);
    box_put_more(&box, id, true, &more);
    journal_flush(box.journal, 5000);
    box_put_more(&box, id, true, &(struct sample){.queue_id = "4cQ1aB"});
    assert_true(box_find_id(&box, id));
    assert_int_equal(box.found[0].recipients, 3);
    assert_string_equal(box.found[0].queue_id, "4cQ1aB");
    check_finds(&box, id);
    assert_int_equal(box_find(&box, TOKEN_ADDRESS, "late@three.example", 9), 1);
    /* what follows of a decision that was not kept is none */
    box_put_more(&box, id + 1, true, &more);
    assert_false(box_find_id(&box, id + 1));
    assert_int_equal(box_walk(&box), 1);
    box_end(&box);
}

static void test_another_verdict(void **state)
{
    struct sample accepted = full_sample, refused = full_sample;
    struct box box;
    journal_id id = id_at(time(NULL), 1);

    (void)state;
    accepted.verdict = 0;
    refused.recipients[0] = "third@three.example";
    refused.recipients[1] = NULL;
    box_start(&box);
    box_put(&box, id, false, &accepted);
    journal_flush(box.journal, 5000);
    box_put(&box, id, true, &refused);
    assert_true(box_find_id(&box, id));
    assert_int_equal(box.found[0].verdict, 3);
    assert_int_equal(box.found[0].recipients, 3);
    assert_int_equal(box_find(&box, TOKEN_CLIENT, "192.0.2.1", 9), 1);
    assert_int_equal(box_walk(&box), 1);
    box_end(&box);
}

static void test_near(void **state)
{
    struct box box;
    journal_id id = id_at(time(NULL), 0x123456), out[JOURNAL_MISREADS];

    (void)state;
    box_start(&box);
    box_put(&box, id, true, &full_sample);
    box_put(&box, id, false, &full_sample); /* in both files: named once */
    box_put(&box, id ^ 0x210000, true, &full_sample);
    assert_int_equal(journal_find_near(box.journal, id ^ 1, out), 1);
    assert_true(out[0] == id);
    assert_int_equal(journal_find_near(box.journal, id ^ 0x421, out), 0);
    for (unsigned i = 1; i < 32; i++)
        box_put(&box, id ^ i, true, &full_sample);
    assert_int_equal(journal_find_near(box.journal, id, out), JOURNAL_MISREADS);
    box_end(&box);
}

static void test_many_recipients(void **state)
{
    struct sample head = full_sample;
    struct box box;
    journal_id id = id_at(time(NULL), 1);
    char text[64];

    (void)state;
    box_start(&box);
    box_put(&box, id, true, &head);
    for (int i = 0; i < 2000; i++) {
        (void)snprintf(text, sizeof text, "r%d@d%d.example", i, i);
        box_put_more(&box, id, true, &(struct sample){.recipients = {text}});
    }
    assert_int_equal(box_find(&box, TOKEN_ADDRESS, "r1999@d1999.example", 9), 1);
    assert_int_equal(box.found[0].recipients, 2002);
    assert_int_equal(box_find(&box, TOKEN_DOMAIN, "d0.example", 9), 1);
    box_end(&box);
}

/* Several decisions are one row of the index: each is found, by itself and with the others. */
static void test_many_in_one_batch(void **state)
{
    struct sample one = full_sample;
    struct box box;
    char sender[32];
    journal_id first = id_at(time(NULL), 0);

    (void)state;
    one.verdict = 0;
    one.sender = sender;
    box_start(&box);
    for (unsigned n = 0; n < 60; n++) {
        (void)snprintf(sender, sizeof sender, "u%u@many.example", n);
        box_put(&box, first + n, false, &one);
        if (n == 44) /* what follows is another transaction */
            journal_flush(box.journal, 5000);
    }
    for (unsigned n = 0; n < 60; n++) {
        (void)snprintf(sender, sizeof sender, "u%u@many.example", n);
        assert_int_equal(box_find(&box, TOKEN_ADDRESS, sender, 9), 1);
        assert_true(box.found[0].id == first + n);
    }
    assert_int_equal(box_find(&box, TOKEN_DOMAIN, "many.example", 100), 60);
    box_end(&box);
}

/* Each finds its own, where two have one number and draw one id. */
static void test_two_nodes(void **state)
{
    struct sample other = full_sample;
    struct box a, b;
    journal_id id = id_at(time(NULL), 1);

    (void)state;
    other.verdict = 2;
    box_start(&a);
    box_start(&b);
    box_put(&a, id, true, &full_sample);
    box_put(&b, id, true, &other);
    assert_true(box_find_id(&a, id) && a.found[0].verdict == 3);
    assert_true(box_find_id(&b, id) && b.found[0].verdict == 2);
    box_end(&a);
    box_end(&b);
}

/* --- local parts --- */

static void test_local_parts(void **state)
{
    static const char *const secrets[] = {"anna.secret", "Anna.Secret",   "otto.secret",
                                          "info.secret", "~tilde.secret", "late.secret"};
    struct sample one = {
        .client = "192.0.2.1",
        .verdict = 3,
        .sender = "Anna.Secret@domain.xyz",
        .login = "otto.secret",
        .entry = "anna.secret@domain.xyz",
        .reason = "https://bl.example/?q=anna.secret@domain.xyz",
        .recipients = {"info.secret@a.example", "~tilde.secret@b.example"}};
    struct box box;
    journal_id id = id_at(time(NULL), 1);

    (void)state;
    box_prepare(&box);
    box.settings.local_parts = false;
    box_open(&box);
    box_put(&box, id, true, &one);
    journal_flush(box.journal, 5000);
    box_put_more(&box, id, true,
                 &(struct sample){.recipients = {"late.secret@c.example"}});
    one.login = "user:anna.secret@x.example";
    one.entry = "user:otto.secret";
    box_put(&box, id + 1, true, &one);
    assert_int_equal(box_find(&box, TOKEN_ADDRESS, "anna.secret@domain.xyz", 9), 2);
    assert_int_equal(box_find(&box, TOKEN_ADDRESS, "~tilde.secret@b.example", 9), 2);
    assert_int_equal(box_find(&box, TOKEN_ADDRESS, "late.secret@c.example", 9), 1);
    assert_int_equal(box_find(&box, TOKEN_DOMAIN, "c.example", 9), 1);
    assert_int_equal(box_find(&box, TOKEN_ADDRESS, "otto.secret", 9), 2);
    assert_int_equal(box_find(&box, TOKEN_ENTRY, "anna.secret@domain.xyz", 9), 2);
    assert_int_equal(box_find(&box, TOKEN_ENTRY, "user:otto.secret", 9), 2);
    assert_int_equal(box_find(&box, TOKEN_ADDRESS, "otto@domain.xyz", 9), 0);
    for (size_t i = 0; i < sizeof secrets / sizeof secrets[0]; i++)
        assert_false(box_files_hold(&box, secrets[i]));
    assert_true(box_files_hold(&box, "domain.xyz")); /* so they are read at all */
    box_end(&box);
}

/* --- marks --- */

static void test_marks(void **state)
{
    char error[DAY_ERROR_SIZE];
    struct box box;
    time_t now = time(NULL), old = now - 20 * DAY_S;

    (void)state;
    box_start(&box);
    box_put(&box, id_at(old, 1), true, &full_sample);
    box_put(&box, id_at(old, 2), true, &full_sample);
    assert_int_equal(journal_mark(box.journal, id_at(old, 3), "otto", "x", "", error),
                     -1);
    for (unsigned i = 1; i <= 2; i++)
        assert_int_equal(
            journal_mark(box.journal, id_at(old, i), "otto", "ticket 7", "zen", error),
            0);
    assert_true(box_find_id(&box, id_at(old, 1)));
    assert_string_equal(box.found[0].mark, "ticket 7");
    box_close(&box);
    box_remove_day(&box, old);
    box_open(&box);
    assert_true(box_find_id(&box, id_at(old, 1)));
    assert_string_equal(box.found[0].mark, "ticket 7");
    assert_string_equal(box.found[0].lists, "zen\ncop\n");
    assert_int_equal(box.found[0].recipients, 2);
    assert_int_equal(journal_mark(box.journal, id_at(old, 1), "otto", NULL, "", error),
                     0);
    assert_false(box_find_id(&box, id_at(old, 1)));
    assert_true(box_find_id(&box, id_at(old, 2)));
    box_end(&box);
}

static void test_marks_in_a_broken_file(void **state)
{
    char error[DAY_ERROR_SIZE] = "";
    struct box box;
    journal_id id = id_at(time(NULL), 1);

    (void)state;
    box_start(&box);
    box_put(&box, id, true, &full_sample);
    journal_flush(box.journal, 5000);
    box_text_file(&box, "marked.db", "some notes of mine\n");
    assert_int_equal(journal_mark(box.journal, id, "otto", "x", "", error), -1);
    assert_true(strstr(error, "marked.db") != NULL);
    assert_true(box_find_id(&box, id));
    assert_string_equal(box.found[0].mark, "");
    box_end(&box);
}

static void test_off(void **state)
{
    struct box box;

    (void)state;
    box_prepare(&box);
    box.settings.refused_s = 0;
    box_open(&box);
    assert_true(journal_draw(box.journal) == 0);
    assert_false(journal_keeps(box.journal, true) || journal_keeps(box.journal, false));
    assert_int_not_equal(access(box.directory, F_OK), 0);
    box.settings.refused_s = DAY_S;
    box.settings.accepted_s = 0;
    journal_configure(box.journal, &box.settings);
    assert_true(journal_draw(box.journal) != 0);
    assert_true(journal_keeps(box.journal, true));
    assert_false(journal_keeps(box.journal, false));
    box_end(&box);
}

/* --- threads --- */

#define THREADS 3
#define EACH    400

static void *put_many(void *context)
{
    static atomic_uint threads;
    struct sample one = full_sample;
    struct box *box = context;
    unsigned number = atomic_fetch_add(&threads, 1);

    one.verdict = 0;
    for (unsigned i = 0; i < EACH; i++)
        box_put(box, id_at(box->since, number * EACH + i), false, &one);
    return NULL;
}

static void *find_many(void *context)
{
    struct box reader = *(struct box *)context;

    for (unsigned i = 0; i < 20; i++) {
        struct journal_stats stats;

        (void)box_find(&reader, TOKEN_CLIENT, "192.0.2.1", 50);
        (void)box_find_id(&reader, id_at(reader.since, i));
        (void)box_walk(&reader);
        journal_stats(reader.journal, &stats);
    }
    return NULL;
}

static void test_threads(void **state)
{
    pthread_t threads[2 * THREADS];
    struct box box;

    (void)state;
    box_start(&box);
    box.since = time(NULL);
    for (int i = 0; i < 2 * THREADS; i++)
        assert_int_equal(
            pthread_create(&threads[i], NULL, i < THREADS ? put_many : find_many, &box),
            0);
    for (int i = 0; i < 2 * THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(box_walk(&box), THREADS * EACH);
    box_end(&box);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_found_by_all_that_is_known),
        cmocka_unit_test(test_ids_of_the_second_of_the_start),
        cmocka_unit_test(test_clients_of_ipv6),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_parts_of_several_batches),
        cmocka_unit_test(test_another_verdict),
        cmocka_unit_test(test_near),
        cmocka_unit_test(test_many_recipients),
        cmocka_unit_test(test_many_in_one_batch),
        cmocka_unit_test(test_two_nodes),
        cmocka_unit_test(test_local_parts),
        cmocka_unit_test(test_marks),
        cmocka_unit_test(test_marks_in_a_broken_file),
        cmocka_unit_test(test_off),
        cmocka_unit_test(test_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
