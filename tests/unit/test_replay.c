/* SPDX-License-Identifier: BSD-2-Clause */
/* A decision judged by another configuration: its verdict, and its bounds. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>

#include "blocklist/blocklist.h"
#include "config_helper.h"
#include "dns/answer.h"
#include "dnsbl/result.h"
#include "policy/replay.h"

/* The lists of most rows: "bl" 8, "two" 4, "wl" -5; refused from 8, tagged from 4. */
#define VERDICT "verdict { reject = 8 tag = 4 }\n"
#define BL      "list \"bl\" { zone = \"bl.example\" weight = 8 }\n"
#define TWO     "list \"two\" { zone = \"two.example\" weight = 4 }\n"
#define WL      "list \"wl\" { zone = \"wl.example\" weight = -5 }\n"
#define THEN    VERDICT BL TWO WL

/* What is put into the record: an answer of the list (its place in the old file). */
struct said {
    unsigned list;
    const char *addresses; /* "127.0.0.2,127.0.0.4"; NULL: not listed */
    int weight;            /* that it added then */
    const char *skip;
    enum dns_status failed; /* instead of addresses */
    bool open;              /* it had not answered then: addresses are what came later */
    bool monitor;
    enum check check;
};

#define LISTED(list, weight)                                                             \
    {                                                                                    \
        list, "127.0.0.2", weight, NULL, DNS_FOUND, false, false, CHECK_CLIENT           \
    }
#define NOTHING(list)                                                                    \
    {                                                                                    \
        list, NULL, 0, NULL, DNS_FOUND, false, false, CHECK_CLIENT                       \
    }
#define OPEN(list)                                                                       \
    {                                                                                    \
        list, NULL, 0, NULL, DNS_FOUND, true, false, CHECK_CLIENT                        \
    }
#define FAILED(list, status)                                                             \
    {                                                                                    \
        list, NULL, 0, NULL, status, false, false, CHECK_CLIENT                          \
    }
#define SKIPPED(list, reason)                                                            \
    {                                                                                    \
        list, NULL, 0, reason, DNS_NOT_ASKED, false, false, CHECK_CLIENT                 \
    }

#define SAID_MAX 4

struct row {
    const char *label, *then, *now;
    struct said said[SAID_MAX];
    size_t count;
    enum verdict mildest, severest;
    enum replay_unknown unknown;
    const char *list; /* that it is about */
    const char *client, *sender;
};

#define ACCEPT VERDICT_ACCEPT
#define TAG    VERDICT_TAG
#define DEFER  VERDICT_TEMPFAIL
#define REJECT VERDICT_REJECT

