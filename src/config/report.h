#ifndef CONFIG_REPORT_H
#define CONFIG_REPORT_H

/* Mistakes and warnings of a conf file on their way to the caller of config_load. One
 * thread. Inside of config/ only. */

#include "config/config.h"

/* Where in the files something stands. */
struct place {
    const char *file;
    int line; /* 0: the file as a whole */
};

struct report {
    config_report *tell;
    void *context;
    unsigned mistakes; /* told so far */
};

/* Tells "FILE:LINE: TEXT". A mistake must say what was expected. */
void report_mistake(struct report *r, struct place place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Tells "FILE:LINE: warning: TEXT". */
void report_warning(struct report *r, struct place place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
