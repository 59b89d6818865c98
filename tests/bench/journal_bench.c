/* SPDX-License-Identifier: BSD-2-Clause */
/* A journal of many decisions, each with what eight lists said, half of them refused.
 *
 *   journal_bench fill DIR 30 16 N   makes the files in DIR of the days from 30 to 16 days
 *                                    ago, with N decisions each, and prints some: id,
 *                                    sender, client
 *   journal_bench whatif DIR N       puts N decisions into a journal in DIR (new), and judges
 *                                    them by other conf files: how many in a second? */

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/commands.h"
#include "dns/answer.h"
#include "dnsbl/result.h"
#include "journal/day.h"
#include "journal/journal.h"
#include "policy/verdict.h"
#include "tool.h"

#define LISTS       8
#define FLUSH       20000 /* the queue is bounded: so many at once */
#define SECOND      100   /* decisions in a second of mail, for whatif */
#define SHOWN_A_DAY 150   /* decisions that fill prints */
#define BATCH       20000 /* decisions of one commit of fill */

/* A conf file with the eight lists; more is added behind them. */
static char *conf_text(int second, int reject, const char *networks, const char *more)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    if (out == NULL)
        die("out of memory");
    for (int i = 0; i < LISTS; i++) {
        int weight = i == 5 ? -4 : i == 1 ? second : 4;

        fprintf(out,
                "list \"bl%d\" { zone = \"bl%d.test\" weight = %d check = { \"%s\" }", i,
                i, weight, i < 6 ? "client" : "sender-domain");
        if (i == 0)
            fprintf(out, " codes \"127.0.0.2-127.0.0.9\" { weight = 8 }"
                         " codes \"127.0.0.10-127.0.0.11\" { weight = 4 }");
        fputs(" }\n", out);
    }
    fprintf(out,
            "verdict { reject = %d tag = 4 }\n"
            "exempt { networks = { \"127.0.0.0/8\"%s } }\n%s",
            reject, networks, more);
    fclose(out);
    return text;
}

static void on_report(void *context, const char *text)
{
    (void)context;
    if (strstr(text, "warning") == NULL)
        die("%s", text);
}

/* What one decision's lists said; fills the record's score and verdict in. */
static void fill_answers(struct record *r, struct record_answer answers[static LISTS],
                         struct in_addr *listed, const struct config *config, uint64_t n)
{
    struct tally tally = {0};

    listed->s_addr = htonl(mix(n) % 5 == 0 ? 0x7f00000a : 0x7f000002);
    for (unsigned i = 0; i < LISTS; i++) {
        bool hit = mix(n * LISTS + i) % 100 < (i == 5 ? 5 : 25);
        struct dnsbl_result result = {0};

        if (hit)
            result = result_of_addresses(&config->lists[i], listed, 1);
        answers[i] = (struct record_answer){
            .list = i,
            .check = i < 6 ? CHECK_CLIENT : CHECK_SENDER_DOMAIN,
            .state = (uint8_t)result.state,
            .status = hit ? DNS_FOUND : DNS_NONE,
            .counted = true,
            .cached = mix(n + i) % 2 == 0,
            .weight = result.weight,
            .ttl_s = 900,
            .ms = 12,
            .skip = "",
            .address_count = hit ? 1 : 0,
            .addresses = listed,
        };
        tally.score += result.weight;
    }
    r->answers = answers;
    r->answer_count = LISTS;
    r->score = tally.score;
    r->verdict = (uint8_t)verdict_of_tally(config, tally.score, tally.missing);
}

/* The n-th decision, with its recipient and its end, in octets. Returns whether it goes to
 * the file of what was refused. show: its id, sender and client are printed. */
