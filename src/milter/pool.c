/* SPDX-License-Identifier: BSD-2-Clause */
#include "milter/pool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

/* The wakeup. */
#define PATIENCE_MS   1    /* most answers of a near resolver are there by then */
#define LOST_MS       1000 /* a wakeup not answered by then was lost */
#define WATCH_MS      250  /* between two checks whether the pool takes what comes */
#define WATCH_WAIT_MS 50   /* in which a healthy pool answers */
#define WATCH_NUDGES  8    /* at a time, each for one stranded session */
#define WATCH_MOST    4096

/* Silent connections. */
#define FREE_FEWEST    128 /* descriptors; but a quarter of a small limit */
#define NEGOTIATION    17  /* bytes of the first packet, which MTAs send at once */
#define SILENT_MS      1000
#define IDLE_MS        (10 * 60 * 1000) /* Postfix and sendmail give up a client before */
#define LOOK_MS        250
#define LOOK_SELDOM_MS 1000 /* where counting takes milliseconds */
#define MANY           2000
#define ESTABLISHED    1 /* the C library's header with its name has an older tcp_info */

#define STACK_BYTES       (512 * 1024)
#define USUAL_STACK_BYTES (8 * 1024 * 1024)

/* --- the wakeup --- */

int pool_wakeup_init(struct pool_wakeup *wakeup, const struct endpoint *endpoint)
{
    memset(wakeup, 0, sizeof *wakeup);
    wakeup->endpoint = *endpoint;
    return pthread_mutex_init(&wakeup->lock, NULL) == 0 ? 0 : -1;
}

/* Whether a wakeup is under way; lock held. */
static bool is_behind(struct pool_wakeup *n)
{
    if (n->sent > n->answered && clock_ms() - n->last_sent_ms > LOST_MS)
        n->answered = n->sent;
    return n->sent > n->answered;
}

/* First call, before the wait: remembers the time and gives a near answer a chance.
 * Second call: wakes, unless one that was sent meanwhile has come through. */
int pool_wakeup_on_wait(void *context)
{
    struct pool_wait *wait = context;
    struct pool_wakeup *n = wait->wakeup;
    bool first = wait->calls++ == 0, send;

    pthread_mutex_lock(&n->lock);
    if (first)
        wait->sent_before = n->sent;
    send = first ? is_behind(n) : n->answered <= wait->sent_before;
    if (send) {
        n->sent++;
        n->last_sent_ms = clock_ms();
    }
    pthread_mutex_unlock(&n->lock);
    if (send && !endpoint_knock(&n->endpoint))
        pool_wakeup_arrived(n, true); /* out of descriptors: nothing to wait for */
    return first && !send ? PATIENCE_MS : -1;
}

void pool_wakeup_arrived(struct pool_wakeup *wakeup, bool in_turn)
{
    pthread_mutex_lock(&wakeup->lock);
    if (wakeup->answered < wakeup->sent)
        wakeup->answered++;
    wakeup->in_turn += in_turn;
    pthread_mutex_unlock(&wakeup->lock);
}

static uint64_t count_in_turn(struct pool_wakeup *n)
{
    uint64_t count;

    pthread_mutex_lock(&n->lock);
    count = n->in_turn;
    pthread_mutex_unlock(&n->lock);
    return count;
}

/* Sends a wakeup, and more until one has come through in its turn. May take seconds. */
static void see_that_it_takes(struct pool_wakeup *n)
{
    struct timespec pause = {.tv_nsec = WATCH_WAIT_MS * 1000000};
    uint64_t before = count_in_turn(n);

    for (int sent = 0; sent < WATCH_MOST; sent += WATCH_NUDGES) {
        for (int i = 0; i < (sent == 0 ? 1 : WATCH_NUDGES); i++) {
            pthread_mutex_lock(&n->lock);
            n->sent++;
            n->last_sent_ms = clock_ms();
            pthread_mutex_unlock(&n->lock);
            if (!endpoint_knock(&n->endpoint))
                pool_wakeup_arrived(n, true);
        }
        nanosleep(&pause, NULL);
        if (count_in_turn(n) > before)
            return;
    }
}

static void *watch_pool(void *context)
{
    struct timespec pause = {.tv_nsec = WATCH_MS * 1000000};

    for (;;) {
        see_that_it_takes(context);
        nanosleep(&pause, NULL);
    }
    return NULL;
}

/* --- silent connections --- */

