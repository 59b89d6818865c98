#include "dns/resolver.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "dns/thread.h"

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
    TAILQ_INIT(&r->graves);
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
    questions_init(&r->questions, &r->channels, r->cache);
    r->questions.settings = *settings;
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
    struct question *q;

    if (r == NULL)
        return;
    pthread_mutex_lock(&r->lock);
    r->stopping = true;
    pthread_mutex_unlock(&r->lock);
    thread_wake(r);
    pthread_join(r->thread, NULL);
    /* From here on we are the thread; nothing is handed over any more. */
    while ((q = TAILQ_FIRST(&r->handed_over)) != NULL) {
        TAILQ_REMOVE(&r->handed_over, q, link);
        question_leave_out(&r->questions, q);
    }
    upstream_list_retire(&r->upstreams);
    upstream_list_retire(&r->graves);
    channel_set_free(&r->channels); /* ends what is open */
    upstream_list_free(&r->graves);
    upstream_list_free(&r->upstreams);
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
    thread_wake(r);
}

/* Puts it before the thread, unless there are too many. */
static bool hand_over(struct resolver *r, struct question *q, int64_t now_ms)
{
    bool taken, must_wake = false;

    pthread_mutex_lock(&r->lock);
    taken =
        !r->stopping && (q->anew || resolver_load(r) <= (size_t)r->settings.max_queries);
    if (taken) {
        q->deadline_ms = now_ms + r->settings.deadline_ms;
        TAILQ_INSERT_TAIL(&r->handed_over, q, link);
        must_wake = r->asleep;
        r->asleep = false;
    }
    pthread_mutex_unlock(&r->lock);
    if (must_wake)
        thread_wake(r);
    return taken;
}

/* Makes a question and puts it before the thread. Returns false if that cannot be. */
static bool put_question(struct resolver *r, struct upstream *upstream,
                         const struct dns_key *key, struct dns_lookup *lookup, bool anew,
                         int64_t now_ms)
{
    struct question *q = question_new(&r->questions, upstream, key, lookup);

    if (q == NULL)
        return false;
    q->anew = anew;
    if (hand_over(r, q, now_ms))
        return true;
    question_free(&r->questions, q);
    return false;
}

static struct dns_answer *not_asked(struct resolver *r, const struct dns_key *key)
{
    pthread_mutex_lock(&r->lock);
    int stale_ttl_s = r->settings.stale_ttl_s;
    pthread_mutex_unlock(&r->lock);
    atomic_fetch_add_explicit(&r->not_asked, 1, memory_order_relaxed);
    return questions_failed_answer(&r->questions, key, stale_ttl_s, DNS_NOT_ASKED);
}

struct dns_answer *resolver_ask(struct resolver *r, struct upstream *upstream,
                                enum dns_type type, const char *name,
                                struct dns_lookup *lookup)
{
    struct dns_key key;
    int64_t now_ms = clock_ms();

    if (!dns_key_make(&key, r->secret, upstream->id, type, name))
        return dns_answer_failure(DNS_INVALID);
    struct dns_answer *answer = cache_get(r->cache, &key, now_ms);
    if (answer != NULL)
        return answer;
    if (put_question(r, upstream, &key, lookup, false, now_ms))
        return NULL;
    return not_asked(r, &key);
}

struct dns_answer *resolver_ask_anew(struct resolver *r, struct upstream *upstream,
                                     enum dns_type type, const char *name,
                                     struct dns_lookup *lookup)
{
    struct dns_key key;

    if (!dns_key_make(&key, r->secret, upstream->id, type, name))
        return dns_answer_failure(DNS_INVALID);
    if (put_question(r, upstream, &key, lookup, true, clock_ms()))
        return NULL;
    return dns_answer_failure(DNS_NOT_ASKED);
}

struct dns_answer *resolver_remembered(struct resolver *r, struct upstream *upstream,
                                       enum dns_type type, const char *name)
{
    struct dns_key key;
    struct dns_answer *answer;