static bool make_one(const struct config *config, int64_t number, journal_id id,
                     uint64_t n, bool show, struct octets *octets)
{
    struct record_answer answers[LISTS];
    struct in_addr listed;
    char sender[80], recipient[80], name[80];
    uint64_t r = mix(n);
    struct record record = {.at_ms = (int64_t)journal_id_time(id) * 1000,
                            .stage = STAGE_RCPT,
                            .reject = config->verdict.reject,
                            .tag = config->verdict.tag,
                            .configuration = number,
                            .has_client = true,
                            .client = {.family = 4},
                            .client_name = name,
                            .helo = name,
                            .sender = sender,
                            .exempt = ""};

    memcpy(record.client.octets, &r, 4);
    record.client.octets[0] = (uint8_t)(11 + r % 80);
    snprintf(name, sizeof name, "mx%" PRIu64 ".d%" PRIu64 ".example", r % 10, r % 500000);
    snprintf(sender, sizeof sender, "u%" PRIx64 "@d%" PRIu64 ".example", r, r % 500000);
    snprintf(recipient, sizeof recipient, "info@k%" PRIu64 ".example", r % 1000);
    fill_answers(&record, answers, &listed, config, n);
    record_add_head(octets, &record);
    record_add_recipient(
        octets, &(struct record_recipient){.text = recipient,
                                           .outcome = record.verdict >= VERDICT_TEMPFAIL
                                                          ? RECIPIENT_REFUSED
                                                          : RECIPIENT_ACCEPTED,
                                           .detail = ""});
    record_add_end(octets, END_MESSAGE, "4XYZ");
    if (show) {
        char text[JOURNAL_ID_SIZE], client[IPADDR_TEXT_SIZE];

        journal_id_text(id, text);
        ipaddr_text(&record.client, client);
        printf("%s %s %s\n", text, sender, client);
    }
    return record.verdict != VERDICT_ACCEPT;
}

/* What the files keep of the conf file: the names of its lists, its text. */
static void print_config(const struct config *config, char **lists, char **text)
{
    size_t size;
    FILE *out = open_memstream(text, &size);

    if (out == NULL || config_print(config, out) != 0 || fclose(out) != 0)
        die("out of memory");
    out = open_memstream(lists, &size);
    for (int i = 0; out != NULL && i < LISTS; i++)
        fprintf(out, "bl%d\n", i);
    if (out == NULL || fclose(out) != 0)
        die("out of memory");
}

/* --- fill: one day after the other, by what the writer's thread calls --- */

struct filled {
    struct day *day;
    uint64_t used; /* of its transaction */
};

static void check_day(enum day_result result, const char *error)
{
    if (result != DAY_OK)
        die("%s", error);
}

static void add_one(struct filled *to, journal_id id, const struct octets *octets)
{
    char error[DAY_ERROR_SIZE];
    struct record record;

    if (record_decode_envelope(octets->bytes, octets->used, &record) != 0)
        die("out of memory");
    if (to->used == 0)
        check_day(day_begin(to->day, error), error);
    check_day(day_add(to->day, id, octets->bytes, octets->used, &record, error), error);
    record_clear(&record);
    if (++to->used < BATCH)
        return;
    check_day(day_commit(to->day, error), error);
    day_checkpoint(to->day);
    to->used = 0;
}

static void fill_day(const char *directory, const struct config *config, int64_t number,
                     uint64_t first, uint64_t count)
{
    static const uint8_t key[TOKEN_KEY_SIZE] = "journal_bench";
    struct filled files[2] = {{0}};
    char path[PATH_MAX], error[DAY_ERROR_SIZE], *text, *lists;
    struct journal_ids *ids = journal_ids_new();
    int64_t begin = number * 86400;

    print_config(config, &lists, &text);
    for (int kind = DAY_REFUSED; kind <= DAY_ACCEPTED; kind++) {
        if (ids == NULL || !day_path(directory, number, (enum day_kind)kind, path))
            die("out of memory");
        check_day(day_open(path, key, &files[kind].day, error), error);
        check_day(day_add_configuration(files[kind].day, begin, lists, text, error),
                  error);
    }
    for (uint64_t n = 0; n < count; n++) {
        journal_id id = journal_ids_draw(ids, begin + (time_t)(n * 86400 / count), 0);
        struct octets octets = {0};
        bool refused = make_one(config, begin, id, first + n,
                                n % (count / SHOWN_A_DAY + 1) == 0, &octets);

        add_one(&files[refused ? DAY_REFUSED : DAY_ACCEPTED], id, &octets);
        free(octets.bytes);
    }
    for (int kind = DAY_REFUSED; kind <= DAY_ACCEPTED; kind++) {
        if (files[kind].used > 0)
            check_day(day_commit(files[kind].day, error), error);
        while (day_merge(files[kind].day))
            day_checkpoint(files[kind].day);
        day_close(files[kind].day);
    }
    journal_ids_free(ids);
    free(text);
    free(lists);
}

/* --- whatif --- */