struct silent {
    const struct endpoint *endpoint;
    DIR *own; /* our descriptors */
    int held; /* a descriptor kept for holding another's file while it is checked */
};

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
        port_of(&here) != port_of(&silent->endpoint->addr) ||
        getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &info_length) != 0 ||
        info_length < offsetof(struct tcp_info, tcpi_bytes_received) + sizeof(uint64_t))
        return false;
    return info.tcpi_state == ESTABLISHED && info.tcpi_bytes_received < bytes &&
           info.tcpi_last_data_recv >= idle_ms;
}

/* libmilter may close a descriptor at any moment, and open another of its number: what is
 * checked is held by one of our own until it is shut down. */
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

static void report(unsigned count, const char *which)
{
    static struct log_limit limit;
    unsigned held_back;

    if (log_limit_pass(&limit, 10000, &held_back))
        log_warning("milter: descriptors run out: closed=%u connections that %s, "
                    "held-back=%u; \"ss -tnp\" shows whose they are",
                    count, which, held_back);
}

/* Closes what it must. Returns the milliseconds to the next check. */
static int make_room(const struct silent *silent)
{
    struct rlimit limit;
    rlim_t used = 0, fewest;
    unsigned count;

    rewinddir(silent->own);
    while (readdir(silent->own) != NULL)
        used++;
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

static void *keep_room(void *context)
{
    const struct pool_wakeup *wakeup = context;
    struct silent silent = {.endpoint = &wakeup->endpoint,
                            .own = opendir("/proc/self/fd")};

    silent.held = silent.own != NULL ? open("/dev/null", O_RDONLY | O_CLOEXEC) : -1;
    if (silent.held < 0) {
        log_warning("milter: /proc/self/fd: %s: connections that say nothing are not "
                    "closed when descriptors run out",
                    strerror(errno));
        return NULL;
    }
    for (;;) {
        int pause_ms = make_room(&silent);
        struct timespec pause = {pause_ms / 1000, pause_ms % 1000 * 1000000L};

        nanosleep(&pause, NULL);
    }
}

/* --- threads --- */

/* Of the threads from now on. Returns 0, or an errno. */
static int set_stack_bytes(size_t bytes)
{
    pthread_attr_t attr;
    int rc = pthread_attr_init(&attr);

    if (rc != 0)
        return rc;
    rc = pthread_attr_setstacksize(&attr, bytes);
    if (rc == 0)
        rc = pthread_setattr_default_np(&attr);
    pthread_attr_destroy(&attr);
    return rc;
}

static void *do_nothing(void *context)
{
    return context;
}

/* libmilter ends and starts its threads all the time. The C library keeps the stacks of
 * ended ones for the next, but no more than 40 MB of them: five of the usual 8 MB. Ours
 * need a tenth of this. But the thread-local data of all libraries come out of a stack,
 * and ThreadSanitizer's alone are larger: libmilter could start none. */
static void use_small_stacks(void)
{
    pthread_t thread;

    if (set_stack_bytes(STACK_BYTES) == 0 &&
        pthread_create(&thread, NULL, do_nothing, NULL) == 0) {
        pthread_join(thread, NULL);
        return;
    }
    log_debug("milter: threads keep stacks of the usual size");
    if (set_stack_bytes(USUAL_STACK_BYTES) != 0)
        log_warning("milter: threads may not find room for their stacks");
}

static void start_beside(void *(*function)(void *context), struct pool_wakeup *wakeup,
                         const char *what)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, function, wakeup) == 0)
        pthread_detach(thread);
    else
        log_warning("milter: the thread that %s cannot be started", what);
}

void pool_start(struct pool_wakeup *wakeup, bool over_tcp)
{
    use_small_stacks();
    start_beside(watch_pool, wakeup, "watches libmilter's pool");
    if (over_tcp)
        start_beside(keep_room, wakeup, "closes silent connections");
}

/* --- progress --- */

/* The time is set before the count is changed, so that whoever sees a callback under way
 * sees no older time than its own. */
void progress_begin(struct progress *progress)
{
    if (atomic_load(&progress->in_flight) == 0)
        atomic_store(&progress->moved_ms, clock_ms());
    atomic_fetch_add(&progress->in_flight, 1);
}

void progress_end(struct progress *progress)
{
    atomic_store(&progress->moved_ms, clock_ms());
    atomic_fetch_sub(&progress->in_flight, 1);
}

bool progress_is_stuck(const struct progress *progress, int64_t bound_ms)
{
    return atomic_load(&progress->in_flight) > 0 &&
           clock_ms() - atomic_load(&progress->moved_ms) > bound_ms;
}