/* clang-format off */
static const struct row rows[] = {
    {"as it was", THEN, THEN, {LISTED(0, 8), NOTHING(1), NOTHING(2)}, 3, REJECT, REJECT, 0, NULL, NULL, NULL},
    {"a weight", THEN, VERDICT TWO WL "list \"bl\" { zone = \"bl.example\" weight = 4 }",
     {LISTED(0, 8), NOTHING(1), NOTHING(2)}, 3, TAG, TAG, 0, NULL, NULL, NULL},
    {"a sum", THEN, VERDICT TWO "list \"bl\" { zone = \"bl.example\" weight = 4 }",
     {LISTED(0, 8), LISTED(1, 4), NOTHING(2)}, 3, REJECT, REJECT, 0, NULL, NULL, NULL},
    {"an allow list", THEN, THEN, {LISTED(0, 8), NOTHING(1), LISTED(2, -5)}, 3, ACCEPT, ACCEPT, 0, NULL, NULL, NULL},
    {"removed", THEN, VERDICT TWO WL, {LISTED(0, 8), NOTHING(1), NOTHING(2)}, 3, ACCEPT, ACCEPT, 0, NULL, NULL, NULL},
    {"a threshold", THEN, "verdict { reject = 9 tempfail = 8 }\n" BL TWO WL,
     {LISTED(0, 8), NOTHING(1), NOTHING(2)}, 3, DEFER, DEFER, 0, NULL, NULL, NULL},
    {"had not answered", THEN, THEN, {OPEN(0), NOTHING(1), NOTHING(2)}, 3, ACCEPT, REJECT, UNKNOWN_NO_ANSWER, "bl", NULL, NULL},
    {"had not answered, but cannot matter", THEN, THEN, {LISTED(0, 8), OPEN(1), NOTHING(2)}, 3, REJECT, REJECT, 0, NULL, NULL, NULL},
    {"answered after the verdict", THEN, THEN, {{0, "127.0.0.2", 0, NULL, DNS_FOUND, true, false, CHECK_CLIENT}, NOTHING(1), NOTHING(2)}, 3,
     REJECT, REJECT, 0, NULL, NULL, NULL},
    {"the widest is named", THEN, THEN, {OPEN(0), OPEN(1), OPEN(2)}, 3, ACCEPT, REJECT, UNKNOWN_NO_ANSWER, "bl", NULL, NULL},
    {"down", THEN, THEN, {SKIPPED(0, "down"), NOTHING(1), NOTHING(2)}, 3, ACCEPT, REJECT, UNKNOWN_NOT_QUERIED, "bl", NULL, NULL},
    {"failed", THEN, THEN, {FAILED(0, DNS_SERVFAIL), LISTED(1, 4), NOTHING(2)}, 3, TAG, TAG, 0, NULL, NULL, NULL},
    {"an allow list failed", THEN, THEN, {LISTED(0, 8), NOTHING(1), FAILED(2, DNS_TIMEOUT)}, 3, DEFER, DEFER, 0, NULL, NULL, NULL},
    {"it could not have saved it", THEN, THEN, {LISTED(0, 8), LISTED(1, 4), LISTED(2, -5)}, 3, TAG, TAG, 0, NULL, NULL, NULL},
    {"an allow list had not answered", THEN, THEN, {LISTED(0, 8), NOTHING(1), OPEN(2)}, 3, ACCEPT, REJECT, UNKNOWN_NO_ANSWER, "wl", NULL, NULL},
    {"an allow list lied", THEN, THEN,
     {LISTED(0, 8), NOTHING(1), {2, "127.0.0.2", 0, "lying", DNS_FOUND, false, false, CHECK_CLIENT}}, 3, REJECT, REJECT, 0, NULL, NULL, NULL},
    {"a list in doubt", THEN, THEN,
     {{0, "127.0.0.2", 0, "unchecked", DNS_FOUND, false, false, CHECK_CLIENT}, NOTHING(1), NOTHING(2)}, 3, ACCEPT, ACCEPT, 0, NULL, NULL, NULL},
    {"an allow list in doubt", THEN, THEN,
     {LISTED(0, 8), NOTHING(1), {2, "127.0.0.2", 0, "unchecked", DNS_FOUND, false, false, CHECK_CLIENT}}, 3, DEFER, DEFER, 0, NULL, NULL, NULL},
    {"not believed then", THEN, THEN, {LISTED(0, 0), NOTHING(1), NOTHING(2)}, 3, ACCEPT, ACCEPT, 0, NULL, NULL, NULL},
    {"monitor then", VERDICT "list \"bl\" { zone = \"bl.example\" weight = 8 mode = \"monitor\" }", VERDICT BL,
     {{0, "127.0.0.2", 0, NULL, DNS_FOUND, false, true, CHECK_CLIENT}}, 1, REJECT, REJECT, 0, NULL, NULL, NULL},
    {"monitor now", VERDICT BL, VERDICT "list \"bl\" { zone = \"bl.example\" weight = 8 mode = \"monitor\" }",
     {LISTED(0, 8)}, 1, ACCEPT, ACCEPT, 0, NULL, NULL, NULL},
    {"an error code", THEN, VERDICT BL TWO "list \"wl\" { zone = \"wl.example\" weight = -5 error-codes = { \"127.0.0.2\" } }",
     {LISTED(0, 8), NOTHING(1), LISTED(2, -5)}, 3, DEFER, DEFER, 0, NULL, NULL, NULL},
    {"another address", THEN, THEN, {{0, "192.0.2.53", 0, NULL, DNS_FOUND, false, false, CHECK_CLIENT}, NOTHING(1), NOTHING(2)}, 3,
     ACCEPT, ACCEPT, 0, NULL, NULL, NULL},
    {"all addresses count, not the one that decided", VERDICT "list \"bl\" { zone = \"bl.example\" codes \"127.0.0.2\" { weight = 3 } }",
     VERDICT "list \"bl\" { zone = \"bl.example\" codes \"127.0.0.4\" { weight = 8 } }",
     {{0, "127.0.0.2,127.0.0.4", 3, NULL, DNS_FOUND, false, false, CHECK_CLIENT}}, 1, REJECT, REJECT, 0, NULL, NULL, NULL},
    {"two subjects of a list: the heavier",
     VERDICT "list \"bl\" { zone = \"bl.example\" weight = 5 check = { \"client\", \"sender-domain\" } }",
     VERDICT "list \"bl\" { zone = \"bl.example\" weight = 7 check = { \"client\", \"sender-domain\" } }",
     {LISTED(0, 5), {0, "127.0.0.2", 5, NULL, DNS_FOUND, false, false, CHECK_SENDER_DOMAIN}}, 2, TAG, TAG, 0, NULL, NULL, NULL},
    {"a new list", VERDICT BL, VERDICT BL TWO, {NOTHING(0)}, 1, ACCEPT, TAG, UNKNOWN_NOT_QUERIED, "two", NULL, NULL},
    {"a new list, where it cannot matter", VERDICT BL, VERDICT BL TWO, {LISTED(0, 8)}, 1, REJECT, REJECT, 0, NULL, NULL, NULL},
    {"a new list, not for IPv6", VERDICT BL, VERDICT BL "list \"two\" { zone = \"two.example\" weight = 4 ipv6 = false }",
     {NOTHING(0)}, 1, ACCEPT, ACCEPT, 0, NULL, "2001:db8::1", NULL},
    {"a new list, a private client", VERDICT BL, VERDICT BL TWO, {NOTHING(0)}, 0, ACCEPT, ACCEPT, 0, NULL, "10.1.2.3", NULL},
    {"a new list for bounces", VERDICT BL, VERDICT BL "list \"two\" { zone = \"two.example\" weight = 4 when = \"null-sender\" }",
     {NOTHING(0)}, 1, ACCEPT, ACCEPT, 0, NULL, NULL, NULL},
    {"a bounce", VERDICT BL, VERDICT BL "list \"two\" { zone = \"two.example\" weight = 4 when = \"null-sender\" }",
     {NOTHING(0)}, 1, ACCEPT, TAG, UNKNOWN_NOT_QUERIED, "two", NULL, ""},
    {"a new check of an unusable name", VERDICT BL,
     VERDICT "list \"bl\" { zone = \"bl.example\" weight = 8 check = { \"client\", \"sender-domain\" } }",
     {NOTHING(0)}, 1, ACCEPT, ACCEPT, 0, NULL, NULL, "anna@[192.0.2.1]"},
    {"a new check", VERDICT BL,
     VERDICT "list \"bl\" { zone = \"bl.example\" weight = 8 check = { \"client\", \"sender-domain\" } }",
     {NOTHING(0)}, 1, ACCEPT, REJECT, UNKNOWN_NOT_QUERIED, "bl", NULL, NULL},
    {"another zone", VERDICT BL, VERDICT "list \"bl\" { zone = \"other.example\" weight = 8 }",
     {NOTHING(0)}, 1, ACCEPT, REJECT, UNKNOWN_OTHER_QUERY, "bl", NULL, NULL},
    {"after: it had been decided", VERDICT BL "list \"two\" { zone = \"two.example\" weight = 4 after = { \"bl\" } }",
     "verdict { reject = 9 tag = 0 }\n" BL "list \"two\" { zone = \"two.example\" weight = 4 after = { \"bl\" } }",
     {LISTED(0, 8)}, 1, ACCEPT, REJECT, UNKNOWN_NOT_QUERIED, "two", NULL, NULL},
    {"after: it is decided now, too", VERDICT BL "list \"two\" { zone = \"two.example\" weight = 4 after = { \"bl\" } }",
     "verdict { reject = 7 tag = 0 }\n" BL "list \"two\" { zone = \"two.example\" weight = 4 after = { \"bl\" } }",
     {LISTED(0, 8)}, 1, REJECT, REJECT, 0, NULL, NULL, NULL},
};
/* clang-format on */

