/* SPDX-License-Identifier: BSD-2-Clause */
#include "control/lines.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "control/protocol.h"

#define FIRST_SIZE 1024

/* Waits until fd is ready for events. A receive timeout of the socket's own would begin
 * again with each byte. */
static bool wait_ready(int fd, short events, int64_t deadline_ms)
{
    struct pollfd ready = {.fd = fd, .events = events};
    int64_t left_ms = deadline_ms - clock_ms();

    return left_ms > 0 && poll(&ready, 1, (int)left_ms) != 0; /* EINTR: tried again */
}

static bool make_room(struct lines *lines)
{
    size_t size = lines->size == 0 ? FIRST_SIZE : lines->size * 2;
    char *in;

    if (lines->used < lines->size)
        return true;
    in = realloc(lines->in, size);
    if (in == NULL)
        return false;
    lines->in = in;
    lines->size = size;
    return true;
}

/* Reads what is there, and waits until there is something. */
static bool receive(struct lines *lines, int64_t deadline_ms)
{
    while (make_room(lines)) {
        ssize_t n = recv(lines->fd, lines->in + lines->used, lines->size - lines->used,
                         MSG_DONTWAIT);

        if (n > 0) {
            lines->used += (size_t)n;
            return clock_ms() < deadline_ms;
        }
        if (n == 0 || (errno != EAGAIN && errno != EINTR) ||
            !wait_ready(lines->fd, POLLIN, deadline_ms))
            return false;
    }
    return false;
}

/* Takes the line before away. Gives a large buffer back once it is empty: a client that
 * waits holds little. */
static void drop_taken(struct lines *lines)
{
    lines->used -= lines->taken;
    if (lines->used > 0)
        memmove(lines->in, lines->in + lines->taken, lines->used);
    lines->taken = lines->searched = 0;
    if (lines->used == 0 && lines->size > FIRST_SIZE) {
        free(lines->in);
        lines->in = NULL;
        lines->size = 0;
    }
}

enum line_result lines_read(struct lines *lines, int64_t deadline_ms, const char **line,
                            size_t *length)
{
    drop_taken(lines);
    do {
        size_t fresh = lines->used - lines->searched;
        const char *end =
            fresh == 0 ? NULL : memchr(lines->in + lines->searched, '\n', fresh);

        if (end != NULL) {
            *line = lines->in;
            *length = (size_t)(end - lines->in);
            lines->taken = *length + 1;
            return LINE_READ;
        }
        lines->searched = lines->used;
        if (lines->used >= PROTOCOL_REQUEST_MAX)
            return LINE_TOO_LONG;
    } while (receive(lines, deadline_ms));
    return LINE_NONE;
}

int lines_write(const struct lines *lines, const char *text, size_t length,
                int64_t deadline_ms)
{
    while (length > 0) {
        ssize_t n = send(lines->fd, text, length, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (n >= 0) {
            text += n;
            length -= (size_t)n;
        } else if ((errno != EAGAIN && errno != EINTR) ||
                   !wait_ready(lines->fd, POLLOUT, deadline_ms)) {
            return -1;
        }
    }
    return 0;
}

void lines_end(struct lines *lines)
{
    close(lines->fd);
    free(lines->in);
    *lines = (struct lines){.fd = -1};
}
