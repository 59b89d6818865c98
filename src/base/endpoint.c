/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/endpoint.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
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

int endpoint_of_path(const char *path, struct endpoint *out)
{
    struct sockaddr_un *sun = (struct sockaddr_un *)&out->addr;

    *out = (struct endpoint){.length = sizeof *sun};
    sun->sun_family = AF_UNIX;
    return text_copy(path, sun->sun_path, sizeof sun->sun_path) ? 0 : -1;
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

    if (path != NULL)
        return endpoint_of_path(path, out);
    *out = (struct endpoint){0};
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

bool endpoint_knock(const struct endpoint *endpoint)
{
    int fd =
        socket(endpoint->addr.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    bool listening;
    int saved;

    if (fd < 0)
        return false;
    /* EAGAIN: a unix socket whose queue is full, so someone owns it */
    listening =
        connect(fd, (const struct sockaddr *)&endpoint->addr, endpoint->length) == 0 ||
        errno == EINPROGRESS || errno == EAGAIN;
    saved = errno;
    close(fd);
    errno = saved;
    return listening;
}

/* Whether nobody listens on a unix socket any more. Only "connection refused" says so: one
 * that we may not connect to, or have no descriptor for, is somebody's. */
static bool is_stale(const struct endpoint *endpoint)
{
    return !endpoint_knock(endpoint) && (errno == ECONNREFUSED || errno == ENOENT);
}

int unix_socket_check(const struct endpoint *endpoint, bool remove_stale, char *error,
                      size_t error_size)
{
    const char *path = ((const struct sockaddr_un *)&endpoint->addr)->sun_path;
    struct stat st;

    if (lstat(path, &st) != 0) {
        if (errno == ENOENT)
            return 0;
        snprintf(error, error_size, "%s: %s", path, strerror(errno));
    } else if (!S_ISSOCK(st.st_mode)) {
        snprintf(error, error_size, "%s exists and is not a socket", path);
    } else if (!is_stale(endpoint)) {
        snprintf(error, error_size, "%s is in use by another process", path);
    } else if (remove_stale && unlink(path) != 0) {
        snprintf(error, error_size, "%s: %s", path, strerror(errno));
    } else {
        return 0;
    }
    return -1;
}
