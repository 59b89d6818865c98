/* SPDX-License-Identifier: BSD-2-Clause */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "control/protocol.h"
#include "daemon/commands.h"
#include "daemon/daemon.h"
#include "daemon/user_queries.h"
#include "dnsbl/health_check.h"
#include "dnsbl/list_stats.h"
#include "dnsbl/query_name.h"
#include "known/zones.h"

#define HOUR_MS    3600000
#define LONGEST_MS 60000
#define ROUND      50  /* queries at once */
#define ROUND_MS   250 /* at least: so 200 queries a second at most */

#define TRIAL_CODES    16
#define TRIAL_EXAMPLES 5

struct trial {
    struct daemon *daemon;
    struct policy *policy; /* a reference */
    struct upstream *upstream;
    struct list list; /* what is tried */
    struct network error_codes[2];
    int64_t began_ms;

    enum health health, health6; /* by the test points of IPv4, of IPv6 */
    char why[WHY_SIZE];

    size_t clients; /* that came in the last hour */
    size_t asked, asked6, listed, errors, unanswered;
    size_t listed_by[VERDICT_REJECT + 1]; /* by the verdict that they had */
    struct {
        struct in_addr code;
        size_t count; /* 0: free */
    } codes[TRIAL_CODES];
    size_t other_codes;
    struct latency latency;
    const char *stopped; /* why not all were asked; NULL: they were */
    struct buffer examples;
    char example_text[TRIAL_EXAMPLES * (IPADDR_TEXT_SIZE + 2)];
    int example_count;
};

/* Queries the test points. */
static void query_points(struct trial *t)
{
    static const char *const points[] = {"127.0.0.2", "127.0.0.1", "::FFFF:7F00:2",
                                         "::FFFF:7F00:1"};
    struct test_point said[4];
    struct user_query queries[4];
    char why[sizeof t->why];

    memset(queries, 0, sizeof queries);
    for (int i = 0; i < 4; i++) {
        queries[i].upstream = t->upstream;
        (void)health_check_point_name(&t->list, points[i],
                                      queries[i].name); /* "": not queried */
    }
    user_queries_all(t->daemon->resolver, queries, 4);
    for (int i = 0; i < 4; i++)
        said[i] = (struct test_point){points[i], queries[i].answer};
    t->health =
        health_check_judge_points(&t->list, &said[0], &said[1], t->why, sizeof t->why);
    t->health6 = health_check_judge_points(&t->list, &said[2], &said[3], why, sizeof why);
    user_queries_clear(queries, 4);
}

static void note_code(struct trial *t, struct in_addr code)
{
    for (size_t i = 0; i < TRIAL_CODES; i++) {
        if (t->codes[i].count != 0 && t->codes[i].code.s_addr != code.s_addr)
            continue;
        t->codes[i].code = code;
        t->codes[i].count++;
        return;
    }
    t->other_codes++;
}

static void note_answer(struct trial *t, const struct recent_client *client,
                        const struct user_query *query)
{
    struct dnsbl_result result = result_judge(&t->list, query->answer);
    char text[IPADDR_TEXT_SIZE];

    t->asked++;
    t->asked6 += client->ip.family == 6;
    switch (result.state) {
    case RESULT_LISTED:
        t->listed++;
        t->listed_by[client->verdict]++;
        for (unsigned i = 0; i < query->answer->address_count; i++)
            note_code(t, query->answer->addresses[i]);
        /* some of those that we did not refuse are shown */
        if (client->verdict < VERDICT_TEMPFAIL && t->example_count < TRIAL_EXAMPLES) {
            ipaddr_text(&client->ip, text);
            buffer_add(&t->examples, "%s%s", t->example_count++ > 0 ? ", " : "", text);
        }
        break;
    case RESULT_NOT_LISTED:
        break;
    case RESULT_ERROR:
    case RESULT_FOREIGN:
        t->errors++;
        break;
    case RESULT_FAILED:
        t->unanswered++;
        return; /* how long we waited says nothing of it */
    }
    latency_note(&t->latency, query->took_ms);
}

static void query_round(struct trial *t, const struct recent_client *clients,
                        size_t count)
{
    struct user_query queries[ROUND];

    for (size_t i = 0; i < count; i++) {
        queries[i].upstream = t->upstream;
        (void)query_name_address(&clients[i].ip, t->list.zone, queries[i].name);
    }
    user_queries_all(t->daemon->resolver, queries, count);
    for (size_t i = 0; i < count; i++)
        if (queries[i].answer != NULL)
            note_answer(t, &clients[i], &queries[i]);
    user_queries_clear(queries, count);
}

