/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BASE_NETWORK_HINT_H
#define BASE_NETWORK_HINT_H

/* What was meant by a text that looks like IP addresses but is neither an address nor a
 * network: ranges, netmasks, ports, wildcards, the short forms of other programs. Any
 * thread. */

#include <stdbool.h>
#include <stddef.h>

#define NETWORK_HINT_SIZE 160

/* Writes the networks that text stands for, with commas between: "192.0.2.10-12" ->
 * "192.0.2.10/31, 192.0.2.12". Returns false, with out empty, where it stands for none,
 * or for more than there is room for. */
bool network_hint(const char *text, char out[static NETWORK_HINT_SIZE]);

/* Whether a name (lower case, no dot at the end) was surely meant as an IP address: no
 * top-level domain begins with a digit, nor is one of the letter "x" alone below
 * numbers. */
bool network_looks_meant(const char *name);

#endif