static void put_all(struct journal *journal, const struct config *config, uint64_t count)
{
    struct journal_configuration *configuration;
    struct journal_ids *ids = journal_ids_new();
    char *text, *lists;
    time_t end = time(NULL);
    int64_t began = clock_ns(CLOCK_MONOTONIC);

    print_config(config, &lists, &text);
    configuration = journal_configuration_new(journal, lists, text);
    if (ids == NULL || configuration == NULL)
        die("out of memory");
    for (uint64_t n = 0; n < count; n++) {
        journal_id id = journal_ids_draw(ids, end - (time_t)((count - n) / SECOND), 0);
        struct octets octets = {0};
        bool refused = make_one(config, journal_configuration_number(configuration), id,
                                n, false, &octets);

        journal_put(journal, id, refused, &octets, configuration, NULL);
        free(octets.bytes);
        if (n % FLUSH == FLUSH - 1)
            journal_flush(journal, 60000);
    }
    journal_flush(journal, 60000);
    journal_configuration_unref(configuration);
    journal_ids_free(ids);
    free(text);
    free(lists);
    printf("filled in %.1f s\n", (double)(clock_ns(CLOCK_MONOTONIC) - began) / 1e9);
}

static void measure(struct control_session *session, const char *label, char *text)
{
    json_t *request = json_pack("{s:s}", "configuration", text);
    int64_t began = clock_ns(CLOCK_MONOTONIC);
    clock_t cpu = clock();
    json_t *answer = cmd_whatif(session, request);
    const json_t *whatif = json_object_get(answer, "whatif");
    double seconds = (double)(clock_ns(CLOCK_MONOTONIC) - began) / 1e9;
    double cpu_s = (double)(clock() - cpu) / CLOCKS_PER_SEC;
    double decisions = (double)json_integer_value(json_object_get(whatif, "decisions"));
    json_int_t changed = 0;
    const json_t *row;
    size_t i;

    if (whatif == NULL)
        die("%s", json_string_value(json_object_get(answer, "text")));
    json_array_foreach (json_object_get(whatif, "changed"), i, row)
        changed += json_integer_value(json_object_get(row, "count"));
    printf("%-16s %9.0f in %5.2f s (CPU %.2f s): %8.0f a second; changed %lld, not "
           "known %lld\n",
           label, decisions, seconds, cpu_s, decisions / seconds, (long long)changed,
           (long long)json_integer_value(json_object_get(whatif, "not_known")));
    json_decref(answer);
    json_decref(request);
    free(text);
}

static int whatif(const char *directory, const struct config *config, uint64_t count)
{
    static struct daemon daemon;
    struct journal_settings settings = {.directory = directory,
                                        .refused_s = 86400,
                                        .accepted_s = 86400,
                                        .local_parts = true};
    struct control_session session = {0};
    struct command_table table;

    daemon.journal = journal_new(&settings);
    if (daemon.journal == NULL)
        die("cannot begin");
    table = daemon_commands(&daemon);
    session.table = &table;
    put_all(daemon.journal, config, count);
    measure(&session, "the same file", conf_text(4, 8, "", ""));
    measure(&session, "one weight", conf_text(8, 8, "", ""));
    measure(&session, "a threshold", conf_text(4, 10, "", ""));
    measure(&session, "networks exempt",
            conf_text(4, 8, ", \"20.0.0.0/8\", \"21.0.0.0/8\"", ""));
    measure(&session, "a new list",
            conf_text(4, 8, "",
                      "list \"new\" { zone = \"new.test\" weight = 4 "
                      "check = { \"client\", \"sender-domain\" } }\n"));
    journal_free(daemon.journal);
    return 0;
}

int main(int argc, char **argv)
{
    bool fills = argc == 6 && strcmp(argv[1], "fill") == 0;
    uint64_t count = argc > 3 ? strtoull(argv[argc - 1], NULL, 10) : 0;
    char *text = conf_text(4, 8, "", "");
    struct config *config = config_of_text("then", text, on_report, NULL);

    free(text);
    if (count == 0 || (!fills && (argc != 4 || strcmp(argv[1], "whatif") != 0)))
        die("usage: journal_bench fill DIR FIRST LAST N | whatif DIR N");
    if (config == NULL)
        die("cannot begin");
    if (!fills)
        return whatif(argv[2], config, count);
    for (int64_t ago = strtoll(argv[3], NULL, 10); ago >= strtoll(argv[4], NULL, 10);
         ago--)
        fill_day(argv[2], config, day_of(time(NULL)) - ago, (uint64_t)ago * count, count);
    return 0;
}
