/* SPDX-License-Identifier: BSD-2-Clause */
/* Request lines of the control socket, from the line to the answer, on a real blocklist.
 * The first byte is the peer's right. Each request has one answer that can be sent and
 * read back; a peer that may only ask gets nothing done that changes; and the audit log
 * says no change that was not answered with "ok". */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "blocklist/admin.h"
#include "control/command.h"
#include "control/protocol.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static json_t *check(void *context, const struct control_question *question, char *error,
                     size_t error_size)
{
    (void)context;
    if (question->client == NULL && question->sender == NULL) {
        snprintf(error, error_size, "nothing to check");
        return NULL;
    }
    return json_pack("{s:s, s:[]}", "verdict", "accept", "rows");
}

static int reload(void *context, json_t **messages)
{
    (void)context;
    return json_array_append_new(*messages, json_string("a warning"));
}

static json_t *one_object(void *context)
{
    (void)context;
    return json_object();
}

static json_t *change(void *context, const char *action, const char *name,
                      const char *who, char *error, size_t error_size)
{
    (void)context;
    (void)who;
    snprintf(error, error_size, "no list \"%s\" to %s", name, action);
    return NULL;
}

static char directory[] = "/tmp/fuzz-control-XXXXXX";

static void remove_directory(void)
{
    char command[64];

    snprintf(command, sizeof command, "rm -rf %s", directory);
    if (system(command) != 0)
        abort();
}

static struct control_daemon *start(void)
{
    static struct control_daemon daemon = {.status = one_object,
                                           .stats = one_object,
                                           .dnsbl = one_object,
                                           .dnsbl_change = change,
                                           .reload = reload,
                                           .check = check};
    struct blocklist_options options = {.on_damage = BLOCKLIST_DAMAGE_STOP};
    char error[BLOCKLIST_OPEN_ERROR_SIZE], path[64];

    if (mkdtemp(directory) == NULL)
        abort();
    atexit(remove_directory);
    snprintf(path, sizeof path, "%s/db", directory);
    options.database = path;
    daemon.blocklist = blocklist_open(&options, error);
    if (daemon.blocklist == NULL)
        abort();
    return &daemon;
}

/* Ends come by themselves: they are nobody's request. */
static bool note_event(void *context, const struct blocklist_event *event)
{
    if (strcmp(event->action, "expire") == 0)
        return true;
    *(int64_t *)context = event->id;
    return false;
}

/* The newest change of the audit log that was asked for. */
static int64_t newest(struct blocklist *blocklist)
{
    char error[BLOCKLIST_ERROR_SIZE];
    int64_t before_id = 0, id = 0;

    while (id == 0 && before_id != -1)
        if (blocklist_log(blocklist, NULL, 0, &before_id, 20, note_event, &id, error) !=
            BLOCKLIST_OK)
            abort();
    return id;
}

/* Whether the answer is one; it is read as a client reads it. */
static bool is_ok(json_t *answer)
{
    size_t length;
    char error[256], *line;
    enum protocol_error kind;
    json_t *read;
    bool ok;

    if (answer == NULL || (line = protocol_write(answer, &length)) == NULL)
        abort();
    read = protocol_read(line, length, error, sizeof error);
    if (read == NULL || memchr(line, '\n', length) != line + length - 1)
        abort();
    ok = json_is_true(json_object_get(read, "ok"));
    if (!ok && (!json_is_string(json_object_get(read, "text")) ||
                protocol_error_parse(json_string_value(json_object_get(read, "error")),
                                     &kind) != 0))
        abort();
    json_decref(read);
    free(line);
    return ok;
}

static void one_line(struct control_session *session, const char *line, size_t length)
{
    struct blocklist *blocklist = session->daemon->blocklist;
    int64_t before = newest(blocklist);
    json_t *request, *answer;
    const struct command *command =
        command_find(session, line, length, &request, &answer);
    bool ok;

    if (command != NULL)
        answer = command_run(command, session, request);
    ok = is_ok(answer);
    if (newest(blocklist) != before && (!ok || session->peer.right != RIGHT_CHANGE))
        abort();
    json_decref(answer);
    json_decref(request);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct control_daemon *daemon;
    struct control_session session = {.peer = {.uid = 0, .name = "fuzz"}};
    const char *line = (const char *)data + 1;

    if (daemon == NULL)
        daemon = start();
    if (size == 0)
        return 0;
    session.daemon = daemon;
    session.peer.right = (enum right)(data[0] % 3);
    for (size_t left = size - 1; left > 0;) {
        const char *end = memchr(line, '\n', left);
        size_t length = end == NULL ? left : (size_t)(end - line);

        one_line(&session, line, length);
        if (end == NULL)
            break;
        left -= length + 1;
        line = end + 1;
    }
    command_session_end(&session);
    return 0;
}
