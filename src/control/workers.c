/* SPDX-License-Identifier: BSD-2-Clause */
#include "control/workers.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

struct workers {
    pthread_mutex_t lock;
    pthread_cond_t work;
    struct job *first, **end;
    bool stopping;
    unsigned started;
    pthread_t threads[];
};

static void *worker_main(void *argument)
{
    struct workers *w = argument;

    pthread_mutex_lock(&w->lock);
    for (;;) {
        struct job *job;

        while (!w->stopping && w->first == NULL)
            pthread_cond_wait(&w->work, &w->lock);
        if (w->stopping)
            break;
        job = w->first;
        w->first = job->next;
        if (w->first == NULL)
            w->end = &w->first;
        pthread_mutex_unlock(&w->lock);
        job->run(job);
        pthread_mutex_lock(&w->lock);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

struct workers *workers_new(unsigned count)
{
    struct workers *w = calloc(1, sizeof *w + count * sizeof w->threads[0]);

    if (w == NULL)
        return NULL;
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->work, NULL);
    w->end = &w->first;
    for (; w->started < count; w->started++) {
        int rc = pthread_create(&w->threads[w->started], NULL, worker_main, w);

        if (rc != 0) {
            workers_free(w);
            errno = rc;
            return NULL;
        }
    }
    return w;
}

void workers_free(struct workers *workers)
{
    if (workers == NULL)
        return;
    pthread_mutex_lock(&workers->lock);
    workers->stopping = true;
    pthread_cond_broadcast(&workers->work);
    pthread_mutex_unlock(&workers->lock);
    for (unsigned i = 0; i < workers->started; i++)
        pthread_join(workers->threads[i], NULL);
    pthread_cond_destroy(&workers->work);
    pthread_mutex_destroy(&workers->lock);
    free(workers);
}

void workers_submit(struct workers *workers, struct job *job)
{
    pthread_mutex_lock(&workers->lock);
    job->next = NULL;
    *workers->end = job;
    workers->end = &job->next;
    pthread_cond_signal(&workers->work);
    pthread_mutex_unlock(&workers->lock);
}
