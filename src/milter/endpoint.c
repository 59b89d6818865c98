/* SPDX-License-Identifier: BSD-2-Clause */
#include "milter/endpoint.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/text.h"

const char *endpoint_path(const char *text)
{
    const char *colon = strchr(text, ':');

    if (colon == NULL)
        return text; /* libmilter: without a family it is a path */
    if (strncmp(text, "unix:", 5) == 0 || strncmp(text, "local:", 6) == 0)
        return colon + 1;
    return NULL;
}

static int unix_endpoint(const char *path, struct endpoint *out)
{
    struct sockaddr_un *sun = (struct sockaddr_un *)&out->addr;

    sun->sun_family = AF_UNIX;
    if (!text_copy(path, sun->sun_path, sizeof sun->sun_path))
        return -1;
    out->length = sizeof *sun;
    return 0;
}

/* Nobody can connect to the wildcard address; who listens on it listens on loopback. */
static void wildcard_to_loopback(struct endpoint *e)
{
    struct sockaddr_in *sin = (struct sockaddr_in *)&e->addr;
    struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)&e->addr;

    if (e->addr.ss_family == AF_INET && sin->sin_addr.s_addr == htonl(INADDR_ANY))
        sin->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (e->addr.ss_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&sin6->sin6_addr))
        sin6->sin6_addr = in6addr_loopback;
}

int endpoint_parse(const char *text, struct endpoint *out)
{
    const char *path = endpoint_path(text), *at = strchr(text, '@');
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE},
                    *found = NULL;
    char port[16];
    int rc = -1;

    memset(out, 0, sizeof *out);
    if (path != NULL)
        return unix_endpoint(path, out);
    const char *start = strchr(text, ':') + 1;
    size_t length = at != NULL ? (size_t)(at - start) : strlen(start);

    hints.ai_family = strncmp(text, "inet6:", 6) == 0 ? AF_INET6 : AF_INET;
    if (length >= sizeof port)
        return -1;
    memcpy(port, start, length);
    port[length] = '\0';
    if (getaddrinfo(at != NULL ? at + 1 : NULL, port, &hints, &found) != 0)
        return -1;
    if (found->ai_addrlen <= sizeof out->addr) {
        memcpy(&out->addr, found->ai_addr, found->ai_addrlen);
        out->length = found->ai_addrlen;
        wildcard_to_loopback(out);
        rc = 0;
    }
    freeaddrinfo(found);
    return rc;
}

int endpoint_try(const struct endpoint *endpoint)
{
    int fd = socket(endpoint->addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1, rc, saved;

    if (fd < 0)
        return -1;
    /* as libmilter does: what the last daemon has left is no hindrance */
    rc = setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (rc == 0)
        rc = bind(fd, (const struct sockaddr *)&endpoint->addr, endpoint->length);
    saved = errno;
    close(fd);
    errno = saved;
    return rc;
}

bool endpoint_knock(const struct endpoint *endpoint)
{
    int fd =
        socket(endpoint->addr.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    bool listening;

    if (fd < 0)
        return false;
    /* EAGAIN: a unix socket whose queue is full, so someone owns it */
    listening =
        connect(fd, (const struct sockaddr *)&endpoint->addr, endpoint->length) == 0 ||
        errno == EINPROGRESS || errno == EAGAIN;
    close(fd);
    return listening;
}
