/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CONFIG_REPORT_H
#define CONFIG_REPORT_H

/* Errors and warnings of a conf file on their way to the caller of config_load. One
 * thread. Inside of config/ only. */

#include "config/config.h"

struct location {
    const char *file;
    int line; /* 0: the file as a whole */
};

struct report {
    config_report *report;
    void *context;
    unsigned errors; /* reported so far */
};

/* Reports "FILE:LINE: TEXT". TEXT must say what was expected. */
void report_error(struct report *r, struct location location, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Reports "FILE:LINE: warning: TEXT". */
void report_warning(struct report *r, struct location location, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
