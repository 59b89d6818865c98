#include "config/report.h"

#include <stdarg.h>

#include "base/text.h"

#define REPORT_SIZE 2048

static void tell(struct report *r, struct place place, const char *kind,
                 const char *format, va_list args)
{
    char text[REPORT_SIZE], raw[REPORT_SIZE + 256], line[REPORT_SIZE + 512];

    vsnprintf(text, sizeof text, format, args);
    if (place.line > 0)
        snprintf(raw, sizeof raw, "%s:%d: %s%s", place.file, place.line, kind, text);
    else
        snprintf(raw, sizeof raw, "%s: %s%s", place.file, kind, text);
    text_clean(raw, line, sizeof line); /* one line, whatever the file held */
    r->tell(r->context, line);
}

void report_mistake(struct report *r, struct place place, const char *format, ...)
{
    va_list args;

    r->mistakes++;
    va_start(args, format);
    tell(r, place, "", format, args);
    va_end(args);
}

void report_warning(struct report *r, struct place place, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    tell(r, place, "warning: ", format, args);
    va_end(args);
}
