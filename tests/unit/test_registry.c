/* The lists' records and their tests, against a scripted name server: states, an admin's
 * word, the state file, quotas. */

#include <arpa/inet.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "dnsbl/dnsbl.h"
#include "nameserver.h"

#define GOOD(zone)                                                                       \
    "{\"name\":\"2.0.0.127." zone "\",\"type\":\"A\",\"a\":[\"127.0.0.2\"]}"

struct world {
    struct nameserver *server;
    struct resolver *resolver;
    struct dnsbl_registry *registry;
    struct config *config;
    struct dnsbl_set lists;
    char dir[64], state[96];
};

static void report(void *context, const char *text)
{
    (void)context;
    fprintf(stderr, "%s\n", text);
}

static struct config *load(struct world *w, const char *lists)
{
    char path[96];
    FILE *file;
    struct config *config;

    snprintf(path, sizeof path, "%s/conf", w->dir);
    file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fprintf(file,
                        "user = \"\"\nresolver { servers = {\"%s\"} deadline = \"600ms\" "
                        "timeout = \"200ms\" }\nblocklist { database = \"%s/db\" }\n%s",
                        nameserver_address(w->server), w->dir, lists) > 0);
    assert_int_equal(fclose(file), 0);
    config = config_load(path, report, NULL);
    unlink(path);
    assert_non_null(config);
    return config;
}

/* The daemon's part at a start, or a reload: lists of a conf file. */
static void configure(struct world *w, const char *lists)
{
    struct config *config = load(w, lists);
    struct dnsbl_set set;

    assert_int_equal(dnsbl_set_init(&set, config, w->resolver, w->registry), 0);
    dnsbl_set_clear(&w->lists);
    config_unref(w->config);
    w->lists = set;
    w->config = config;
    registry_forget_others(w->registry, config);
}

static void start(struct world *w)
{
    static const struct resolver_settings settings = {.timeout_ms = 200,
                                                      .attempts = 1,
                                                      .deadline_ms = 300,
                                                      .cache_size = 1000,
                                                      .min_ttl_s = 0,
                                                      .max_ttl_s = 60,
                                                      .negative_ttl_s = 60,
                                                      .stale_ttl_s = 60,
                                                      .max_queries = 1000};

    w->resolver = resolver_new(&settings);
    w->registry = registry_new(w->state);
    assert_non_null(w->resolver);
    assert_non_null(w->registry);
    assert_int_equal(registry_start(w->registry, w->resolver), 0);
}

static void stop(struct world *w)
{
    dnsbl_set_clear(&w->lists);
    registry_stop(w->registry);
    resolver_free(w->resolver);
    registry_free(w->registry);
    config_unref(w->config);
    w->registry = NULL;
    w->config = NULL;
}

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof *w);

    assert_non_null(w);
    snprintf(w->dir, sizeof w->dir, "/tmp/test_registry-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    snprintf(w->state, sizeof w->state, "%s/state.json", w->dir);
    w->server = nameserver_new("[" GOOD("bl.test") "]");
    start(w);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    char temporary[sizeof w->state + 4];

    if (w->registry != NULL)
        stop(w);
    nameserver_free(w->server);
    snprintf(temporary, sizeof temporary, "%s.new", w->state);
    unlink(temporary);
    rmdir(temporary);
    unlink(w->state);
    rmdir(w->dir);
    free(w);
    return 0;
}

static struct dnsbl_record *record_of(struct world *w, const char *name)
{
    struct dnsbl_record *record = registry_find(w->registry, name);

    assert_non_null(record);
    return record;
}

static void read_why(struct dnsbl_record *record, char out[static WHY_SIZE])
{
    pthread_mutex_lock(&record->lock);
    snprintf(out, WHY_SIZE, "%s", record->why);
    pthread_mutex_unlock(&record->lock);
}

/* Waits until the record is in that state; fails after within_ms. Returns how long it
 * took. */
