/* SPDX-License-Identifier: BSD-2-Clause */
/* How fast questions leave: in bursts that a name server's socket can hold, and one more
 * for each answer. What is counted is the time in which so many leave; a slow machine
 * only makes it longer. */

#include <arpa/inet.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "asker.h"
#include "base/clock.h"

/* as src/dns/resolver.c has them */
#define BURST_NEAR 64
#define BURST_FAR  256
#define BURST_MS   10

#define TRIES 10

static const struct resolver_settings settings = {
    .timeout_ms = 20000,
    .attempts = 1,
    .deadline_ms = 30000,
    .cache_size = 100,
    .max_ttl_s = 3600,
    .negative_ttl_s = 3600,
    .max_queries = 100000,
};

/* A name server that has no such name. It says nothing of those that begin with an s, and
 * the first packet about one that begins with an l is lost on it. */
static void *serve(void *arg)
{
    int fd = *(int *)arg;
    unsigned char packet[512];
    struct sockaddr_in client;
    int lost = 0;

    for (;;) {
        socklen_t size = sizeof client;
        ssize_t n =
            recvfrom(fd, packet, sizeof packet, 0, (struct sockaddr *)&client, &size);

        if (n < 14) /* no question: the end */
            return NULL;
        if (packet[13] == 's') /* the first label, behind its length */
            continue;
        if (packet[13] == 'l' && lost++ == 0)
            continue;
        packet[2] |= 0x80; /* an answer */
        packet[3] = 0x83;  /* NXDOMAIN */
        if (sendto(fd, packet, (size_t)n, 0, (struct sockaddr *)&client, size) != n)
            return NULL;
    }
}

struct world {
    int fd;
    struct sockaddr_in address;
    pthread_t server;
    struct resolver *resolver;
    struct upstream *upstream;
    int asked; /* names so far */
};

static void begin(struct world *w)
{
    socklen_t size = sizeof w->address;
    char servers[32];

    *w = (struct world){
        .fd = socket(AF_INET, SOCK_DGRAM, 0),
        .address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}};
    assert_int_equal(bind(w->fd, (struct sockaddr *)&w->address, size), 0);
    assert_int_equal(getsockname(w->fd, (struct sockaddr *)&w->address, &size), 0);
    assert_int_equal(pthread_create(&w->server, NULL, serve, &w->fd), 0);
    snprintf(servers, sizeof servers, "127.0.0.1:%u", ntohs(w->address.sin_port));
    w->resolver = resolver_new(&settings);
    assert_non_null(w->resolver);
    w->upstream = resolver_upstream(w->resolver, servers);
    assert_non_null(w->upstream);
}

static void end(struct world *w)
{
    resolver_free(w->resolver);
    assert_int_equal(
        sendto(w->fd, "", 0, 0, (struct sockaddr *)&w->address, sizeof w->address), 0);
    pthread_join(w->server, NULL);
    close(w->fd);
}

/* Answers that come quickly, one after another: the server is taken as near. */
static void come_near(struct world *w)
{
    for (int i = 0; i < 300; i++) {
        char name[32];

        snprintf(name, sizeof name, "near%d.t", w->asked++);
        struct dns_answer *answer = asker_get(w->resolver, w->upstream, DNS_A, name);
        assert_non_null(answer);
        assert_int_equal(answer->status, DNS_NONE);
        dns_answer_unref(answer);
    }
}

static void forget(struct dns_lookup *lookup, struct dns_answer *answer)
{
    (void)answer;
    free(lookup);
}

static uint64_t count_sent(struct world *w)
{
    struct resolver_stats stats;

    resolver_stats(w->resolver, &stats);
    return stats.asked;
}

static void ask(struct world *w, const char *what, int count)
{
    for (int i = 0; i < count; i++) {
        struct dns_lookup *lookup = calloc(1, sizeof *lookup);
        char name[32];

        assert_non_null(lookup);
        lookup->done = forget;
        snprintf(name, sizeof name, "%s%d.t", what, w->asked++);
        assert_null(resolver_query(w->resolver, w->upstream, DNS_A, name, 0, lookup));
    }
}

/* Asks for so many names at once. Returns the time until all have left, ms. */
static int ask_many(struct world *w, const char *what, int count)
{
    uint64_t before = count_sent(w);
    int64_t began_ms = clock_ms();

    ask(w, what, count);
    while (count_sent(w) < before + (uint64_t)count) {
        assert_true(clock_ms() - began_ms < 20000);
        usleep(500);
    }
    return (int)(clock_ms() - began_ms);
}

/* How long that takes at the least, when no answer comes. Clocks count whole ms, so that
 * the first and the last burst may be shorter. */
static int least_ms(int count, int burst)
{
    return (count / burst - 2) * BURST_MS;
}

static void test_far(void **state)
{
    const int count = 20 * BURST_FAR;
    struct world w;

    (void)state;
    begin(&w);
    int took_ms = ask_many(&w, "silent", count);
    print_message("%d left in %d ms\n", count, took_ms);
    assert_true(took_ms >= least_ms(count, BURST_FAR));
    end(&w);
}

static void test_near(void **state)
{
    const int count = 20 * BURST_NEAR;
    struct world w;

    (void)state;
    begin(&w);
    come_near(&w);
    int took_ms = ask_many(&w, "silent", count);
    print_message("%d left in %d ms\n", count, took_ms);
    assert_true(took_ms >= least_ms(count, BURST_NEAR));
    end(&w);
}

/* The one that hangs on the machine's speed: it has several tries, each of which takes as
 * long as test_near's where answers do not count. */
static void test_answers_let_more_leave(void **state)
{
    const int count = 20 * BURST_NEAR;
    int took_ms = 0;
    struct world w;

    (void)state;
    begin(&w);
    for (int i = 0; i < TRIES; i++) {
        come_near(&w);
        took_ms = ask_many(&w, "answered", count);
        print_message("%d left in %d ms\n", count, took_ms);
        if (took_ms < least_ms(count, BURST_NEAR))
            break;
    }
    assert_true(took_ms < least_ms(count, BURST_NEAR));
    end(&w);
}

/* The names in the order of their answers: by the resolver's thread, one after another. */
static atomic_int answers;

struct noted {
    struct dns_lookup lookup; /* first */
    atomic_int place;
};

static void note(struct dns_lookup *lookup, struct dns_answer *answer)
{
    (void)answer;
    atomic_store(&((struct noted *)lookup)->place, atomic_fetch_add(&answers, 1) + 1);
}

/* What was lost does not wait for the end of a queue of new ones. */
static void test_lost_goes_first(void **state)
{
    struct noted lost = {.lookup = {.done = note, .retry_ms = 50}},
                 last = {.lookup = {.done = note}};
    int64_t began_ms = clock_ms();
    struct world w;

    (void)state;
    begin(&w);
    come_near(&w);
    assert_null(resolver_query(w.resolver, w.upstream, DNS_A, "lost.t", 0, &lost.lookup));
    ask(&w, "silent", 40 * BURST_NEAR); /* 400 ms, at the least */
    assert_null(
        resolver_query(w.resolver, w.upstream, DNS_A, "answered.t", 0, &last.lookup));
    while (atomic_load(&last.place) == 0 || atomic_load(&lost.place) == 0) {
        assert_true(clock_ms() - began_ms < 20000);
        usleep(500);
    }
    assert_int_equal(atomic_load(&lost.place), 1);
    end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_far),
        cmocka_unit_test(test_near),
        cmocka_unit_test(test_answers_let_more_leave),
        cmocka_unit_test(test_lost_goes_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
