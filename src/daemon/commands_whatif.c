/* SPDX-License-Identifier: BSD-2-Clause */
/* whatif: the decisions that the journal keeps, judged by another conf file. */

#include "daemon/commands.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "control/protocol.h"
#include "daemon/decisions.h"
#include "journal/search.h"
#include "policy/replay_change.h"

#define SINCE_S   INT64_C(604800) /* 7 days, unless the request says otherwise */
#define NICE      10              /* mail goes first */
#define WALK_MS   300000
#define EXAMPLES  3
#define ROWS_MAX  500
#define TEXT_SIZE (REPLAY_CHANGE_SIZE + 64)

/* A configuration of the records, held against the new one. */
struct past {
    struct past *next;
    char *text;            /* as the journal has it: a reload may have changed nothing */
    struct config *config; /* NULL: it cannot be read any more */
    struct replay *then;   /* itself */
    struct replay *now;    /* the new one */
    bool has_changes;
    struct replay_changes changes;
};

/* Decisions that differ for one reason: a changed verdict, or one that is not known. */
struct row {
    bool known;
    enum verdict from, to; /* not known: the mildest and the severest */
    char text[TEXT_SIZE];
    uint64_t count;
    journal_id ids[EXAMPLES]; /* the last ones, in a ring */
    uint64_t records;
};

struct whatif {
    struct daemon *daemon;
    struct config *config;
    int64_t since, until;      /* unix time; until: of the last one judged */
    struct past *pasts, *past; /* past: of the last decision */
    int64_t past_number;
    struct replay_case c;
    struct row *rows;
    size_t row_count;
    uint64_t records, decisions, unknown, was[VERDICT_REJECT + 1],
        now[VERDICT_REJECT + 1];
    bool stopped; /* before the end: time, memory, or the daemon's stop */
};

/* --- configurations of then --- */

static void ignore_report(void *context, const char *text)
{
    (void)context;
    (void)text;
}

static void past_free(struct past *past)
{
    replay_changes_clear(&past->changes);
    replay_free(past->now);
    replay_free(past->then);
    config_unref(past->config);
    free(past->text);
    free(past);
}

/* One that cannot be read (of another version) is kept without its config. NULL: no
 * memory. */
static struct past *past_new(struct whatif *w, const char *text)
{
    struct past *past = calloc(1, sizeof *past);

    if (past == NULL)
        return NULL;
    past->text = strdup(text);
    past->config = config_of_text("then", text, ignore_report, NULL);
    if (past->config != NULL) {
        past->then = replay_new(past->config, past->config);
        past->now = replay_new(w->config, past->config);
    }
    if (past->text == NULL ||
        (past->config != NULL && (past->then == NULL || past->now == NULL))) {
        past_free(past);
        return NULL;
    }
    past->next = w->pasts;
    w->pasts = past;
    return past;
}

static struct past *past_of(struct whatif *w, const struct journal_found *found)
{
    if (w->past != NULL && w->past_number == found->record->configuration)
        return w->past;
    w->past_number = found->record->configuration;
    for (w->past = w->pasts; w->past != NULL; w->past = w->past->next)
        if (strcmp(w->past->text, found->configuration) == 0)
            return w->past;
    w->past = past_new(w, found->configuration);
    return w->past;
}

/* --- rows --- */

static struct row *row_of(struct whatif *w, bool known, enum verdict from,
                          enum verdict to, const char *text)
{
    struct row *grown;

    if (w->row_count >= ROWS_MAX)
        text = "other reasons";
    for (size_t i = 0; i < w->row_count; i++) {
        struct row *row = &w->rows[i];

        if (row->known == known && row->from == from && row->to == to &&
            strcmp(row->text, text) == 0)
            return row;
    }
    grown = realloc(w->rows, (w->row_count + 1) * sizeof *grown);
    if (grown == NULL)
        return NULL;
    w->rows = grown;
    grown[w->row_count] = (struct row){.known = known, .from = from, .to = to};
    text_sentence(grown[w->row_count].text, TEXT_SIZE, "%s", text);
    return &grown[w->row_count++];
}

static void count(struct whatif *w, struct row *row, const struct record *record)
{
    if (row == NULL) {
        w->stopped = true;
        return;
    }
    row->ids[row->records++ % EXAMPLES] = record->id;
    row->count += 1 + record->folded;
}

