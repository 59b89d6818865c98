/* SPDX-License-Identifier: BSD-2-Clause */
/* Sessions from their envelope to the decision, against a scripted name server. */

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "nameserver.h"
#include "policy/session.h"
#include "policy/tally.h"

#define X50 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

/* 192.0.2.N is listed by what the name of its zone's rules says. */
static const char rules[] =
    "[{\"name\":\"1.2.0.192.one.test\",\"type\":\"A\",\"a\":[\"127.0.0.2\"]},"
    " {\"name\":\"1.2.0.192.one.test\",\"type\":\"TXT\",\"txt\":[\"see "
    "https://one.test/1\"]},"
    " {\"name\":\"2.2.0.192.one.test\",\"type\":\"A\",\"a\":[\"127.0.0.4\"]},"
    " {\"name\":\"3.2.0.192.one.test\",\"type\":\"A\",\"a\":[\"127.0.0.2\"]},"
    " {\"name\":\"3.2.0.192.white.test\",\"type\":\"A\",\"a\":[\"127.0.3.3\"]},"
    " {\"name\":\"4.2.0.192.one.test\",\"silent\":true},"
    " {\"name\":\"5.2.0.192.two.test\",\"type\":\"A\",\"a\":[\"127.0.0.2\"]},"
    " {\"name\":\"5.2.0.192.one.test\",\"type\":\"A\",\"a\":[\"127.0.0.4\"],\"delay_ms\":"
    "100},"
    " {\"name\":\"6.2.0.192.one.test\",\"type\":\"A\",\"a\":[\"127.0.0.2\"]},"
    " {\"name\":\"6.2.0.192.two.test\",\"silent\":true},"
    " {\"name\":\"7.2.0.192.null.test\",\"type\":\"A\",\"a\":[\"127.0.0.2\"]},"
    " {\"name\":\"8.2.0.192.far.test\",\"type\":\"A\",\"a\":[\"127.0.0.2\"]},"
    " {\"name\":\"9.2.0.192.one.test\",\"rcode\":\"REFUSED\"},"
    " {\"name\":\"10.2.0.192.watch.test\",\"type\":\"A\",\"a\":[\"127.0.0.2\"]},"
    " {\"name\":\"11.2.0.192.one.test\",\"type\":\"A\",\"a\":[\"127.0.0.4\"]},"
    " {\"name\":\"12.2.0.192.secretkey.keyed.test\",\"type\":\"A\",\"a\":[\"127.0.0.2\"]}"
    ","
    " {\"name\":\"12.2.0.192.secretkey.keyed.test\",\"type\":\"TXT\",\"txt\":[\"" X50 X50
        X50 X50 X50 X50 X50 X50 X50 "yyyyyyyyyyyyyyyyyyyy"
    "yyyyyyyyyyyyyyyyyyyyyyyyySecretKey\"]},"
    " {\"name\":\"late.example.late.test\",\"type\":\"A\",\"a\":[\"127.0.0.2\"]},"
    " {\"name\":\"bad.example.names.test\",\"type\":\"A\",\"a\":[\"127.0.1.2\"]}]";

static const char conf[] =
    "user = \"\"\n"
    "resolver { servers = {\"%s\"} timeout = \"1s\" attempts = 2\n"
    "           deadline = \"2500ms\" min-ttl = \"1s\" }\n"
    "list \"one\" { test-listed = \"\" test-unlisted = \"\" zone = \"one.test\" codes "
    "\"127.0.0.2\" { weight = 8 }\n"
    "             codes \"127.0.0.4\" { weight = 4 } }\n"
    "list \"two\" { test-listed = \"\" test-unlisted = \"\" zone = \"two.test\" weight = "
    "4 }\n"
    "list \"white\" { test-listed = \"\" test-unlisted = \"\" zone = \"white.test\" "
    "codes \"127.0.*.3\" { weight = -5 } }\n"
    "list \"null\" { test-listed = \"\" test-unlisted = \"\" zone = \"null.test\" when = "
    "\"null-sender\" }\n"
    "list \"far\" { test-listed = \"\" test-unlisted = \"\" zone = \"far.test\" after = "
    "{\"one\", \"two\"} }\n"
    "list \"watch\" { test-listed = \"\" test-unlisted = \"\" zone = \"watch.test\" mode "
    "= \"monitor\" }\n"
    "list \"names\" { test-listed = \"\" test-unlisted = \"\" zone = \"names.test\" "
    "check = {\"helo\", \"sender-domain\"} }\n"
    "list \"keyed\" { test-listed = \"\" test-unlisted = \"\" zone = "
    "\"%%{key}.keyed.test\" key = \"secretkey\" reply = \"%%{reason}\" }\n"
    "list \"late\" { test-listed = \"\" test-unlisted = \"\" zone = \"late.test\" "
    "check = {\"sender-domain\"} after = {\"one\"} }\n"
    "exempt { senders = {\"@partner.example\"} networks = {\"198.51.100.0/24\"} }\n";

