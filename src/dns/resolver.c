/* SPDX-License-Identifier: BSD-2-Clause */
#include "dns/resolver.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "dns/query.h"

#define READY_MAX 64
#define LINGER_MS 1000 /* a channel without work beyond its last query's life */
#define TICK_MS   25   /* how often deadlines, retries and probes are seen to */
/* Queries that leave in one go, and after how long so many more do. A UDP socket's usual
 * buffer holds some 270. A near server answers by itself and may be kept from reading for
 * some milliseconds, by us among others; a far one is read by what is between. */
#define BURST_NEAR 64
#define BURST_FAR  256
#define BURST_MS   10
#define NEAR_MS    2000 /* after a quick answer: so long a server is taken to be near */
/* A near server that has left so many unanswered, and none quickly of late, is behind: what
 * its socket cannot hold would be lost, and that is sent in its own time. */
#define BEHIND          128
#define BEHIND_AFTER_MS 20
#define BEHIND_MS       50

struct resolver {
    struct cache *cache;
    uint64_t secret; /* of the hash */
    pthread_t thread;
    int epoll_fd, wake_fd;

    pthread_mutex_t lock; /* of what follows; held for a few instructions only */
    struct query_list handed_over;
    struct resolver_settings settings;
    bool settings_changed;
    bool stopping;
    struct upstream_list upstreams; /* only ever added to */
    uint32_t last_upstream;

    struct channel_set channels; /* the thread's own, and what follows */
    struct queries queries;
    int64_t last_tick_ms;
    int64_t burst_ms; /* when the burst began that queries leave in */

    /* The thread waits, or is about to: wake it. Set and looked at under the lock;
     * cleared also without, as the thread takes the work before it sleeps again. */
    atomic_bool asleep;
};

static void wake(struct resolver *r)
{
    uint64_t one = 1;

    /* The thread sees the edge and never reads: cannot fail before 2^64 writes. */
    if (write(r->wake_fd, &one, sizeof one) != sizeof one)
        log_error("resolver: wake: %m");
}

/* The upstreams known now; more may be added before it meanwhile, which is for the next
 * round. */
static struct upstream *first_upstream(struct resolver *r)
{
    struct upstream *first;

    pthread_mutex_lock(&r->lock);
    first = TAILQ_FIRST(&r->upstreams);
    pthread_mutex_unlock(&r->lock);
    return first;
}

/* Takes over what was handed over; with nothing to do the thread is asleep from here on.
 * Returns false at the end. */
static bool take_work(struct resolver *r, struct query_list *work)
{
    struct upstream *u;
    bool stopping;

    pthread_mutex_lock(&r->lock);
    stopping = r->stopping;
    if (!stopping)
        TAILQ_CONCAT(work, &r->handed_over, link);
    if (r->settings_changed) {
        r->queries.settings = r->settings;
        TAILQ_FOREACH (u, &r->upstreams, link)
            upstream_retire_channels(u);
        r->settings_changed = false;
    }
    r->asleep = TAILQ_EMPTY(work);
    pthread_mutex_unlock(&r->lock);
    return !stopping;
}

static bool is_near(const struct resolver *r, int64_t now_ms)
{
    return now_ms - r->queries.quick_ms < NEAR_MS;
}

/* When the next burst may leave. */
static int64_t next_burst_ms(const struct resolver *r, int64_t now_ms)
{
    bool behind = is_near(r, now_ms) && r->queries.in_flight >= BEHIND &&
                  now_ms - r->queries.quick_ms > BEHIND_AFTER_MS;

    return r->burst_ms + (behind ? BEHIND_MS : BURST_MS);
}

/* Takes over what was handed over, and gives credit. Queries leave in bursts: what a near
 * server's socket cannot hold is lost, and waits for the next attempt. */
static void take_queries(struct resolver *r, struct query_list *work, int64_t now_ms)
{
    int burst = is_near(r, now_ms) ? BURST_NEAR : BURST_FAR;
    struct dns_query *q;

    while ((q = TAILQ_FIRST(work)) != NULL) {
        TAILQ_REMOVE(work, q, link);
        upstream_read_servers(q->upstream, now_ms, &r->lock);
        queries_take(&r->queries, q, now_ms);
    }
    if (now_ms >= next_burst_ms(r, now_ms) || r->queries.credit > burst) {
        r->burst_ms = now_ms;
        r->queries.credit = burst;
    }
}

static void tick(struct resolver *r, int64_t now_ms)
{
    struct upstream *first = first_upstream(r);

    if (now_ms - r->last_tick_ms < TICK_MS)
        return;
    r->last_tick_ms = now_ms;
    for (struct upstream *u = first; u != NULL; u = TAILQ_NEXT(u, link))
        upstream_tick(u, &r->channels, now_ms);
    channel_set_tick(&r->channels);
    queries_tick(&r->queries, now_ms);
    for (struct upstream *u = first; u != NULL; u = TAILQ_NEXT(u, link))
        u->changed = false;
    channel_set_reap(&r->channels, now_ms, r->queries.settings.deadline_ms + LINGER_MS);
}

