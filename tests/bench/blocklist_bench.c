/* SPDX-License-Identifier: BSD-2-Clause */
/* The sender blocklist with many entries: what an import, a start and a lookup cost.
 *
 *   blocklist_bench rows N            the rows of the benchmark, as SQL-free CSV, to
 * stdout blocklist_bench import DB N       imports them into DB (new or not)
 *   blocklist_bench start DB N        opens DB: milliseconds to the first right verdict,
 * to the filter blocklist_bench lookup DB N T     T threads ask for listed and unlisted
 * senders blocklist_bench list DB           first pages of some filters
 *
 * The rows are the same for the same N, in no order: six in ten addresses, two domains,
 * one IPv4 network, the rest IPv6 networks, hosts, logins. */

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "blocklist/admin.h"
#include "tool.h"

/* The text of row i. salt keeps what is asked for and not listed apart. */
static void row_text(uint64_t i, const char *salt, char out[static 128])
{
    uint64_t r = mix(i);
    unsigned kind = (unsigned)(i % 100);

    if (kind < 60)
        snprintf(out, 128, "u%" PRIx64 "%s@d%" PRIx64 ".example", r, salt,
                 mix(r) % 500000);
    else if (kind < 80)
        snprintf(out, 128, "d%" PRIx64 "%s.example", r, salt);
    else if (kind < 90)
        snprintf(out, 128, "%u.%u.%u.%u%s", (unsigned)(r % 100) + 20 + (*salt ? 100 : 0),
                 (unsigned)(r >> 8 & 255), (unsigned)(r >> 16 & 255),
                 (unsigned)(r >> 24 & 255), r >> 40 & 3 ? "" : "/24");
    else if (kind < 94)
        snprintf(out, 128, "2001:%x:%x:%x::/64",
                 (unsigned)(r & 0x7fff) + (*salt ? 32768 : 0),
                 (unsigned)(r >> 16 & 0xffff), (unsigned)(r >> 32 & 0xffff));
    else if (kind < 97)
        snprintf(out, 128, "host:h%" PRIx64 "%s.example", r, salt);
    else
        snprintf(out, 128, "user:u%" PRIx64 "%s", r, salt);
}

static struct blocklist *open_db(const char *path)
{
    char error[BLOCKLIST_OPEN_ERROR_SIZE];
    struct blocklist_options options = {.database = path,
                                        .on_damage = BLOCKLIST_DAMAGE_STOP};
    struct blocklist *blocklist = blocklist_open(&options, error);

    if (blocklist == NULL) {
        fprintf(stderr, "%s\n", error);
        exit(1);
    }
    return blocklist;
}

static long memory_kb(const char *what)
{
    char line[256];
    long kb = 0;
    FILE *f = fopen("/proc/self/status", "r");

    while (f != NULL && fgets(line, sizeof line, f) != NULL)
        if (strncmp(line, what, strlen(what)) == 0)
            kb = strtol(line + strlen(what) + 1, NULL, 10);
    if (f != NULL)
        fclose(f);
    return kb;
}

static int write_rows(uint64_t count)
{
    char text[128], error[ENTRY_ERROR_SIZE];
    struct entry entry;

    for (uint64_t i = 0; i < count; i++) {
        row_text(i, "", text);
        if (entry_parse(text, &entry, error) == 0)
            printf("%s,%d,0,feed,bulk mail,root,1800000000,\n", entry.text,
                   (int)entry.kind);
    }
    return 0;
}

static int import_rows(const char *path, uint64_t count)
{
    struct blocklist *blocklist = open_db(path);
    struct blocklist_actor actor = {"root", 0};
    struct blocklist_import_options options = {
        .source = "feed", .reason = "bulk mail", .actor = &actor};
    struct blocklist_import_counts counts;
    char text[128], error[BLOCKLIST_ERROR_SIZE], why[ENTRY_ERROR_SIZE];
    struct blocklist_import *import = blocklist_import_begin(blocklist, &options, error);
    int64_t start = clock_ns(CLOCK_MONOTONIC), fed;

    for (uint64_t i = 0; import != NULL && i < count; i++) {
        struct entry entry;
        struct blocklist_row_in row = {.entry = &entry};

        row_text(i, "", text);
        if (entry_parse(text, &entry, why) != 0 ||
            blocklist_import_row(import, &row, error) != BLOCKLIST_OK) {
            fprintf(stderr, "%s: %s %s\n", text, why, error);
            return 1;
        }
    }
    fed = clock_ns(CLOCK_MONOTONIC);
    if (import == NULL ||
        blocklist_import_commit(import, false, &counts, error) != BLOCKLIST_OK) {
        fprintf(stderr, "%s\n", error);
        return 1;
    }
    printf("import rows=%" PRIu64 " added=%" PRIu64 " changed=%" PRIu64 " feed_s=%.1f "
           "commit_s=%.1f rows_per_s=%.0f peak_kb=%ld\n",
           counts.rows, counts.added, counts.changed, (double)(fed - start) / 1e9,
           (double)(clock_ns(CLOCK_MONOTONIC) - fed) / 1e9,
           (double)count * 1e9 / (double)(clock_ns(CLOCK_MONOTONIC) - start),
           memory_kb("VmHWM:"));
    start = clock_ns(CLOCK_MONOTONIC);
    blocklist_close(blocklist);
    printf("close_s=%.1f\n", (double)(clock_ns(CLOCK_MONOTONIC) - start) / 1e9);
    return 0;
}