static unsigned fill_addresses(const char *text, struct in_addr out[static 4])
{
    char copy[64], *next = copy, *one;
    unsigned count = 0;

    snprintf(copy, sizeof copy, "%s", text);
    while ((one = strsep(&next, ",")) != NULL)
        assert_int_equal(inet_pton(AF_INET, one, &out[count++]), 1);
    return count;
}

static void fill_answer(struct record_answer *a, struct in_addr addresses[static 4],
                        const struct said *said)
{
    *a = (struct record_answer){.list = said->list,
                                .check = (uint8_t)said->check,
                                .state = RESULT_NOT_LISTED,
                                .status = DNS_NONE,
                                .counted = !said->open,
                                .monitor = said->monitor,
                                .weight = said->weight,
                                .skip = said->skip != NULL ? said->skip : ""};
    if ((said->open && said->addresses == NULL) || said->failed != DNS_FOUND) {
        a->state = RESULT_FAILED;
        a->status = (uint8_t)(said->open ? DNS_NOT_ASKED : said->failed);
    } else if (said->addresses != NULL) {
        a->state = RESULT_LISTED;
        a->status = DNS_FOUND;
        a->address_count = fill_addresses(said->addresses, addresses);
        a->addresses = addresses;
    }
}

static struct record record_of(const char *client, const char *sender)
{
    struct record r = {.stage = STAGE_RCPT,
                       .has_client = true,
                       .client_name = "",
                       .helo = "client.example",
                       .sender = sender,
                       .login = "",
                       .exempt = "",
                       .reason = "",
                       .entry = "",
                       .entry_reason = "",
                       .queue_id = ""};