/* How long nothing can happen but by a socket or a new query. */
static int idle_ms(struct resolver *r, int64_t now_ms)
{
    int64_t burst_in_ms = next_burst_ms(r, now_ms) - now_ms;

    if (queries_lack_credit(&r->queries))
        return burst_in_ms > 0 ? (int)burst_in_ms : 0;
    if (r->queries.held > 0)
        return TICK_MS;
    for (struct upstream *u = first_upstream(r); u != NULL; u = TAILQ_NEXT(u, link))
        for (size_t i = 0; i < atomic_load(&u->count); i++)
            if (u->servers[i].probing || atomic_load(&u->servers[i].away_ms) != 0)
                return TICK_MS; /* one is being probed, or to be */
    return -1;
}

static void wait_for_sockets(struct resolver *r, int timeout_ms)
{
    struct epoll_event ready[READY_MAX];
    int n = epoll_wait(r->epoll_fd, ready, READY_MAX, timeout_ms);

    r->asleep = false;
    for (int i = 0; i < n; i++)
        if (ready[i].data.fd != r->wake_fd)
            channel_set_ready(&r->channels, ready[i].data.fd,
                              ready[i].events & (EPOLLIN | EPOLLERR | EPOLLHUP),
                              ready[i].events & EPOLLOUT);
}

static void *run(void *arg)
{
    struct resolver *r = arg;
    struct query_list work;

    TAILQ_INIT(&work);
    while (take_work(r, &work)) {
        bool busy = !TAILQ_EMPTY(&work);
        int64_t now_ms = clock_ms();

        take_queries(r, &work, now_ms);
        tick(r, now_ms); /* what was lost leaves first: new queries take all credit */
        queries_send_waiting(&r->queries, now_ms);
        wait_for_sockets(r, busy ? 0 : idle_ms(r, now_ms));
    }
    return NULL;
}

/* The thread takes no signals: they are the main's. */
static int thread_start(struct resolver *r)
{
    sigset_t all, before;
    int rc;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    rc = pthread_create(&r->thread, NULL, run, r);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc == 0)
        pthread_setname_np(r->thread, "resolver");
    return rc;
}

static int open_descriptors(struct resolver *r)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLET};

    r->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    r->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (r->epoll_fd < 0 || r->wake_fd < 0)
        return -1;
    event.data.fd = r->wake_fd;
    return epoll_ctl(r->epoll_fd, EPOLL_CTL_ADD, r->wake_fd, &event);
}

/* Frees all but the thread. */
static void resolver_destroy(struct resolver *r)
{
    struct upstream *u;

    while ((u = TAILQ_FIRST(&r->upstreams)) != NULL) {
        TAILQ_REMOVE(&r->upstreams, u, link);
        upstream_free(u);
    }
    if (r->epoll_fd >= 0)
        close(r->epoll_fd);
    if (r->wake_fd >= 0)
        close(r->wake_fd);
    cache_free(r->cache);
    pthread_mutex_destroy(&r->lock);
    free(r);
}

struct resolver *resolver_new(const struct resolver_settings *settings)
{
    struct resolver *r;
    int failed;

    if (channel_library_init() != 0) {
        errno = ENOMEM;
        return NULL;
    }
    r = calloc(1, sizeof *r);
    if (r == NULL) {
        failed = errno;
        goto fail_library;
    }
    pthread_mutex_init(&r->lock, NULL);
    TAILQ_INIT(&r->handed_over);
    TAILQ_INIT(&r->upstreams);
    r->settings = *settings;
    r->epoll_fd = r->wake_fd = -1;
    r->cache = cache_new((size_t)settings->cache_size);
    failed = ENOMEM;
    if (r->cache == NULL)
        goto fail;
    failed = EIO;
    if (getrandom(&r->secret, sizeof r->secret, 0) != sizeof r->secret)
        goto fail;
    if (open_descriptors(r) != 0) {
        failed = errno;
        goto fail;
    }
    channel_set_init(&r->channels, r->epoll_fd);
    queries_init(&r->queries, &r->channels, r->cache);
    r->queries.settings = *settings;
    failed = thread_start(r);
    if (failed == 0)
        return r;
fail:
    resolver_destroy(r);
fail_library:
    channel_library_cleanup();
    errno = failed;
    return NULL;
}

void resolver_free(struct resolver *r)
{
    struct dns_query *q;

    if (r == NULL)
        return;
    pthread_mutex_lock(&r->lock);
    r->stopping = true;
    pthread_mutex_unlock(&r->lock);
    wake(r);
    pthread_join(r->thread, NULL);
    /* From here on we are the thread; nothing is handed over any more. */
    while ((q = TAILQ_FIRST(&r->handed_over)) != NULL) {
        TAILQ_REMOVE(&r->handed_over, q, link);
        query_leave_out(&r->queries, q);
    }
    channel_set_free(&r->channels); /* ends what was sent */
    queries_end(&r->queries);
    resolver_destroy(r);
    channel_library_cleanup();
}