static void count_unknown(struct whatif *w, const struct record *record,
                          const struct replayed *r)
{
    static const struct {
        bool of_list;
        const char *text;
    } reasons[] = {
        [UNKNOWN_NOTHING] = {false, "the record does not say why it was so"},
        [UNKNOWN_RECORD] = {false, "the record does not say why it was so"},
        [UNKNOWN_NOT_QUERIED] = {true, " was not queried then"},
        [UNKNOWN_NO_ANSWER] = {true, " had not answered then"},
        [UNKNOWN_OTHER_QUERY] = {true, " was queried under another zone then"},
        [UNKNOWN_BLOCKLIST] = {false, "the blocklist was not queried like this then"},
        [UNKNOWN_NOT_JUDGED] = {false, "not judged then: its recipients were exempt"},
        [UNKNOWN_LATER_FACTS] = {false, "refused before sender or recipient were known"},
        [UNKNOWN_LOCAL_PART] = {false, "local parts are not kept"},
    };
    const char *list = r->list != NULL ? r->list->name : "a list";
    char text[TEXT_SIZE];

    w->unknown += 1 + record->folded;
    text_sentence(text, TEXT_SIZE, "%s%s", reasons[r->unknown].of_list ? list : "",
                  reasons[r->unknown].text);
    count(w, row_of(w, false, r->mildest, r->severest, text), record);
}

/* --- one decision --- */

/* The one change without which it would be as it was; or else the first without which it
 * would not be as it is. */
static const char *cause_of(struct whatif *w, struct past *past, enum verdict was,
                            enum verdict now, const struct replayed *then)
{
    const char *other = NULL;

    if (!past->has_changes &&
        replay_changes_find(&past->changes, past->config, w->config) != 0)
        w->stopped = true;
    past->has_changes = true;

    for (size_t i = 0; i < past->changes.count; i++) {
        const struct replay_change *change = &past->changes.items[i];
        struct replayed undone;

        replay_judge(change->replay, &w->c, &undone);
        if ((undone.mildest == was && undone.severest == was) ||
            replay_is_same(change->replay, &undone, past->then, then))
            return change->text;
        if (other == NULL && (undone.severest < now || undone.mildest > now))
            other = change->text;
    }
    return other != NULL ? other : "several changes together";
}

static void judge(struct whatif *w, struct past *past, const struct record *record)
{
    enum verdict was = replay_was(record);
    uint64_t weight = 1 + record->folded;
    struct replayed now, then;

    replay_judge(past->now, &w->c, &now);
    if (now.mildest != was || now.severest != was) {
        replay_judge(past->then, &w->c, &then);
        if (replay_is_same(past->now, &now, past->then, &then))
            now.mildest = now.severest = was;
        else if (then.severest < was || then.mildest > was)
            now = (struct replayed){.mildest = was < now.mildest ? was : now.mildest,
                                    .severest = was > now.severest ? was : now.severest,
                                    .unknown = UNKNOWN_RECORD};
    }
    if (now.mildest != now.severest) {
        count_unknown(w, record, &now);
        return;
    }
    w->now[now.mildest] += weight;
    if (now.mildest != was)
        count(
            w,
            row_of(w, true, was, now.mildest, cause_of(w, past, was, now.mildest, &then)),
            record);
}

static bool take(void *context, const struct journal_found *found)
{
    const struct record *record = found->record;
    struct whatif *w = context;
    struct past *past;

    if (record->at_ms / 1000 < w->since)
        return true;
    past = past_of(w, found);
    if (past == NULL ||
        (past->config != NULL && replay_case_set(&w->c, record, past->config) != 0)) {
        w->stopped = true;
        return false;
    }
    w->records++;
    w->decisions += 1 + record->folded;
    w->was[replay_was(record)] += 1 + record->folded;
    w->until = record->at_ms / 1000;
    if (past->config != NULL)
        judge(w, past, record);
    else
        count_unknown(
            w, record,
            &(struct replayed){.severest = VERDICT_REJECT, .unknown = UNKNOWN_RECORD});
    return !w->stopped;
}

/* --- the whole --- */

static int most_first(const void *a, const void *b)
{
    const struct row *x = a, *y = b;

    return x->count != y->count ? (x->count < y->count ? 1 : -1)
                                : strcmp(x->text, y->text);
}

static json_t *row_json(const struct row *row)
{
    json_t *ids = json_array();
    uint64_t first = row->records > EXAMPLES ? row->records - EXAMPLES : 0;

    for (uint64_t i = row->records; i > first; i--)
        protocol_append(&ids, decision_id(row->ids[(i - 1) % EXAMPLES]));
    return json_pack("{s:s, s:s, s:o, s:I, s:o}", row->known ? "from" : "mildest",
                     verdict_name(row->from), row->known ? "to" : "severest",
                     verdict_name(row->to), "because", protocol_text(row->text), "count",
                     (json_int_t)row->count, "ids", ids);
}

