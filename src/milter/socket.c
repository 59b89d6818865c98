/* SPDX-License-Identifier: BSD-2-Clause */
#include "milter/socket.h"

#include <errno.h>
#include <grp.h>
#include <libmilter/mfapi.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

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

/* unix_socket_check, with what is wrong logged. */
static int check_path(const struct endpoint *endpoint, bool remove_stale)
{
    char error[512];

    if (unix_socket_check(endpoint, remove_stale, error, sizeof error) == 0)
        return 0;
    log_error("milter: %s", error);
    return -1;
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
    gid_t group;

    if (endpoint_path(config->milter.socket) == NULL)
        return try_bind(endpoint) == 0 ? 0 : cannot_listen(config);
    if (check_path(endpoint, false) != 0)
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
    mode_t mask;
    int rc;

    if (path != NULL && check_path(endpoint, true) != 0)
        return -1;
    mask = umask(~config->milter.socket_mode & 0777);
    rc = smfi_opensocket(false);
    umask(mask);
    if (rc != MI_SUCCESS)
        return cannot_listen(config);
    return path != NULL ? give_away(path, config->milter.socket_group) : 0;
}
