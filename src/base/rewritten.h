/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BASE_REWRITTEN_H
#define BASE_REWRITTEN_H

/* Senders that a mail system has rewritten for its own ends, and whose they are. Any
 * thread; no allocation. */

#include <stdbool.h>

#include "base/domain.h"

/* Takes the address out of what BATV (prvs=TAG=anna@, prvs=anna=TAG@, btv1==TAG==anna@)
 * or SRS (SRS0=HASH=TT=a.example=anna@, SRS1=…, Microsoft's x+SRS=…) made of it, however
 * many times. Returns false, with *out untouched, where the address is as it was. Anyone
 * can write such an address: what is inside must not be trusted more than the outside. */
bool rewritten_inside(const struct mail_address *address, struct mail_address *out);

/* Of a VERP sender, "bounces-list-anna=example.org", the local part without the
 * recipient: "bounces-list" for n = 0, "bounces" for 1, as a recipient may have a "-" as
 * well. Returns false where there is none, or no n-th. */
bool rewritten_without_recipient(const char *local, int n,
                                 char out[static LOCAL_PART_SIZE]);

#endif
