/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/endpoints.h"

#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "base/domain.h"

#define HOST_SIZE 256

/* 1 to 65535, or -1 if the whole text is no port. */
static int parse_port(const char *text)
{
    size_t length = strspn(text, "0123456789");
    int port = 0;

    if (length == 0 || length > 5 || text[length] != '\0' || text[0] == '0')
        return -1;
    for (; *text != '\0'; text++)
        port = port * 10 + (*text - '0');
    return port <= 65535 ? port : -1;
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
    char port[8], host[HOST_SIZE], name[DOMAIN_SIZE];
    size_t length = at != NULL ? (size_t)(at - text) : strlen(text);
    struct ipaddr ip;

    if (length >= sizeof port)
        return false;
    memcpy(port, text, length);
    port[length] = '\0';
    if (parse_port(port) < 0)
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
