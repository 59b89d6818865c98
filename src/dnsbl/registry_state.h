#ifndef DNSBL_REGISTRY_STATE_H
#define DNSBL_REGISTRY_STATE_H

/* The file that keeps what is known of the lists over a restart: JSON, written anew as a
 * whole and renamed into place, so that it is there or not. */

#include "dnsbl/record.h"

/* Fills a new record with what the file has of its name. Suspended stays suspended; any
 * other state is tested anew, with its time and reason kept until then. A file that
 * cannot be read is told in the log and counts as empty. */
void registry_state_read(const char *path, struct dnsbl_record *record);

/* Writes first and all behind it. Records' locks are taken one by one. Failures are told
 * in the log: the states then begin anew at the next start. */
void registry_state_write(const char *path, struct dnsbl_record *first);

#endif
