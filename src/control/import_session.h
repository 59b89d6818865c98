/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CONTROL_IMPORT_SESSION_H
#define CONTROL_IMPORT_SESSION_H

/* An import that a connection has under way: begin, rows …, commit. It ends with the
 * connection, without a trace, unless it was committed. */

struct import_session;

/* NULL is fine. */
void import_session_free(struct import_session *import);

#endif
