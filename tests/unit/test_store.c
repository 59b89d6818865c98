/* SPDX-License-Identifier: BSD-2-Clause */
/* The store: what is listed, allowed, ended, removed, and what is kept of it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "blocklist/store.h"
#include "blocklist_helper.h"

/* Rows of: what stands ("!" allows, "~" puts off), who is asked, what comes of it. */
/* clang-format off */
static const struct {
    const char *label, *entries[4], *subject;
    enum blocklist_verdict want;
    const char *key;
} asks[] = {
    {"nothing", {NULL}, "anna@domain.xyz", BLOCKLIST_NONE, NULL},
    {"address", {"anna@domain.xyz"}, "<Anna@Domain.XYZ>", BLOCKLIST_BLOCK, "anna@domain.xyz"},
    {"another address", {"anna@domain.xyz"}, "otto@domain.xyz", BLOCKLIST_NONE, NULL},
    {"domain", {"domain.xyz"}, "anna@domain.xyz", BLOCKLIST_BLOCK, "domain.xyz"},
    {"below a domain", {"domain.xyz"}, "anna@a.b.domain.xyz", BLOCKLIST_BLOCK, "domain.xyz"},
    {"only looks like it", {"domain.xyz"}, "anna@mydomain.xyz", BLOCKLIST_NONE, NULL},
    {"a domain is no host", {"domain.xyz"}, "host:mail.domain.xyz", BLOCKLIST_NONE, NULL},
    {"a host is no domain", {"host:domain.xyz"}, "anna@domain.xyz", BLOCKLIST_NONE, NULL},
    {"the address is nearer than the domain", {"domain.xyz", "!anna@domain.xyz"}, "anna@domain.xyz",
     BLOCKLIST_ALLOW, "anna@domain.xyz"},
    {"the other way round", {"!domain.xyz", "anna@domain.xyz"}, "anna@domain.xyz", BLOCKLIST_BLOCK,
     "anna@domain.xyz"},
    {"the nearer domain", {"domain.xyz", "!b.domain.xyz"}, "anna@a.b.domain.xyz", BLOCKLIST_ALLOW,
     "b.domain.xyz"},
    {"allow wins a tie", {"domain.xyz", "!domain.xyz"}, "anna@domain.xyz", BLOCKLIST_ALLOW, "domain.xyz"},
    {"put off", {"~domain.xyz"}, "anna@domain.xyz", BLOCKLIST_TEMPFAIL, "domain.xyz"},
    {"put off, though the domain is blocked", {"domain.xyz", "~anna@domain.xyz"}, "anna@domain.xyz",
     BLOCKLIST_TEMPFAIL, "anna@domain.xyz"},
    {"blocked, though the domain is put off", {"~domain.xyz", "anna@domain.xyz"}, "anna@domain.xyz",
     BLOCKLIST_BLOCK, "anna@domain.xyz"},
    {"put off, though the domain is allowed", {"!domain.xyz", "~anna@domain.xyz"}, "anna@domain.xyz",
     BLOCKLIST_TEMPFAIL, "anna@domain.xyz"},
    {"allow wins a tie with what puts off", {"~domain.xyz", "!domain.xyz"}, "anna@domain.xyz",
     BLOCKLIST_ALLOW, "domain.xyz"},
    {"a narrow network put off in a blocked one", {"192.0.2.0/24", "~192.0.2.0/28"}, "192.0.2.7",
     BLOCKLIST_TEMPFAIL, "192.0.2.0/28"},
    {"beside the narrow one", {"192.0.2.0/24", "~192.0.2.0/28"}, "192.0.2.77", BLOCKLIST_BLOCK,
     "192.0.2.0/24"},
    {"a narrow network blocked in one that is put off", {"~2001:db8::/32", "2001:db8:1::/48"},
     "2001:db8:1::9", BLOCKLIST_BLOCK, "2001:db8:1::/48"},
    {"a HELO put off", {"~host:domain.xyz"}, "helo:domain.xyz", BLOCKLIST_TEMPFAIL, "host:domain.xyz"},
    {"a login put off", {"~user:anna"}, "user:Anna", BLOCKLIST_TEMPFAIL, "user:anna"},
    {"network", {"192.0.2.0/24"}, "192.0.2.7", BLOCKLIST_BLOCK, "192.0.2.0/24"},
    {"beside the network", {"192.0.2.0/24"}, "192.0.3.7", BLOCKLIST_NONE, NULL},
    {"one address", {"192.0.2.7"}, "192.0.2.7", BLOCKLIST_BLOCK, "192.0.2.7"},
    {"the longest prefix", {"192.0.2.0/24", "!192.0.2.0/28", "192.0.0.0/16"}, "192.0.2.7", BLOCKLIST_ALLOW,
     "192.0.2.0/28"},
    {"everything", {"0.0.0.0/0"}, "192.0.2.7", BLOCKLIST_BLOCK, "0.0.0.0/0"},
    {"IPv6", {"2001:db8::/32"}, "2001:db8:1::9", BLOCKLIST_BLOCK, "2001:db8::/32"},
    {"IPv6, odd length", {"2001:db8::/33"}, "2001:db8:8000::9", BLOCKLIST_NONE, NULL},
    {"client name", {"host:domain.xyz"}, "host:mail.domain.xyz", BLOCKLIST_BLOCK, "host:domain.xyz"},
    {"helo", {"host:domain.xyz"}, "helo:domain.xyz", BLOCKLIST_BLOCK, "host:domain.xyz"},
    {"helo, claimed by anyone", {"!host:domain.xyz"}, "helo:domain.xyz", BLOCKLIST_NONE, NULL},
    {"helo, the listing above", {"!host:a.domain.xyz", "host:domain.xyz"}, "helo:a.domain.xyz",
     BLOCKLIST_BLOCK, "host:domain.xyz"},
    {"login", {"user:anna"}, "user:Anna", BLOCKLIST_BLOCK, "user:anna"},
    {"another login", {"user:anna"}, "user:otto", BLOCKLIST_NONE, NULL},
    {"null sender", {"<>"}, "<>", BLOCKLIST_BLOCK, "<>"},
    {"null sender listed, another sends", {"<>"}, "anna@domain.xyz", BLOCKLIST_NONE, NULL},
    {"a tag is stripped", {"anna@domain.xyz"}, "anna+news@domain.xyz", BLOCKLIST_BLOCK, "anna@domain.xyz"},
    {"with its tag it is nearer", {"anna@domain.xyz", "!anna+news@domain.xyz"}, "anna+news@domain.xyz",
     BLOCKLIST_ALLOW, "anna+news@domain.xyz"},
    {"nothing before the tag", {"anna@domain.xyz"}, "+news@domain.xyz", BLOCKLIST_NONE, NULL},
};
/* clang-format on */