struct world {
    struct nameserver *server;
    struct resolver *resolver;
    struct prober *prober;
    struct policy *policy;
};

static void report(void *context, const char *text)
{
    (void)context;
    fprintf(stderr, "%s\n", text);
}

static struct config *load(const char *address)
{
    char path[] = "/tmp/test_session-XXXXXX";
    int fd = mkstemp(path);
    struct config *config;

    assert_true(fd >= 0);
    assert_true(dprintf(fd, conf, address) > 0);
    close(fd);
    config = config_load(path, report, NULL);
    unlink(path);
    assert_non_null(config);
    return config;
}

static int set_up(void **state)
{
    static const struct resolver_settings settings = {.timeout_ms = 1000,
                                                      .attempts = 2,
                                                      .deadline_ms = 2500,
                                                      .cache_size = 1000,
                                                      .min_ttl_s = 1,
                                                      .max_ttl_s = 60,
                                                      .negative_ttl_s = 60,
                                                      .max_queries = 1000};
    struct world *w = calloc(1, sizeof *w);

    assert_non_null(w);
    w->server = nameserver_new(rules);
    w->resolver = resolver_new(&settings);
    w->prober = prober_new(NULL);
    assert_int_equal(prober_start(w->prober, w->resolver), 0);
    struct config *config = load(nameserver_address(w->server));
    w->policy = policy_new(config, w->resolver, w->prober, NULL);
    config_unref(config);
    assert_non_null(w->policy);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    policy_unref(w->policy);
    prober_stop(w->prober);
    resolver_free(w->resolver);
    prober_free(w->prober);
    nameserver_free(w->server);
    free(w);
    return 0;
}

struct message {
    const char *client, *name, *helo, *sender, *login;
};

static struct session *begin(struct policy *policy, const struct message *m)
{
    struct session *s = session_new(policy, false);
    struct ipaddr client;

    assert_non_null(s);
    assert_int_equal(ipaddr_parse(m->client, &client), 0);
    assert_int_equal(session_connect(s, &client, m->name), 0);
    if (m->helo != NULL)
        assert_int_equal(session_helo(s, m->helo), 0);
    assert_int_equal(session_mail(s, m->sender, m->login), 0);
    return s;
}

/* A message, and what is decided about it. */
/* clang-format off */
static const struct {
    const char *label;
    struct message message;
    enum verdict verdict;
    int score;
    const char *exempt, *reply;
} messages[] = {
    {"listed", {"192.0.2.1", NULL, "h.example", "a@b.example", NULL},
     VERDICT_REJECT, 8, NULL,
     "Service unavailable; Client host [192.0.2.1] blocked using one; see https://one.test/1"},
    {"a code below the threshold tags", {"192.0.2.2", NULL, NULL, "a@b.example", NULL},
     VERDICT_TAG, 4, NULL, ""},
    {"an allow list takes off", {"192.0.2.3", NULL, NULL, "a@b.example", NULL},
     VERDICT_ACCEPT, 3, NULL, ""},
    {"silence counts as not listed", {"192.0.2.4", NULL, NULL, "a@b.example", NULL},
     VERDICT_ACCEPT, 0, NULL, ""},
    {"two lists add up, the first gives the reply", {"192.0.2.5", NULL, NULL, "a@b.example", NULL},
     VERDICT_REJECT, 8, NULL, "Service unavailable; Client host [192.0.2.5] blocked using one"},
    {"null-sender lists: not for others", {"192.0.2.7", NULL, NULL, "a@b.example", NULL},
     VERDICT_ACCEPT, 0, NULL, ""},
    {"null-sender lists: for bounces", {"192.0.2.7", NULL, NULL, "<>", NULL},
     VERDICT_REJECT, 8, NULL, "Service unavailable; Client host [192.0.2.7] blocked using null"},
    {"a list that waits for others", {"192.0.2.8", NULL, NULL, "a@b.example", NULL},
     VERDICT_REJECT, 8, NULL, "Service unavailable; Client host [192.0.2.8] blocked using far"},
    {"REFUSED is no listing", {"192.0.2.9", NULL, NULL, "a@b.example", NULL},
     VERDICT_ACCEPT, 0, NULL, ""},
    {"monitor weighs nothing", {"192.0.2.10", NULL, NULL, "a@b.example", NULL},
     VERDICT_ACCEPT, 0, NULL, ""},
    {"HELO", {"192.0.2.99", NULL, "Bad.Example", "a@b.example", NULL},
     VERDICT_REJECT, 8, NULL,
     "Service unavailable; Helo command [bad.example] blocked using names"},
    {"sender domain", {"192.0.2.99", NULL, "h.example", "<x@BAD.example>", NULL},
     VERDICT_REJECT, 8, NULL,
     "Service unavailable; Sender domain [bad.example] blocked using names"},
    {"both of one list count once", {"192.0.2.99", NULL, "bad.example", "<x@bad.example>", NULL},
     VERDICT_REJECT, 8, NULL,
     "Service unavailable; Helo command [bad.example] blocked using names"},
    {"a HELO in brackets is not asked about", {"192.0.2.99", NULL, "[192.0.2.1]", "<>", NULL},
     VERDICT_ACCEPT, 0, NULL, ""},
    {"exempt network", {"198.51.100.7", NULL, "bad.example", "a@b.example", NULL},
     VERDICT_ACCEPT, 0, "network", ""},
    {"exempt sender", {"192.0.2.1", NULL, NULL, "a@partner.example", NULL},
     VERDICT_ACCEPT, 0, "sender", ""},
    {"logged in", {"192.0.2.1", NULL, NULL, "a@b.example", "anna"},
     VERDICT_ACCEPT, 0, "authenticated", ""},
};
/* clang-format on */

