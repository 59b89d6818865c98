/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CONFIG_CODES_H
#define CONFIG_CODES_H

/* Code expressions: what a list's answers mean, as the title of a codes section writes
 * it: "127.0.0.2, 127.0.0.4-127.0.0.7, 127.0.*.3, &8". Any thread. */

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum code_kind { CODE_RANGE, CODE_OCTETS, CODE_BIT };

struct code_pattern {
    enum code_kind kind;
    uint32_t first, last; /* CODE_RANGE: host order, both included; one address: equal */
    uint8_t octets_first[4]; /* CODE_OCTETS: each octet between first and last: */
    uint8_t octets_last[4];  /* "*" is 0-255, Postfix's [10;11] is several patterns */
    uint8_t bit;             /* CODE_BIT: a value of the last octet with one bit set */
};

struct codes {
    struct code_pattern *patterns;
    size_t count;
};

/* Reads an expression: patterns with commas between them. An address, a range (with
 * "-"), an address with "*" for an octet, "&N" for a bit (N a power of two), and
 * Postfix's "127.0.0.[2..11]" and "127.0.0.[2;4;10..11]". All within 127.0.0.0/8.
 * Refused are codes
 * outside of it, those that lie in 127.255.255.0/24, and octets with a zero in front.
 * Returns 0 with patterns that codes_free frees, or -1 with a sentence in error. */
int codes_parse(const char *text, struct codes *out, char *error, size_t error_size);

/* Frees the patterns; zeroed codes are fine. */
void codes_free(struct codes *codes);

/* Whether the answer address is named by one of the patterns. Never true outside of
 * 127.0.0.0/8, nor for 127.255.255.0/24: these say that a list refuses to answer. */
bool codes_match(const struct codes *codes, struct in_addr answer);

/* Whether one of the patterns is a bit: the weights of such sections are added up. */
bool codes_have_bits(const struct codes *codes);

#endif