static void query_clients(struct trial *t)
{
    size_t most_load = (size_t)t->policy->config->resolver.max_queries / 2;
    struct recent_client *clients = NULL;

    t->clients = recent_since(t->daemon->slot.recent, t->began_ms - HOUR_MS, &clients);
    for (size_t at = 0; at < t->clients && t->stopped == NULL;) {
        size_t count = t->clients - at < ROUND ? t->clients - at : ROUND;
        int64_t next_ms = clock_ms() + ROUND_MS;

        query_round(t, &clients[at], count);
        at += count;
        if (at == t->clients)
            break;
        if (clock_ms() - t->began_ms >= LONGEST_MS)
            t->stopped = "time is up";
        else if (atomic_load(&t->daemon->stopping))
            t->stopped = "the daemon stops";
        else if (resolver_load(t->daemon->resolver) > most_load)
            t->stopped = "mail needs the resolver";
        struct timespec pause = clock_timespec(next_ms);
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &pause, NULL);
    }
    free(clients);
}

/* Returns 0, or -1 with the answer. */
static int check_zone(const char *text, char zone[static DOMAIN_SIZE], json_t **answer)
{
    const struct dead_zone *dead;

    if (domain_canonical(text, zone) != 0 || strchr(zone, '.') == NULL) {
        *answer = protocol_error_answer(
            PROTOCOL_REFUSED,
            "\"%s\" is no zone: expected a name such as bl.spamcop.net, with its key "
            "before it where it has one",
            text);
        return -1;
    }
    dead = dead_zone_find(zone);
    if (dead == NULL)
        return 0;
    *answer = protocol_error_answer(PROTOCOL_REFUSED, "%s is dead (%s): %s", zone,
                                    dead->name, dead->died);
    return -1;
}

/* The list as a section with nothing but the zone would have it. */
static void make_list(struct trial *t, char *zone)
{
    static char listed[] = "127.0.0.2", unlisted[] = "127.0.0.1", name[] = "trial";

    network_parse("127.255.255.0/24", &t->error_codes[0]);
    network_parse("127.0.0.1", &t->error_codes[1]);
    t->list = (struct list){
        .name = name,
        .zone = zone,
        .checks = 1u << CHECK_CLIENT,
        .ipv6 = true,
        .weight = 1,
        .error_codes = t->error_codes,
        .error_code_count = 2,
        .test_listed = listed,
        .test_unlisted = unlisted,
    };
}

/* --- what came of it --- */

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
                   "clients): check those, and begin with mode = \"monitor\"",
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

/* A new reference, or NULL without memory. */
static json_t *trial_report(const struct trial *t)
{
    char text[512];
    struct buffer judgement = buffer_over(text, sizeof text);

    if (!judge_points(t, &judgement))
        judge_answers(t, &judgement);
    if (t->stopped != NULL)
        buffer_add(&judgement, "; not all were queried: %s", t->stopped);
    return json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:i, s:i, "
        "s:{s:I, s:I, s:I, s:I, s:I, s:I}, s:{s:I, s:I, s:I, s:I}, s:o}",
        "zone", t->list.zone, "judgement", text, "test points", health_name(t->health),
        "why", t->why, "IPv6 test points", health_name(t->health6), "let through, e.g.",
        t->example_text, "took_ms", (json_int_t)(clock_ms() - t->began_ms), "p50_ms",
        latency_percentile(&t->latency, 50), "p95_ms",
        latency_percentile(&t->latency, 95), "clients", "last hour",
        (json_int_t)t->clients, "asked", (json_int_t)t->asked, "of them IPv6",
        (json_int_t)t->asked6, "listed", (json_int_t)t->listed, "errors",
        (json_int_t)t->errors, "unanswered", (json_int_t)t->unanswered,
        /* what was done with their last message, without the list */
        "listed clients were", "accepted", (json_int_t)t->listed_by[VERDICT_ACCEPT],
        "tagged", (json_int_t)t->listed_by[VERDICT_TAG], "deferred",
        (json_int_t)t->listed_by[VERDICT_TEMPFAIL], "refused",
        (json_int_t)t->listed_by[VERDICT_REJECT], "codes", codes_of(t));
}

/* {"command":"dnsbl-try","zone":ZONE} -> {"ok":true,"trial":{…}} */
json_t *cmd_dnsbl_try(struct control_session *session, const json_t *request)
{
    struct daemon *daemon = command_daemon(session);
    struct trial t = {.daemon = daemon, .began_ms = clock_ms()};
    char zone[DOMAIN_SIZE];
    const char *text;
    json_t *answer = NULL;

    t.examples = buffer_over(t.example_text, sizeof t.example_text);
    if (request_text(request, "zone", &text, &answer) != 0 ||
        check_zone(text, zone, &answer) != 0)
        return answer;
    if (atomic_exchange(&daemon->trying, true))
        return protocol_error_answer(PROTOCOL_REFUSED,
                                     "another zone is being tried: try again later");
    t.policy = policy_slot_get(&daemon->slot);
    t.upstream = resolver_upstream(daemon->resolver, t.policy->config->resolver.servers);
    if (t.upstream == NULL)
        goto out;
    make_list(&t, zone);
    query_points(&t);
    if (t.health == HEALTH_HEALTHY || t.health == HEALTH_EMPTY)
        query_clients(&t);
    answer = command_answer("trial", trial_report(&t));
out:
    policy_unref(t.policy);
    atomic_store(&daemon->trying, false);
    return answer;
}
