/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/buffer.h"

#include <stdarg.h>
#include <stdio.h>

struct buffer buffer_over(char *memory, size_t size)
{
    memory[0] = '\0';
    return (struct buffer){.text = memory, .size = size};
}

void buffer_add(struct buffer *buffer, const char *format, ...)
{
    size_t room = buffer->size - buffer->used;
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(buffer->text + buffer->used, room, format, args);
    va_end(args);
    if (n < 0 || (size_t)n >= room) {
        buffer->used = buffer->size - 1;
        buffer->cut = true;
        return;
    }
    buffer->used += (size_t)n;
}