static void check_ask(struct box *box, size_t i)
{
    struct blocklist_match match;
    enum blocklist_verdict got = box_ask(box, asks[i].subject, &match);

    if (got != asks[i].want ||
        (got != BLOCKLIST_NONE && strcmp(match.key, asks[i].key) != 0))
        fail_msg("%s: %s: verdict %d by %s", asks[i].label, asks[i].subject, got,
                 got != BLOCKLIST_NONE ? match.key : "nothing");
}

static void test_ask(void **state)
{
    struct box box;

    (void)state;
    box_start(&box);
    box_open(&box, true);
    for (size_t i = 0; i < sizeof asks / sizeof asks[0]; i++) {
        for (size_t k = 0; k < 4 && asks[i].entries[k] != NULL; k++) {
            const char *text = asks[i].entries[k];

            assert_int_equal(
                *text == '~'
                    ? box_tempfail(&box, text + 1, "manual", 0, NULL)
                    : box_add(&box, text + (*text == '!'), *text == '!', "manual", 0),
                BLOCKLIST_OK);
        }
        check_ask(&box, i);
        for (size_t k = 0; k < 4 && asks[i].entries[k] != NULL; k++)
            (void)box_remove(
                &box, asks[i].entries[k] + (strchr("!~", *asks[i].entries[k]) != NULL),
                NULL);
    }
    assert_int_equal(box_number(&box, "SELECT count(*) FROM listing"), 0);
    box_end(&box);
}

