/* SPDX-License-Identifier: BSD-2-Clause */
/* check: what would become of a message. */

#include "control/commands.h"

#include <stdio.h>
#include <string.h>

#include "blocklist/entry.h"
#include "control/protocol.h"
#include "control/request.h"

/* Makes the subject a part of the question: an address is its sender, and so on. Returns
 * 0, or -1 with a sentence in error. entry and ip must live as long as the question. */
static int add_subject(struct control_question *question, const struct entry *entry,
                       struct network *network, char *domain_sender, size_t size,
                       char *error, size_t error_size)
{
    switch (entry->kind) {
    case ENTRY_ADDRESS:
        question->sender = entry->text;
        return 0;
    case ENTRY_DOMAIN:
        snprintf(domain_sender, size, "postmaster@%s", entry->text);
        question->sender = domain_sender;
        return 0;
    case ENTRY_NETWORK:
        if (entry_network(entry, network) != 0 ||
            network->prefix != ipaddr_bits(&network->base)) {
            snprintf(error, error_size, "%s: expected one address, not a network",
                     entry->text);
            return -1;
        }
        question->client = &network->base;
        return 0;
    case ENTRY_HOST:
        question->client_name = entry->text + strlen("host:");
        question->helo = entry->text + strlen("host:");
        return 0;
    case ENTRY_USER:
        question->login = entry->text + strlen("user:");
        return 0;
    }
    return -1;
}

/* Whether anything speaks against it: the verdict, or a list, even where its weight alone
 * would not refuse. */
static bool is_listed(const json_t *check)
{
    const char *verdict = json_string_value(json_object_get(check, "verdict"));
    const json_t *rows = json_object_get(check, "rows");
    const json_t *row;
    size_t i;

    if (verdict == NULL || strcmp(verdict, "accept") != 0)
        return true;
    json_array_foreach (rows, i, row) {
        const char *state = json_string_value(json_object_get(row, "state"));

        if (state != NULL && strcmp(state, "listed") == 0 &&
            json_integer_value(json_object_get(row, "weight")) >= 0)
            return true;
    }
    return false;
}

/* Checks one subject with what all of them share. Returns a new reference; or NULL, with
 * the answer. */
static json_t *check_one(const struct control_daemon *daemon, const char *subject,
                         const struct control_question *shared, json_t **answer)
{
    struct control_question question = *shared;
    char why[ENTRY_ERROR_SIZE], error[1024] = "", sender[ENTRY_TEXT_SIZE + 16];
    struct network network;
    struct entry entry;
    json_t *check;

    *answer = NULL;
    if (entry_parse(subject, &entry, why) != 0) {
        *answer = protocol_error_answer(PROTOCOL_USAGE, "%s: %s", subject, why);
        return NULL;
    }
    if (add_subject(&question, &entry, &network, sender, sizeof sender, error,
                    sizeof error) != 0) {
        *answer = protocol_error_answer(PROTOCOL_USAGE, "%s", error);
        return NULL;
    }
    check = daemon->check(daemon->context, &question, error, sizeof error);
    if (check == NULL) {
        if (error[0] != '\0')
            *answer = protocol_error_answer(PROTOCOL_FAILED, "%s", error);
        return NULL;
    }
    protocol_set(&check, "subject", json_string(entry.text));
    protocol_set(&check, "listed", json_boolean(is_listed(check)));
    return check;
}

/* {"command":"check","subject":ENTRY,"sender","helo","name"}
 * -> {"ok":true,"check":{"subject","listed","verdict",… as in control.h}} */
json_t *cmd_check(struct control_session *session, const json_t *request)
{
    const struct control_daemon *daemon = session->daemon;
    struct control_question shared = {0};
    const char *subject;
    json_t *answer, *check;

    if (daemon->check == NULL)
        return protocol_error_answer(PROTOCOL_FAILED, "this daemon has no check");
    if (request_text(request, "subject", &subject, &answer) != 0 ||
        request_optional_text(request, "sender", &shared.sender, &answer) != 0 ||
        request_optional_text(request, "helo", &shared.helo, &answer) != 0 ||
        request_optional_text(request, "name", &shared.client_name, &answer) != 0)
        return answer;
    check = check_one(daemon, subject, &shared, &answer);
    return check == NULL ? answer : json_pack("{s:b, s:o}", "ok", 1, "check", check);
}