static enum blocklist_verdict ask(struct blocklist *blocklist, const char *text)
{
    struct blocklist_subjects subjects = {NULL, NULL, NULL, NULL, NULL};
    struct blocklist_match match;
    struct mail_address sender;
    struct ipaddr client;
    char address[160];

    if (strncmp(text, "host:", 5) == 0)
        subjects.client_name = text + 5;
    else if (strncmp(text, "user:", 5) == 0)
        subjects.login = text + 5;
    else {
        snprintf(address, sizeof address, "%s", text);
        if (strchr(text, '/') != NULL)
            address[strcspn(address, "/")] = '\0';
        if (ipaddr_parse(address, &client) == 0) {
            subjects.client = &client;
        } else {
            snprintf(address, sizeof address, "%s%s", strchr(text, '@') ? "" : "x@",
                     text);
            mail_address_parse(address, &sender);
            subjects.sender = &sender;
        }
    }
    return blocklist_lookup(blocklist, &subjects, &match);
}

static int measure_start(const char *path, uint64_t count)
{
    int64_t start = clock_ns(CLOCK_MONOTONIC), verdict, filter;
    struct blocklist *blocklist = open_db(path);
    struct blocklist_status status;
    char text[128];

    row_text(count / 2, "", text);
    if (ask(blocklist, text) != BLOCKLIST_BLOCK)
        printf("WRONG verdict\n");
    verdict = clock_ns(CLOCK_MONOTONIC);
    do {
        usleep(1000);
        blocklist_status(blocklist, &status);
    } while (!status.bloom_ready);
    filter = clock_ns(CLOCK_MONOTONIC);
    printf("start first_verdict_ms=%.1f filter_ms=%.1f filter_bytes=%" PRIu64
           " database_bytes=%" PRIu64 " memory_kb=%ld\n",
           (double)(verdict - start) / 1e6, (double)(filter - start) / 1e6,
           status.bloom_bytes, status.database_bytes, memory_kb("VmRSS:"));
    blocklist_close(blocklist);
    return 0;
}

#define ASKS 200000

struct asker {
    struct blocklist *blocklist;
    uint64_t count, seed;
    const char *salt;
    uint32_t *took_ns;
    unsigned wrong;
};

