/* SPDX-License-Identifier: BSD-2-Clause */
#include "milter/socket.h"

#include <errno.h>
#include <grp.h>
#include <libmilter/mfapi.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
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
    if (path != NULL) {
        struct sockaddr_un *sun = (struct sockaddr_un *)&out->addr;

        sun->sun_family = AF_UNIX;
        out->length = sizeof *sun;
        return text_copy(path, sun->sun_path, sizeof sun->sun_path) ? 0 : -1;
    }
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

    if (fd < 0)
        return false;
    /* EAGAIN: a unix socket whose queue is full, so someone owns it */
    listening =
        connect(fd, (const struct sockaddr *)&endpoint->addr, endpoint->length) == 0 ||
        errno == EINPROGRESS || errno == EAGAIN;
    close(fd);
    return listening;
}

/* Whether one could listen on an inet socket: binds it, but does not listen, and closes
 * again. Returns 0, or -1 with errno set. */
static int try_bind(const struct endpoint *endpoint)
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

/* The milter that listens on this port by default or in the usual guides; NULL: none is
 * known to. */
static const char *usual_owner(const char *port)
{
    static const struct {
        const char *port, *owner;
    } rows[] = {
        {"7357", "clamav-milter"}, {"8890", "OpenDKIM or OpenDMARC"},
        {"8891", "OpenDKIM"},      {"8892", "OpenDKIM or OpenARC"},
        {"8893", "OpenDMARC"},     {"8895", "another rblmilter"},
        {"9900", "rmilter"},       {"11332", "rspamd"},
        {"12301", "OpenDKIM"},     {"12345", "SpamAssassin's milter"},
        {"54321", "OpenDMARC"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (strcmp(rows[i].port, port) == 0)
            return rows[i].owner;
    return NULL;
}

static int cannot_listen(const struct config *config)
{
    const char *colon = strchr(config->milter.socket, ':'), *owner = NULL;
    char port[8]; /* of "inet:8891@127.0.0.1" 8891 */
    int error = errno;

    if (error == EADDRINUSE && colon != NULL) {
        snprintf(port, sizeof port, "%.*s", (int)strcspn(colon + 1, "@"), colon + 1);
        owner = usual_owner(port);
    }
    log_error("milter: cannot listen on %s: %s%s%s%s", config->milter.socket,
              strerror(error), owner != NULL ? "; the port is often that of " : "",
              owner != NULL ? owner : "",
              error == EADDRINUSE ? "; \"ss -ltnp\" shows who has it" : "");
    return -1;
}

/* Whether the place of a unix socket is free, or taken by one that nobody listens on any
 * more: *stale then. Returns 0, or -1 if it is in use or is something else. */
static int look_at_place(const char *path, const struct endpoint *endpoint, bool *stale)
{
    struct stat st;

    *stale = lstat(path, &st) == 0;
    if (!*stale)
        return 0;
    if (!S_ISSOCK(st.st_mode)) {
        log_error("milter: %s is there and is no socket", path);
        return -1;
    }
    if (endpoint_knock(endpoint)) {
        log_error("milter: %s is in use by another process", path);
        return -1;
    }
    return 0;
}

static int find_group(const char *name, gid_t *out)
{
    struct group *group = getgrnam(name);

    if (group == NULL) {
        log_error("milter: socket-group = \"%s\": no such group", name);
        return -1;
    }
    *out = group->gr_gid;
    return 0;
}

/* Gives a unix socket to the daemon's user (the real one, where root opens it), as our
 * own wakes come by it, and to its group; "" leaves that. As root we follow no link: the
 * directory may be the user's, who is not to be handed another file. */
static int give_away(const char *path, const char *name)
{
    gid_t group = (gid_t)-1;

    if (name[0] != '\0' && find_group(name, &group) != 0)
        return -1;
    if (lchown(path, getuid(), group) != 0) {
        log_error("milter: %s: cannot give it to group \"%s\": %s", path, name,
                  strerror(errno));
        return -1;
    }
    return 0;
}

int socket_check(const struct config *config, const struct endpoint *endpoint)
{
    const char *path = endpoint_path(config->milter.socket);
    bool stale;
    gid_t group;

    if (path == NULL)
        return try_bind(endpoint) == 0 ? 0 : cannot_listen(config);
    if (look_at_place(path, endpoint, &stale) != 0)
        return -1;
    return config->milter.socket_group[0] == '\0'
               ? 0
               : find_group(config->milter.socket_group, &group);
}

/* The socket has its mode from the first moment on, as nobody else's file can be changed
 * by that. */
int socket_open(const struct config *config, const struct endpoint *endpoint)
{
    const char *path = endpoint_path(config->milter.socket);
    bool stale = false;
    mode_t mask;
    int rc;

    if (path != NULL && look_at_place(path, endpoint, &stale) != 0)
        return -1;
    if (stale && unlink(path) != 0) {
        log_error("milter: %s: %s", path, strerror(errno));
        return -1;
    }
    mask = umask(~config->milter.socket_mode & 0777);
    rc = smfi_opensocket(false);
    umask(mask);
    if (rc != MI_SUCCESS)
        return cannot_listen(config);
    return path != NULL ? give_away(path, config->milter.socket_group) : 0;
}
