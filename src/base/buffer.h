/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BASE_BUFFER_H
#define BASE_BUFFER_H

/* Text put together piece by piece in memory of the caller's, never beyond its end. */

#include <stdbool.h>
#include <stddef.h>

struct buffer {
    char *text; /* always ended by NUL */
    size_t size, used;
    bool cut; /* something did not fit */
};

/* size is at least 1. Any thread; one at a time for a buffer. */
struct buffer buffer_over(char *memory, size_t size);

void buffer_add(struct buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