static int64_t await(struct dnsbl_record *record, enum health want, int within_ms)
{
    int64_t began_ms = clock_ms();
    char why[WHY_SIZE];

    while (atomic_load(&record->health) != want) {
        if (clock_ms() - began_ms > within_ms) {
            read_why(record, why);
            fail_msg("wanted %s, is %s: %s", health_name(want),
                     health_name(atomic_load(&record->health)), why);
        }
        usleep(5000);
    }
    return clock_ms() - began_ms;
}

/* What a session would have heard, so many times. */
static void hear(struct dnsbl_record *record, const struct list *list,
                 enum dns_status status, const char *address, int times)
{
    for (int i = 0; i < times; i++) {
        struct dns_answer *answer = dns_answer_failure(status);

        if (address != NULL) {
            answer = dns_answer_new(DNS_FOUND, 1, NULL);
            assert_non_null(answer);
            inet_pton(AF_INET, address, &answer->addresses[0]);
        }
        struct listing listing = listing_judge(list, answer);
        record_answer(record, answer, &listing, CHECK_CLIENT, false, 0);
        dns_answer_unref(answer);
    }
}

/* Packets are lost in bursts, and what was lost times out at once: a list that answers
 * others meanwhile is not down. */
static void lost_packets(void **state)
{
    struct dnsbl_record record = {.name = "bl", .health = HEALTH_HEALTHY};
    static const struct listing none = {.state = LISTING_NONE, .label = ""};
    static const struct listing failed = {.state = LISTING_FAILED, .label = ""};

    (void)state;
    pthread_mutex_init(&record.lock, NULL);
    record_answer(&record, dns_answer_failure(DNS_NONE), &none, CHECK_CLIENT, false, 3);
    for (int i = 0; i < 100; i++)
        record_answer(&record, dns_answer_failure(DNS_TIMEOUT), &failed, CHECK_CLIENT,
                      false, 2000);
    assert_int_equal(atomic_load(&record.health), HEALTH_HEALTHY);
    assert_int_equal(atomic_load(&record.failures), 0);
    pthread_mutex_destroy(&record.lock);
}

static const char one[] = "list \"bl\" { zone = \"bl.test\" }\n";

