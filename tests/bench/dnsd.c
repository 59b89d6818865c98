/* SPDX-License-Identifier: BSD-2-Clause */
/* A name server for DNS lists that are made up: UDP, scripted, with delays, thousands of
 * answers a second at little cost. It prints "ready PORT", and at SIGTERM one JSON line
 * with its counts. */

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "samples.h"
#include "tool.h"
#include "zone.h"

static const char usage[] =
    "usage: dnsd ADDRESS:PORT ZONE…       port 0: a free one\n"
    "  ZONE: name[,delay=MS][,ttl=S][,neg=S][,listed=NET[=CODE]][,slow=NET=MS]\n";

enum { BATCH = 64, RECEIVE_BUFFER = 8 << 20 };

struct reply {
    int64_t due_ns;
    struct sockaddr_in to;
    size_t size;
    unsigned char bytes[DNS_MESSAGE_MAX];
};

struct server {
    int fd;
    struct zone *zones;
    size_t zone_count;
    struct reply **heap; /* the replies that wait: the earliest is on top */
    size_t waiting, heap_size;
    uint64_t queries, dropped;
};

static void heap_swap(struct server *server, size_t a, size_t b)
{
    struct reply *reply = server->heap[a];

    server->heap[a] = server->heap[b];
    server->heap[b] = reply;
}

static void heap_push(struct server *server, struct reply *reply)
{
    if (server->waiting == server->heap_size) {
        server->heap_size = server->heap_size * 2 + 1024;
        server->heap =
            reallocarray(server->heap, server->heap_size, sizeof *server->heap);
        if (server->heap == NULL)
            die("out of memory");
    }
    size_t at = server->waiting++;
    server->heap[at] = reply;
    for (; at > 0 && server->heap[(at - 1) / 2]->due_ns > reply->due_ns;
         at = (at - 1) / 2)
        heap_swap(server, at, (at - 1) / 2);
}

static struct reply *heap_pop(struct server *server)
{
    struct reply *top = server->heap[0];

    server->heap[0] = server->heap[--server->waiting];
    for (size_t at = 0, child; (child = at * 2 + 1) < server->waiting; at = child) {
        if (child + 1 < server->waiting &&
            server->heap[child + 1]->due_ns < server->heap[child]->due_ns)
            child++;
        if (server->heap[at]->due_ns <= server->heap[child]->due_ns)
            break;
        heap_swap(server, at, child);
    }
    return top;
}

static void reply_send(struct server *server, const struct reply *reply)
{
    if (sendto(server->fd, reply->bytes, reply->size, 0,
               (const struct sockaddr *)&reply->to, sizeof reply->to) < 0)
        server->dropped++;
}

static void query_take(struct server *server, const unsigned char *query, size_t size,
                       const struct sockaddr_in *from)
{
    struct reply now;
    unsigned delay_ms;

    now.to = *from;
    now.size = zones_answer(server->zones, server->zone_count, query, size, now.bytes,
                            &delay_ms);
    server->queries++;
    if (now.size == 0)
        return;
    if (delay_ms == 0) {
        reply_send(server, &now);
        return;
    }
    struct reply *later = malloc(sizeof *later);
    if (later == NULL)
        die("out of memory");
    *later = now;
    later->due_ns = now_ns() + (int64_t)delay_ms * 1000000;
    heap_push(server, later);
}

static void queries_take(struct server *server)
{
    static unsigned char bytes[BATCH][DNS_MESSAGE_MAX];
    struct sockaddr_in from[BATCH];
    struct iovec iov[BATCH];
    struct mmsghdr messages[BATCH] = {0};

    for (int i = 0; i < BATCH; i++) {
        iov[i] = (struct iovec){bytes[i], sizeof bytes[i]};
        messages[i].msg_hdr = (struct msghdr){.msg_name = &from[i],
                                              .msg_namelen = sizeof from[i],
                                              .msg_iov = &iov[i],
                                              .msg_iovlen = 1};
    }
    int count = recvmmsg(server->fd, messages, BATCH, MSG_DONTWAIT, NULL);
    for (int i = 0; i < count; i++)
        query_take(server, bytes[i], messages[i].msg_len, &from[i]);
}

static void replies_due(struct server *server)
{
    while (server->waiting > 0 && server->heap[0]->due_ns <= now_ns()) {
        struct reply *reply = heap_pop(server);
        reply_send(server, reply);
        free(reply);
    }
}

static void serve(struct server *server, int signal_fd)
{
    struct pollfd fds[2] = {{.fd = server->fd, .events = POLLIN},
                            {.fd = signal_fd, .events = POLLIN}};

    while (fds[1].revents == 0) {
        struct timespec wait = {0};
        if (server->waiting > 0) {
            int64_t left = server->heap[0]->due_ns - now_ns();
            if (left > 0)
                wait = (struct timespec){left / 1000000000, left % 1000000000};
        }
        if (ppoll(fds, 2, server->waiting > 0 ? &wait : NULL, NULL) < 0)
            die("ppoll: %s", strerror(errno));
        if (fds[0].revents != 0)
            queries_take(server);
        replies_due(server);
    }
}

static void listen_on(struct server *server, const char *text)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof address;
    int size = RECEIVE_BUFFER;
    char host[64];
    unsigned port;

    if (sscanf(text, "%63[0-9.]:%u", host, &port) != 2 || port > 65535 ||
        inet_pton(AF_INET, host, &address.sin_addr) != 1)
        die("%s: expected address:port", text);
    address.sin_port = htons((uint16_t)port);
    server->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (server->fd < 0 || bind(server->fd, (struct sockaddr *)&address, length) != 0 ||
        getsockname(server->fd, (struct sockaddr *)&address, &length) != 0)
        die("%s: %s", text, strerror(errno));
    if (setsockopt(server->fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) != 0)
        setsockopt(server->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    printf("ready %u\n", ntohs(address.sin_port));
    fflush(stdout);
}

int main(int argc, char **argv)
{
    struct server server = {0};
    sigset_t signals;

    if (argc < 3) {
        fputs(usage, stderr);
        return 2;
    }
    server.zone_count = (size_t)argc - 2;
    server.zones = calloc(server.zone_count, sizeof *server.zones);
    if (server.zones == NULL)
        die("out of memory");
    for (size_t i = 0; i < server.zone_count; i++)
        zone_parse(&server.zones[i], argv[i + 2]);
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    int signal_fd = signalfd(-1, &signals, SFD_CLOEXEC);
    if (signal_fd < 0)
        die("signalfd: %s", strerror(errno));
    listen_on(&server, argv[1]);
    serve(&server, signal_fd);
    printf("{\"queries\":%lu,\"dropped\":%lu,\"zones\":{", server.queries,
           server.dropped);
    for (size_t i = 0; i < server.zone_count; i++)
        printf("%s\"%s\":%lu", i > 0 ? "," : "", server.zones[i].name,
               server.zones[i].queries);
    puts("}}");
    return 0;
}
