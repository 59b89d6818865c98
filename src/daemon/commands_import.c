/* SPDX-License-Identifier: BSD-2-Clause */
/* import-begin, import-rows, import-commit. */

#include "daemon/commands.h"

#include <stdlib.h>
#include <string.h>

#include "control/protocol.h"

struct kept_import {
    struct blocklist_import *import;
    struct command_limits limits;
    struct command_actor actor;
};

static void free_import(struct kept_import *import)
{
    blocklist_import_abort(import->import);
    command_limits_end(&import->limits);
    free(import);
}

void import_end(struct control_session *session)
{
    if (session->kept != NULL)
        free_import(session->kept);
    session->kept = NULL;
}

/* {"command":"import-begin","source","reason","replace","force","sudo"} -> {"ok":true} */
json_t *cmd_import_begin(struct control_session *session, const json_t *request)
{
    struct blocklist_import_options options = {0};
    struct kept_import *import;
    char error[BLOCKLIST_ERROR_SIZE];
    bool force = false;
    json_t *answer = NULL;

    if (session->kept != NULL)
        return protocol_error_answer(PROTOCOL_USAGE, "an import is under way here");
    import = calloc(1, sizeof *import);
    if (import == NULL)
        return NULL;
    if (request_optional_text(request, "source", &options.source, &answer) != 0 ||
        request_optional_text(request, "reason", &options.reason, &answer) != 0 ||
        request_optional_flag(request, "replace", &options.replace, &answer) != 0 ||
        request_optional_flag(request, "force", &force, &answer) != 0 ||
        command_actor_of(&import->actor, session, request, &answer) != 0)
        goto failed;
    command_limits_of(&import->limits, session);
    options.limits = force ? NULL : &import->limits.limits;
    options.actor = &import->actor.actor;
    import->import =
        blocklist_import_begin(command_daemon(session)->blocklist, &options, error);
    if (import->import == NULL) {
        answer = protocol_error_answer(PROTOCOL_REFUSED, "%s", error);
        goto failed;
    }
    session->kept = import;
    return json_pack("{s:b}", "ok", 1);
failed:
    free_import(import);
    return answer;
}

/* An optional text of a row; false where it is something else. */
static bool row_text(const json_t *row, const char *name, const char **out)
{
    const json_t *value = json_object_get(row, name);

    *out = json_string_value(value);
    return value == NULL || *out != NULL;
}

/* Reads a row: an ENTRY's text, or an object with "entry" and what the file said of it.
 * Returns 0, or -1 with a sentence in error. */
static int read_row(const json_t *value, struct entry *entry,
                    struct blocklist_row_in *row, char error[static BLOCKLIST_ERROR_SIZE])
{
    const char *text = json_string_value(value);
    const json_t *expires = json_object_get(value, "expires");
    const json_t *since = json_object_get(value, "since");

    *row = (struct blocklist_row_in){.entry = entry};
    if (text == NULL)
        text = json_string_value(json_object_get(value, "entry"));
    if (text == NULL || !row_text(value, "source", &row->source) ||
        !row_text(value, "reason", &row->reason) ||
        (expires != NULL && !json_is_integer(expires)) ||
        (since != NULL && !json_is_integer(since))) {
        strcpy(error, "a row is a text, or an object with \"entry\"");
        return -1;
    }
    row->allow = json_is_true(json_object_get(value, "allow"));
    row->tempfail = !row->allow && json_is_true(json_object_get(value, "tempfail"));
    row->expires = (time_t)json_integer_value(expires);
    row->since = (time_t)json_integer_value(since);
    return entry_parse(text, entry, error);
}

/* Hands one row over. Returns 0 also for one that was refused alone, which is noted. */
static int import_one(struct kept_import *import, size_t index, const json_t *value,
                      json_t *refused, json_t **answer)
{
    char error[BLOCKLIST_ERROR_SIZE];
    enum blocklist_result result;
    struct blocklist_row_in row;
    struct entry entry;

    if (read_row(value, &entry, &row, error) != 0)
        result = BLOCKLIST_REFUSED;
    else
        result = blocklist_import_row(import->import, &row, error);
    if (result == BLOCKLIST_OK)
        return 0;
    if (result == BLOCKLIST_REFUSED)
        return json_array_append_new(refused,
                                     json_pack("{s:I, s:o}", "row", (json_int_t)index,
                                               "text", protocol_text(error)));
    *answer = command_error(result, error);
    return -1;
}

/* {"command":"import-rows","rows":["ENTRY" or {"entry","allow","tempfail","source",
 *  "reason","expires"}, …]} -> {"ok":true,"refused":[{"row":index,"text":why}, …]} */
json_t *cmd_import_rows(struct control_session *session, const json_t *request)
{
    const json_t *rows = json_object_get(request, "rows");
    json_t *refused, *answer = NULL;
    const json_t *value;
    size_t i;

    if (session->kept == NULL)
        return protocol_error_answer(PROTOCOL_USAGE, "no import is under way here");
    if (!json_is_array(rows) || json_array_size(rows) > PROTOCOL_IMPORT_ROWS)
        return protocol_error_answer(PROTOCOL_USAGE, "\"rows\": expected an array of %d",
                                     PROTOCOL_IMPORT_ROWS);
    refused = json_array();
    json_array_foreach (rows, i, value)
        if (import_one(session->kept, i, value, refused, &answer) != 0) {
            json_decref(refused);
            import_end(session);
            return answer;
        }
    return command_answer("refused", refused);
}

/* {"command":"import-commit","dry_run"}
 * -> {"ok":true,"rows","added","changed","unchanged","removed"}, of a farm "farm" */
json_t *cmd_import_commit(struct control_session *session, const json_t *request)
{
    struct kept_import *import = session->kept;
    struct blocklist_import_counts counts = {0};
    char error[BLOCKLIST_ERROR_SIZE];
    enum blocklist_result result;
    bool dry_run = false;
    json_t *answer;

    if (import == NULL)
        return protocol_error_answer(PROTOCOL_USAGE, "no import is under way here");
    if (request_optional_flag(request, "dry_run", &dry_run, &answer) != 0)
        return answer;
    result = blocklist_import_commit(import->import, dry_run, &counts, error);
    import->import = NULL; /* freed, whatever came of it */
    import_end(session);
    if (result != BLOCKLIST_OK)
        return command_error(result, error);
    answer = json_pack(
        "{s:b, s:I, s:I, s:I, s:I, s:I}", "ok", 1, "rows", (json_int_t)counts.rows,
        "added", (json_int_t)counts.added, "changed", (json_int_t)counts.changed,
        "unchanged", (json_int_t)counts.unchanged, "removed", (json_int_t)counts.removed);
    if (!dry_run)
        command_farm_reach(session, request, &answer);
    return answer;
}