    assert_int_equal(ipaddr_parse(client, &r.client), 0);
    return r;
}

static struct replayed judge(const struct config *then, const struct config *now,
                             const struct record *r)
{
    struct replay *replay = replay_new(now, then);
    struct replay_case c = {0};
    struct replayed out;

    assert_non_null(replay);
    assert_int_equal(replay_case_set(&c, r, then), 0);
    replay_judge(replay, &c, &out);
    replay_case_clear(&c);
    replay_free(replay);
    return out;
}

static void check_row(const struct row *row)
{
    struct config *then = config_of(row->then), *now = config_of(row->now);
    struct in_addr addresses[SAID_MAX][4];
    struct record_answer answers[SAID_MAX];
    struct record r = record_of(row->client != NULL ? row->client : "192.0.2.1",
                                row->sender != NULL ? row->sender : "a@b.example");
    struct replayed out;

    for (size_t i = 0; i < row->count; i++)
        fill_answer(&answers[i], addresses[i], &row->said[i]);
    r.answers = answers;
    r.answer_count = row->count;
    out = judge(then, now, &r);
    if (out.mildest != row->mildest || out.severest != row->severest ||
        out.unknown != row->unknown ||
        (row->list == NULL ? out.list != NULL
                           : out.list == NULL || strcmp(out.list->name, row->list) != 0))
        fail_msg("%s: %s to %s, unknown %d (%s)", row->label, verdict_name(out.mildest),
                 verdict_name(out.severest), (int)out.unknown,
                 out.list != NULL ? out.list->name : "no list");
    config_unref(now);
    config_unref(then);
}

static void test_judging(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        check_row(&rows[i]);
}

/* --- entries, exemptions, recipients --- */

#define EXEMPT(what) "exempt { " what " }\n"

