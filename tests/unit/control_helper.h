/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_CONTROL_HELPER_H
#define TESTS_CONTROL_HELPER_H

/* The server of the control socket with commands of the tests' own, and clients of it.
 * Everything here fails the test that goes wrong. */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "control/control.h"

struct fixture {
    char directory[32], path[64];
    struct control *control;
};

/* The fixture of one test. */
int control_set_up(void **state);
int control_tear_down(void **state);

/* Patience and stop in ms; 0: as in use. */
struct control *control_begin(const char *path, int patience_ms, int stop_ms, char *error,
                              size_t error_size);
void control_restart(struct fixture *f, int patience_ms, int stop_ms);

/* The commands, beside "nothing", which has no answer. */
#define STATUS_REQUEST  "{\"command\":\"status\"}\n"
#define COUNT_REQUEST   "{\"command\":\"count\"}\n"
#define SLOW_REQUEST    "{\"command\":\"slow\"}\n"
#define ENDLESS_REQUEST "{\"command\":\"endless\"}\n" /* until endless_ends */
#define LARGE_REQUEST   "{\"command\":\"large\"}\n" /* more than a socket's buffers take */
#define STATUS_ANSWER   "{\"ok\":true,\"status\":{\"version\":\"0\"}}"
#define LARGE           (16 * 1024 * 1024)
extern atomic_bool endless_ends;

/* A client: -1 where it cannot connect. */
int dial(const char *path);
void say(int fd, const char *text);
/* Reads until a newline or the end; false at the end. */
bool hear(int fd, char *out, size_t size);
void expect(int fd, const char *part);

#endif