static void decisions(void **state)
{
    struct world *w = *state;

    for (size_t i = 0; i < sizeof messages / sizeof messages[0]; i++) {
        struct session *s = begin(w->policy, &messages[i].message);
        const struct decision *d = session_decide(s, NULL, NULL);
        bool exempt_same =
            (d->exempt == NULL) == (messages[i].exempt == NULL) &&
            (d->exempt == NULL || strcmp(d->exempt, messages[i].exempt) == 0);

        if (d->verdict != messages[i].verdict || d->score != messages[i].score ||
            !exempt_same || strcmp(d->reply, messages[i].reply) != 0)
            fail_msg("%s: %s, score %d, exempt %s, \"%s\"", messages[i].label,
                     verdict_name(d->verdict), d->score, d->exempt, d->reply);
        session_free(s);
    }
}

/* one says 8; two is silent and cannot change that, white and far (not asked yet) could
 * not either. */
static void decided_before_all_is_answered(void **state)
{
    static const struct message m = {"192.0.2.6", NULL, NULL, "a@b.example", NULL};
    struct world *w = *state;
    struct session *s = begin(w->policy, &m);
    const struct decision *d;
    bool two_open = false, white_counted = false;

    d = session_decide(s, NULL, NULL);
    assert_int_equal(d->verdict, VERDICT_REJECT);
    for (const struct dnsbl_lookup *l = lookups_next(s->lookups, NULL); l != NULL;
         l = lookups_next(s->lookups, l)) {
        two_open |= !l->counted && strcmp(l->dnsbl->list->name, "two") == 0;
        white_counted |= l->counted && strcmp(l->dnsbl->list->name, "white") == 0;
    }
    assert_true(two_open);
    assert_true(white_counted); /* it could have saved the message */
    assert_true(d->took_ms < 2500);
    session_free(s);
}

/* What another session makes doubtful once the verdict is decided does not void it. */
static void doubt_after_the_wait_changes_nothing(void **state)
{
    static const struct message m = {"192.0.2.1", NULL, NULL, "a@b.example", NULL};
    struct world *w = *state;
    struct session *s = begin(w->policy, &m);
    struct list_half *one = &w->policy->lists.items[0].state->halves[0];
    struct wait wait = {
        .what = WAIT_VERDICT, .envelope = &s->envelope, .deadline_ms = clock_ms() + 2500};

    lookups_wait(s->lookups, &wait);
    atomic_store(&one->held, true);
    assert_int_equal(lookups_settle(s->lookups, &wait).score, 8);
    atomic_store(&one->held, false);
    session_free(s);
}

/* A session that ends with questions open leaves nothing behind (run under ASan). */
static void ends_with_questions_open(void **state)
{
    static const struct message m = {"192.0.2.4", NULL, NULL, "a@b.example", NULL};
    struct world *w = *state;

    for (int i = 0; i < 50; i++)
        session_free(begin(w->policy, &m));
}

static void second_message_is_judged_anew(void **state)
{
    static const struct message m = {"192.0.2.99", NULL, "h.example", "x@bad.example",
                                     NULL};
    struct world *w = *state;
    struct session *s = begin(w->policy, &m);

    assert_int_equal(session_decide(s, NULL, NULL)->verdict, VERDICT_REJECT);
    assert_int_equal(session_mail(s, "x@good.example", NULL), 0);
    assert_int_equal(session_decide(s, NULL, NULL)->verdict, VERDICT_ACCEPT);
    assert_string_equal(session_decide(s, NULL, NULL)->reply, "");
    session_free(s);
}

/* A HELO ends the message before it: what waits for other lists (after) must not be asked
 * about a sender that is no more. */