static json_t *verdicts_json(const uint64_t counts[static VERDICT_REJECT + 1])
{
    json_t *out = json_object();

    for (int v = VERDICT_REJECT; v >= VERDICT_ACCEPT; v--)
        protocol_set(&out, verdict_name((enum verdict)v),
                     json_integer((json_int_t)counts[v]));
    return out;
}

static json_t *report(struct whatif *w)
{
    json_t *changed = json_array(), *unknown = json_array();

    if (w->row_count > 1)
        qsort(w->rows, w->row_count, sizeof w->rows[0], most_first);
    for (size_t i = 0; i < w->row_count; i++)
        protocol_append(w->rows[i].known ? &changed : &unknown, row_json(&w->rows[i]));
    return json_pack("{s:I, s:I, s:I, s:I, s:b, s:o, s:o, s:I, s:o, s:o}", "decisions",
                     (json_int_t)w->decisions, "records", (json_int_t)w->records,
                     "since_at", (json_int_t)w->since, "until_at", (json_int_t)w->until,
                     "complete", !w->stopped, "as_it_was", verdicts_json(w->was),
                     "with_file", verdicts_json(w->now), "not_known",
                     (json_int_t)w->unknown, "changed", changed, "unknown", unknown);
}

/* journal_walk on a thread of its own: its niceness is not to stay with one that serves
 * others later. */
struct walk {
    struct daemon *daemon;
    int64_t since, deadline_ms; /* CLOCK_MONOTONIC */
    uint64_t seen;
    bool (*each)(void *context, const struct journal_found *found);
    void *context;
    bool *stopped;
    int result;
    char error[DAY_ERROR_SIZE];
};

static bool each_in_time(void *context, const struct journal_found *found)
{
    struct walk *walk = context;

    if (walk->seen++ % 256 == 0 &&
        (atomic_load(&walk->daemon->stopping) || clock_ms() >= walk->deadline_ms))
        *walk->stopped = true;
    return !*walk->stopped && walk->each(walk->context, found);
}

static void *run(void *context)
{
    struct walk *walk = context;

    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), NICE);
    walk->result =
        journal_walk(walk->daemon->journal, walk->since, each_in_time, walk, walk->error);
    return NULL;
}

json_t *command_walk(struct daemon *daemon, int64_t since,
                     bool (*each)(void *context, const struct journal_found *found),
                     void *context, bool *stopped)
{
    struct walk walk = {.daemon = daemon,
                        .since = since,
                        .deadline_ms = clock_ms() + WALK_MS,
                        .each = each,
                        .context = context,
                        .stopped = stopped};
    pthread_t thread;

    if (pthread_create(&thread, NULL, run, &walk) != 0)
        return protocol_error_answer(PROTOCOL_FAILED, "no thread for it");
    pthread_join(thread, NULL);
    return walk.result != 0 ? protocol_error_answer(PROTOCOL_FAILED, "%s", walk.error)
                            : NULL;
}

int command_conf_of(const json_t *request, struct config **config, int64_t *since,
                    json_t **answer)
{
    int64_t since_s = SINCE_S;
    json_t *messages;
    const char *text;

    if (request_text(request, "configuration", &text, answer) != 0 ||
        request_optional_number(request, "since_s", PROTOCOL_SPAN_MAX_S, &since_s,
                                answer) != 0)
        return -1;
    *since = (int64_t)time(NULL) - since_s;
    messages = json_array();
    *config = config_of_text("the file", text, command_report, &messages);
    if (*config != NULL) {
        json_decref(messages);
        return 0;
    }
    *answer = protocol_error_answer(PROTOCOL_REFUSED, "the file has errors");
    protocol_set(answer, "messages", messages);
    return -1;
}

/* {"command":"whatif","configuration": a conf file as rblmilter -t prints it,
 * "since_s"} -> {"ok":true,"whatif":{…}}: how many decisions there were by verdict, how many
 * there would be, and for each change or reason what is not known, with a few ids. */
json_t *cmd_whatif(struct control_session *session, const json_t *request)
{
    struct daemon *daemon = command_daemon(session);
    struct whatif w = {.daemon = daemon};
    json_t *answer = NULL;

    if (atomic_exchange(&daemon->replaying, true))
        return protocol_error_answer(PROTOCOL_BUSY,
                                     "another whatif is running: try again later");
    if (command_conf_of(request, &w.config, &w.since, &answer) == 0) {
        answer = command_walk(daemon, w.since, take, &w, &w.stopped);
        if (answer == NULL)
            answer = command_answer("whatif", report(&w));
    }
    for (struct past *past = w.pasts, *next; past != NULL; past = next) {
        next = past->next;
        past_free(past);
    }
    replay_case_clear(&w.c);
    free(w.rows);
    config_unref(w.config);
    atomic_store(&daemon->replaying, false);
    return answer;
}
