/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CONTROL_REQUEST_H
#define CONTROL_REQUEST_H

/* Reading the members of a request. Each function returns 0, or -1 with the answer that
 * says which member was wrong and what was expected in *answer (a new reference, NULL
 * without memory). What they hand out is borrowed from the request. */

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

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
