#include "dns/thread.h"

#include <signal.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

#define READY_MAX 64
#define LINGER_MS 1000 /* for answers that come just too late: the cache wants them */
/* Questions that leave in one go, and after how long so many more do. A UDP socket's
 * usual buffer holds some 270. A near server answers by itself and may be kept from
 * reading for some milliseconds, by us among others; a far one is read by what stands
 * between. */
#define BURST_NEAR 64
#define BURST_FAR  256
#define BURST_MS   10
#define TICK_MS    50 /* how often c-ares looks for attempts that took too long */

/* What the thread took over in one go. */
struct work {
    struct question_list questions;
    struct upstream_list graves;
    bool stopping;
};

/* Takes what was handed over, behind what still waits; with nothing to do the thread is
 * asleep from here on. */
static void take_work(struct resolver *r, struct work *work)
{
    TAILQ_INIT(&work->graves);
    pthread_mutex_lock(&r->lock);
    TAILQ_CONCAT(&work->questions, &r->handed_over, link);
    TAILQ_CONCAT(&work->graves, &r->graves, link);
    if (r->settings_changed) {
        r->questions.settings = r->settings;
        upstream_list_retire(&r->upstreams);
        r->settings_changed = false;
    }
    work->stopping = r->stopping;
    r->asleep = TAILQ_EMPTY(&work->questions);
    pthread_mutex_unlock(&r->lock);
}

/* Starts questions, in bursts: what a near server's socket cannot hold is lost, and waits
 * for the next attempt. Returns how long the rest has to wait; 0: there is none. */
static int start_questions(struct resolver *r, struct question_list *list)
{
    struct question *q;
    int64_t now_ms = clock_ms();
    int burst = r->questions.near > QUESTIONS_NEAR / 2 ? BURST_NEAR : BURST_FAR;

    if (now_ms - r->burst_ms >= BURST_MS || r->questions.credit > burst) {
        r->burst_ms = now_ms;
        r->questions.credit = burst;
    }
    while ((q = TAILQ_FIRST(list)) != NULL && r->questions.credit > 0) {
        TAILQ_REMOVE(list, q, link);
        questions_start(&r->questions, q, now_ms);
    }
    return q != NULL ? (int)(r->burst_ms + BURST_MS - now_ms) : 0;
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

    TAILQ_INIT(&work.questions);
    for (take_work(r, &work); !work.stopping; take_work(r, &work)) {
        bool busy = !TAILQ_EMPTY(&work.questions);

        int rest_ms = start_questions(r, &work.questions);

        upstream_list_free(&work.graves);
        int64_t now_ms = clock_ms();
        questions_expire(&r->questions, now_ms);
        tick(r, now_ms);
        wait_for_sockets(r, rest_ms > 0 ? rest_ms : busy ? 0 : idle_ms(r, now_ms));
    }
    /* What came with the word to stop goes back, for resolver_free to end. */
    pthread_mutex_lock(&r->lock);
    TAILQ_CONCAT(&r->handed_over, &work.questions, link);
    TAILQ_CONCAT(&r->graves, &work.graves, link);
    pthread_mutex_unlock(&r->lock);
    return NULL;
}

/* The thread takes no signals: they are the main's. */
int thread_start(struct resolver *r)
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

void thread_wake(struct resolver *r)
{
    uint64_t one = 1;

    /* The thread sees the edge and never reads: cannot fail before 2^64 writes. */
    if (write(r->wake_fd, &one, sizeof one) != sizeof one)
        log_error("resolver: wake: %m");
}