static void first_states(void **state)
{
    static const struct {
        const char *label, *rules, *lists;
        enum health want;
        const char *why;
    } cases[] = {
        {"healthy", "[" GOOD("bl.test") "]", one, HEALTH_HEALTHY, "as they must"},
        {"empty", "[]", one, HEALTH_EMPTY, "does not list 127.0.0.2"},
        {"lying", "[{\"suffix\":\"bl.test\",\"a\":[\"127.0.0.2\"]}]", one, HEALTH_LYING,
         "lists 127.0.0.1"},
        {"foreign", "[{\"suffix\":\"bl.test\",\"a\":[\"192.0.2.80\"]}]", one,
         HEALTH_LYING, "192.0.2.80"},
        {"blocked by a code", "[{\"suffix\":\"bl.test\",\"a\":[\"127.255.255.254\"]}]",
         one, HEALTH_BLOCKED, "127.255.255.254"},
        {"blocked by REFUSED", "[{\"suffix\":\"bl.test\",\"rcode\":\"REFUSED\"}]", one,
         HEALTH_BLOCKED, "REFUSED"},
        {"down", "[{\"suffix\":\"bl.test\",\"silent\":true}]", one, HEALTH_DOWN,
         "timeout"},
        {"servfail", "[{\"suffix\":\"bl.test\",\"rcode\":\"SERVFAIL\"}]", one,
         HEALTH_DOWN, "servfail"},
        {"names", "[{\"name\":\"test.bl.test\",\"a\":[\"127.0.1.2\"]}]",
         "list \"bl\" { zone = \"bl.test\" check = {\"helo\"} }\n", HEALTH_HEALTHY,
         "as they must"},
        {"a point of its own", "[{\"name\":\"5.0.0.127.bl.test\",\"a\":[\"127.0.0.9\"]}]",
         "list \"bl\" { zone = \"bl.test\" test-listed = \"127.0.0.5\" }\n",
         HEALTH_HEALTHY, "as they must"},
        {"no negative point", "[{\"suffix\":\"bl.test\",\"a\":[\"127.0.0.2\"]}]",
         "list \"bl\" { zone = \"bl.test\" test-unlisted = \"\" }\n", HEALTH_HEALTHY,
         "as they must"},
        {"no points", "[{\"suffix\":\"bl.test\",\"silent\":true}]",
         "list \"bl\" { zone = \"bl.test\" test-listed = \"\" test-unlisted = \"\" }\n",
         HEALTH_HEALTHY, "has no test points"},
        {"an allow list that allows the world",
         "[{\"suffix\":\"bl.test\",\"a\":[\"127.0.10.3\"]}]",
         "list \"bl\" { zone = \"bl.test\" weight = -5 }\n", HEALTH_LYING, "127.0.0.1"},
    };
    struct world *w = *state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char why[WHY_SIZE];

        nameserver_rules(w->server, cases[i].rules);
        configure(w, "");
        stop(w);
        unlink(w->state);
        start(w);
        configure(w, cases[i].lists);
        struct dnsbl_record *record = record_of(w, "bl");
        registry_wait_checked(record, clock_ms() + 3000);
        enum health got = atomic_load(&record->health);
        read_why(record, why);
        if (got != cases[i].want || strstr(why, cases[i].why) == NULL)
            fail_msg("%s: %s, \"%s\"", cases[i].label, health_name(got), why);
        assert_int_equal(record_counts(record, false), got == HEALTH_HEALTHY);
        assert_int_equal(record_way(record, record->list),
                         got == HEALTH_HEALTHY ? DNSBL_ASK
                         : got == HEALTH_DOWN  ? DNSBL_REMEMBER
                                               : DNSBL_ASIDE);
    }
}

/* Until the first test is over a list is asked, but does not count. */
static void unchecked_does_not_count(void **state)
{
    struct world *w = *state;

    nameserver_rules(w->server, "[{\"suffix\":\"bl.test\",\"silent\":true}]");
    configure(w, one);
    struct dnsbl_record *record = record_of(w, "bl");
    assert_int_equal(atomic_load(&record->health), HEALTH_UNCHECKED);
    assert_int_equal(record_way(record, record->list), DNSBL_ASK);
    assert_false(record_counts(record, false));
    registry_wait_checked(record, clock_ms() + 50); /* gives up in time */
    assert_int_equal(atomic_load(&record->health), HEALTH_UNCHECKED);
    await(record, HEALTH_DOWN, 2000);
}

static void down_and_back(void **state)
{
    struct world *w = *state;

    configure(w, one);
    struct dnsbl_record *record = record_of(w, "bl");
    await(record, HEALTH_HEALTHY, 2000);
    nameserver_command(w->server, "down");
    hear(record, record->list, DNS_TIMEOUT, NULL, 2);
    assert_int_equal(atomic_load(&record->health), HEALTH_HEALTHY);
    hear(record, record->list, DNS_NONE, NULL, 1); /* not in a row */
    hear(record, record->list, DNS_TIMEOUT, NULL, 2);
    assert_int_equal(atomic_load(&record->health), HEALTH_HEALTHY);
    hear(record, record->list, DNS_TIMEOUT, NULL, 1);
    assert_int_equal(atomic_load(&record->health), HEALTH_DOWN);
    assert_int_equal(record_way(record, record->list), DNSBL_REMEMBER);
    assert_true(record_counts(record, true));
    assert_false(record_counts(record, false));
    usleep(1500000); /* it is tested meanwhile, in vain */
    assert_int_equal(atomic_load(&record->health), HEALTH_DOWN);
    nameserver_command(w->server, "up");
    assert_true(await(record, HEALTH_HEALTHY, 6000) <= 5000);
}

