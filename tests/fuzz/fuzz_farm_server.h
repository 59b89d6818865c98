/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FUZZ_FARM_SERVER_H
#define FUZZ_FARM_SERVER_H

/* A farm's database whose answers are a fuzzer's input, in the place of connection.c's. */

#include "farm/connection.h"

/* The answers, as fuzz_farm.c says; NULL: none. Borrowed, and changed. */
void server_answers(char *text);

/* What was answered, to be merged again. */
#define GIVEN_MAX 8
extern PGresult *given[GIVEN_MAX];
extern size_t given_count;

/* Ends the program where something does not hold. */
#define check(holds) check_at(holds, __FILE__, __LINE__)
void check_at(bool holds, const char *file, int line);

#endif
