/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BENCH_TOOL_H
#define BENCH_TOOL_H

/* What the main of each benchmark program needs. */

#include <stdint.h>
#include <stdio.h>
#include <time.h>

/* Prints the text and ends the program with status 1. */
void die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* The value of an option that is a number; anything else ends the program. */
unsigned number_parse(const char *option, const char *text);

/* Prints text as a JSON string, without its control characters. */
void json_text(const char *text, FILE *out);

/* Lets the program open as many files as it may. */
void files_raise_limit(void);

/* splitmix64: a number that looks random for each i. */
uint64_t mix(uint64_t i);

/* The time of a clock, in ns. */
int64_t clock_ns(clockid_t clock);

/* CPU time of this program, in seconds. */
double cpu_seconds(void);

#endif
