/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/trial_parts.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "base/clock.h"
#include "control/protocol.h"

#define SLOW_P95_MS 500

static int percent(size_t part, size_t whole)
{
    return whole > 0 ? (int)(part * 100 / whole) : 0;
}

/* What its test points already say; returns whether that is all there is to say. */
static bool judge_points(const struct trial *t, struct buffer *out)
{
    switch (t->health) {
    case HEALTH_LYING:
        buffer_add(out, "do not use it: it %s", t->why);
        return true;
    case HEALTH_BLOCKED:
        buffer_add(out, "of no use here: it %s", t->why);
        return true;
    case HEALTH_DOWN:
        buffer_add(out, "of no use: it %s", t->why);
        return true;
    case HEALTH_EMPTY:
        if (t->listed > 0)
            return false; /* not every list has test points */
        buffer_add(out, "dead, without its key, or a list of names: it %s", t->why);
        return true;
    case HEALTH_UNCHECKED:
    case HEALTH_HEALTHY:
    case HEALTH_SLOW:
    case HEALTH_SUSPENDED:
        break;
    }
    return false;
}

static void judge_answers(const struct trial *t, struct buffer *out)
{
    size_t ours = t->listed_by[VERDICT_ACCEPT] + t->listed_by[VERDICT_TAG];

    if (t->asked == 0)
        buffer_add(out, "no client to try it on came in the last hour: try it later");
    else if (percent(t->errors, t->asked) >= 10)
        buffer_add(out, "of no use: it refuses %d%% of the queries",
                   percent(t->errors, t->asked));
    else if (percent(t->unanswered, t->asked) >= 10)
        buffer_add(out, "of no use: it leaves %d%% of the queries without an answer",
                   percent(t->unanswered, t->asked));
    else if (t->listed == 0)
        buffer_add(out, "it would have changed nothing");
    else if (percent(t->listed, t->asked) > 50 && ours * 2 > t->listed)
        buffer_add(out, "dangerous: it lists %d%% of all clients, most of them accepted",
                   percent(t->listed, t->asked));
    else if (ours == 0)
        buffer_add(out, "it would have changed nothing: all that it lists was refused "
                        "without it");
    else
        buffer_add(out,
                   "it lists %zu of the clients that were let through (%d%% of all "
                   "clients): look at those, and begin with mode = \"monitor\"",
                   ours, percent(ours, t->asked));
    if (t->asked > 0 && latency_percentile(&t->latency, 95) > SLOW_P95_MS)
        buffer_add(out, "; it is slow");
}

static json_t *codes_of(const struct trial *t)
{
    json_t *codes = json_object();
    char text[INET_ADDRSTRLEN];

    for (size_t i = 0; i < TRIAL_CODES && t->codes[i].count > 0; i++)
        if (inet_ntop(AF_INET, &t->codes[i].code, text, sizeof text) != NULL)
            protocol_set(&codes, text, json_integer((json_int_t)t->codes[i].count));
    if (t->other_codes > 0)
        protocol_set(&codes, "others", json_integer((json_int_t)t->other_codes));
    return codes;
}

static json_t *clients_of(const struct trial *t)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "last hour",
                     (json_int_t)t->clients, "asked", (json_int_t)t->asked,
                     "of them IPv6", (json_int_t)t->asked6, "listed",
                     (json_int_t)t->listed, "errors", (json_int_t)t->errors, "unanswered",
                     (json_int_t)t->unanswered);
}

/* Of those that it lists: what was done with their last message without it. */
static json_t *listed_of(const struct trial *t)
{
    return json_pack("{s:I, s:I, s:I, s:I}", "accepted",
                     (json_int_t)t->listed_by[VERDICT_ACCEPT], "tagged",
                     (json_int_t)t->listed_by[VERDICT_TAG], "deferred",
                     (json_int_t)t->listed_by[VERDICT_TEMPFAIL], "refused",
                     (json_int_t)t->listed_by[VERDICT_REJECT]);
}

json_t *trial_report(const struct trial *t)
{
    char text[512];
    struct buffer judgement = buffer_over(text, sizeof text);

    if (!judge_points(t, &judgement))
        judge_answers(t, &judgement);
    if (t->stopped != NULL)
        buffer_add(&judgement, "; not all were asked: %s", t->stopped);
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:i, s:i, s:o, s:o, s:o}",
                     "zone", t->list.zone, "judgement", text, "test points",
                     health_name(t->health), "why", t->why, "IPv6 test points",
                     health_name(t->health6), "let through, e.g.", t->example_text,
                     "took_ms", (json_int_t)(clock_ms() - t->began_ms), "p50_ms",
                     latency_percentile(&t->latency, 50), "p95_ms",
                     latency_percentile(&t->latency, 95), "clients", clients_of(t),
                     "listed clients were", listed_of(t), "codes", codes_of(t));
}
