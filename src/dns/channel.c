/* SPDX-License-Identifier: BSD-2-Clause */
#include "dns/channel.h"

#include <ares.h>
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"

/* c-ares 1.32 and later shortens the time of an attempt by what it has seen of a server,
 * down to 250 ms, and forgets the query then; but a caching resolver is quick except for
 * the one name that is slow. With so many attempts it gets as far as the deadline. */
#define ATTEMPTS_ADAPTIVE 4

struct channel {
    TAILQ_ENTRY(channel) link;
    struct channel_set *set;
    ares_channel ares;
    unsigned asked, open;
    int64_t retired_ms; /* 0: in use */
    struct stray_watch watch;
    unsigned interface;  /* of a link-local server; 0: none, or it is gone */
    bool without_socket; /* the last one that was wanted could not be had */
};

int channel_library_init(void)
{
    return ares_library_init(ARES_LIB_INIT_ALL) == ARES_SUCCESS ? 0 : -1;
}

void channel_library_cleanup(void)
{
    ares_library_cleanup();
}

const char *channel_library_version(void)
{
    return ares_version(NULL);
}

void channel_set_init(struct channel_set *set, int epoll_fd)
{
    *set = (struct channel_set){.epoll_fd = epoll_fd};
    TAILQ_INIT(&set->all);
}

static void channel_free(struct channel *channel)
{
    TAILQ_REMOVE(&channel->set->all, channel, link);
    if (channel->ares != NULL)
        ares_destroy(channel->ares);
    free(channel);
}

void channel_set_free(struct channel_set *set)
{
    struct channel *channel;

    while ((channel = TAILQ_FIRST(&set->all)) != NULL)
        channel_free(channel);
    free(set->by_fd);
    set->by_fd = NULL;
    set->by_fd_size = 0;
}

void channel_set_ready(struct channel_set *set, int fd, bool readable, bool writable)
{
    struct channel *channel =
        (size_t)fd < set->by_fd_size ? set->by_fd[fd].channel : NULL;

    /* An earlier event of the same batch may have closed the socket. */
    if (channel == NULL)
        return;
    stray_reading(&channel->watch);
    ares_process_fd(channel->ares, readable ? fd : ARES_SOCKET_BAD,
                    writable ? fd : ARES_SOCKET_BAD);
    stray_read(&channel->watch, &set->strays);
}