static void down_without_points(void **state)
{
    struct world *w = *state;

    configure(w, "list \"bl\" { zone = \"bl.test\" test-listed = \"\" "
                 "test-unlisted = \"\" }\n");
    struct dnsbl_record *record = record_of(w, "bl");
    await(record, HEALTH_HEALTHY, 2000);
    assert_int_equal(nameserver_queries(w->server, ""), 0);
    nameserver_command(w->server, "down");
    hear(record, record->list, DNS_TIMEOUT, NULL, 3);
    usleep(1500000);
    assert_int_equal(atomic_load(&record->health), HEALTH_DOWN);
    nameserver_command(w->server, "up");
    assert_true(await(record, HEALTH_HEALTHY, 6000) <= 5000);
}

static void what_sessions_hear(void **state)
{
    static const struct {
        const char *label;
        enum dns_status status;
        const char *address;
        int times;
        enum health want;
    } cases[] = {
        {"listings", DNS_FOUND, "127.0.0.2", 10, HEALTH_HEALTHY},
        {"one foreign answer", DNS_FOUND, "192.0.2.80", 1, HEALTH_LYING},
        {"two error codes", DNS_FOUND, "127.255.255.254", 2, HEALTH_HEALTHY},
        {"three error codes", DNS_FOUND, "127.255.255.254", 3, HEALTH_BLOCKED},
        {"three REFUSED", DNS_REFUSED, NULL, 3, HEALTH_BLOCKED},
        {"three SERVFAIL", DNS_SERVFAIL, NULL, 3, HEALTH_DOWN},
        {"not asked is our own doing", DNS_NOT_ASKED, NULL, 10, HEALTH_HEALTHY},
    };
    struct world *w = *state;

    configure(w, one);
    struct dnsbl_record *record = record_of(w, "bl");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        await(record, HEALTH_HEALTHY, 3000); /* its test points are right: it is back */
        hear(record, record->list, cases[i].status, cases[i].address, cases[i].times);
        if (atomic_load(&record->health) != cases[i].want)
            fail_msg("%s: %s", cases[i].label, health_name(atomic_load(&record->health)));
        atomic_store(&record->failures, 0);
    }
    await(record, HEALTH_HEALTHY, 3000);
}

static void slow(void **state)
{
    struct world *w = *state;

    configure(w, one);
    struct dnsbl_record *record = record_of(w, "bl");
    await(record, HEALTH_HEALTHY, 2000);
    for (int i = 0; i < 100; i++) {
        struct listing none = {.state = LISTING_NONE, .label = ""};

        record_answer(record, dns_answer_failure(DNS_NONE), &none, CHECK_CLIENT, false,
                      1400);
    }
    assert_true(atomic_load(&record->deadline_ms) >= 3 * 1400);
    registry_test(record, clock_ms() + 3000);
    assert_int_equal(atomic_load(&record->health), HEALTH_SLOW);
    assert_true(record_counts(record, false));
}

/* A list that suddenly has every client is set aside though its test points are right,
 * asked on, and taken back when it is calm. */
static void surge(void **state)
{
    struct world *w = *state;
    int refused = 0;

    configure(w, one);
    struct dnsbl_record *record = record_of(w, "bl");
    await(record, HEALTH_HEALTHY, 2000);
    for (int i = 0; i < 1000; i++)
        record_watch(record, i % 50 == 0, 10);
    assert_true(record_counts(record, false));
    for (int i = 0; i < 1000 && !atomic_load(&record->surge_hold); i++) {
        await(record, HEALTH_HEALTHY, 3000);
        record_watch(record, true, 10);
        refused++;
    }
    assert_true(refused <= 200);
    assert_int_equal(record_way(record, record->list), DNSBL_ASK);
    assert_false(record_counts(record, false));
    registry_test(record, clock_ms() + 3000);
    assert_int_equal(atomic_load(&record->health), HEALTH_LYING);
    for (int i = 0; i < 100; i++)
        record_watch(record, false, 10);
    registry_test(record, clock_ms() + 3000);
    assert_int_equal(atomic_load(&record->health), HEALTH_HEALTHY);
    assert_false(atomic_load(&record->surge_hold));
}