static void *ask_many(void *context)
{
    struct asker *asker = context;
    enum blocklist_verdict want = *asker->salt ? BLOCKLIST_NONE : BLOCKLIST_BLOCK;
    char text[128];

    for (uint64_t i = 0; i < ASKS; i++) {
        int64_t start;

        row_text(mix(asker->seed + i) % asker->count, asker->salt, text);
        start = clock_ns(CLOCK_MONOTONIC);
        asker->wrong += ask(asker->blocklist, text) != want;
        asker->took_ns[i] = (uint32_t)(clock_ns(CLOCK_MONOTONIC) - start);
    }
    return NULL;
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

static int measure_lookups(const char *path, uint64_t count, unsigned threads)
{
    struct blocklist *blocklist = open_db(path);
    struct blocklist_status status;
    static const char *const salts[] = {"x", "", "x", ""};

    do {
        usleep(1000);
        blocklist_status(blocklist, &status);
    } while (!status.bloom_ready);
    for (int round = 0; round < 4; round++) {
        uint32_t *took = calloc((size_t)threads * ASKS, sizeof *took);
        struct asker askers[64];
        pthread_t ids[64];
        size_t all = (size_t)threads * ASKS;
        unsigned wrong = 0;
        int64_t start = clock_ns(CLOCK_MONOTONIC);

        for (unsigned t = 0; t < threads; t++) {
            askers[t] = (struct asker){blocklist,
                                       count,
                                       mix(round * 64 + t),
                                       salts[round],
                                       took + (size_t)t * ASKS,
                                       0};
            pthread_create(&ids[t], NULL, ask_many, &askers[t]);
        }
        for (unsigned t = 0; t < threads; t++) {
            pthread_join(ids[t], NULL);
            wrong += askers[t].wrong;
        }
        start = clock_ns(CLOCK_MONOTONIC) - start;
        qsort(took, all, sizeof *took, by_number);
        printf("lookup %s threads=%u p50_us=%.1f p99_us=%.1f p999_us=%.1f max_us=%.1f "
               "per_s=%.0f wrong=%u\n",
               *salts[round] ? "unlisted" : "listed", threads, took[all / 2] / 1e3,
               took[all * 99 / 100] / 1e3, took[all * 999 / 1000] / 1e3,
               took[all - 1] / 1e3, (double)all * 1e9 / (double)start, wrong);
        free(took);
    }
    printf("memory_kb=%ld\n", memory_kb("VmRSS:"));
    blocklist_close(blocklist);
    return 0;
}

static bool ignore_row(void *context, const struct blocklist_row *row)
{
    (void)context;
    (void)row;
    return true;
}

struct load {
    struct blocklist *blocklist;
    uint64_t count;
    _Atomic bool done;
    _Atomic uint64_t asked;
};

/* One listed in ten, as if they were messages. */
static void *ask_until_done(void *context)
{
    struct load *load = context;
    char text[128];

    for (uint64_t i = (uint64_t)(uintptr_t)&text; !load->done; i++) {
        row_text(mix(i) % load->count, i % 10 == 0 ? "" : "x", text);
        (void)ask(load->blocklist, text);
        load->asked++;
    }
    return NULL;
}

static void print_times(const char *what, uint32_t *took, size_t count)
{
    qsort(took, count, sizeof *took, by_number);
    printf("busy %s p50_us=%.1f p99_us=%.1f max_us=%.1f\n", what, took[count / 2] / 1e3,
           took[count * 99 / 100] / 1e3, took[count - 1] / 1e3);
}

#define CHANGES 500

static void measure_changes(struct blocklist *blocklist)
{
    static uint32_t adds[CHANGES], shows[CHANGES];
    struct blocklist_actor actor = {"root", 0};
    char text[128], error[BLOCKLIST_ERROR_SIZE], why[ENTRY_ERROR_SIZE];

    for (unsigned i = 0; i < CHANGES; i++) {
        struct entry entry;
        struct blocklist_row_in row = {.entry = &entry, .reason = "busy"};
        int64_t start, added;

        snprintf(text, sizeof text, "busy%u-%ld@b.example", i, (long)time(NULL));
        if (entry_parse(text, &entry, why) != 0)
            return;
        start = clock_ns(CLOCK_MONOTONIC);
        if (blocklist_add(blocklist, &row, 1, NULL, &actor, NULL, error) != BLOCKLIST_OK)
            printf("%s\n", error);
        added = clock_ns(CLOCK_MONOTONIC);
        (void)blocklist_show(blocklist, &entry, ignore_row, NULL, error);
        adds[i] = (uint32_t)(added - start);
        shows[i] = (uint32_t)(clock_ns(CLOCK_MONOTONIC) - added);
    }
    print_times("add", adds, CHANGES);
    print_times("show", shows, CHANGES);
}

/* A tenth as many new rows, after those that are there. Returns seconds. */
static double import_more(struct blocklist *blocklist, uint64_t count)
{
    struct blocklist_actor actor = {"root", 0};
    struct blocklist_import_options options = {.source = "more", .actor = &actor};
    struct blocklist_import_counts counts;
    char text[128], error[BLOCKLIST_ERROR_SIZE], why[ENTRY_ERROR_SIZE];
    struct blocklist_import *import = blocklist_import_begin(blocklist, &options, error);
    int64_t start = clock_ns(CLOCK_MONOTONIC);

    for (uint64_t i = 0; import != NULL && i < count / 10; i++) {
        struct entry entry;
        struct blocklist_row_in row = {.entry = &entry};

        row_text(count + i, "", text);
        if (entry_parse(text, &entry, why) == 0)
            (void)blocklist_import_row(import, &row, error);
    }
    if (import == NULL ||
        blocklist_import_commit(import, false, &counts, error) != BLOCKLIST_OK)
        printf("%s\n", error);
    return (double)(clock_ns(CLOCK_MONOTONIC) - start) / 1e9;
}

static int measure_busy(const char *path, uint64_t count, unsigned threads)
{
    struct load load = {.blocklist = open_db(path), .count = count};
    struct blocklist_status status;
    pthread_t ids[64];
    uint64_t before;
    double alone, took;

    do {
        usleep(1000);
        blocklist_status(load.blocklist, &status);
    } while (!status.bloom_ready);
    for (unsigned t = 0; t < threads; t++)
        pthread_create(&ids[t], NULL, ask_until_done, &load);
    measure_changes(load.blocklist);
    before = load.asked;
    sleep(5);
    alone = (double)(load.asked - before) / 5;
    before = load.asked;
    took = import_more(load.blocklist, count);
    printf("busy import rows=%" PRIu64 " took_s=%.1f asks_per_s=%.0f without=%.0f\n",
           count / 10, took, (double)(load.asked - before) / took, alone);
    load.done = true;
    for (unsigned t = 0; t < threads; t++)
        pthread_join(ids[t], NULL);
    blocklist_close(load.blocklist);
    return 0;
}

static bool count_row(void *context, const struct blocklist_row *row)
{
    (void)row;
    ++*(unsigned *)context;
    return true;
}

static int measure_lists(const char *path)
{
    static const struct {
        const char *label;
        struct blocklist_criteria criteria;
    } lists[] = {
        {"all", {.pattern = NULL}},
        {"prefix", {.pattern = "user:u12*"}},
        {"exact", {.pattern = "nobody@domain.xyz"}},
        {"infix", {.pattern = "*abc*"}},
        {"source (all rows)", {.source = "feed"}},
        {"source (none)", {.source = "manual"}},
        {"kind", {.kinds = 1u << ENTRY_USER}},
        {"since (none)", {.since = 4000000000}},
        {"sort since", {.sort = BLOCKLIST_SORT_SINCE}},
        {"sort hits", {.sort = BLOCKLIST_SORT_HITS}},
        {"expiring", {.expiring = 4000000000}},
        {"reason (none)", {.reason = "nothing has it"}},
    };
    struct blocklist *blocklist = open_db(path);
    char error[BLOCKLIST_ERROR_SIZE];

    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        struct blocklist_cursor cursor = {.done = false};
        int64_t start = clock_ns(CLOCK_MONOTONIC), first = 0;
        unsigned rows = 0, pages = 0;

        while (!cursor.done && rows < 500) {
            if (blocklist_list(blocklist, &lists[i].criteria, &cursor, 500, count_row,
                               &rows, error) != BLOCKLIST_OK)
                printf("%s\n", error);
            if (pages++ == 0)
                first = clock_ns(CLOCK_MONOTONIC) - start;
        }
        printf("list %s: rows=%u pages=%u first_page_ms=%.1f all_ms=%.1f\n",
               lists[i].label, rows, pages, (double)first / 1e6,
               (double)(clock_ns(CLOCK_MONOTONIC) - start) / 1e6);
    }
    blocklist_close(blocklist);
    return 0;
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";

    if (argc == 3 && strcmp(what, "rows") == 0)
        return write_rows(strtoull(argv[2], NULL, 10));
    if (argc == 4 && strcmp(what, "import") == 0)
        return import_rows(argv[2], strtoull(argv[3], NULL, 10));
    if (argc == 4 && strcmp(what, "start") == 0)
        return measure_start(argv[2], strtoull(argv[3], NULL, 10));
    if (argc == 5 && strcmp(what, "lookup") == 0) {
        unsigned threads = (unsigned)strtoul(argv[4], NULL, 10);

        return measure_lookups(argv[2], strtoull(argv[3], NULL, 10),
                               threads > 0 && threads <= 64 ? threads : 1);
    }
    if (argc == 3 && strcmp(what, "list") == 0)
        return measure_lists(argv[2]);
    if (argc == 5 && strcmp(what, "busy") == 0) {
        unsigned threads = (unsigned)strtoul(argv[4], NULL, 10);

        return measure_busy(argv[2], strtoull(argv[3], NULL, 10),
                            threads > 0 && threads <= 64 ? threads : 1);
    }
    fprintf(stderr, "usage: blocklist_bench rows N | import DB N | start DB N | "
                    "lookup DB N THREADS | list DB | busy DB N THREADS\n");
    return 2;
}
