/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CONTROL_CONNECTION_H
#define CONTROL_CONNECTION_H

/* A client's lines: requests in, answers out, each whole by a deadline (clock_ms),
 * however slowly the client sends or reads. One thread. */

#include <stddef.h>
#include <stdint.h>

struct lines {
    int fd;
    char *in;
    size_t used, size;
    size_t searched; /* of used: no newline there */
    size_t taken;    /* of used: the line handed out last */
};

enum line_result {
    LINE_READ,
    LINE_TOO_LONG, /* more than PROTOCOL_REQUEST_MAX */
    LINE_NONE      /* the client has ended, or the deadline has passed */
};

/* Waits for the next line. It has no newline, and is good until the next call. */
enum line_result lines_read(struct lines *lines, int64_t deadline_ms, const char **line,
                            size_t *length);

/* Sends all of text. Returns 0, or -1 when the client is gone or the deadline has passed.
 */
int lines_write(const struct lines *lines, const char *text, size_t length,
                int64_t deadline_ms);

/* Closes, and frees what was read. */
void lines_end(struct lines *lines);

#endif
