/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BASE_IPADDR_H
#define BASE_IPADDR_H

/* IP addresses and networks: one form for IPv4 and IPv6. Plain values, no
 * allocation; every function here may be called by any thread. */

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* Room for the longest text of an address or a network, with its end. */
#define IPADDR_TEXT_SIZE  46
#define NETWORK_TEXT_SIZE 50

struct ipaddr {
    uint8_t family;     /* 4 or 6 */
    uint8_t octets[16]; /* network order; IPv4 uses the first four, the rest are 0 */
};

struct network {
    struct ipaddr base; /* host bits are 0 */
    uint8_t prefix;     /* bits: 0-32 or 0-128 */
};

/* Reads "192.0.2.1", "2001:db8::1", or "::ffff:192.0.2.1" and "64:ff9b::192.0.2.1", which
 * become the IPv4 address in them.
 * Returns 0, or -1 if the whole text is not an address. */
int ipaddr_parse(const char *text, struct ipaddr *out);

/* Takes what libmilter hands over: AF_INET or AF_INET6, an IPv4 address in it becomes
 * IPv4 (Postfix and sendmail differ). Returns 0, or -1 for NULL or another
 * family. */
int ipaddr_from_sockaddr(const struct sockaddr *sa, struct ipaddr *out);

/* Writes the canonical text (RFC 5952). */
void ipaddr_text(const struct ipaddr *ip, char out[static IPADDR_TEXT_SIZE]);

/* The number of bits: 32 or 128. */
unsigned ipaddr_bits(const struct ipaddr *ip);

bool ipaddr_equal(const struct ipaddr *a, const struct ipaddr *b);

/* Whether the address says nothing to the outside: this host, private (RFC 1918,
 * RFC 4193), loopback, link-local, CGNAT (RFC 6598), multicast, reserved,
 * unspecified. Documentation ranges are not among them: DNS lists are never queried
 * for these, but are for those. */
bool ipaddr_is_local(const struct ipaddr *ip);

/* Reads an address (a network of one) or "address/prefix", the address perhaps in [], as
 * Postfix writes it; host bits are cleared. A network of IPv4 addresses within IPv6 with
 * a prefix of 96 or more becomes IPv4. Returns 0, or -1. */
int network_parse(const char *text, struct network *out);

/* Makes the network of ip with that prefix, host bits cleared. A prefix longer than
 * the address is taken as the whole address. */
void network_of(const struct ipaddr *ip, unsigned prefix, struct network *out);

bool network_contains(const struct network *net, const struct ipaddr *ip);

/* The fewest networks that are the IPv4 addresses from first to last, as numbers. Returns
 * how many: 62 at most; 0 where first is above last. */
#define NETWORK_RANGE_MAX 62
size_t network_range(uint32_t first, uint32_t last,
                     struct network out[static NETWORK_RANGE_MAX]);

/* Writes "192.0.2.0/24", or the address alone where the prefix is the whole. */
void network_text(const struct network *net, char out[static NETWORK_TEXT_SIZE]);

/* What was meant by a text that looks like IP addresses but is neither an address nor a
 * network: ranges, netmasks, ports, wildcards, the short forms of other programs. Any
 * thread. */

#define NETWORK_HINT_SIZE 160

/* Writes the networks that text means, with commas between: "192.0.2.10-12" ->
 * "192.0.2.10/31, 192.0.2.12". Returns false, with out empty, where it means none,
 * or for more than there is room for. */
bool network_hint(const char *text, char out[static NETWORK_HINT_SIZE]);

/* Whether a name (lower case, no dot at the end) was surely meant as an IP address: no
 * top-level domain begins with a digit, nor is one of the letter "x" alone below
 * numbers. */
bool network_looks_meant(const char *name);

/* The sockets of a conf file: where the milter listens, and which servers the resolver
 * queries. */

/* [address%interface]:65535 */
#define ENDPOINT_SIZE (IPADDR_TEXT_SIZE + IF_NAMESIZE + 8)

/* Brings a name server to one form: "127.0.0.1" -> "127.0.0.1:53", "::1" and "[::1]:53"
 * -> "[::1]:53", "fe80::1%eth0" -> "[fe80::1%eth0]:53". Returns 0, or -1: a link-local
 * address needs its interface, and no other has one. */
int server_canonical(const char *text, char out[static ENDPOINT_SIZE]);

/* Whether libmilter can listen there: "inet:8895@127.0.0.1", "inet:8895",
 * "inet6:8895@::1", "unix:/path" or "local:/path". */
bool socket_is_valid(const char *text);

#endif