static const struct whole {
    const char *label, *now;
    const char *exempt; /* then */
    uint8_t entry, subject, verdict, stage;
    const char *sender;
    const char
        *recipients; /* "d@e.f,postmaster@e.f": exempt then where a "!" is before */
    enum verdict mildest, severest;
    enum replay_unknown unknown;
} wholes[] = {
    /* clang-format off */
    {"a block entry", THEN, "", BLOCKLIST_BLOCK, BLOCKLIST_BY_SENDER, REJECT, STAGE_RCPT, "a@b.example", "d@e.f", REJECT, REJECT, 0},
    {"whoever is exempt", THEN EXEMPT("networks = { \"192.0.2.0/24\" }"), "", BLOCKLIST_BLOCK, BLOCKLIST_BY_CLIENT, REJECT, STAGE_RCPT,
     "a@b.example", "d@e.f", REJECT, REJECT, 0},
    {"an allow entry", THEN, "", BLOCKLIST_ALLOW, BLOCKLIST_BY_SENDER, ACCEPT, STAGE_RCPT, "a@b.example", "d@e.f", ACCEPT, ACCEPT, 0},
    {"exempt now", THEN EXEMPT("networks = { \"192.0.2.0/24\" }"), "", 0, 0, REJECT, STAGE_RCPT, "a@b.example", "d@e.f", ACCEPT, ACCEPT, 0},
    {"exempt then", THEN, "network", 0, 0, ACCEPT, STAGE_RCPT, "a@b.example", "d@e.f", ACCEPT, REJECT, UNKNOWN_NOT_QUERIED},
    {"a sender exempt now", THEN EXEMPT("senders = { \"@b.example\" }"), "", 0, 0, REJECT, STAGE_RCPT, "a@b.example", "d@e.f", ACCEPT, ACCEPT, 0},
    {"all recipients exempt", THEN, "recipient", 0, 0, ACCEPT, STAGE_RCPT, "a@b.example", "!abuse@e.f", ACCEPT, ACCEPT, 0},
    {"no more", THEN EXEMPT("recipients = { \"postmaster\" }"), "recipient", 0, 0, ACCEPT, STAGE_RCPT, "a@b.example", "!abuse@e.f",
     ACCEPT, REJECT, UNKNOWN_NOT_JUDGED},
    {"an entry, and a recipient exempt now", THEN EXEMPT("recipients = { \"d@e.f\" }"), "", BLOCKLIST_BLOCK, BLOCKLIST_BY_SENDER, REJECT,
     STAGE_RCPT, "a@b.example", "d@e.f", ACCEPT, ACCEPT, 0},
    {"one of two", THEN EXEMPT("recipients = { \"d@e.f\" }"), "", BLOCKLIST_BLOCK, BLOCKLIST_BY_SENDER, REJECT, STAGE_RCPT, "a@b.example",
     "d@e.f,g@e.f", REJECT, REJECT, 0},
    {"one of two, at the end", THEN "milter { reject-at = \"eom\" }", "", BLOCKLIST_BLOCK, BLOCKLIST_BY_SENDER, REJECT, STAGE_RCPT, "a@b.example",
     "g@e.f,!abuse@e.f", ACCEPT, ACCEPT, 0},
    {"at MAIL, recipients save nothing", THEN "milter { reject-at = \"mail\" }", "", BLOCKLIST_BLOCK, BLOCKLIST_BY_SENDER, REJECT, STAGE_RCPT,
     "a@b.example", "d@e.f", REJECT, REJECT, 0},
    {"refused at CONNECT then", THEN, "", BLOCKLIST_BLOCK, BLOCKLIST_BY_CLIENT, REJECT, STAGE_CONNECT, "", "", ACCEPT, REJECT, UNKNOWN_LATER_FACTS},
    {"and now", THEN "milter { reject-at = \"connect\" }", "", BLOCKLIST_BLOCK, BLOCKLIST_BY_CLIENT, REJECT, STAGE_CONNECT, "", "", REJECT, REJECT, 0},
    {"a tag that may be stripped", THEN "blocklist { strip-tags = true }", "", BLOCKLIST_ALLOW, BLOCKLIST_BY_SENDER, ACCEPT, STAGE_RCPT,
     "a+x@b.example", "d@e.f", ACCEPT, REJECT, UNKNOWN_BLOCKLIST},
    {"none to be stripped", THEN "blocklist { strip-tags = true }", "", BLOCKLIST_ALLOW, BLOCKLIST_BY_SENDER, ACCEPT, STAGE_RCPT,
     "a@b.example", "d@e.f", ACCEPT, ACCEPT, 0},
    {"a hidden sender", THEN EXEMPT("senders = { \"a@b.example\" }"), "", 0, 0, REJECT, STAGE_RCPT, "~0123456789abcdefghjkmnpqrs@b.example", "d@e.f",
     ACCEPT, REJECT, UNKNOWN_LOCAL_PART},
    {"of another domain", THEN EXEMPT("senders = { \"a@c.example\" }"), "", 0, 0, REJECT, STAGE_RCPT, "~0123456789abcdefghjkmnpqrs@b.example", "d@e.f",
     REJECT, REJECT, 0},
    {"a hidden recipient", THEN EXEMPT("recipients = { \"d\", \"postmaster\", \"abuse\" }"), "", 0, 0, REJECT, STAGE_RCPT, "a@b.example",
     "~0123456789abcdefghjkmnpqrs@e.f", ACCEPT, REJECT, UNKNOWN_LOCAL_PART},
    /* clang-format on */
};

static void fill_recipients(struct record *r, char *text,
                            struct record_recipient out[static 4])
{
    char *one;

    r->recipients = out;
    while (*text != '\0' && (one = strsep(&text, ",")) != NULL) {
        bool exempt = *one == '!';

        out[r->recipient_count++] = (struct record_recipient){
            one + exempt, exempt ? RECIPIENT_EXEMPT : RECIPIENT_REFUSED, ""};
        if (text == NULL)
            return;
    }
}