void resolver_configure(struct resolver *r, const struct resolver_settings *settings)
{
    pthread_mutex_lock(&r->lock);
    r->settings = *settings;
    r->settings_changed = true;
    pthread_mutex_unlock(&r->lock);
    cache_resize(r->cache, (size_t)settings->cache_size);
    wake(r);
}

/* Puts it before the thread, unless that is about to end. */
static bool hand_over(struct resolver *r, struct dns_query *q, int64_t now_ms)
{
    struct dns_lookup *lookup = q->first;
    bool taken, must_wake = false;

    pthread_mutex_lock(&r->lock);
    taken = !r->stopping;
    if (taken) {
        lookup->deadline_ms = now_ms + (lookup->timeout_ms > 0 ? lookup->timeout_ms
                                                               : r->settings.deadline_ms);
        TAILQ_INSERT_TAIL(&r->handed_over, q, link);
        must_wake = r->asleep;
        r->asleep = false;
    }
    pthread_mutex_unlock(&r->lock);
    if (must_wake)
        wake(r);
    return taken;
}

struct dns_answer *resolver_query(struct resolver *r, struct upstream *upstream,
                                  enum dns_type type, const char *name, unsigned flags,
                                  struct dns_lookup *lookup)
{
    struct dns_key key;
    struct dns_answer *answer = NULL;
    struct dns_query *q;
    int64_t now_ms = clock_ms();

    if (!dns_key_make(&key, r->secret, upstream->id, type, name))
        return dns_answer_failure(DNS_INVALID);
    if ((flags & (DNS_AGAIN | DNS_PRIVATE)) == 0)
        answer = cache_get(r->cache, &key, now_ms);
    if (answer != NULL)
        return answer;
    if (flags & DNS_CACHE_ONLY) {
        pthread_mutex_lock(&r->lock);
        int stale_ttl_s = r->settings.stale_ttl_s;
        pthread_mutex_unlock(&r->lock);
        return queries_stale_or(&r->queries, &key, stale_ttl_s,
                                dns_answer_failure(DNS_NOT_ASKED));
    }
    q = query_new(&r->queries, upstream, &key, flags, lookup);
    if (q != NULL && hand_over(r, q, now_ms))
        return NULL;
    query_free(&r->queries, q);
    return dns_answer_failure(DNS_NOT_ASKED);
}

size_t resolver_load(struct resolver *r)
{
    return atomic_load_explicit(&r->queries.under_way, memory_order_relaxed);
}

void resolver_flush_cache(struct resolver *r)
{
    cache_flush(r->cache);
}

struct upstream *resolver_upstream(struct resolver *r, const char *servers)
{
    struct upstream *upstream;

    if (servers == NULL)
        servers = "";
    pthread_mutex_lock(&r->lock);
    TAILQ_FOREACH (upstream, &r->upstreams, link) {
        if (strcmp(upstream->text, servers) == 0)
            break;
    }
    if (upstream == NULL) {
        upstream = upstream_new(r->last_upstream + 1, servers);
        if (upstream != NULL) {
            r->last_upstream++;
            TAILQ_INSERT_HEAD(&r->upstreams, upstream, link);
        }
    }
    pthread_mutex_unlock(&r->lock);
    return upstream;
}

bool resolver_is_away(const struct upstream *upstream)
{
    return upstream_is_gone(upstream, INT64_MAX, 0);
}

int64_t resolver_back_ms(const struct upstream *upstream)
{
    return atomic_load(&upstream->back_ms);
}

void resolver_servers(struct resolver *r,
                      void (*report)(void *context, const char *address, int64_t away_ms),
                      void *context)
{
    struct upstream *u;

    pthread_mutex_lock(&r->lock);
    TAILQ_FOREACH (u, &r->upstreams, link)
        for (size_t i = 0; i < atomic_load(&u->count); i++)
            report(context, u->servers[i].address, atomic_load(&u->servers[i].away_ms));
    pthread_mutex_unlock(&r->lock);
}

void resolver_stats(struct resolver *r, struct resolver_stats *out)
{
    struct queries *qs = &r->queries;
    struct cache_stats cache;

    cache_stats(r->cache, &cache);
    *out = (struct resolver_stats){
        .asked = atomic_load(&qs->asked),
        .joined = atomic_load(&qs->joined),
        .cached = cache.hits,
        .stale = atomic_load(&qs->stale),
        .cnames = atomic_load(&qs->cnames),
        .not_asked = atomic_load(&qs->not_asked),
        .open = atomic_load(&qs->under_way),
        .cache_count = cache.count,
        .cache_bytes = cache.bytes,
    };
    for (size_t i = 0; i < DNS_STATUS_COUNT; i++)
        out->by_status[i] = atomic_load(&qs->by_status[i]);
    for (size_t i = 0; i < STRAY_COUNT; i++)
        out->strays[i] = atomic_load(&r->channels.strays.by_kind[i]);
}

const char *resolver_library_version(void)
{
    return channel_library_version();
}