static void helo_forgets_the_sender(void **state)
{
    static const struct message m = {"192.0.2.99", NULL, "h.example", "x@late.example",
                                     NULL};
    struct world *w = *state;
    struct session *s = begin(w->policy, &m);

    assert_int_equal(session_decide(s, NULL, NULL)->verdict, VERDICT_REJECT);
    assert_int_equal(session_helo(s, "h.example"), 0);
    assert_int_equal(session_decide(s, NULL, NULL)->verdict, VERDICT_ACCEPT);
    session_free(s);
}

/* A client that sends message after message is one client that speaks against the list,
 * not many: else it could have the list set aside. */
static void a_client_is_watched_once(void **state)
{
    static const struct message m = {"192.0.2.11", NULL, "h.example", "a@b.example",
                                     NULL};
    struct world *w = *state;
    struct session *s;
    struct list_stats *stats = w->policy->lists.items[0].stats;
    uint32_t before;

    assert_string_equal(w->policy->lists.items[0].list->name, "one");
    before = stats->shares[0].window;
    s = begin(w->policy, &m);
    for (int i = 0; i < 8; i++) {
        assert_int_equal(session_decide(s, NULL, NULL)->verdict, VERDICT_TAG);
        assert_int_equal(session_mail(s, "a@b.example", NULL), 0);
    }
    assert_int_equal(stats->shares[0].window, before + 1);
    session_free(s);
}

/* The list's key is hidden before its text is cut: a part of it is a leak, too. */
static void key_is_hidden_where_the_text_is_cut(void **state)
{
    static const struct message m = {"192.0.2.12", NULL, NULL, "a@b.example", NULL};
    struct world *w = *state;
    struct session *s = begin(w->policy, &m);
    const char *reply = session_decide(s, NULL, NULL)->reply;

    assert_int_equal(strlen(reply), REPLY_TEXT_SIZE - 1);
    assert_null(strstr(reply, "S"));
    assert_string_equal(reply + strlen(reply) - 6, "y*****");
    session_free(s);
}

/* What sets a list that is new to "unchecked" must not undo its first test. */
static void the_first_test_counts(void **state)
{
    struct world *w = *state;

    for (int i = 0; i < 60; i++) {
        struct prober *prober = prober_new(NULL);
        struct config *config = load(nameserver_address(w->server));
        struct policy *policy;

        assert_int_equal(prober_start(prober, w->resolver), 0);
        policy = policy_new(config, w->resolver, prober, NULL);
        config_unref(config);
        assert_non_null(policy);
        for (size_t k = 0; k < policy->lists.count; k++) {
            struct watched *watched = policy->lists.items[k].watched;

            prober_wait(prober, watched, false, clock_ms() + 2000);
            usleep(100);
            assert_int_equal(atomic_load(&watched->state.halves[0].health),
                             HEALTH_HEALTHY);
        }
        policy_unref(policy);
        prober_stop(prober);
        prober_free(prober);
    }
}

/* Threads judge while the policy in force is swapped (run under TSan). */
struct swap {
    struct policy_slot slot;
    atomic_bool stop;
};

static void *judge_on(void *context)
{
    static const struct message m = {"192.0.2.1", NULL, "h.example", "a@b.example", NULL};
    struct swap *swap = context;

    while (!atomic_load(&swap->stop)) {
        struct policy *policy = policy_slot_get(&swap->slot);
        struct session *s = begin(policy, &m);

        policy_unref(policy);
        assert_int_equal(session_decide(s, NULL, NULL)->verdict, VERDICT_REJECT);
        session_free(s);
    }
    return NULL;
}

static void swapped_under_way(void **state)
{
    struct world *w = *state;
    struct swap swap = {.stop = false};
    pthread_t threads[4];

    assert_int_equal(policy_slot_init(&swap.slot, policy_ref(w->policy)), 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, judge_on, &swap), 0);
    for (int i = 0; i < 50; i++) {
        struct config *config = load(nameserver_address(w->server));
        struct policy *policy = policy_new(config, w->resolver, w->prober, NULL);

        assert_non_null(policy);
        config_unref(config);
        policy_slot_set(&swap.slot, policy);
    }
    atomic_store(&swap.stop, true);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    policy_slot_clear(&swap.slot);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decisions),
        cmocka_unit_test(decided_before_all_is_answered),
        cmocka_unit_test(doubt_after_the_wait_changes_nothing),
        cmocka_unit_test(ends_with_questions_open),
        cmocka_unit_test(second_message_is_judged_anew),
        cmocka_unit_test(helo_forgets_the_sender),
        cmocka_unit_test(a_client_is_watched_once),
        cmocka_unit_test(key_is_hidden_where_the_text_is_cut),
        cmocka_unit_test(the_first_test_counts),
        cmocka_unit_test(swapped_under_way),
    };

    return cmocka_run_group_tests_name("session", tests, set_up, tear_down);
}
