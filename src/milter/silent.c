/* SPDX-License-Identifier: BSD-2-Clause */
#include "milter/silent.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"

#define FREE_FEWEST    128 /* but a quarter of a small limit */
#define NEGOTIATION    17  /* bytes of the first packet, which MTAs send at once */
#define SILENT_MS      1000
#define IDLE_MS        (10 * 60 * 1000) /* Postfix and sendmail give up a client before */
#define LOOK_MS        250
#define LOOK_SELDOM_MS 1000 /* where counting takes milliseconds */
#define MANY           2000
#define ESTABLISHED    1 /* the C library's name for it stands beside an older tcp_info */

int silent_init(struct silent *silent, const struct endpoint *endpoint)
{
    silent->endpoint = *endpoint;
    silent->own = opendir("/proc/self/fd");
    silent->held = silent->own != NULL ? open("/dev/null", O_RDONLY | O_CLOEXEC) : -1;
    return silent->held >= 0 ? 0 : -1;
}

static in_port_t port_of(const struct sockaddr_storage *addr)
{
    if (addr->ss_family == AF_INET)
        return ((const struct sockaddr_in *)addr)->sin_port;
    if (addr->ss_family == AF_INET6)
        return ((const struct sockaddr_in6 *)addr)->sin6_port;
    return 0;
}

/* Whether this is a connection to the milter's socket that has said fewer than bytes, and
 * nothing for idle_ms. */
static bool is_silent(const struct silent *silent, int fd, uint64_t bytes,
                      uint32_t idle_ms)
{
    struct sockaddr_storage here;
    struct tcp_info info;
    socklen_t length = sizeof here, info_length = sizeof info;

    if (getsockname(fd, (struct sockaddr *)&here, &length) != 0 ||
        port_of(&here) != port_of(&silent->endpoint.addr) ||
        getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &info_length) != 0 ||
        info_length < offsetof(struct tcp_info, tcpi_bytes_received) + sizeof(uint64_t))
        return false;
    return info.tcpi_state == ESTABLISHED && info.tcpi_bytes_received < bytes &&
           info.tcpi_last_data_recv >= idle_ms;
}

/* libmilter may close a descriptor at any moment, and open another of its number: what is
 * looked at is held by one of our own until it is shut down. */
static unsigned shut_down(const struct silent *silent, uint64_t bytes, uint32_t idle_ms)
{
    unsigned count = 0;
    struct dirent *entry;

    rewinddir(silent->own);
    while ((entry = readdir(silent->own)) != NULL) {
        int fd = (int)strtol(entry->d_name, NULL, 10); /* "..": 0, no such socket */

        if (!is_silent(silent, fd, bytes, idle_ms) ||
            dup3(fd, silent->held, O_CLOEXEC) < 0)
            continue;
        if (is_silent(silent, silent->held, bytes, idle_ms) &&
            shutdown(silent->held, SHUT_RDWR) == 0)
            count++;
    }
    dup3(dirfd(silent->own), silent->held, O_CLOEXEC); /* the last is let go */
    return count;
}

static rlim_t count_own(const struct silent *silent)
{
    rlim_t count = 0;

    rewinddir(silent->own);
    while (readdir(silent->own) != NULL)
        count++;
    return count;
}

static void report(unsigned count, const char *which)
{
    static struct log_limit limit;
    unsigned held_back;

    if (log_limit_pass(&limit, 10000, &held_back))
        log_warning("milter: descriptors run out: closed=%u connections that %s, "
                    "held-back=%u; \"ss -tnp\" shows whose they are",
                    count, which, held_back);
}

int silent_look(struct silent *silent)
{
    struct rlimit limit;
    rlim_t used = count_own(silent), fewest;
    unsigned count;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return LOOK_SELDOM_MS;
    fewest = limit.rlim_cur / 4 < FREE_FEWEST ? limit.rlim_cur / 4 : FREE_FEWEST;
    if (used + fewest > limit.rlim_cur) {
        count = shut_down(silent, NEGOTIATION, SILENT_MS);
        if (count > 0)
            report(count, "never said anything");
        else if ((count = shut_down(silent, UINT64_MAX, IDLE_MS)) > 0)
            report(count, "were silent for 10 minutes");
    }
    return used < MANY ? LOOK_MS : LOOK_SELDOM_MS;
}
