/* SPDX-License-Identifier: BSD-2-Clause */
#include "control/command.h"

#include <string.h>

#include "control/commands.h"
#include "control/import_session.h"
#include "control/protocol.h"

struct command {
    const char *name;
    enum right right;
    bool slow;
    json_t *(*run)(struct control_session *session, const json_t *request);
};

static const struct command commands[] = {
    {"add", RIGHT_CHANGE, true, cmd_add},
    {"allow", RIGHT_CHANGE, true, cmd_allow},
    {"remove", RIGHT_CHANGE, true, cmd_remove},
    {"list", RIGHT_ASK, true, cmd_list},
    {"show", RIGHT_ASK, true, cmd_show},
    {"log", RIGHT_ASK, true, cmd_log},
    {"import-begin", RIGHT_CHANGE, true, cmd_import_begin},
    {"import-rows", RIGHT_CHANGE, true, cmd_import_rows},
    {"import-commit", RIGHT_CHANGE, true, cmd_import_commit},
    {"check", RIGHT_ASK, true, cmd_check},
    {"status", RIGHT_ASK, false, cmd_status},
    {"stats", RIGHT_ASK, false, cmd_stats},
    {"reload", RIGHT_CHANGE, true, cmd_reload},
    {"flush-cache", RIGHT_CHANGE, false, cmd_flush_cache},
    {"doctor", RIGHT_ASK, true, cmd_doctor},
    {"dnsbl", RIGHT_ASK, false, cmd_dnsbl},
    {"dnsbl-change", RIGHT_CHANGE, true, cmd_dnsbl_change},
    {"dnsbl-try", RIGHT_CHANGE, true, cmd_dnsbl_try},
};
#define COMMAND_COUNT (sizeof commands / sizeof commands[0])

size_t command_count(void)
{
    return COMMAND_COUNT;
}

static const struct command *command_by_name(const char *name)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(name, commands[i].name) == 0)
            return &commands[i];
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
    else if ((command = command_by_name(name)) == NULL)
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

bool command_is_slow(const struct command *command)
{
    return command->slow;
}

json_t *command_run(const struct command *command, struct control_session *session,
                    const json_t *request)
{
    if (session->peer.name[0] == '\0')
        peer_name(&session->peer);
    return command->run(session, request);
}

void command_session_end(struct control_session *session)
{
    import_session_free(session->import);
    session->import = NULL;
}
