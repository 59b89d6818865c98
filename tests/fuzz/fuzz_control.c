/* SPDX-License-Identifier: BSD-2-Clause */
/* Request lines of the control socket, from the line to the answer, on a real blocklist.
 * The first byte is the peer's right. Each request has one answer that can be sent and
 * read back; a peer that may only read gets nothing done that writes; and the audit log
 * says no change that was not answered with "ok". */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/protocol.h"
#include "daemon/commands.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char directory[] = "/tmp/fuzz-control-XXXXXX";

static void remove_directory(void)
{
    char command[64];

    snprintf(command, sizeof command, "rm -rf %s", directory);
    if (system(command) != 0)
        abort();
}

static void ignore(void *context, const char *text)
{
    (void)context;
    (void)text;
}

/* A conf file without lists: nothing is asked of the DNS. */
static void write_conf(const char *path)
{
    FILE *out = fopen(path, "w");

    if (out == NULL ||
        fputs("user = \"\"\nresolver { servers = {\"127.0.0.1:9\"} }\n"
              "log { target = \"stderr\" level = \"error\" }\n"
              "rule \"r\" { over = { \"5 messages in 1h\", \"5 complaints in 7d\" } "
              "share = 1 }\n",
              out) < 0 ||
        fclose(out) != 0)
        abort();
}

static struct blocklist *open_blocklist(void)
{
    struct blocklist_options options = {.on_damage = BLOCKLIST_DAMAGE_STOP};
    char error[BLOCKLIST_OPEN_ERROR_SIZE], path[64];

    snprintf(path, sizeof path, "%s/db", directory);
    options.database = path;
    return blocklist_open(&options, error);
}

static struct journal *open_journal(void)
{
    static char path[64];
    struct journal_settings settings = {
        .directory = path, .refused_s = 86400, .accepted_s = 86400, .local_parts = true};

    snprintf(path, sizeof path, "%s/journal", directory);
    return journal_new(&settings);
}

static struct rules *open_rules(struct daemon *daemon, struct config *config)
{
    char folder[64];
    struct rules_options options = {
        .folder = folder, .blocklist = daemon->blocklist, .config = config};
    struct rules *rules;

    snprintf(folder, sizeof folder, "%s/", directory);
    rules = rules_new(&options);
    if (rules == NULL || rules_start(rules) != 0)
        abort();
    return rules;
}

static struct daemon *start(void)
{
    static const struct resolver_settings settings = {
        .timeout_ms = 100, .attempts = 1, .deadline_ms = 100, .cache_size = 100};
    static struct daemon daemon = {.reload_lock = PTHREAD_MUTEX_INITIALIZER,
                                   .foreground = true};
    static char conf[64];
    struct config *config;

    if (mkdtemp(directory) == NULL)
        abort();
    atexit(remove_directory);
    snprintf(conf, sizeof conf, "%s/conf", directory);
    write_conf(conf);
    daemon.path = conf;
    config = config_load(conf, ignore, NULL);
    daemon.blocklist = open_blocklist();
    daemon.journal = open_journal();
    daemon.resolver = resolver_new(&settings);
    daemon.prober = prober_new(NULL);
    if (config == NULL || daemon.blocklist == NULL || daemon.journal == NULL ||
        daemon.resolver == NULL || daemon.prober == NULL ||
        policy_slot_init(&daemon.slot, policy_new(config, daemon.resolver, daemon.prober,
                                                  daemon.blocklist)) != 0)
        abort();
    daemon.rules = open_rules(&daemon, config);
    config_unref(config);
    daemon.commands = daemon_commands(&daemon);
    return &daemon;
}

/* Ends come by themselves: they are nobody's request. */
static bool note_event(void *context, const struct blocklist_event *event)
{
    if (strcmp(event->action, "expire") == 0)
        return true;
    *(int64_t *)context = event->id;
    return false;
}

/* The newest change of the audit log that was asked for. */
static int64_t newest(struct blocklist *blocklist)
{
    char error[BLOCKLIST_ERROR_SIZE];
    int64_t before_id = 0, id = 0;

    while (id == 0 && before_id != -1)
        if (blocklist_log(blocklist, NULL, 0, &before_id, 20, note_event, &id, error) !=
            BLOCKLIST_OK)
            abort();
    return id;
}

/* Whether the answer is one; it is read as a client reads it. */
static bool is_ok(json_t *answer)
{
    size_t length;
    char error[256], *line;
    enum protocol_error kind;
    json_t *read;
    bool ok;

    if (answer == NULL || (line = protocol_write(answer, &length)) == NULL)
        abort();
    read = protocol_read(line, length, error, sizeof error);
    if (read == NULL || memchr(line, '\n', length) != line + length - 1)
        abort();
    ok = json_is_true(json_object_get(read, "ok"));
    if (!ok && (!json_is_string(json_object_get(read, "text")) ||
                protocol_error_parse(json_string_value(json_object_get(read, "error")),
                                     &kind) != 0))
        abort();
    json_decref(read);
    free(line);
    return ok;
}

/* What asks the DNS also where there is no list, and takes its time. */
static bool waits(const char *name)
{
    return strcmp(name, "doctor") == 0 || strcmp(name, "dnsbl-try") == 0 ||
           strcmp(name, "watch") == 0;
}

static void one_line(struct control_session *session, const char *line, size_t length)
{
    struct blocklist *blocklist = command_daemon(session)->blocklist;
    int64_t before = newest(blocklist);
    json_t *request, *answer;
    const struct command *command =
        command_find(session, line, length, &request, &answer);
    bool ok;

    if (command != NULL && waits(command->name)) {
        json_decref(request);
        return;
    }
    if (command != NULL)
        answer = command_run(command, session, request);
    ok = is_ok(answer);
    if (newest(blocklist) != before && (!ok || session->peer.right != RIGHT_WRITE))
        abort();
    json_decref(answer);
    json_decref(request);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct daemon *daemon;
    struct control_session session = {.peer = {.uid = 0, .name = "fuzz"}};
    const char *line = (const char *)data + 1;

    if (daemon == NULL)
        daemon = start();
    if (size == 0)
        return 0;
    session.table = &daemon->commands;
    session.peer.right = (enum right)(data[0] % 3);
    for (size_t left = size - 1; left > 0;) {
        const char *end = memchr(line, '\n', left);
        size_t length = end == NULL ? left : (size_t)(end - line);

        one_line(&session, line, length);
        if (end == NULL)
            break;
        left -= length + 1;
        line = end + 1;
    }
    daemon->commands.session_end(&session);
    return 0;
}
