/* SPDX-License-Identifier: BSD-2-Clause */
/* What rules find in mail that is played again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_helper.h"
#include "policy/replay_rules.h"
#include "policy/verdict.h"

#define BEGUN  (INT64_C(1800000000) / 3600 * 3600)
#define HOUR_S 3600
#define DAY_S  86400

#define BULK                                                                             \
    "rule \"bulk\" { mode = \"propose\" over = { \"10 recipients in 1h\" }"              \
    " action = { \"tempfail\", \"block\" } for = { \"1h\", \"24h\" } }\n"
#define PROBER                                                                           \
    "rule \"prober\" { by = \"client\" mode = \"propose\" share = 50"                    \
    " over = { \"4 unknown in 1h\" } action = { \"block\" } for = { \"1h\" } }\n"
#define REPEAT                                                                           \
    "rule \"repeat\" { by = \"client\" mode = \"propose\""                               \
    " over = { \"20 refused in 1h\" } action = { \"block\" } for = { \"1h\" } }\n"

/* A mailbox, or a client, whose mail is played. */
struct mail {
    const char *login, *client, *sender;
    int64_t at_s;
    int accepted, unknown; /* recipients */
    bool aborted, open;
    uint8_t verdict;
    uint8_t stage; /* 0: RCPT */
    uint8_t entry_action;
    int refused; /* recipients, by us */
    uint64_t folded;
    int64_t late_ms; /* within its second; ids go down */
};

static struct replay_rules played;
static unsigned serial;

static void start(const char *text)
{
    memset(&played, 0, sizeof played);
    played.config = config_of(text);
    assert_int_equal(replay_rules_begin(&played), 0);
}

static void end(void)
{
    struct config *config = (struct config *)played.config;

    replay_rules_clear(&played);
    config_unref(config);
}

static void play(const struct mail *mail)
{
    static const char *const texts[] = {"a@else.example", "b@else.example"};
    struct record_recipient recipients[64];
    struct record record = {
        .id = (journal_id)(mail->at_s - JOURNAL_EPOCH) << 30 | (0xffffff - serial++),
        .at_ms = mail->at_s * 1000 + mail->late_ms,
        .verdict = mail->verdict,
        .stage = mail->stage != 0 ? mail->stage : STAGE_RCPT,
        .client_name = "",
        .helo = "",
        .sender = mail->sender != NULL ? mail->sender : "",
        .login = mail->login != NULL ? mail->login : "",
        .exempt = "",
        .reason = "",
        .entry_action = mail->entry_action,
        .entry = "",
        .entry_reason = "",
        .recipients = recipients,
        .queue_id = "",
        .end = mail->open      ? END_OPEN
               : mail->aborted ? END_ABORTED
                               : END_MESSAGE,
        .folded = mail->folded,
    };

    record.has_client = ipaddr_parse(mail->client != NULL ? mail->client : "203.0.113.5",
                                     &record.client) == 0;
    for (int i = 0; i < mail->accepted + mail->unknown + mail->refused; i++)
        recipients[record.recipient_count++] = (struct record_recipient){
            .text = texts[i % 2],
            .outcome = i < mail->accepted                   ? RECIPIENT_ACCEPTED
                       : i < mail->accepted + mail->unknown ? RECIPIENT_BY_MTA
                                                            : RECIPIENT_REFUSED,
            .detail = i < mail->accepted ? "" : "5.1.1",
        };
    assert_int_equal(replay_rules_take(&played, &record), 0);
}

/* The first accepted mail, from which on all is counted. */
static void begin(void)
{
    play(&(struct mail){.at_s = BEGUN, .accepted = 1, .login = "first"});
}

static const struct replay_finding *finding(size_t i)
{
    assert_int_equal(replay_rules_end(&played), 0);
    assert_true(i < played.count);
    return &played.findings[i];
}

static size_t found(void)
{
    assert_int_equal(replay_rules_end(&played), 0);
    return played.count;
}

static void test_a_listing_and_its_steps(void **state)
{
    const int64_t at = BEGUN + 2 * HOUR_S;
    struct mail anna = {.login = "anna", .accepted = 10, .at_s = at};

    (void)state;
    start(BULK);
    begin();
    play(&anna);
    anna.at_s += 60; /* put off: it does not count */
    anna.accepted = 30;
    play(&anna);
    assert_int_equal(found(), 1);
    assert_string_equal(finding(0)->entry, "user:anna");
    assert_string_equal(finding(0)->because, "10 recipients in 1h: 10");
    assert_int_equal(finding(0)->word, GUARD_LIST);
    assert_int_equal(finding(0)->action, RULE_TEMPFAIL);
    assert_int_equal(finding(0)->at_s, at);
    assert_int_equal(finding(0)->until_s, at + HOUR_S);
    assert_int_equal(finding(0)->messages, 1);
    assert_int_equal(finding(0)->recipients, 30);
    assert_int_equal(finding(0)->id_count, 2);
    anna.at_s = at + 2 * HOUR_S; /* the hour is over, and so is its window */
    anna.accepted = 9;
    play(&anna);
    assert_int_equal(found(), 1);
    anna.accepted = 5; /* in the middle: the first is accepted, and counts */
    anna.at_s += 1;
    play(&anna);
    assert_int_equal(found(), 2);
    assert_int_equal(finding(1)->action, RULE_BLOCK);
    assert_int_equal(finding(1)->for_s, DAY_S);
    assert_int_equal(finding(1)->messages, 1);
    assert_int_equal(finding(1)->recipients, 4);
    anna.at_s += RULE_STEPS_S + DAY_S; /* forgotten */
    anna.accepted = 10;
    play(&anna);
    assert_int_equal(finding(2)->action, RULE_TEMPFAIL);
    end();
}

