/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CONTROL_PROTOCOL_H
#define CONTROL_PROTOCOL_H

/* What rblctl and the daemon say to each other over the control socket: one JSON object a
 * line, one answer line for each request line, in order. docs/control-protocol.md lists
 * the commands. Long answers come in pages that the client asks for, so that neither side
 * ever holds more than a line.
 *
 *   request  {"command":"show","entry":"domain.xyz"}
 *   answer   {"ok":true, …}
 *            {"ok":false,"error":"usage","text":"a sentence for people"} */

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROTOCOL_SOCKET "/run/rblmilter/control.sock"

/* The longest request with its newline. Longer ones end the connection. */
#define PROTOCOL_REQUEST_MAX (128 * 1024)
/* Entries in one add, allow, remove or check. */
#define PROTOCOL_ENTRIES_MAX 200
/* Rows in one import-rows. */
#define PROTOCOL_IMPORT_ROWS 1000
/* The longest span of time, in seconds: 1000 years, as base/text.h has it. */
#define PROTOCOL_SPAN_MAX_S INT64_C(31622400000)
/* Rows in one page of list, export and log. */
#define PROTOCOL_PAGE_ROWS 500

/* Why a request was not done. */
enum protocol_error {
    PROTOCOL_USAGE,    /* not a request that there is, or a value that cannot be read */
    PROTOCOL_DENIED,   /* this peer may not */
    PROTOCOL_REFUSED,  /* understood, but not done: too wide without force, … */
    PROTOCOL_NO_ENTRY, /* there is no such entry */
    PROTOCOL_BUSY,     /* too many connections, an import is being committed: try again */
    PROTOCOL_FAILED    /* the daemon could not: disk, memory */
};
#define PROTOCOL_ERROR_COUNT 6

/* The name as in "error". The parser returns 0, or -1 for an unknown name. */
const char *protocol_error_name(enum protocol_error error);
int protocol_error_parse(const char *name, enum protocol_error *out);

/* An answer of "ok":false. Returns a new reference, or NULL without memory. */
json_t *protocol_error_answer(enum protocol_error error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* A text as a JSON value, whatever it holds: where it is not UTF-8 (cut, or from a
 * hand-made database) "?" stands for its 8-bit characters. NULL without memory. */
json_t *protocol_text(const char *text);

/* Sets a member, appends a value, whose reference they take. Where that fails (no memory,
 * a text that is not UTF-8) what is being built becomes NULL and stays it: an answer is
 * whole, or the server says that there is none. */
void protocol_set(json_t **object, const char *name, json_t *value);
void protocol_append(json_t **array, json_t *value);

/* Reads one line (without its newline) into an object. Returns a new reference, or NULL
 * with a sentence in error: not JSON, not one object, nested too deep, a key twice. */
json_t *protocol_read(const char *line, size_t length, char *error, size_t error_size);

/* Writes a message as a line with its newline. Returns text to be freed, its length in
 * *length, or NULL without memory. */
char *protocol_write(const json_t *message, size_t *length);

/* Reading the members of a request. Each function returns 0, or -1 with the answer that
 * says which member was wrong and what was expected in *answer (a new reference, NULL
 * without memory). What they hand out is borrowed from the request. */

/* A text that must be there. */
int request_text(const json_t *request, const char *name, const char **out,
                 json_t **answer);
/* A text that may be left out: then what out holds stays. */
int request_optional_text(const json_t *request, const char *name, const char **out,
                          json_t **answer);
/* A whole number from 0 to max, or left out: as above. */
int request_optional_number(const json_t *request, const char *name, int64_t max,
                            int64_t *out, json_t **answer);
/* A number of seconds to be added to a time, or left out: as above. */
int request_optional_span(const json_t *request, const char *name, int64_t *out,
                          json_t **answer);
/* true or false, or left out: as above. */
int request_optional_flag(const json_t *request, const char *name, bool *out,
                          json_t **answer);
/* An array of 1 to max texts. */
int request_texts(const json_t *request, const char *name, size_t max, const json_t **out,
                  json_t **answer);

#endif
