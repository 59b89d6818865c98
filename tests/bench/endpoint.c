/* SPDX-License-Identifier: BSD-2-Clause */
#include "endpoint.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "tool.h"

void endpoint_parse(struct endpoint *endpoint, const char *text)
{
    struct sockaddr_un *local = (struct sockaddr_un *)&endpoint->address;
    struct sockaddr_in *inet = (struct sockaddr_in *)&endpoint->address;
    char host[64];
    unsigned port;

    *endpoint = (struct endpoint){0};
    if (strncmp(text, "unix:", 5) == 0 && strlen(text + 5) < sizeof local->sun_path) {
        local->sun_family = AF_UNIX;
        snprintf(local->sun_path, sizeof local->sun_path, "%s", text + 5);
        endpoint->length = sizeof *local;
    } else if (sscanf(text, "inet:%u@%63s", &port, host) == 2 && port < 65536 &&
               inet_pton(AF_INET, host, &inet->sin_addr) == 1) {
        inet->sin_family = AF_INET;
        inet->sin_port = htons((uint16_t)port);
        endpoint->length = sizeof *inet;
    } else {
        die("%s: expected inet:port@host or unix:/path", text);
    }
}

int endpoint_connect(const struct endpoint *endpoint)
{
    const struct sockaddr *address = (const struct sockaddr *)&endpoint->address;
    int one = 1;
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        die("socket: %s", strerror(errno));
    if (address->sa_family == AF_INET)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(fd, address, endpoint->length) == 0 || errno == EINPROGRESS)
        return fd;
    if (errno != EAGAIN)
        die("connect: %s", strerror(errno));
    close(fd);
    return -1;
}
