/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- text --- */

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

/* --- keys --- */

#define KEY_FILE_MAX 65536

/* The only line of the file that is neither empty nor a comment. Returns what was
 * expected instead, or NULL. */
static const char *one_line(char *text, char **line)
{
    char *rest = text, *next;

    *line = NULL;
    while ((next = strsep(&rest, "\r\n")) != NULL) {
        next += strspn(next, " \t");
        next[strcspn(next, " \t")] = '\0';
        if (*next == '\0' || *next == '#')
            continue;
        if (*line != NULL)
            return "one line with the key, and no other";
        *line = next;
    }
    return *line != NULL ? NULL : "one line with the key, but it is empty";
}

char *file_read_key(const char *path, struct report *report, struct location location)
{
    char error[FILE_ERROR_SIZE], *line, *key = NULL;
    struct stat st;
    char *text = file_text(path, KEY_FILE_MAX, &st, error);
    const char *expected;

    if (text == NULL) {
        report_error(report, location, "key-file = \"%s\" %s", path, error);
        return NULL;
    }
    if ((st.st_mode & (S_IRWXO | S_IWGRP)) != 0)
        report_error(report, location,
                     "key-file = \"%s\" has mode %04o: others can read or change it, "
                     "expected 0640 or 0600",
                     path, (unsigned)st.st_mode & 07777);
    expected = one_line(text, &line);
    if (expected != NULL) {
        report_error(report, location, "key-file = \"%s\": expected %s", path, expected);
        goto out;
    }
    key = strdup(line);
    if (key == NULL)
        report_error(report, location, "out of memory");
out:
    free(text);
    return key;
}

/* --- comments --- */

/* What ends a word without quotes. */
#define WORD_ENDS " \t\n\r#\"'={}()+,"

/* The length of "${NAME}" at p, which libconfuse takes from the environment; 0 if there
 * is none. Quotes and number signs in it do not count. */
static size_t variable_length(const char *p)
{
    const char *end = p[0] == '$' && p[1] == '{' ? strchr(p, '}') : NULL;

    return end != NULL ? (size_t)(end - p) + 1 : 0;
}

/* The length of a string in quotes, or 0 if it has no end: the file ends in it, or a line
 * does, as no value has lines. Otherwise a quote that is missing would be found at the
 * next one, in another statement. */
static size_t string_length(const char *start)
{
    const char *p = start + 1;

    while (*p != '\0' && *p != '\n' && *p != *start) {
        size_t variable = *start == '"' ? variable_length(p) : 0;

        if (variable > 0)
            p += variable;
        else
            p += p[0] == '\\' && p[1] != '\0' ? 2 : 1;
    }
    return *p == *start ? (size_t)(p - start) + 1 : 0;
}

/* Two slashes inside of a word, as in an URL, begin no comment. */
static bool is_comment(const char *p, bool in_word)
{
    return p[0] == '#' || (p[0] == '/' && (p[1] == '*' || (p[1] == '/' && !in_word)));
}

/* The length of a comment without its line end, or 0 if the file ends in it. */
static size_t comment_length(const char *start)
{
    const char *end;

    if (start[0] == '#' || start[1] == '/')
        return strcspn(start, "\n");
    end = strstr(start + 2, "*/");
    return end != NULL ? (size_t)(end - start) + 2 : 0;
}

int comments_blank(char *text, const char **missing)
{
    bool in_word = false;
    int line = 1;

    for (char *p = text; *p != '\0';) {
        bool comment = is_comment(p, in_word), string = *p == '"' || *p == '\'';
        size_t length = 1;

        if (comment)
            length = comment_length(p);
        else if (string)
            length = string_length(p);
        else if (variable_length(p) > 0)
            length = variable_length(p);
        if (length == 0) {
            *missing = comment ? "*/" : "a closing quote";
            return line;
        }
        in_word = !comment && strchr(WORD_ENDS, *p) == NULL;
        for (char *end = p + length; p < end; p++) {
            if (*p == '\n')
                line++;
            else if (comment)
                *p = ' ';
        }
    }
    return 0;
}
