#include "dns/resolver.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "dns/question.h"
#include "dns/upstream.h"

#define READY_MAX 64
#define LINGER_MS 1000 /* for answers that come just too late: the cache wants them */
#define TICK_MS   50   /* how often c-ares looks for attempts that took too long */

struct resolver {
    struct cache *cache;
    uint64_t secret; /* of the hash */
    pthread_t thread;
    int epoll_fd, wake_fd;

    pthread_mutex_t lock; /* of what follows; held for a few instructions only */
    struct question_list handed_over;
    struct resolver_settings settings;
    bool settings_changed;
    bool stopping;
    struct upstream_list upstreams;
    struct upstream_list graves; /* without a reference: for the thread to free */
    uint32_t last_upstream;

    struct channel_set channels; /* the thread's own, and what follows */
    struct questions questions;
    int64_t last_tick_ms;
    atomic_uint_fast64_t not_asked;

    /* The thread waits, or is about to: wake it. Set and looked at under the lock;
     * cleared also without, as the thread takes the work before it sleeps again. */
    atomic_bool asleep;
};

/* What the thread took over in one go. */
struct work {
    struct question_list questions;
    struct upstream_list graves;
    bool stopping;
};

static void wake(struct resolver *r)
{
    uint64_t one = 1;

    /* The thread sees the edge and never reads: cannot fail before 2^64 writes. */
    if (write(r->wake_fd, &one, sizeof one) != sizeof one)
        log_error("resolver: wake: %m");
}

static void retire_channels(struct upstream_list *list)
{
    struct upstream *upstream;

    TAILQ_FOREACH(upstream, list, link)
    {
        upstream_retire_channels(upstream);
    }
}

/* Takes what was handed over; with nothing to do the thread is asleep from here on. */
static void take_work(struct resolver *r, struct work *work)
{
    TAILQ_INIT(&work->questions);
    TAILQ_INIT(&work->graves);
    pthread_mutex_lock(&r->lock);
    TAILQ_CONCAT(&work->questions, &r->handed_over, link);
    TAILQ_CONCAT(&work->graves, &r->graves, link);
    if (r->settings_changed) {
        r->questions.settings = r->settings;
        retire_channels(&r->upstreams);
        r->settings_changed = false;
    }
    work->stopping = r->stopping;
    r->asleep = TAILQ_EMPTY(&work->questions);
    pthread_mutex_unlock(&r->lock);
}

static void free_graves(struct upstream_list *graves)
{
    struct upstream *upstream;

    while ((upstream = TAILQ_FIRST(graves)) != NULL) {
        TAILQ_REMOVE(graves, upstream, link);
        upstream_free(upstream);
    }
}

static void start_questions(struct resolver *r, struct question_list *list)
{
    struct question *q;
    int64_t now_ms = clock_ms();

    while ((q = TAILQ_FIRST(list)) != NULL) {
        TAILQ_REMOVE(list, q, link);
        questions_start(&r->questions, q, now_ms);
    }
}

static void tick(struct resolver *r, int64_t now_ms)
{
    if (now_ms - r->last_tick_ms < TICK_MS)
        return;
    r->last_tick_ms = now_ms;
    channel_set_tick(&r->channels);
    channel_set_reap(&r->channels, now_ms, r->questions.settings.deadline_ms + LINGER_MS);
}

/* How long nothing can happen but by a socket or a new question. */
static int idle_ms(const struct resolver *r, int64_t now_ms)
{
    int deadline_ms = questions_next_ms(&r->questions, now_ms);

    if (r->questions.held == 0)
        return -1;
    return deadline_ms >= 0 && deadline_ms < TICK_MS ? deadline_ms : TICK_MS;
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
    struct work work;

    for (take_work(r, &work); !work.stopping; take_work(r, &work)) {
        bool busy = !TAILQ_EMPTY(&work.questions);

        start_questions(r, &work.questions);
        free_graves(&work.graves);
        int64_t now_ms = clock_ms();
        questions_expire(&r->questions, now_ms);
        tick(r, now_ms);
        wait_for_sockets(r, busy ? 0 : idle_ms(r, now_ms));
    }
    /* What came with the word to stop goes back, for resolver_free to end. */
    pthread_mutex_lock(&r->lock);
    TAILQ_CONCAT(&r->handed_over, &work.questions, link);
    TAILQ_CONCAT(&r->graves, &work.graves, link);
    pthread_mutex_unlock(&r->lock);
    return NULL;
}

/* The thread takes no signals: they are the main's. Returns an errno. */
static int start_thread(struct resolver *r)
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
    failed = start_thread(r);
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
    wake(r);
    pthread_join(r->thread, NULL);
    /* From here on we are the thread; nothing is handed over any more. */
    while ((q = TAILQ_FIRST(&r->handed_over)) != NULL) {
        TAILQ_REMOVE(&r->handed_over, q, link);
        question_leave_out(&r->questions, q);
    }
    retire_channels(&r->upstreams);
    retire_channels(&r->graves);
    channel_set_free(&r->channels); /* ends what is open */
    free_graves(&r->graves);
    free_graves(&r->upstreams);
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

/* Puts it before the thread, unless there are too many. */
static bool hand_over(struct resolver *r, struct question *q, int64_t now_ms)
{
    bool taken, must_wake = false;

    pthread_mutex_lock(&r->lock);
    taken =
        !r->stopping && atomic_load_explicit(&r->questions.open, memory_order_relaxed) <=
                            (size_t)r->settings.max_queries;
    if (taken) {
        q->deadline_ms = now_ms + r->settings.deadline_ms;
        TAILQ_INSERT_TAIL(&r->handed_over, q, link);
        must_wake = r->asleep;
        r->asleep = false;
    }
    pthread_mutex_unlock(&r->lock);
    if (must_wake)
        wake(r);
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
        wake(r);
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
        .not_asked = atomic_load(&r->not_asked),
        .open = atomic_load(&r->questions.open),
        .cache_count = cache.count,
        .cache_bytes = cache.bytes,
    };
    for (size_t i = 0; i < DNS_STATUS_COUNT; i++)
        out->by_status[i] = atomic_load(&r->questions.by_status[i]);
}

const char *resolver_library_version(void)
{
    return channel_library_version();
}
