/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/text.h"
#include "control/protocol.h"

struct client {
    int fd;
    FILE *in;
    char *line;
    size_t line_size;
};

struct client *client_new(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct client *c = calloc(1, sizeof *c);

    if (c == NULL)
        return NULL;
    c->fd = -1;
    if (!text_copy(path, address.sun_path, sizeof address.sun_path)) {
        errno = ENAMETOOLONG;
        goto failed;
    }
    c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd == -1)
        goto failed;
    if (connect(c->fd, (struct sockaddr *)&address, sizeof address) != 0)
        goto failed;
    c->in = fdopen(c->fd, "r");
    if (c->in == NULL)
        goto failed;
    return c;
failed:
    client_free(c);
    return NULL;
}

void client_free(struct client *client)
{
    int saved = errno;

    if (client == NULL)
        return;
    if (client->in != NULL)
        fclose(client->in);
    else if (client->fd != -1)
        close(client->fd);
    free(client->line);
    free(client);
    errno = saved;
}

static int send_all(int fd, const char *data, size_t length)
{
    while (length > 0) {
        ssize_t n = send(fd, data, length, MSG_NOSIGNAL);

        if (n >= 0) {
            data += n;
            length -= (size_t)n;
        } else if (errno == EPIPE || errno == ECONNRESET) {
            return 0; /* the daemon may have said why before it closed */
        } else if (errno != EINTR) {
            return -1;
        }
    }
    return 0;
}

json_t *client_ask(struct client *client, const json_t *request)
{
    char error[256];
    json_t *answer;
    ssize_t length;
    size_t size;
    char *line = protocol_write(request, &size);
    int rc;

    if (line == NULL) {
        errno = ENOMEM;
        return NULL;
    }
    rc = send_all(client->fd, line, size);
    free(line);
    if (rc != 0)
        return NULL;
    errno = 0;
    length = getline(&client->line, &client->line_size, client->in);
    if (length <= 0) {
        if (errno == 0)
            errno = ECONNRESET;
        return NULL;
    }
    answer = protocol_read(client->line, (size_t)length, error, sizeof error);
    if (answer == NULL)
        errno = EPROTO;
    return answer;
}