/* One source blocks or puts off, the newer word counts; of several a block wins. */
static void test_block_or_tempfail(void **state)
{
    struct blocklist_beside beside;
    struct blocklist_match match;
    char audit[100];
    struct box box;

    (void)state;
    box_start(&box);
    box_open(&box, false);
    assert_int_equal(box_add(&box, "domain.xyz", false, NULL, 0), BLOCKLIST_OK);
    assert_int_equal(box_tempfail(&box, "domain.xyz", NULL, 0, &beside), BLOCKLIST_OK);
    assert_true(beside.replaced && !beside.block && !beside.allow);
    assert_int_equal(box_ask(&box, "a@domain.xyz", &match), BLOCKLIST_TEMPFAIL);
    assert_string_equal(match.reason, "slow down");
    assert_int_equal(box_number(&box, "SELECT count(*) FROM listing"), 1);
    assert_int_equal(box_tempfail(&box, "domain.xyz", NULL, 0, &beside), BLOCKLIST_OK);
    assert_false(beside.replaced);
    box_audit(&box, "domain.xyz", audit, sizeof audit);
    assert_string_equal(audit, "add change"); /* the last changed nothing */
    assert_int_equal(box_number(&box, "SELECT count(*) FROM audit WHERE tempfail = 1 AND"
                                      " before ->> 'action' = 'block' AND"
                                      " after ->> 'action' = 'tempfail'"),
                     1);
    assert_int_equal(box_add(&box, "domain.xyz", false, "feed", 0), BLOCKLIST_OK);
    assert_int_equal(box_ask(&box, "a@domain.xyz", NULL), BLOCKLIST_BLOCK);
    assert_int_equal(box_tempfail(&box, "domain.xyz", NULL, 60, &beside), BLOCKLIST_OK);
    assert_true(beside.block && !beside.replaced);
    assert_int_equal(box_add(&box, "domain.xyz", true, NULL, 30), BLOCKLIST_OK);
    assert_int_equal(box_number(&box, "SELECT count(*) FROM listing"), 3);
    assert_int_equal(box_ask(&box, "a@domain.xyz", NULL), BLOCKLIST_ALLOW);
    assert_int_equal(box_remove(&box, "domain.xyz", "feed"), BLOCKLIST_OK);
    box_pass(&box, 31);
    assert_int_equal(box_ask(&box, "a@domain.xyz", NULL), BLOCKLIST_TEMPFAIL);
    box_pass(&box, 30);
    assert_int_equal(box_ask(&box, "a@domain.xyz", NULL), BLOCKLIST_NONE);
    assert_int_equal(box_add(&box, "domain.xyz", false, NULL, 0), BLOCKLIST_OK);
    assert_int_equal(box_ask(&box, "a@domain.xyz", NULL), BLOCKLIST_BLOCK);
    box_end(&box);
}

static void test_tags_stay(void **state)
{
    struct box box;

    (void)state;
    box_start(&box);
    box_open(&box, false);
    assert_int_equal(box_add(&box, "anna@domain.xyz", false, NULL, 0), BLOCKLIST_OK);
    assert_int_equal(box_ask(&box, "anna+news@domain.xyz", NULL), BLOCKLIST_NONE);
    box_end(&box);
}

/* Over the families an allow wins, wherever it comes from. */
static void test_families(void **state)
{
    struct blocklist_subjects subjects = {0};
    struct blocklist_match match;
    struct mail_address sender;
    struct ipaddr client;
    struct box box;

    (void)state;
    box_start(&box);
    box_open(&box, false);
    mail_address_parse("anna@domain.xyz", &sender);
    ipaddr_parse("192.0.2.7", &client);
    subjects.sender = &sender;
    subjects.client = &client;
    subjects.client_name = "mail.domain.xyz";
    subjects.helo = "";
    assert_int_equal(box_add(&box, "domain.xyz", false, NULL, 0), BLOCKLIST_OK);
    assert_int_equal(blocklist_lookup(box.blocklist, &subjects, &match), BLOCKLIST_BLOCK);
    assert_int_equal(match.subject, BLOCKLIST_BY_SENDER);
    assert_string_equal(match.reason, "test");
    assert_int_equal(match.since, START_TIME);
    assert_int_equal(box_add(&box, "192.0.2.0/24", false, NULL, 0), BLOCKLIST_OK);
    assert_int_equal(box_add(&box, "host:mail.domain.xyz", true, NULL, 0), BLOCKLIST_OK);
    assert_int_equal(blocklist_lookup(box.blocklist, &subjects, &match), BLOCKLIST_ALLOW);
    assert_int_equal(match.subject, BLOCKLIST_BY_CLIENT_NAME);
    assert_int_equal(box_remove(&box, "host:mail.domain.xyz", NULL), BLOCKLIST_OK);
    assert_int_equal(box_remove(&box, "domain.xyz", NULL), BLOCKLIST_OK);
    assert_int_equal(blocklist_lookup(box.blocklist, &subjects, &match), BLOCKLIST_BLOCK);
    assert_int_equal(match.subject, BLOCKLIST_BY_CLIENT);
    assert_int_equal(box_tempfail(&box, "domain.xyz", NULL, 0, NULL), BLOCKLIST_OK);
    assert_int_equal(blocklist_lookup(box.blocklist, &subjects, &match), BLOCKLIST_BLOCK);
    assert_int_equal(match.subject, BLOCKLIST_BY_CLIENT);
    assert_int_equal(box_remove(&box, "192.0.2.0/24", NULL), BLOCKLIST_OK);
    assert_int_equal(blocklist_lookup(box.blocklist, &subjects, &match),
                     BLOCKLIST_TEMPFAIL);
    assert_int_equal(match.subject, BLOCKLIST_BY_SENDER);
    assert_int_equal(box_add(&box, "host:mail.domain.xyz", true, NULL, 0), BLOCKLIST_OK);
    assert_int_equal(blocklist_lookup(box.blocklist, &subjects, &match), BLOCKLIST_ALLOW);
    box_end(&box);
}

