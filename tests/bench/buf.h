/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BENCH_BUF_H
#define BENCH_BUF_H

/* Bytes that grow at the end and are taken from the front, for the benchmark's clients.
 * A pattern is a text in which %n stands for a number. Out of memory ends the program:
 * these are tools, not the daemon. */

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct buf {
    char *data;
    size_t start, end, size; /* what counts is data[start..end) */
};

void buf_add(struct buf *buf, const void *bytes, size_t count);
void buf_add_text(struct buf *buf, const char *text); /* with its NUL */
void buf_add_u32(struct buf *buf, uint32_t value);    /* network order */
void buf_printf(struct buf *buf, const char *format, ...)
    __attribute__((format(printf, 2, 3))); /* without a NUL */
void buf_add_pattern(struct buf *buf, const char *pattern, unsigned n); /* with a NUL */
static inline size_t buf_length(const struct buf *buf)
{
    return buf->end - buf->start;
}
static inline char *buf_bytes(const struct buf *buf)
{
    return buf->data + buf->start;
}
void buf_take(struct buf *buf, size_t count); /* drops count bytes at the front */
void buf_clear(struct buf *buf);              /* keeps the memory */
void buf_free(struct buf *buf);

/* Sends what there is to a socket that does not block. Returns 0 when all went, 1 when
 * some is left, -1 on an error (errno). */
int buf_send(struct buf *buf, int fd);

/* Reads once what a socket has. Returns the count, 0 at its end, -1 on an error; errno is
 * EAGAIN when there is nothing. */
ssize_t buf_receive(struct buf *buf, int fd);

#endif
