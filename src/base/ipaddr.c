/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/ipaddr.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* IPv4 addresses within IPv6 ones: ::ffff:0:0/96 of a socket for both (RFC 4291), and
 * 64:ff9b::/96 of a translator (RFC 6052). */
static const uint8_t mapped_prefixes[2][12] = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff},
                                               {0, 0x64, 0xff, 0x9b}};

static bool is_mapped(const struct ipaddr *ip)
{
    return ip->family == 6 && (memcmp(ip->octets, mapped_prefixes[0], 12) == 0 ||
                               memcmp(ip->octets, mapped_prefixes[1], 12) == 0);
}

/* Brings such an address to the IPv4 address that it is. */
static void unmap(struct ipaddr *ip)
{
    if (!is_mapped(ip))
        return;
    memmove(ip->octets, ip->octets + 12, 4);
    memset(ip->octets + 4, 0, 12);
    ip->family = 4;
}

int ipaddr_parse(const char *text, struct ipaddr *out)
{
    memset(out, 0, sizeof *out);
    if (inet_pton(AF_INET, text, out->octets) == 1) {
        out->family = 4;
        return 0;
    }
    if (inet_pton(AF_INET6, text, out->octets) == 1) {
        out->family = 6;
        unmap(out);
        return 0;
    }
    return -1;
}

int ipaddr_from_sockaddr(const struct sockaddr *sa, struct ipaddr *out)
{
    memset(out, 0, sizeof *out);
    if (sa == NULL)
        return -1;
    if (sa->sa_family == AF_INET) {
        out->family = 4;
        memcpy(out->octets, &((const struct sockaddr_in *)sa)->sin_addr, 4);
        return 0;
    }
    if (sa->sa_family == AF_INET6) {
        out->family = 6;
        memcpy(out->octets, &((const struct sockaddr_in6 *)sa)->sin6_addr, 16);
        unmap(out);
        return 0;
    }
    return -1;
}

void ipaddr_text(const struct ipaddr *ip, char out[static IPADDR_TEXT_SIZE])
{
    int family = ip->family == 4 ? AF_INET : AF_INET6;

    if (inet_ntop(family, ip->octets, out, IPADDR_TEXT_SIZE) == NULL)
        out[0] = '\0';
}

unsigned ipaddr_bits(const struct ipaddr *ip)
{
    return ip->family == 4 ? 32 : 128;
}

bool ipaddr_equal(const struct ipaddr *a, const struct ipaddr *b)
{
    return a->family == b->family && memcmp(a->octets, b->octets, sizeof a->octets) == 0;
}

bool ipaddr_is_local(const struct ipaddr *ip)
{
    static const struct network local[] = {
        {{4, {0}}, 8},           /* this network, RFC 1122 */
        {{4, {10}}, 8},          /* RFC 1918 */
        {{4, {100, 64}}, 10},    /* CGNAT, RFC 6598 */
        {{4, {127}}, 8},         /* loopback */
        {{4, {169, 254}}, 16},   /* link-local */
        {{4, {172, 16}}, 12},    /* RFC 1918 */
        {{4, {192, 168}}, 16},   /* RFC 1918 */
        {{4, {224}}, 3},         /* multicast, reserved, broadcast */
        {{6, {0}}, 127},         /* unspecified and loopback */
        {{6, {0xfc}}, 7},        /* unique local, RFC 4193 */
        {{6, {0xfe, 0x80}}, 10}, /* link-local */
        {{6, {0xff}}, 8},        /* multicast */
    };

    for (size_t i = 0; i < sizeof local / sizeof local[0]; i++)
        if (network_contains(&local[i], ip))
            return true;
    return false;
}

void network_of(const struct ipaddr *ip, unsigned prefix, struct network *out)
{
    unsigned bits = ipaddr_bits(ip);

    if (prefix > bits)
        prefix = bits;
    out->base = *ip;
    out->prefix = (uint8_t)prefix;
    for (unsigned bit = prefix; bit < bits; bit++)
        out->base.octets[bit / 8] &= (uint8_t) ~(0x80u >> (bit % 8));
}

/* Reads a prefix: decimal digits only, at most max. Returns it, or -1. */
static int parse_prefix(const char *text, unsigned max)
{
    unsigned value = 0;
    size_t length = strlen(text);

    if (length == 0 || length > 3 || strspn(text, "0123456789") != length)
        return -1;
    for (const char *p = text; *p != '\0'; p++)
        value = value * 10 + (unsigned)(*p - '0');
    return value <= max ? (int)value : -1;
}

int network_parse(const char *text, struct network *out)
{
    char address[IPADDR_TEXT_SIZE];
    const char *slash = strchr(text, '/');
    size_t length = slash != NULL ? (size_t)(slash - text) : strlen(text);
    struct ipaddr ip;
    int prefix;

    if (length >= 2 && text[0] == '[' && text[length - 1] == ']') { /* Postfix's form */
        text++;
        length -= 2;
    }
    if (length >= sizeof address)
        return -1;
    memcpy(address, text, length);
    address[length] = '\0';
    if (ipaddr_parse(address, &ip) != 0)
        return -1;
    prefix = (int)ipaddr_bits(&ip);
    if (slash != NULL) {
        /* a mapped address was written with IPv6's prefix: /120 is IPv4's /24 */
        bool mapped = ip.family == 4 && strchr(address, ':') != NULL;

        prefix = parse_prefix(slash + 1, mapped ? 128 : ipaddr_bits(&ip));
        if (mapped)
            prefix -= 96;
        if (prefix < 0)
            return -1;
    }
    network_of(&ip, (unsigned)prefix, out);
    return 0;
}

bool network_contains(const struct network *net, const struct ipaddr *ip)
{
    unsigned whole = net->prefix / 8, rest = net->prefix % 8;

    if (net->base.family != ip->family ||
        memcmp(net->base.octets, ip->octets, whole) != 0)
        return false;
    if (rest == 0)
        return true;
    uint8_t mask = (uint8_t)(0xff00u >> rest);
    return ((net->base.octets[whole] ^ ip->octets[whole]) & mask) == 0;
}

void network_text(const struct network *net, char out[static NETWORK_TEXT_SIZE])
{
    size_t used;

    ipaddr_text(&net->base, out);
    used = strlen(out);
    if (net->prefix < ipaddr_bits(&net->base))
        snprintf(out + used, NETWORK_TEXT_SIZE - used, "/%u", net->prefix);
}