void channel_set_tick(struct channel_set *set)
{
    struct channel *channel;

    TAILQ_FOREACH (channel, &set->all, link)
        if (channel->open > 0)
            ares_process_fd(channel->ares, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

void channel_set_reap(struct channel_set *set, int64_t now_ms, int linger_ms)
{
    struct channel *next;

    for (struct channel *channel = TAILQ_FIRST(&set->all); channel != NULL;
         channel = next) {
        next = TAILQ_NEXT(channel, link);
        if (channel->retired_ms != 0 &&
            (channel->open == 0 || now_ms - channel->retired_ms >= linger_ms))
            channel_free(channel);
    }
}

/* Makes room to note whose socket fd is. */
static bool set_covers(struct channel_set *set, int fd)
{
    if ((size_t)fd < set->by_fd_size)
        return true;
    size_t size = (size_t)fd * 2 + 16;
    struct channel_socket *by_fd = realloc(set->by_fd, size * sizeof *by_fd);
    if (by_fd == NULL)
        return false;
    memset(by_fd + set->by_fd_size, 0, (size - set->by_fd_size) * sizeof *by_fd);
    set->by_fd = by_fd;
    set->by_fd_size = size;
    return true;
}

/* c-ares waits for a socket, for something else than before, or is about to close it. */
static void on_wait(void *data, ares_socket_t fd, int readable, int writable)
{
    struct channel *channel = data;
    struct channel_set *set = channel->set;
    struct channel_socket *noted = &set->by_fd[fd];
    struct epoll_event event = {.data.fd = fd};

    if (!readable && !writable) {
        noted->channel = NULL;
        epoll_ctl(set->epoll_fd, EPOLL_CTL_DEL, fd, &event); /* unknown: no matter */
        return;
    }
    event.events = (readable ? EPOLLIN : 0u) | (writable ? EPOLLOUT : 0u);
    if (epoll_ctl(set->epoll_fd, noted->channel == NULL ? EPOLL_CTL_ADD : EPOLL_CTL_MOD,
                  fd, &event) != 0)
        log_error("resolver: epoll_ctl: %s", strerror(errno));
    noted->channel = channel;
}

/* The sockets are opened, read and written here, for c-ares, so that each packet is seen,
 * and that a socket which cannot be had is no fault of the servers. */
static ares_socket_t on_open(int domain, int type, int protocol, void *data)
{
    static struct log_limit limit;
    struct channel *channel = data;
    const int on = 1;
    unsigned held_back;
    int fd = socket(domain, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);

    if (fd >= 0 && !set_covers(channel->set, fd)) {
        close(fd);
        fd = -1;
        errno = ENOMEM;
    }
    channel->without_socket = fd < 0 && errno != EAFNOSUPPORT;
    if (fd < 0) {
        int error = errno;

        if (log_limit_pass(&limit, 60000, &held_back))
            log_error("resolver: socket: %s held-back=%u", strerror(error), held_back);
        errno = error;
        return ARES_SOCKET_BAD;
    }
    channel->set->by_fd[fd] = (struct channel_socket){.udp = type == SOCK_DGRAM};
    if (type == SOCK_STREAM) /* a query is one small packet: it is not to wait */
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

static int on_close(ares_socket_t fd, void *data)
{
    (void)data;
    return close(fd);
}

static int on_connect(ares_socket_t fd, const struct sockaddr *to, ares_socklen_t size,
                      void *data)
{
    const struct channel *channel = data;
    struct sockaddr_in6 with_scope;

    if (channel->interface == 0 || to->sa_family != AF_INET6 || size < sizeof with_scope)
        return connect(fd, to, size);
    memcpy(&with_scope, to, sizeof with_scope);
    with_scope.sin6_scope_id = channel->interface;
    return connect(fd, (const struct sockaddr *)&with_scope, sizeof with_scope);
}

static ares_ssize_t on_receive(ares_socket_t fd, void *buffer, size_t size, int flags,
                               struct sockaddr *from, ares_socklen_t *from_size,
                               void *data)
{
    struct channel *channel = data;
    ssize_t length = recvfrom(fd, buffer, size, flags, from, from_size);

    if (length >= 0 && channel->set->by_fd[fd].udp)
        stray_came(&channel->watch, buffer, (size_t)length, &channel->set->strays);
    return length;
}

static ares_ssize_t on_send(ares_socket_t fd, const struct iovec *parts, int count,
                            void *data)
{
    struct channel *channel = data;
    const struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)parts,
                                   .msg_iovlen = (size_t)count};

    if (channel->set->by_fd[fd].udp)
        stray_sent(&channel->watch, parts[0].iov_base, parts[0].iov_len);
    return sendmsg(fd, &message, MSG_NOSIGNAL);
}

/* c-ares 1.18 knows no interfaces: the channel keeps it, and adds it when it connects. */
static int set_server(struct channel *channel, const char *server)
{
    char text[ENDPOINT_SIZE], *percent, *end;

    if (!text_copy(server, text, sizeof text))
        return ARES_EBADSTR;
    percent = strchr(text, '%');
    if (percent != NULL) {
        end = strchr(percent, ']');
        if (end == NULL)
            return ARES_EBADSTR;
        *end = '\0';
        channel->interface = if_nametoindex(percent + 1);
        *end = ']';
        memmove(percent, end, strlen(end) + 1);
    }
    return ares_set_servers_ports_csv(channel->ares, text);
}

static int init_ares(struct channel *channel, const char *server, int life_ms)
{
    static const struct ares_socket_functions functions = {
        .asocket = on_open,
        .aclose = on_close,
        .aconnect = on_connect,
        .arecvfrom = on_receive,
        .asendv = on_send,
    };
    char lookups[] = "b"; /* DNS only, no /etc/hosts */
    struct ares_options options = {
        .flags = ARES_FLAG_STAYOPEN | ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES |
                 ARES_FLAG_NOCHECKRESP,
        .timeout = life_ms,
        .tries = 1,
        .lookups = lookups,
        .sock_state_cb = on_wait,
        .sock_state_cb_data = channel,
    };
    int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS |
               ARES_OPT_DOMAINS | ARES_OPT_SOCK_STATE_CB | ARES_OPT_NOROTATE;

#ifdef ARES_OPT_QUERY_CACHE
    options.qcache_max_ttl = 0; /* we have a cache, with bounds and a way to flush it */
    mask |= ARES_OPT_QUERY_CACHE;
#endif
#if ARES_VERSION >= 0x012000
    options.tries = ATTEMPTS_ADAPTIVE;
#endif
    int rc = ares_init_options(&channel->ares, &options, mask);
    if (rc != ARES_SUCCESS) {
        channel->ares = NULL;
        return rc;
    }
    ares_set_socket_functions(channel->ares, &functions, channel);
    return set_server(channel, server);
}

struct channel *channel_new(struct channel_set *set, const char *server, int life_ms)
{
    static struct log_limit limit;
    struct channel *channel = calloc(1, sizeof *channel);
    unsigned held_back;

    if (channel == NULL)
        return NULL;
    channel->set = set;
    TAILQ_INSERT_TAIL(&set->all, channel, link);
    int rc = init_ares(channel, server, life_ms);
    if (rc != ARES_SUCCESS) {
        if (log_limit_pass(&limit, 60000, &held_back))
            log_error("resolver: servers=\"%s\" error=\"%s\" held-back=%u", server,
                      ares_strerror(rc), held_back);
        channel_free(channel);
        return NULL;
    }
    return channel;
}

void channel_retire(struct channel *channel)
{
    if (channel != NULL)
        channel->retired_ms = clock_ms();
}

unsigned channel_sent(const struct channel *channel)
{
    return channel->asked;
}

/* What it means that c-ares has no packet for us. */
static enum dns_status failure_of(int ares_status)
{
    switch (ares_status) {
    case ARES_ETIMEOUT:
        return DNS_TIMEOUT;
    case ARES_EBADNAME:
    case ARES_EBADRESP:
    case ARES_EBADQUERY:
        return DNS_INVALID;
    case ARES_ENOMEM:
    case ARES_ECANCELLED:
    case ARES_EDESTRUCTION:
        return DNS_NOT_ASKED;
    default:
        return DNS_UNREACHABLE; /* its answers, whatever they say, come as packets */
    }
}

static void on_answer(void *arg, int status, int timeouts, unsigned char *packet,
                      int size)
{
    struct channel_query *query = arg;
    struct channel *channel = query->channel;
    enum dns_status failure = failure_of(status);

    (void)timeouts;
    query->channel = NULL;
    channel->open--;
    stray_taken(&channel->watch);
    if (failure == DNS_UNREACHABLE && channel->without_socket)
        failure = DNS_NOT_ASKED;
    if (packet != NULL && size > 0)
        query->done(query, DNS_INVALID, packet, (size_t)size);
    else
        query->done(query, failure, NULL, 0);
}

void channel_send(struct channel *channel, enum dns_type type, const char *name,
                  struct channel_query *query)
{
    channel->asked++;
    channel->open++;
    query->channel = channel;
    ares_query(channel->ares, name, ns_c_in, type == DNS_A ? ns_t_a : ns_t_txt, on_answer,
               query);
}
