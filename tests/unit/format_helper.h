/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FORMAT_HELPER_H
#define FORMAT_HELPER_H

/* Reads a text in a format, for tests. What fails ends the test. */

#include "formats/format.h"

/* What was read, as "!entry=reason@expires%source;" and "line:bad;". */
struct seen {
    char text[4096];
    char last_error[FORMAT_ERROR_SIZE];
    unsigned long rows, stop_after;
};

/* As format_read. */
int read_as(const char *format, const struct format_options *options, const char *text,
            size_t length, struct seen *seen);
int read_text(const char *format, const char *text, size_t length, struct seen *seen);

#endif