static void admin(void **state)
{
    struct world *w = *state;
    char why[WHY_SIZE];

    configure(w, one);
    struct dnsbl_record *record = record_of(w, "bl");
    await(record, HEALTH_HEALTHY, 2000);
    assert_false(registry_resume(record));
    assert_true(registry_suspend(record, "anna"));
    assert_false(registry_suspend(record, "anna"));
    read_why(record, why);
    assert_string_equal(why, "suspended by anna");
    assert_int_equal(record_way(record, record->list), DNSBL_ASIDE);
    assert_string_equal(record_aside_reason(record), "suspended");
    int64_t began_ms = clock_ms();
    registry_test(record, began_ms + 3000); /* nothing to wait for */
    assert_true(clock_ms() - began_ms < 500);
    configure(w, one); /* a reload is no resume */
    usleep(700000);
    assert_int_equal(atomic_load(&record->health), HEALTH_SUSPENDED);
    nameserver_rules(w->server, "[]");
    assert_true(registry_resume(record));
    await(record, HEALTH_EMPTY, 2000); /* tested before it counts */
    nameserver_rules(w->server, "[" GOOD("bl.test") "]");
    registry_test(record, clock_ms() + 3000);
    assert_int_equal(atomic_load(&record->health), HEALTH_HEALTHY);
}

/* A test that is asked for while another one runs is not lost in it. */
static void test_during_test(void **state)
{
    struct world *w = *state;

    nameserver_rules(w->server, "[{\"suffix\":\"bl.test\",\"silent\":true}]");
    configure(w, one);
    struct dnsbl_record *record = record_of(w, "bl");
    usleep(50000);
    nameserver_rules(w->server, "[" GOOD("bl.test") "]");
    int64_t began_ms = clock_ms();
    registry_test(record, began_ms + 5000);
    assert_int_equal(atomic_load(&record->health), HEALTH_HEALTHY);
    assert_true(clock_ms() - began_ms < 2000);
}

static void reload(void **state)
{
    struct world *w = *state;

    nameserver_rules(w->server, "[" GOOD("bl.test") "," GOOD("two.test") "]");
    configure(w, one);
    struct dnsbl_record *record = record_of(w, "bl");
    await(record, HEALTH_HEALTHY, 2000);
    time_t since = record->since;
    configure(w, "list \"two\" { zone = \"two.test\" }\n"
                 "list \"bl\" { zone = \"bl.test\" weight = 3 }\n");
    assert_ptr_equal(record_of(w, "bl"), record);
    assert_int_equal(atomic_load(&record->health), HEALTH_HEALTHY);
    assert_int_equal(record->since, since);
    await(record_of(w, "two"), HEALTH_HEALTHY, 2000);
    configure(w, "list \"two\" { zone = \"two.test\" }\n");
    assert_null(record->config);
    registry_test(record, clock_ms() + 3000); /* of no configuration: nothing to do */
    nameserver_rules(w->server, "[{\"suffix\":\"bl.test\",\"silent\":true}]");
    configure(w, one); /* without an answer it cannot be healthy again before we look */
    assert_false(record_counts(record, false));
    nameserver_rules(w->server, "[" GOOD("bl.test") "]");
    registry_test(record, clock_ms() + 3000);
    assert_int_equal(atomic_load(&record->health), HEALTH_HEALTHY);
    configure(w, "list \"bl\" { zone = \"void.test\" }\n");
    assert_false(record_counts(record, false)); /* another zone: what was known is void */
    await(record, HEALTH_EMPTY, 2000);
}

