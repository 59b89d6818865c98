/* SPDX-License-Identifier: BSD-2-Clause */
#include "control/command.h"

#include <string.h>

#include "control/protocol.h"

static const struct command *command_by_name(const struct command_table *table,
                                             const char *name)
{
    for (size_t i = 0; i < table->count; i++)
        if (strcmp(name, table->rows[i].name) == 0)
            return &table->rows[i];
    return NULL;
}

const struct command *command_find(const struct control_session *session,
                                   const char *line, size_t length, json_t **request,
                                   json_t **answer)
{
    const struct command *command = NULL;
    const char *name;
    char error[256];
    json_t *read = protocol_read(line, length, error, sizeof error);

    *answer = NULL;
    *request = NULL;
    if (read == NULL) {
        *answer = protocol_error_answer(PROTOCOL_USAGE, "%s", error);
        return NULL;
    }
    name = json_string_value(json_object_get(read, "command"));
    if (name == NULL)
        *answer = protocol_error_answer(PROTOCOL_USAGE, "\"command\": expected a text");
    else if ((command = command_by_name(session->table, name)) == NULL)
        *answer = protocol_error_answer(PROTOCOL_USAGE, "no command \"%s\"", name);
    else if (session->peer.right < command->right) {
        *answer = protocol_error_answer(
            PROTOCOL_DENIED, "%s is for root and the daemon's own user only", name);
        command = NULL;
    }
    if (command == NULL)
        json_decref(read);
    else
        *request = read;
    return command;
}

json_t *command_run(const struct command *command, struct control_session *session,
                    const json_t *request)
{
    if (session->peer.name[0] == '\0')
        peer_name(&session->peer);
    return command->run(session, request);
}