    if (!dns_key_make(&key, r->secret, upstream->id, type, name))
        return NULL;
    answer = cache_get(r->cache, &key, clock_ms());
    if (answer != NULL)
        return answer;
    pthread_mutex_lock(&r->lock);
    int stale_ttl_s = r->settings.stale_ttl_s;
    pthread_mutex_unlock(&r->lock);
    answer = questions_failed_answer(&r->questions, &key, stale_ttl_s, DNS_NOT_ASKED);
    if (answer->stale)
        return answer;
    dns_answer_unref(answer);
    return NULL;
}

struct dns_answer *resolver_leave_out(struct resolver *r, struct upstream *upstream,
                                      enum dns_type type, const char *name)
{
    struct dns_key key;
    struct dns_answer *answer;

    if (!dns_key_make(&key, r->secret, upstream->id, type, name))
        return dns_answer_failure(DNS_INVALID);
    answer = cache_get(r->cache, &key, clock_ms());
    return answer != NULL ? answer : not_asked(r, &key);
}

size_t resolver_load(struct resolver *r)
{
    return atomic_load_explicit(&r->questions.open, memory_order_relaxed);
}

struct dns_answer *resolver_cached(struct resolver *r, struct upstream *upstream,
                                   enum dns_type type, const char *name)
{
    struct dns_key key;

    if (!dns_key_make(&key, r->secret, upstream->id, type, name))
        return NULL;
    return cache_get(r->cache, &key, clock_ms());
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
    TAILQ_FOREACH(upstream, &r->upstreams, link)
    {
        if (strcmp(upstream->servers, servers) == 0)
            break;
    }
    if (upstream != NULL) {
        upstream_ref(upstream);
    } else {
        upstream = upstream_new(r, r->last_upstream + 1, servers);
        if (upstream != NULL) {
            r->last_upstream++;
            TAILQ_INSERT_TAIL(&r->upstreams, upstream, link);
        }
    }
    pthread_mutex_unlock(&r->lock);
    return upstream;
}

struct upstream *upstream_ref(struct upstream *upstream)
{
    atomic_fetch_add_explicit(&upstream->refs, 1, memory_order_relaxed);
    return upstream;
}

/* The last one leaves the channels to the thread: only it may touch c-ares. */
void upstream_unref(struct upstream *upstream)
{
    if (upstream == NULL)
        return;
    struct resolver *r = upstream->resolver;
    unsigned refs = atomic_load_explicit(&upstream->refs, memory_order_relaxed);
    bool last;

    while (refs > 1)
        if (atomic_compare_exchange_weak_explicit(&upstream->refs, &refs, refs - 1,
                                                  memory_order_acq_rel,
                                                  memory_order_relaxed))
            return;
    /* resolver_upstream may just give it to somebody else: the lock decides. */
    pthread_mutex_lock(&r->lock);
    last = atomic_fetch_sub_explicit(&upstream->refs, 1, memory_order_acq_rel) == 1;
    if (last) {
        TAILQ_REMOVE(&r->upstreams, upstream, link);
        TAILQ_INSERT_TAIL(&r->graves, upstream, link);
    }
    pthread_mutex_unlock(&r->lock);
    if (last)
        thread_wake(r);
}

void resolver_stats(struct resolver *r, struct resolver_stats *out)
{
    struct cache_stats cache;

    cache_stats(r->cache, &cache);
    *out = (struct resolver_stats){
        .asked = atomic_load(&r->questions.asked),
        .joined = atomic_load(&r->questions.joined),
        .cached = cache.hits,
        .stale = atomic_load(&r->questions.stale),
        .cnames = atomic_load(&r->questions.cnames),
        .not_asked = atomic_load(&r->not_asked),
        .open = atomic_load(&r->questions.open),
        .cache_count = cache.count,
        .cache_bytes = cache.bytes,
    };
    for (size_t i = 0; i < DNS_STATUS_COUNT; i++)
        out->by_status[i] = atomic_load(&r->questions.by_status[i]);
    for (size_t i = 0; i < STRAY_COUNT; i++)
        out->strays[i] = atomic_load(&r->channels.strays.by_kind[i]);
}

const char *resolver_library_version(void)
{
    return channel_library_version();
}
