/* SPDX-License-Identifier: BSD-2-Clause */
#include "buf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "tool.h"

enum { RECEIVE_SIZE = 16384 };

static void make_room(struct buf *buf, size_t count)
{
    if (buf->start > 0 && buf->end + count > buf->size) {
        memmove(buf->data, buf_bytes(buf), buf_length(buf));
        buf->end -= buf->start;
        buf->start = 0;
    }
    if (buf->end + count <= buf->size)
        return;
    size_t size = (buf->end + count) * 2;
    char *data = realloc(buf->data, size);
    if (data == NULL)
        die("out of memory");
    buf->data = data;
    buf->size = size;
}

void buf_add(struct buf *buf, const void *bytes, size_t count)
{
    make_room(buf, count);
    memcpy(buf->data + buf->end, bytes, count);
    buf->end += count;
}

void buf_add_text(struct buf *buf, const char *text)
{
    buf_add(buf, text, strlen(text) + 1);
}

void buf_add_u32(struct buf *buf, uint32_t value)
{
    unsigned char bytes[4] = {value >> 24, value >> 16, value >> 8, value};

    buf_add(buf, bytes, sizeof bytes);
}

void buf_printf(struct buf *buf, const char *format, ...)
{
    va_list ap;
    char *text;

    va_start(ap, format);
    int length = vasprintf(&text, format, ap);
    va_end(ap);
    if (length < 0)
        die("out of memory");
    buf_add(buf, text, (size_t)length);
    free(text);
}

void buf_add_pattern(struct buf *buf, const char *pattern, unsigned n)
{
    const char *mark;

    for (; (mark = strstr(pattern, "%n")) != NULL; pattern = mark + 2) {
        buf_add(buf, pattern, (size_t)(mark - pattern));
        buf_printf(buf, "%u", n);
    }
    buf_add_text(buf, pattern);
}

void buf_take(struct buf *buf, size_t count)
{
    buf->start += count;
    if (buf->start == buf->end)
        buf_clear(buf);
}

void buf_clear(struct buf *buf)
{
    buf->start = buf->end = 0;
}

void buf_free(struct buf *buf)
{
    free(buf->data);
    *buf = (struct buf){0};
}

int buf_send(struct buf *buf, int fd)
{
    while (buf_length(buf) > 0) {
        ssize_t sent = send(fd, buf_bytes(buf), buf_length(buf), MSG_NOSIGNAL);
        if (sent < 0)
            return errno == EAGAIN ? 1 : -1;
        buf_take(buf, (size_t)sent);
    }
    return 0;
}

ssize_t buf_receive(struct buf *buf, int fd)
{
    make_room(buf, RECEIVE_SIZE);
    ssize_t got = recv(fd, buf->data + buf->end, buf->size - buf->end, 0);
    if (got > 0)
        buf->end += (size_t)got;
    return got;
}
