/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Returns what was read, up to size, or -1. */
static ssize_t read_whole(int fd, char *out, size_t size)
{
    size_t used = 0;

    while (used < size) {
        ssize_t n = read(fd, out + used, size - used);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        used += (size_t)n;
    }
    return (ssize_t)used;
}

char *file_text(const char *path, size_t max, struct stat *st,
                char error[static FILE_ERROR_SIZE])
{
    struct stat own;
    char *text = NULL;
    ssize_t length = -1;
    /* not to wait for whoever writes into a pipe */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (st == NULL)
        st = &own;
    if (fd < 0 || fstat(fd, st) != 0) {
        snprintf(error, FILE_ERROR_SIZE, "cannot be read: %s", strerror(errno));
        goto out;
    }
    if (!S_ISREG(st->st_mode)) {
        snprintf(error, FILE_ERROR_SIZE, "is %s, expected a file",
                 S_ISDIR(st->st_mode) ? "a directory" : "no regular file");
        goto out;
    }
    if ((size_t)st->st_size > max) {
        snprintf(error, FILE_ERROR_SIZE, "is too large, expected at most %zu bytes", max);
        goto out;
    }
    text = malloc((size_t)st->st_size + 1);
    length = text != NULL ? read_whole(fd, text, (size_t)st->st_size) : -1;
    if (length < 0) {
        snprintf(error, FILE_ERROR_SIZE, "cannot be read: %s", strerror(errno));
        goto out;
    }
    text[length] = '\0';
    if (strlen(text) != (size_t)length) {
        snprintf(error, FILE_ERROR_SIZE, "has a NUL byte in it, expected text");
        length = -1;
    }
out:
    if (length < 0) {
        free(text);
        text = NULL;
    }
    if (fd >= 0)
        close(fd);
    return text;
}