static void restart(struct world *w)
{
    stop(w);
    start(w);
    configure(w, one);
}

static void outlives_a_restart(void **state)
{
    struct world *w = *state;

    configure(w, one);
    struct dnsbl_record *record = record_of(w, "bl");
    await(record, HEALTH_HEALTHY, 2000);
    pthread_mutex_lock(&record->lock);
    record->since -= 1000;
    time_t since = record->since;
    pthread_mutex_unlock(&record->lock);
    record_asked(record, record->list);
    record_asked(record, record->list);
    for (int i = 0; i < 1000; i++)
        record_watch(record, i % 50 == 0, 10);
    double share = record->surge.share;
    restart(w);
    record = record_of(w, "bl");
    await(record, HEALTH_HEALTHY, 2000);
    assert_int_equal(record->since, since); /* it was well all the time */
    assert_int_equal(record->quota_used, 2);
    assert_true(record->surge.share == share);
    assert_int_equal(record->surge.history, 1000);
    registry_suspend(record, "anna");
    restart(w);
    record = record_of(w, "bl");
    usleep(300000);
    assert_int_equal(atomic_load(&record->health), HEALTH_SUSPENDED);
    assert_string_equal(record->why, "suspended by anna");
    registry_resume(record);
    await(record, HEALTH_HEALTHY, 2000);
    assert_true(record->since > since);
    for (int i = 0; i < 1000 && !atomic_load(&record->surge_hold); i++) {
        await(record, HEALTH_HEALTHY, 3000);
        record_watch(record, true, 10);
    }
    restart(w);
    record = record_of(w, "bl");
    assert_int_equal(atomic_load(&record->health), HEALTH_LYING);
    registry_test(record, clock_ms() + 3000);
    assert_int_equal(atomic_load(&record->health), HEALTH_LYING);
}

