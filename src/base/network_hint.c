/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/network_hint.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/ipaddr.h"
#include "base/text.h"

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

static void ipv4_network(uint32_t base, unsigned prefix, struct network *out)
{
    struct ipaddr ip = {.family = 4};

    base = htonl(base);
    memcpy(ip.octets, &base, sizeof base);
    network_of(&ip, prefix, out);
}

/* The fewest networks that are the addresses from first to last. */
static bool hint_range(uint32_t first, uint32_t last, char out[static NETWORK_HINT_SIZE])
{
    if (first > last)
        return false;
    for (uint64_t at = first; at <= last;) {
        unsigned prefix = 32;
        struct network network;

        while (prefix > 0) {
            uint64_t size = UINT64_C(1) << (32 - (prefix - 1));

            if (at % size != 0 || at + size - 1 > last)
                break;
            prefix--;
        }
        ipv4_network((uint32_t)at, prefix, &network);
        if (!append(&network, out))
            return false;
        at += UINT64_C(1) << (32 - prefix);
    }
    return true;
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
    uint32_t first, last;
    unsigned octets;

    if (read_octets(left, &first) != 4)
        return false;
    octets = read_octets(right, &last);
    if (octets == 1)
        last = (first & 0xffffff00) | last >> 24;
    else if (octets != 4)
        return false;
    return hint_range(first, last, out);
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
