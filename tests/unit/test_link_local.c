/* SPDX-License-Identifier: BSD-2-Clause */
/* A name server at a link-local address, in a network namespace of our own. Skipped where
 * there is none to be had. */
#include <arpa/inet.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "asker.h"

static const struct resolver_settings usual = {
    .timeout_ms = 300,
    .attempts = 2,
    .deadline_ms = 3000,
    .cache_size = 10,
    .min_ttl_s = 1,
    .max_ttl_s = 3600,
    .negative_ttl_s = 3600,
    .stale_ttl_s = 3600,
    .max_queries = 10,
};

/* Answers each query by 127.0.0.2, until the socket is shut down. */
static void *serve(void *context)
{
    static const uint8_t record[] = {0xc0, 12, 0, 1, 0,   1, 0, 0,
                                     1,    0,  0, 4, 127, 0, 0, 2};
    int fd = *(int *)context;
    uint8_t packet[512 + sizeof record];
    struct sockaddr_in6 from;

    for (;;) {
        socklen_t from_size = sizeof from;
        ssize_t size = recvfrom(fd, packet, 512, 0, (struct sockaddr *)&from, &from_size);

        if (size < 12)
            return NULL;
        packet[2] = 0x85;
        packet[3] = 0x80;
        packet[7] = 1;
        memcpy(packet + size, record, sizeof record);
        if (sendto(fd, packet, (size_t)size + sizeof record, 0,
                   (const struct sockaddr *)&from, from_size) < 0)
            return NULL;
    }
}

static int listen_there(void)
{
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_port = htons(5300)};
    int fd;

    if (unshare(CLONE_NEWNET) != 0 ||
        system("ip link set lo up && ip addr add fe80::1/64 dev lo nodad") != 0)
        return -1;
    inet_pton(AF_INET6, "fe80::1", &address.sin6_addr);
    address.sin6_scope_id = if_nametoindex("lo");
    fd = socket(AF_INET6, SOCK_DGRAM, 0);
    if (fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

static void test_asked(void **state)
{
    struct dns_answer *answer;
    struct resolver *resolver;
    struct upstream *upstream;
    pthread_t server;
    int fd = listen_there();

    (void)state;
    if (fd < 0)
        skip();
    assert_int_equal(pthread_create(&server, NULL, serve, &fd), 0);
    resolver = resolver_new(&usual);
    assert_non_null(resolver);
    upstream = resolver_upstream(resolver, "[fe80::1%lo]:5300");
    assert_non_null(upstream);
    answer = asker_get(resolver, upstream, DNS_A, "one.example");
    assert_non_null(answer);
    assert_int_equal(answer->status, DNS_FOUND);
    assert_int_equal(answer->addresses[0].s_addr, htonl(0x7f000002));
    dns_answer_unref(answer);
    resolver_free(resolver);
    shutdown(fd, SHUT_RDWR);
    pthread_join(server, NULL);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_asked)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