static void test_sources(void **state)
{
    struct box box;

    (void)state;
    box_start(&box);
    box_open(&box, false);
    assert_int_equal(box_add(&box, "domain.xyz", false, "feed", 0), BLOCKLIST_OK);
    assert_int_equal(box_add(&box, "domain.xyz", false, "manual", 0), BLOCKLIST_OK);
    assert_int_equal(box_remove(&box, "domain.xyz", "feed"), BLOCKLIST_OK);
    assert_int_equal(box_ask(&box, "a@domain.xyz", NULL), BLOCKLIST_BLOCK);
    assert_int_equal(box_remove(&box, "domain.xyz", "feed"), BLOCKLIST_NO_SUCH_ENTRY);
    assert_int_equal(box_remove(&box, "domain.xyz", "manual"), BLOCKLIST_OK);
    assert_int_equal(box_ask(&box, "a@domain.xyz", NULL), BLOCKLIST_NONE);
    assert_int_equal(box_remove(&box, "domain.xyz", NULL), BLOCKLIST_NO_SUCH_ENTRY);
    assert_int_equal(box_add(&box, "domain.xyz", false, "not a name", 0),
                     BLOCKLIST_REFUSED);
    box_end(&box);
}

static void test_ends(void **state)
{
    char audit[200];
    struct box box;

    (void)state;
    box_start(&box);
    box_open(&box, false);
    assert_int_equal(box_add(&box, "domain.xyz", false, NULL, 10), BLOCKLIST_OK);
    assert_int_equal(box_add(&box, "domain.xyz", false, NULL, -1), BLOCKLIST_REFUSED);
    box_pass(&box, 9);
    assert_int_equal(box_ask(&box, "a@domain.xyz", NULL), BLOCKLIST_BLOCK);
    box_pass(&box, 1);
    assert_int_equal(box_ask(&box, "a@domain.xyz", NULL), BLOCKLIST_NONE);
    /* Listed again before the flusher noticed the end: it is a new listing */
    assert_int_equal(box_add(&box, "domain.xyz", false, NULL, 10), BLOCKLIST_OK);
    assert_int_equal(box_number(&box, "SELECT since FROM listing"), START_TIME + 10);
    box_pass(&box, 10);
    flusher_work(box.blocklist);
    assert_int_equal(box_number(&box, "SELECT count(*) FROM listing"), 0);
    box_audit(&box, "domain.xyz", audit, sizeof audit);
    assert_string_equal(audit, "add expire add expire");
    box_end(&box);
}