static void check_whole(const struct whole *w)
{
    struct config *then = config_of(THEN), *now = config_of(w->now);
    struct in_addr addresses[4];
    struct record_answer answer;
    struct record_recipient recipients[4];
    struct record r = record_of("192.0.2.1", w->sender);
    struct said listed = LISTED(0, 8);
    char text[100];
    struct replayed out;

    snprintf(text, sizeof text, "%s", w->recipients);
    fill_recipients(&r, text, recipients);
    r.exempt = w->exempt;
    r.entry_action = w->entry;
    r.entry_subject = w->subject;
    r.verdict = w->verdict;
    r.stage = w->stage;
    fill_answer(&answer, addresses, &listed);
    if (w->exempt[0] == '\0' && w->entry == BLOCKLIST_NONE) {
        r.answers = &answer;
        r.answer_count = 1;
    }
    out = judge(then, now, &r);
    if (out.mildest != w->mildest || out.severest != w->severest ||
        out.unknown != w->unknown)
        fail_msg("%s: %s to %s, unknown %d", w->label, verdict_name(out.mildest),
                 verdict_name(out.severest), (int)out.unknown);
    config_unref(now);
    config_unref(then);
}

static void test_entries_exemptions_recipients(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof wholes / sizeof wholes[0]; i++)
        check_whole(&wholes[i]);
}

/* What was silent then does not make a verdict unknown that nothing has changed for. */
static void test_same(void **state)
{
    static const struct {
        const char *now;
        bool same;
    } cases[] = {
        {THEN, true},
        {THEN "list \"off\" { zone = \"off.example\" mode = \"off\" }", true},
        {THEN "exempt { networks = { \"10.0.0.0/8\" } }", true},
        {VERDICT TWO WL "list \"bl\" { zone = \"bl.example\" weight = 9 }", false},
        {VERDICT TWO WL "list \"bl\" { zone = \"other.example\" weight = 8 }", false},
        {VERDICT TWO WL "list \"other\" { zone = \"bl.example\" weight = 8 }", false},
        {"verdict { reject = 9 tag = 4 }\n" BL TWO WL, false},
        {THEN "exempt { networks = { \"192.0.2.0/24\" } }", false},
    };
    struct config *then = config_of(THEN);
    struct in_addr addresses[4];
    struct record_answer answer;
    struct record r = record_of("192.0.2.1", "a@b.example");
    struct said open = OPEN(0);
    struct replayed as_it_was;

    (void)state;
    fill_answer(&answer, addresses, &open);
    r.answers = &answer;
    r.answer_count = 1;
    as_it_was = judge(then, then, &r);
    assert_int_equal(as_it_was.mildest, VERDICT_ACCEPT);
    assert_int_equal(as_it_was.severest, VERDICT_REJECT);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct config *now = config_of(cases[i].now);
        struct replay *a = replay_new(now, then), *b = replay_new(then, then);
        struct replayed judged = judge(then, now, &r);

        if (replay_is_same(a, &judged, b, &as_it_was) != cases[i].same)
            fail_msg("%s: expected %s", cases[i].now,
                     cases[i].same ? "same" : "not same");
        replay_free(a);
        replay_free(b);
        config_unref(now);
    }
    config_unref(then);
}

/* At the end of the message an exempt recipient has saved it. */
static void test_was(void **state)
{
    struct record_recipient recipients[] = {{"d@e.f", RECIPIENT_ACCEPTED, ""},
                                            {"abuse@e.f", RECIPIENT_EXEMPT, ""}};
    struct record r = record_of("192.0.2.1", "a@b.example");

    (void)state;
    r.verdict = VERDICT_REJECT;
    r.recipients = recipients;
    r.recipient_count = 2;
    assert_int_equal(replay_was(&r), VERDICT_REJECT);
    r.stage = STAGE_EOM;
    assert_int_equal(replay_was(&r), VERDICT_ACCEPT);
    r.tag = 4;
    assert_int_equal(replay_was(&r), VERDICT_TAG);
    r.entry_action = BLOCKLIST_BLOCK;
    assert_int_equal(replay_was(&r), VERDICT_ACCEPT);
    r.recipient_count = 1;
    assert_int_equal(replay_was(&r), VERDICT_REJECT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_judging),
        cmocka_unit_test(test_entries_exemptions_recipients),
        cmocka_unit_test(test_same),
        cmocka_unit_test(test_was),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
