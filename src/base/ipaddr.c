/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/ipaddr.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "base/domain.h"
#include "base/text.h"

#define HOST_SIZE 256

/* IPv4 addresses within IPv6 ones: ::ffff:0:0/96 of a socket for both (RFC 4291), and
 * 64:ff9b::/96 of a translator (RFC 6052). */
static const uint8_t mapped_prefixes[2][12] = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff},
                                               {0, 0x64, 0xff, 0x9b}};

/* Brings such an address to the IPv4 address that it is. */
static void unmap(struct ipaddr *ip)
{
    if (memcmp(ip->octets, mapped_prefixes[0], 12) != 0 &&
        memcmp(ip->octets, mapped_prefixes[1], 12) != 0)
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

/* Reads a text of up to as many decimal digits. Returns the number, at most max, or -1. */
static int parse_digits(const char *text, size_t digits, unsigned max)
{
    unsigned value = 0;
    size_t length = strlen(text);

    if (length == 0 || length > digits || strspn(text, "0123456789") != length)
        return -1;
    for (const char *p = text; *p != '\0'; p++)
        value = value * 10 + (unsigned)(*p - '0');
    return value <= max ? (int)value : -1;
}

/* Copies the part of text before end, without [brackets] where it has them. */
static int copy_host(const char *text, const char *end, char out[static HOST_SIZE])
{
    size_t length = (size_t)(end - text);

    if (length >= 2 && text[0] == '[' && text[length - 1] == ']') {
        text++;
        length -= 2;
    }
    if (length >= HOST_SIZE)
        return -1;
    memcpy(out, text, length);
    out[length] = '\0';
    return 0;
}

int network_parse(const char *text, struct network *out)
{
    char address[HOST_SIZE];
    const char *slash = strchr(text, '/');
    struct ipaddr ip;
    int prefix;

    /* in brackets it is Postfix's form */
    if (copy_host(text, slash != NULL ? slash : text + strlen(text), address) != 0 ||
        ipaddr_parse(address, &ip) != 0)
        return -1;
    prefix = (int)ipaddr_bits(&ip);
    if (slash != NULL) {
        /* a mapped address was written with IPv6's prefix: /120 is IPv4's /24 */
        bool mapped = ip.family == 4 && strchr(address, ':') != NULL;

        prefix = parse_digits(slash + 1, 3, mapped ? 128 : ipaddr_bits(&ip));
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

static void ipv4_network(uint32_t base, unsigned prefix, struct network *out)
{
    struct ipaddr ip = {.family = 4};

    base = htonl(base);
    memcpy(ip.octets, &base, sizeof base);
    network_of(&ip, prefix, out);
}

size_t network_range(uint32_t first, uint32_t last,
                     struct network out[static NETWORK_RANGE_MAX])
{
    size_t count = 0;

    for (uint64_t at = first; at <= last;) {
        unsigned prefix = 32;

        while (prefix > 0 && at % (UINT64_C(1) << (33 - prefix)) == 0 &&
               at + (UINT64_C(1) << (33 - prefix)) - 1 <= last)
            prefix--;
        ipv4_network((uint32_t)at, prefix, &out[count++]);
        at += UINT64_C(1) << (32 - prefix);
    }
    return count;
}

void network_text(const struct network *net, char out[static NETWORK_TEXT_SIZE])
{
    size_t used;

    ipaddr_text(&net->base, out);
    used = strlen(out);
    if (net->prefix < ipaddr_bits(&net->base))
        snprintf(out + used, NETWORK_TEXT_SIZE - used, "/%u", net->prefix);
}

/* Adds a network to the list in out. Returns false where it does not fit. */
static bool append(const struct network *network, char out[static NETWORK_HINT_SIZE])
{
    char text[NETWORK_TEXT_SIZE];
    size_t used = strlen(out);

    network_text(network, text);
    int n = snprintf(out + used, NETWORK_HINT_SIZE - used, "%s%s", used > 0 ? ", " : "",
                     text);
    return n > 0 && (size_t)n < NETWORK_HINT_SIZE - used;
}

/* Reads up to four decimal octets, with dots between and perhaps one at the end. Returns
 * how many, 0 where text is something else; the address has zeros for the others. */
static unsigned read_octets(const char *text, uint32_t *out)
{
    unsigned count = 0;

    *out = 0;
    while (*text != '\0') {
        size_t digits = strspn(text, "0123456789");
        unsigned octet = 0;

        if (count == 4 || digits == 0 || digits > 3)
            return 0;
        for (size_t i = 0; i < digits; i++)
            octet = octet * 10 + (unsigned)(text[i] - '0');
        text += digits;
        if (octet > 255 || (*text != '\0' && *text != '.'))
            return 0;
        *out |= octet << (24 - 8 * count++);
        if (*text == '.')
            text++;
    }
    return count;
}

/* "192.0.2.10-20", "192.0.2.10-192.0.2.20" */
static bool hint_dash(const char *left, const char *right,
                      char out[static NETWORK_HINT_SIZE])
{
    struct network networks[NETWORK_RANGE_MAX];
    uint32_t first, last;
    unsigned octets;
    size_t count;

    if (read_octets(left, &first) != 4)
        return false;
    octets = read_octets(right, &last);
    if (octets == 1)
        last = (first & 0xffffff00) | last >> 24;
    else if (octets != 4)
        return false;
    count = network_range(first, last, networks);
    for (size_t i = 0; i < count; i++)
        if (!append(&networks[i], out))
            return false;
    return count > 0;
}

/* "192.0.2.0_24", "192.0.2.0/255.255.255.0" */
static bool hint_mask(const char *left, const char *right,
                      char out[static NETWORK_HINT_SIZE])
{
    char text[NETWORK_HINT_SIZE];
    struct network network;
    uint32_t base, mask;
    unsigned prefix = 0;

    if (read_octets(right, &mask) == 4 && read_octets(left, &base) == 4) {
        while (prefix < 32 && (mask & 0x80000000u >> prefix) != 0)
            prefix++;
        if (prefix < 32 && (mask << prefix) != 0)
            return false;
        ipv4_network(base, prefix, &network);
        return append(&network, out);
    }
    text_sentence(text, sizeof text, "%s/%s", left, right);
    return network_parse(text, &network) == 0 && append(&network, out);
}

/* "192.0.2.1:25", "[2001:db8::1]:25" */
static bool hint_port(const char *left, const char *right,
                      char out[static NETWORK_HINT_SIZE])
{
    struct network network;

    return *right != '\0' && right[strspn(right, "0123456789")] == '\0' &&
           (strchr(left, ':') == NULL || *left == '[') &&
           network_parse(left, &network) == 0 && append(&network, out);
}

/* "203.0.113", "203.0.113.", "203.0.113.*", "203.0.113.x", "203.0.113/24" */
static bool hint_short(const char *text, char out[static NETWORK_HINT_SIZE])
{
    char head[NETWORK_HINT_SIZE];
    struct network network;
    size_t length;
    unsigned count;
    uint32_t base;

    if (!text_copy(text, head, sizeof head))
        return false;
    length = strcspn(head, "/*xX");
    if (head[length] == '/') {
        head[length] = '\0';
        count = read_octets(head, &base);
        ipv4_network(base, 32, &network);
        ipaddr_text(&network.base, head);
        text += length + 1;
        return count > 0 && count < 4 && hint_mask(head, text, out);
    }
    if (head[length] != '\0' && text[length + strspn(text + length, "*xX.")] != '\0')
        return false;
    if (head[length] != '\0' && (length == 0 || head[length - 1] != '.'))
        return false; /* "192.0.2.1x" could be many a thing */
    head[length] = '\0';
    count = read_octets(head, &base);
    if (count == 0 || count == 4)
        return false;
    ipv4_network(base, 8 * count, &network);
    return append(&network, out);
}

bool network_hint(const char *text, char out[static NETWORK_HINT_SIZE])
{
    static const struct {
        char mark;
        bool (*hint)(const char *left, const char *right,
                     char out[static NETWORK_HINT_SIZE]);
    } forms[] = {{'-', hint_dash}, {'_', hint_mask}, {'/', hint_mask}, {':', hint_port}};
    char left[NETWORK_HINT_SIZE];

    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        char *mark;

        out[0] = '\0';
        if (!text_copy(text, left, sizeof left) ||
            (mark = strrchr(left, forms[i].mark)) == NULL)
            continue;
        *mark = '\0';
        if (forms[i].hint(left, mark + 1, out))
            return true;
    }
    out[0] = '\0';
    if (hint_short(text, out))
        return true;
    out[0] = '\0';
    return false;
}

bool network_looks_meant(const char *name)
{
    const char *last = strrchr(name, '.');

    if (last == NULL)
        return false;
    if (last[1] >= '0' && last[1] <= '9')
        return true;
    return strcmp(last, ".x") == 0 &&
           strspn(name, "0123456789.") == (size_t)(last + 1 - name);
}

/* 1 to 65535, or -1 if the whole text is no port. */
static int parse_port(const char *text)
{
    return text[0] == '0' ? -1 : parse_digits(text, 5, 65535);
}

/* Takes the interface off a link-local address, "fe80::1%eth0". Returns -1 where one is
 * missing, or where none belongs. */
static int read_server_address(char *host, struct ipaddr *ip, const char **interface)
{
    char *percent = strchr(host, '%');
    bool link_local;

    *interface = "";
    if (percent != NULL) {
        *percent = '\0';
        *interface = percent + 1;
        if (**interface == '\0' || strlen(*interface) >= IF_NAMESIZE ||
            strpbrk(*interface, "%[]:,/ ") != NULL)
            return -1;
    }
    if (ipaddr_parse(host, ip) != 0)
        return -1;
    link_local =
        ip->family == 6 && ip->octets[0] == 0xfe && (ip->octets[1] & 0xc0) == 0x80;
    return link_local == (percent != NULL) ? 0 : -1;
}

int server_canonical(const char *text, char out[static ENDPOINT_SIZE])
{
    const char *colon = strrchr(text, ':');
    char host[HOST_SIZE], address[IPADDR_TEXT_SIZE];
    const char *interface;
    struct ipaddr ip;
    int port = 53;

    /* without brackets, the colons of an IPv6 address are no port's */
    if (colon != NULL && strchr(text, ':') != colon && colon[-1] != ']')
        colon = NULL;
    if (colon != NULL)
        port = parse_port(colon + 1);
    if (port < 0 ||
        copy_host(text, colon != NULL ? colon : text + strlen(text), host) != 0 ||
        read_server_address(host, &ip, &interface) != 0)
        return -1;
    ipaddr_text(&ip, address);
    snprintf(out, ENDPOINT_SIZE, ip.family == 6 ? "[%s%s%s]:%d" : "%s%s%s:%d", address,
             *interface != '\0' ? "%" : "", interface, port);
    return 0;
}

/* PORT or PORT@HOST */
static bool inet_is_valid(const char *text, int family)
{
    const char *at = strchr(text, '@');
    char host[HOST_SIZE + sizeof "65535@"], name[DOMAIN_SIZE];
    struct ipaddr ip;

    if (!text_copy(text, host, sizeof host))
        return false;
    host[strcspn(host, "@")] = '\0';
    if (parse_port(host) < 0)
        return false;
    if (at == NULL)
        return true;
    if (copy_host(at + 1, at + strlen(at), host) != 0)
        return false;
    if (ipaddr_parse(host, &ip) == 0)
        return ip.family == family;
    return domain_canonical(host, name) == 0 && !domain_is_numeric(name);
}

bool socket_is_valid(const char *text)
{
    static const struct {
        const char *prefix;
        int family; /* 0: a path */
    } kinds[] = {{"inet:", 4}, {"inet6:", 6}, {"unix:", 0}, {"local:", 0}};

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        const char *rest = text + strlen(kinds[i].prefix);

        if (strncmp(text, kinds[i].prefix, strlen(kinds[i].prefix)) != 0)
            continue;
        if (kinds[i].family != 0)
            return inet_is_valid(rest, kinds[i].family);
        return rest[0] == '/' && rest[1] != '\0' &&
               strlen(rest) < sizeof(((struct sockaddr_un *)0)->sun_path);
    }
    return false;
}