static void test_audit(void **state)
{
    struct blocklist_actor actor = {"otto", 1001};
    struct entry entries[2] = {box_entry("domain.xyz"), box_entry("not.there")};
    char audit[200];
    size_t removed;
    struct box box;

    (void)state;
    box_start(&box);
    box_open(&box, false);
    assert_int_equal(box_add(&box, "domain.xyz", false, NULL, 0), BLOCKLIST_OK);
    assert_int_equal(box_add(&box, "domain.xyz", false, NULL, 0),
                     BLOCKLIST_OK); /* same */
    assert_int_equal(box_add(&box, "domain.xyz", false, NULL, 99), BLOCKLIST_OK);
    /* all or none, and a dry run, leave nothing */
    assert_int_equal(blocklist_remove(box.blocklist, entries, 2, NULL, "x", false, &actor,
                                      &removed, box.error),
                     BLOCKLIST_NO_SUCH_ENTRY);
    assert_int_equal(blocklist_remove(box.blocklist, entries, 1, NULL, "x", true, &actor,
                                      &removed, box.error),
                     BLOCKLIST_OK);
    assert_int_equal(removed, 1);
    assert_int_equal(box_ask(&box, "a@domain.xyz", NULL), BLOCKLIST_BLOCK);
    assert_int_equal(blocklist_remove(box.blocklist, entries, 1, NULL, "sorry", false,
                                      &actor, &removed, box.error),
                     BLOCKLIST_OK);
    box_audit(&box, "Domain.XYZ", audit, sizeof audit);
    assert_string_equal(audit, "add change remove");
    assert_int_equal(box_number(&box, "SELECT count(*) FROM audit WHERE action = 'remove'"
                                      " AND login = 'otto' AND uid = 1001"
                                      " AND reason = 'sorry' AND after IS NULL"
                                      " AND before ->> 'who' = 'postmaster'"),
                     1);
    assert_int_equal(box_number(&box, "SELECT count(*) FROM audit WHERE action = 'change'"
                                      " AND before ->> 'expires' IS NULL"
                                      " AND after ->> 'expires' > 0"),
                     1);
    box_end(&box);
}

static void test_trail_is_append_only(void **state)
{
    static const char *const attempts[] = {"DELETE FROM audit",
                                           "UPDATE audit SET login = ''"};
    struct box box;

    (void)state;
    box_start(&box);
    box_open(&box, false);
    assert_int_equal(box_add(&box, "domain.xyz", false, NULL, 0), BLOCKLIST_OK);
    for (size_t i = 0; i < 2; i++) {
        sqlite3 *db = NULL;

        assert_int_equal(sqlite3_open(box.path, &db), SQLITE_OK);
        assert_int_equal(sqlite3_exec(db, attempts[i], NULL, NULL, NULL),
                         SQLITE_CONSTRAINT);
        sqlite3_close(db);
    }
    box_end(&box);
}

static void test_shadowed_and_too_wide(void **state)
{
    struct blocklist_actor actor = {"otto", 1001};
    struct entry entry = box_entry("domain.xyz"), wide = box_entry("gmail.com");
    struct entry_limits limits = {.suffixes = NULL};
    struct blocklist_row_in rows[2] = {{.entry = &entry}, {.entry = &wide}};
    struct blocklist_beside beside[2];
    struct box box;

    (void)state;
    box_start(&box);
    box_open(&box, false);
    assert_int_equal(
        blocklist_add(box.blocklist, rows, 2, &limits, &actor, beside, box.error),
        BLOCKLIST_REFUSED);
    assert_non_null(strstr(box.error, "gmail.com"));
    assert_int_equal(box_ask(&box, "a@domain.xyz", NULL), BLOCKLIST_NONE);
    assert_int_equal(
        blocklist_add(box.blocklist, rows, 2, NULL, &actor, beside, box.error),
        BLOCKLIST_OK);
    assert_false(beside[0].allow || beside[1].allow);
    assert_int_equal(box_add(&box, "domain.xyz", true, NULL, 0), BLOCKLIST_OK);
    assert_int_equal(
        blocklist_add(box.blocklist, rows, 1, NULL, &actor, beside, box.error),
        BLOCKLIST_OK);
    assert_true(beside[0].allow);
    box_end(&box);
}

static bool take_row(void *context, const struct blocklist_row *row)
{
    *(struct blocklist_row *)context = *row; /* its texts are gone afterwards */
    return true;
}

static void test_hits(void **state)
{
    struct entry entry = box_entry("domain.xyz");
    struct blocklist_match match;
    struct blocklist_row row;
    struct box box;

    (void)state;
    box_start(&box);
    box_open(&box, false);
    assert_int_equal(blocklist_show(box.blocklist, &entry, take_row, &row, box.error),
                     BLOCKLIST_NO_SUCH_ENTRY);
    assert_int_equal(box_add(&box, "domain.xyz", false, NULL, 0), BLOCKLIST_OK);
    box_pass(&box, 5);
    for (int i = 0; i < 7; i++) {
        assert_int_equal(box_ask(&box, "a@domain.xyz", &match), BLOCKLIST_BLOCK);
        blocklist_hit(box.blocklist, &match);
    }
    box_close(&box); /* what is pending is written */
    box_open(&box, false);
    assert_int_equal(blocklist_show(box.blocklist, &entry, take_row, &row, box.error),
                     BLOCKLIST_OK);
    assert_int_equal(row.hits, 7);
    assert_int_equal(row.last_hit, START_TIME + 5);
    assert_int_equal(row.since, START_TIME);
    box_end(&box);
}