static void write_state(struct world *w, const char *text)
{
    FILE *file = fopen(w->state, "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* Whatever the file holds, the start goes on, and the states begin anew. */
static void damaged_files(void **state)
{
    static const struct {
        const char *label, *text;
    } cases[] = {
        {"empty", ""},
        {"cut", "{ \"bl\": { \"health\": \"suspe"},
        {"no JSON", "\x01\x02 nonsense"},
        {"an array", "[1, 2, 3]"},
        {"a list that is none", "{ \"bl\": 7 }"},
        {"members missing", "{ \"bl\": { \"health\": \"suspended\" } }"},
        {"wrong types", "{ \"bl\": { \"health\": 1, \"why\": 2, \"since\": \"x\", "
                        "\"quota-day\": [], \"quota-used\": {} } }"},
        {"an unknown state",
         "{ \"bl\": { \"health\": \"well\", \"why\": \"\", \"since\": 1, \"quota-day\": "
         "1, \"quota-used\": 1 } }"},
        {"numbers out of range",
         "{ \"bl\": { \"health\": \"healthy\", \"why\": \"\", \"since\": 1, "
         "\"quota-day\": 1, \"quota-used\": -5, \"share\": 7.5, \"history\": -1, "
         "\"bad-windows\": -1, \"run\": -1, \"surge\": true } }"},
        {"a surge out of range",
         "{ \"bl\": { \"health\": \"healthy\", \"why\": \"\", \"since\": 1, "
         "\"quota-day\": 1, \"quota-used\": 5, \"share\": 7.5, \"history\": -1, "
         "\"bad-windows\": -1, \"run\": -1, \"surge\": true } }"},
    };
    struct world *w = *state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        stop(w);
        write_state(w, cases[i].text);
        start(w);
        configure(w, one);
        struct dnsbl_record *record = record_of(w, "bl");
        registry_wait_checked(record, clock_ms() + 3000);
        if (atomic_load(&record->health) != HEALTH_HEALTHY || record->surge.share > 1 ||
            record->quota_used > 5)
            fail_msg("%s: %s", cases[i].label, health_name(atomic_load(&record->health)));
    }
}

/* Where the file cannot be written, all else goes on, and the old one stays. */
static void unwritable_file(void **state)
{
    struct world *w = *state;
    char temporary[sizeof w->state + 4], text[64] = "";

    stop(w);
    write_state(w, "{}\n");
    snprintf(temporary, sizeof temporary, "%s.new", w->state);
    assert_int_equal(mkdir(temporary, 0700), 0);
    start(w);
    configure(w, one);
    await(record_of(w, "bl"), HEALTH_HEALTHY, 2000);
    stop(w);
    FILE *file = fopen(w->state, "r");
    assert_non_null(file);
    assert_non_null(fgets(text, sizeof text, file));
    fclose(file);
    assert_string_equal(text, "{}\n");
}

/* What is seen while the state file is being written is not overlooked: the disk is a
 * pipe here, that nobody reads for a while. */
static void slow_disk(void **state)
{
    struct world *w = *state;
    char temporary[sizeof w->state + 4], text[256];

    snprintf(temporary, sizeof temporary, "%s.new", w->state);
    assert_int_equal(mkfifo(temporary, 0600), 0);
    configure(w, one);
    struct dnsbl_record *record = record_of(w, "bl");
    await(record, HEALTH_HEALTHY, 2000);
    usleep(2500000); /* the change of state is written two seconds later */
    hear(record, record->list, DNS_SERVFAIL, NULL, 3);
    assert_int_equal(atomic_load(&record->health), HEALTH_DOWN);
    int disk = open(temporary, O_RDONLY);
    assert_true(disk >= 0);
    assert_int_equal(unlink(temporary), 0);
    while (read(disk, text, sizeof text) > 0)
        continue;
    close(disk);
    await(record, HEALTH_HEALTHY, 1000);
}

static void quota(void **state)
{
    static const struct {
        const char *label, *option;
        enum dnsbl_way want;
    } cases[] = {
        {"off", "", DNSBL_ASIDE},
        {"off, said", "on-limit = \"off\"", DNSBL_ASIDE},
        {"cache only", "on-limit = \"cache-only\"", DNSBL_REMEMBER},
    };
    struct world *w = *state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[256];

        snprintf(text, sizeof text,
                 "list \"bl\" { zone = \"bl.test\" daily-limit = 10 %s }\n",
                 cases[i].option);
        configure(w, text);
        struct dnsbl_record *record = record_of(w, "bl");
        await(record, HEALTH_HEALTHY, 2000);
        for (int n = 0; n < 10; n++) {
            if (record_way(record, record->list) != DNSBL_ASK)
                fail_msg("%s: set aside after %d", cases[i].label, n);
            assert_int_equal(record->quota_told, n >= 10 ? 100 : n >= 8 ? 80 : 0);
            record_asked(record, record->list);
        }
        if (record_way(record, record->list) != cases[i].want)
            fail_msg("%s: at the limit", cases[i].label);
        assert_string_equal(record_aside_reason(record), "limit");
        pthread_mutex_lock(&record->lock);
        record->quota_day--; /* as if it was of yesterday */
        pthread_mutex_unlock(&record->lock);
        assert_int_equal(record_way(record, record->list), DNSBL_ASK);
        assert_int_equal(record->quota_used, 0);
        assert_int_equal(record->quota_told, 0);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lost_packets),
        TEST(first_states),
        TEST(unchecked_does_not_count),
        TEST(down_and_back),
        TEST(down_without_points),
        TEST(what_sessions_hear),
        TEST(slow),
        TEST(surge),
        TEST(admin),
        TEST(test_during_test),
        TEST(reload),
        TEST(outlives_a_restart),
        TEST(damaged_files),
        TEST(unwritable_file),
        TEST(slow_disk),
        TEST(quota),
    };

    return cmocka_run_group_tests_name("registry", tests, NULL, NULL);
}
