/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef KNOWN_CONTAINED_ZONES_H
#define KNOWN_CONTAINED_ZONES_H

/* DNS lists that hold the data of another one. Any thread. */

#include <stdbool.h>

/* Whether the list under the zone whole holds what the one under the zone part lists.
 * Both are canonical names. */
bool zone_contains(const char *whole, const char *part);

#endif
