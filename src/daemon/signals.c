/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

static const int ours[] = {SIGUSR1, SIGTERM, SIGINT, SIGHUP};
static const size_t our_count = sizeof ours / sizeof ours[0];

static int ends[2] = {-1, -1}; /* a handler is handed nothing */

static sigset_t our_set(void)
{
    sigset_t set;

    sigemptyset(&set);
    for (size_t i = 0; i < our_count; i++)
        sigaddset(&set, ours[i]);
    return set;
}

void signals_block(void)
{
    sigset_t set = our_set();

    pthread_sigmask(SIG_BLOCK, &set, NULL);
}

/* A full pipe holds thousands of signals already: one more is no news. */
void signals_put(int number)
{
    unsigned char byte = (unsigned char)number;
    int saved = errno;

    if (write(ends[1], &byte, 1) < 0)
        errno = saved;
    errno = saved;
}

int signals_open(void)
{
    struct sigaction action = {.sa_handler = signals_put,
                               .sa_flags = SA_RESTART | SA_NODEFER};
    sigset_t set = our_set();

    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
        return -1;
    sigemptyset(&action.sa_mask); /* one that it blocks would be libmilter's */
    for (size_t i = 0; i < our_count; i++)
        if (sigaction(ours[i], &action, NULL) != 0)
            return -1;
    return pthread_sigmask(SIG_UNBLOCK, &set, NULL) == 0 ? 0 : -1;
}

int signals_wait(int64_t timeout_ms)
{
    struct pollfd ready = {.fd = ends[0], .events = POLLIN};
    unsigned char byte;

    /* interrupted by a handler, the pipe has something: the read says */
    if (poll(&ready, 1, (int)timeout_ms) == 0)
        return 0;
    return read(ends[0], &byte, 1) == 1 ? byte : 0;
}
