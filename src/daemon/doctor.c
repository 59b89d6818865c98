/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/commands.h"

#include <stdarg.h>

#include "base/text.h"
#include "control/protocol.h"
#include "daemon/doctor_parts.h"

/* Of the DNS budget: it queries each list's test points. */
#define DOCTOR_TOKENS 10

void doctor_say(struct doctor *doctor, enum level level, const char *advice,
                const char *what, ...)
{
    static const char *const names[LEVEL_COUNT] = {"error", "warning", "ok"};
    char text[1024];
    va_list args;

    va_start(args, what);
    text_sentence_of(text, sizeof text, what, args);
    va_end(args);
    protocol_append(&doctor->findings[level],
                    json_pack("{s:s, s:o, s:s}", "level", names[level], "what",
                              protocol_text(text), "advice", advice));
}

size_t doctor_wrong(const struct doctor *doctor)
{
    return json_array_size(doctor->findings[LEVEL_ERROR]) +
           json_array_size(doctor->findings[LEVEL_WARNING]);
}

/* {"command":"doctor"} -> {"ok":true,"findings":[{"level":"error|warning|ok","what":"…",
 * "advice":"…"}]} */
json_t *cmd_doctor(struct control_session *session, const json_t *request)
{
    static void (*const parts[])(struct doctor *) = {
        doctor_resolver, doctor_lists, doctor_twins, doctor_files, doctor_state};
    struct daemon *daemon = command_daemon(session);
    struct doctor doctor = {.daemon = daemon};
    json_t *all, *answer;
    bool failed = false;

    (void)request;
    if (command_dns_budget(session, DOCTOR_TOKENS, &answer) != 0)
        return answer;
    doctor.policy = policy_slot_get(&daemon->slot);
    all = json_array();
    for (int level = 0; level < LEVEL_COUNT; level++)
        doctor.findings[level] = json_array();
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (!atomic_load(&daemon->stopping))
            parts[i](&doctor);
    for (int level = 0; level < LEVEL_COUNT; level++) {
        if (json_array_extend(all, doctor.findings[level]) != 0)
            failed = true;
        json_decref(doctor.findings[level]);
    }
    policy_unref(doctor.policy);
    if (!failed)
        return command_answer("findings", all);
    json_decref(all);
    return NULL;
}