static void test_status_counts(void **state)
{
    struct blocklist_status status;
    struct box box;

    (void)state;
    box_start(&box);
    box_open(&box, false);
    for (int round = 0; round < 2; round++) {
        blocklist_status(box.blocklist, &status);
        assert_int_equal(status.entries[ENTRY_DOMAIN], round);
        assert_int_equal(status.entries[ENTRY_NETWORK], 2 * round);
        assert_int_equal(status.allow, round);
        if (round == 1)
            break;
        assert_int_equal(box_add(&box, "domain.xyz", false, NULL, 0), BLOCKLIST_OK);
        assert_int_equal(box_add(&box, "192.0.2.1", false, NULL, 0), BLOCKLIST_OK);
        assert_int_equal(box_add(&box, "192.0.2.2", true, NULL, 0), BLOCKLIST_OK);
        assert_int_equal(box_add(&box, "192.0.2.3", false, NULL, 0), BLOCKLIST_OK);
        assert_int_equal(box_remove(&box, "192.0.2.3", NULL), BLOCKLIST_OK);
    }
    box_close(&box);
    box_open(&box, false);
    blocklist_status(box.blocklist, &status);
    assert_int_equal(status.entries[ENTRY_NETWORK], 2);
    assert_int_equal(status.allow, 1);
    assert_true(status.checked);
    assert_string_equal(status.error, "");
    assert_string_equal(status.clock, "");
    box_end(&box);
}

/* What one source has listed within a time; others, and what is older, stay. */
static void test_remove_since(void **state)
{
    struct blocklist_actor actor = {"otto", 1001};
    time_t since = START_TIME + 3600;
    char audit[200];
    size_t removed;
    struct box box;

    (void)state;
    box_start(&box);
    box_open(&box, false);
    assert_int_equal(box_add(&box, "old.example", false, "feed", 0), BLOCKLIST_OK);
    box_pass(&box, 7200);
    assert_int_equal(box_add(&box, "new.example", false, "feed", 0), BLOCKLIST_OK);
    assert_int_equal(box_add(&box, "also.example", false, "feed", 0), BLOCKLIST_OK);
    assert_int_equal(box_add(&box, "also.example", false, "other", 0), BLOCKLIST_OK);
    assert_int_equal(box_add(&box, "old.example", false, "feed", 0),
                     BLOCKLIST_OK); /* keeps its time */
    assert_int_equal(blocklist_remove_since(box.blocklist, "feed", since, "oops", true,
                                            &actor, &removed, box.error),
                     BLOCKLIST_OK);
    assert_int_equal(removed, 2);
    assert_int_equal(box_ask(&box, "a@new.example", NULL), BLOCKLIST_BLOCK);
    assert_int_equal(blocklist_remove_since(box.blocklist, "feed", since, "oops", false,
                                            &actor, &removed, box.error),
                     BLOCKLIST_OK);
    assert_int_equal(removed, 2);
    assert_int_equal(box_ask(&box, "a@new.example", NULL), BLOCKLIST_NONE);
    assert_int_equal(box_ask(&box, "a@also.example", NULL), BLOCKLIST_BLOCK);
    assert_int_equal(box_ask(&box, "a@old.example", NULL), BLOCKLIST_BLOCK);
    box_audit(&box, "new.example", audit, sizeof audit);
    assert_string_equal(audit, "add remove");
    assert_int_equal(blocklist_remove_since(box.blocklist, "feed", since, "oops", false,
                                            &actor, &removed, box.error),
                     BLOCKLIST_NO_SUCH_ENTRY);
    assert_int_equal(blocklist_remove_since(box.blocklist, "a b", since, "oops", false,
                                            &actor, &removed, box.error),
                     BLOCKLIST_REFUSED);
    box_end(&box);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ask),
        cmocka_unit_test(test_block_or_tempfail),
        cmocka_unit_test(test_tags_stay),
        cmocka_unit_test(test_families),
        cmocka_unit_test(test_sources),
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_audit),
        cmocka_unit_test(test_remove_since),
        cmocka_unit_test(test_trail_is_append_only),
        cmocka_unit_test(test_shadowed_and_too_wide),
        cmocka_unit_test(test_hits),
        cmocka_unit_test(test_status_counts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