/* What led to an entry is in the windows still when it ends, and counts no more. */
static void test_who_was_listed_begins_again(void **state)
{
    struct mail anna = {.login = "anna", .accepted = 10, .at_s = BEGUN + 2 * HOUR_S};

    (void)state;
    start("rule \"short\" { mode = \"propose\" over = { \"10 recipients in 1h\" }"
          " action = { \"tempfail\" } for = { \"5m\" } }\n");
    begin();
    play(&anna);
    anna.at_s += 360;
    anna.accepted = 9;
    play(&anna);
    assert_int_equal(found(), 1);
    anna.at_s += 1;
    anna.accepted = 1;
    play(&anna);
    assert_int_equal(found(), 2);
    assert_string_equal(finding(1)->because, "10 recipients in 1h: 10");
    end();
}

static void test_what_counts(void **state)
{
    const int64_t at = BEGUN + 2 * HOUR_S;
    const struct {
        const char *label;
        struct mail mails[3];
        bool found;
    } rows[] = {
        {"two messages", {{.accepted = 5}, {.accepted = 5}}, true},
        {"one too few", {{.accepted = 5}, {.accepted = 4}}, false},
        {"given up", {{.accepted = 9, .aborted = true}, {.accepted = 9}}, false},
        {"still open", {{.accepted = 9, .open = true}, {.accepted = 1}}, true},
        {"a tagged one", {{.accepted = 10, .verdict = VERDICT_TAG}}, true},
        {"an allow entry's", {{.accepted = 10, .entry_action = BLOCKLIST_ALLOW}}, false},
        {"listed in the middle",
         {{.accepted = 10,
           .refused = 3,
           .verdict = VERDICT_TEMPFAIL,
           .entry_action = BLOCKLIST_TEMPFAIL}},
         true},
        {"listed from the beginning",
         {{.accepted = 10,
           .verdict = VERDICT_REJECT,
           .stage = STAGE_EOM,
           .entry_action = BLOCKLIST_BLOCK}},
         false},
        {"an hour ago", {{.accepted = 9, .at_s = -HOUR_S - 300}, {.accepted = 9}}, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        start(BULK);
        begin();
        for (size_t k = 0; k < 3 && rows[i].mails[k].accepted > 0; k++) {
            struct mail mail = rows[i].mails[k];

            mail.login = "anna";
            mail.at_s += at;
            mail.late_ms = (int64_t)k; /* the order of the verdicts, not of the ids */
            play(&mail);
        }
        if ((found() == 1) != rows[i].found)
            fail_msg("%s: %zu findings", rows[i].label, played.count);
        end();
    }
}

static void test_nothing_before_a_window_is_whole(void **state)
{
    struct mail anna = {.login = "anna", .accepted = 20};

    (void)state;
    start(BULK);
    play(&(struct mail){.at_s = BEGUN - DAY_S, .verdict = VERDICT_REJECT, .refused = 1});
    assert_int_equal(played.begun_s, 0); /* accepted mail was not kept then */
    begin();
    anna.at_s = BEGUN + 600;
    play(&anna);
    assert_int_equal(found(), 0);
    assert_int_equal(played.begun_s, BEGUN);
    assert_int_equal(rule_blind_s(&played.config->rules[0]), HOUR_S);
    anna.at_s = BEGUN + HOUR_S;
    play(&anna);
    assert_int_equal(found(), 1);
    anna.login = "bert";
    anna.at_s += 600;
    replay_rules_gap(&played, anna.at_s);
    play(&anna);
    assert_int_equal(found(), 1);
    anna.at_s += HOUR_S;
    play(&anna);
    assert_int_equal(found(), 2);
    end();
}

static void test_clients(void **state)
{
    const int64_t at = BEGUN + 2 * HOUR_S;
    struct mail probe = {.client = "192.0.2.77", .accepted = 1, .unknown = 3, .at_s = at};

    (void)state;
    start(PROBER REPEAT);
    begin();
    for (int i = 0; i < 3; i++) /* a stranger is counted from the third event on */
        play(&probe);
    assert_int_equal(found(), 1);
    assert_string_equal(finding(0)->entry, "192.0.2.77");
    play(&(struct mail){.client = "10.0.0.7", .unknown = 40, .accepted = 1, .at_s = at});
    assert_int_equal(found(), 1); /* a private network */
    /* a flood, of which one stands for all; then before its recipients */
    play(&(struct mail){.client = "192.0.2.78",
                        .verdict = VERDICT_REJECT,
                        .refused = 2,
                        .folded = 30,
                        .at_s = at + 1});
    assert_string_equal(finding(1)->entry, "192.0.2.78");
    play(&(struct mail){.client = "192.0.2.79",
                        .verdict = VERDICT_REJECT,
                        .folded = 30,
                        .stage = STAGE_MAIL,
                        .at_s = at + 2});
    assert_string_equal(finding(2)->entry, "192.0.2.79");
    assert_string_equal(finding(2)->because, "20 refused in 1h: 20");
    play(&(struct mail){.client = "192.0.2.80",
                        .verdict = VERDICT_REJECT,
                        .folded = 30,
                        .entry_action = BLOCKLIST_BLOCK,
                        .at_s = at + 3});
    assert_int_equal(found(), 3); /* what our own entries refuse is no offence */
    end();
}

static void test_caps(void **state)
{
    struct mail mail = {.accepted = 10, .at_s = BEGUN + 2 * HOUR_S};
    char login[16];

    (void)state;
    start("automatic { max-per-hour = 3 max-per-day = 4 }\n" BULK);
    begin();
    mail.login = "postmaster@a.example"; /* a role: it is never counted */
    play(&mail);
    assert_int_equal(found(), 0);
    for (int i = 0; i < 5; i++) {
        (void)snprintf(login, sizeof login, "u%d", i);
        mail.login = login;
        play(&mail);
    }
    assert_int_equal(found(), 5);
    assert_int_equal(finding(2)->word, GUARD_LIST);
    assert_int_equal(finding(3)->word, GUARD_PROPOSE);
    assert_string_equal(finding(3)->why, "rules have listed 3 within an hour");
    assert_string_equal(finding(4)->why, "the rule has tripped");
    assert_int_equal(played.tripped_s[0], mail.at_s);
    mail.at_s += 60; /* proposed once in 7 days, and what is only proposed goes on */
    play(&mail);
    assert_int_equal(found(), 5);
    assert_int_equal(finding(4)->messages, 0);
    end();
}

static void test_one_of_a_hundred_logins(void **state)
{
    struct mail mail = {.accepted = 10};

    (void)state;
    start(BULK);
    begin();
    for (int i = 0; i < 2; i++) { /* who is active is not known in the first day */
        mail.login = i == 0 ? "a" : "b";
        mail.at_s = BEGUN + (2 + i) * HOUR_S;
        play(&mail);
    }
    assert_int_equal(finding(1)->word, GUARD_LIST);
    mail.login = "c";
    mail.at_s = BEGUN + DAY_S + HOUR_S;
    play(&mail);
    assert_int_equal(finding(2)->word, GUARD_PROPOSE);
    assert_non_null(strstr(finding(2)->why, "more than 1 %"));
    end();
}

/* Both write from a new network, bert to those whom he has written to. */
static void test_strangers(void **state)
{
    struct mail anna = {.login = "anna", .client = "198.51.100.5", .accepted = 1};
    struct mail bert = {.login = "bert", .client = "198.51.100.5", .accepted = 2};

    (void)state;
    start("rule \"r\" { mode = \"propose\" over = { \"1 strangers in 24h\" } }\n");
    begin();
    for (int day = 0; day < 9; day++) {
        anna.at_s = bert.at_s = BEGUN + day * DAY_S;
        play(&anna);
        play(&bert);
    }
    assert_int_equal(found(), 0);
    anna.client = bert.client = "203.0.113.5";
    anna.at_s = bert.at_s = BEGUN + 9 * DAY_S;
    anna.accepted = 2;
    play(&bert);
    assert_int_equal(found(), 0);
    play(&anna);
    assert_int_equal(found(), 1);
    assert_string_equal(finding(0)->entry, "user:anna");
    end();
}

static void test_blind(void **state)
{
    static const struct {
        const char *rule;
        int blind_s;
    } rows[] = {
        {"over = { \"5 recipients in 5m\", \"9 recipients in 24h\" }", 300},
        {"match = \"all\" over = { \"5 networks in 1h\", \"9 recipients in 24h\" }",
         DAY_S},
        {"first-seen = \"7d\" over = { \"9 recipients in 24h\" }", 7 * DAY_S},
        {"over = { \"9 strangers in 24h\" }", 7 * DAY_S},
        {"none-accepted = \"2d\" over = { \"9 refused in 24h\" }", 7 * DAY_S},
    };
    char text[256];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        (void)snprintf(text, sizeof text, "rule \"r\" { mode = \"propose\" %s }\n",
                       rows[i].rule);
        start(text);
        assert_int_equal(rule_blind_s(&played.config->rules[0]), rows[i].blind_s);
        end();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_listing_and_its_steps),
        cmocka_unit_test(test_who_was_listed_begins_again),
        cmocka_unit_test(test_what_counts),
        cmocka_unit_test(test_nothing_before_a_window_is_whole),
        cmocka_unit_test(test_clients),
        cmocka_unit_test(test_caps),
        cmocka_unit_test(test_one_of_a_hundred_logins),
        cmocka_unit_test(test_strangers),
        cmocka_unit_test(test_blind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
