/* SPDX-License-Identifier: BSD-2-Clause */
#include "control/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/endpoint.h"

#define SOCKET_MODE 0660

/* Holds PATH.lock for the life of the listener, so that of two daemons that start at once
 * only one takes the socket. The file stays: to remove it would let a third one lock
 * another file of the same name. */
static int lock_path(struct listener *listener, uid_t owner, gid_t group, char *error,
                     size_t error_size)
{
    char *name = NULL;
    int rc = -1;

    if (asprintf(&name, "%s.lock", listener->path) < 0) {
        snprintf(error, error_size, "no memory");
        return -1;
    }
    listener->lock_fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (listener->lock_fd != -1 && flock(listener->lock_fd, LOCK_EX | LOCK_NB) != 0)
        snprintf(error, error_size, "%s: another rblmilter holds it", name);
    else if (listener->lock_fd == -1 ||
             /* the next one may be started as that user */
             (geteuid() == 0 && fchown(listener->lock_fd, owner, group) != 0))
        snprintf(error, error_size, "%s: %s", name, strerror(errno));
    else
        rc = 0;
    free(name);
    return rc;
}

/* Nobody can connect until the listen: the kernel refuses. The mode is
 * given by the umask and no link is followed: the directory may be the daemon's own
 * user's, who is not to be handed another file by root. */
static int bind_socket(struct listener *listener, const struct endpoint *endpoint,
                       uid_t owner, gid_t group)
{
    mode_t mask;
    int rc;

    listener->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (listener->fd == -1)
        return -1;
    mask = umask(~SOCKET_MODE & 0777);
    rc = bind(listener->fd, (const struct sockaddr *)&endpoint->addr, endpoint->length);
    umask(mask);
    if (rc != 0)
        return -1;
    if (geteuid() == 0 && lchown(listener->path, owner, group) != 0)
        return -1;
    return 0;
}

int listener_open(struct listener *listener, const char *path, uid_t owner, gid_t group,
                  char *error, size_t error_size)
{
    struct endpoint endpoint;

    *listener = (struct listener){.fd = -1, .lock_fd = -1};
    if (endpoint_of_path(path, &endpoint) != 0) {
        snprintf(error, error_size, "%s: a socket's path has at most %zu characters",
                 path, sizeof((struct sockaddr_un *)0)->sun_path - 1);
        return -1;
    }
    listener->path = strdup(path);
    if (listener->path == NULL) {
        snprintf(error, error_size, "no memory");
        return -1;
    }
    if (lock_path(listener, owner, group, error, error_size) != 0)
        goto failed;
    if (unix_socket_check(&endpoint, true, error, error_size) != 0)
        goto failed;
    if (bind_socket(listener, &endpoint, owner, group) != 0) {
        snprintf(error, error_size, "%s: %s", path, strerror(errno));
        goto failed;
    }
    return 0;
failed:
    /* What is at the path may be another's: it is not ours to remove. */
    if (listener->fd != -1)
        close(listener->fd);
    listener->fd = -1;
    listener_close(listener);
    return -1;
}

void listener_close(struct listener *listener)
{
    if (listener->fd != -1) {
        unlink(listener->path); /* may fail without harm: a stale one is replaced */
        close(listener->fd);
    }
    if (listener->lock_fd != -1)
        close(listener->lock_fd);
    free(listener->path);
    *listener = (struct listener){.fd = -1, .lock_fd = -1};
}
