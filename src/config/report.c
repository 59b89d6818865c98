/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/report.h"

#include <stdarg.h>

#include "base/text.h"

#define REPORT_SIZE 2048

static void report_line(struct report *r, struct location location, const char *kind,
                        const char *format, va_list args)
{
    char text[REPORT_SIZE], raw[REPORT_SIZE + 256], line[REPORT_SIZE + 512];

    vsnprintf(text, sizeof text, format, args);
    if (location.line > 0)
        snprintf(raw, sizeof raw, "%s:%d: %s%s", location.file, location.line, kind,
                 text);
    else
        snprintf(raw, sizeof raw, "%s: %s%s", location.file, kind, text);
    text_clean(raw, line, sizeof line); /* one line, whatever the file held */
    r->report(r->context, line);
}

void report_error(struct report *r, struct location location, const char *format, ...)
{
    va_list args;

    r->errors++;
    va_start(args, format);
    report_line(r, location, "", format, args);
    va_end(args);
}

void report_warning(struct report *r, struct location location, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    report_line(r, location, "warning: ", format, args);
    va_end(args);
}
