#ifndef DNSBL_REGISTRY_STATE_H
#define DNSBL_REGISTRY_STATE_H

/* The file that keeps what is known of the lists over a restart: JSON, written anew as a
 * whole and renamed into place, so that it is there or not. */

#include <jansson.h>

#include "dnsbl/record.h"

/* Reads the file. Returns a new reference, or NULL: there is none, or it cannot be read,
 * which is told in the log. */
json_t *registry_state_load(const char *path);

/* Fills a new record with what was saved (NULL is fine) of its name. Suspended stays
 * suspended, and what lists everybody stays set aside; any other state is tested anew,
 * with its time and reason kept where it is found to be the same. */
void registry_state_read(const json_t *saved, struct dnsbl_record *record);

/* Writes first and all behind it. Records' locks are taken one by one. Failures are told
 * in the log: the states then begin anew at the next start. */
void registry_state_write(const char *path, struct dnsbl_record *first);

#endif
