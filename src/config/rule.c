/* SPDX-License-Identifier: BSD-2-Clause */
/* Rule sections, and the addresses that nobody should write to. */

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/build.h"
#include "config/file.h"
#include "config/values.h"

#define TITLE_MAX_LENGTH 40
#define TITLE_CHARACTERS "abcdefghijklmnopqrstuvwxyz0123456789-"
#define STEPS_MAX        10
#define TRAPS_FILE       "file:"
#define TRAPS_FILE_MAX   (4u << 20)

/* Counts of what can fail honestly: a share says more than a number. */
#define HONEST_FAILURES                                                                  \
    (1u << COUNT_UNKNOWN | 1u << COUNT_BOUNCES | 1u << COUNT_COMPLAINTS)

/* What may be listed, by what is counted by: never somebody who has only come along with
 * what was counted. The first is the one where a rule names none. */
static const unsigned may_list[RULE_BY_COUNT] = {
    [RULE_BY_LOGIN] = RULE_LISTS_LOGIN,
    [RULE_BY_SENDER] = RULE_LISTS_SENDER | RULE_LISTS_CLIENT,
    [RULE_BY_CLIENT] = RULE_LISTS_CLIENT,
    [RULE_BY_NETWORK] = RULE_LISTS_CLIENT,
    [RULE_BY_SENDER_DOMAIN] = RULE_LISTS_CLIENT,
};

static void check_limits(struct build *b, cfg_t *sec, const struct rule *rule)
{
    unsigned counts = 0;

    for (size_t i = 0; i < rule->over_count; i++)
        counts |= 1u << rule->over[i].count;
    if (cfg_size(sec, "over") == 0)
        option_error(
            b, sec, "over",
            "rule \"%s\" has no limit, expected over = { \"NUMBER COUNT in SPAN\" }, "
            "such as \"500 recipients in 1h\"",
            rule->name);
    if ((counts & HONEST_FAILURES) != 0 && rule->share == 0)
        option_error(
            b, sec, "over",
            "rule \"%s\": unknown recipients, bounces and complaints have honest "
            "senders, too, expected share = PER CENT of all recipients with them",
            rule->name);
    if ((counts & 1u << COUNT_STRANGERS) != 0 && rule->by != RULE_BY_LOGIN &&
        rule->by != RULE_BY_SENDER)
        option_error(b, sec, "over",
                     "rule \"%s\": strangers are counted by login or sender, whose "
                     "networks and recipients are remembered",
                     rule->name);
    if ((counts & 1u << COUNT_TRAPS) != 0 && b->config->automatic.trap_address_count == 0)
        option_warning(b, sec, "over",
                       "rule \"%s\" counts traps, but automatic traps names none: it "
                       "never finds anything",
                       rule->name);
}

static void check_lists(struct build *b, cfg_t *sec, struct rule *rule)
{
    unsigned may = may_list[rule->by];

    if (rule->lists == 0)
        rule->lists = may & RULE_LISTS_SENDER ? RULE_LISTS_SENDER : may;
    if ((rule->lists & ~may) != 0)
        option_error(
            b, sec, "list",
            "rule \"%s\" counts by %s: expected list = { \"%s\" }%s, as all else "
            "may be somebody else's",
            rule->name, rule_by_name(rule->by),
            may & RULE_LISTS_LOGIN    ? "login"
            : may & RULE_LISTS_SENDER ? "sender"
                                      : "client",
            may & RULE_LISTS_SENDER ? " or client" : "");
}

static void check_mode(struct build *b, cfg_t *sec, const struct rule *rule)
{
    if (rule->mode != RULE_ENFORCE)
        return;
    if (b->config->automatic.mode != RULE_ENFORCE)
        option_warning(
            b, sec, "mode",
            "rule \"%s\": mode = \"enforce\" has no effect with automatic mode = "
            "\"%s\", the most that a rule may do",
            rule->name, rule_mode_name(b->config->automatic.mode));
    else
        option_warning(b, sec, "mode",
                       "rule \"%s\": for 7 days after it was added or changed it only "
                       "proposes",
                       rule->name);
}

/* Returns 0, or -1: out of memory. */
static int build_rule(struct build *b, cfg_t *sec, struct rule *rule)
{
    const char *title = cfg_title(sec);
    size_t length = strlen(title);

    rule->name = strdup(title);
    if (rule->name == NULL)
        return -1;
    if (length == 0 || length > TITLE_MAX_LENGTH ||
        strspn(title, TITLE_CHARACTERS) != length)
        option_error(
            b, sec, NULL,
            "rule \"%.80s\": expected a title of 1 to %d lower-case letters, digits "
            "and \"-\"",
            title, TITLE_MAX_LENGTH);
    build_options(b, sec, &rule_section, rule);
    return 0;
}

/* Adds the traps of a text, one a line. */
static void add_traps(struct build *b, cfg_t *sec, unsigned index, const char *where,
                      char *text)
{
    static const struct option address = {
        .name = "traps",
        .kind = KIND_ADDRESSES,
        .field = offsetof(struct config, automatic.trap_addresses),
        .count = offsetof(struct config, automatic.trap_address_count),
    };
    char expected[EXPECTED_SIZE], *line;
    int number = 0;

    while ((line = strsep(&text, "\n")) != NULL) {
        number++;
        line += strspn(line, " \t\r");
        line[strcspn(line, " \t\r#")] = '\0';
        if (*line == '\0')
            continue;
        if (strchr(line, '@') == NULL ||
            value_read(&address, line, b->config, expected) != 0) {
            report_error(
                b->report, parse_location(b->parse, sec, "traps", index),
                "traps: %s line %d: \"%.80s\": expected an address or a domain, such "
                "as trap@example.org or @trap.example.org",
                where, number, line);
            return;
        }
    }
}

static void read_traps(struct build *b, cfg_t *sec, unsigned index, const char *path)
{
    char error[FILE_ERROR_SIZE];
    char *text;

    if (b->parse->closed || /* others' files are not read */
        (strcmp(path, DEFAULT_TRAPS) == 0 && access(path, F_OK) != 0))
        return;
    text = file_text(path, TRAPS_FILE_MAX, NULL, error);
    if (text == NULL)
        report_error(b->report, parse_location(b->parse, sec, "traps", index),
                     "traps = \"" TRAPS_FILE "%s\": %s", path, error);
    else
        add_traps(b, sec, index, path, text);
    free(text);
}

static void build_traps(struct build *b)
{
    cfg_t *sec = cfg_getsec(b->parse->cfg, "automatic");

    for (size_t i = 0; i < b->config->automatic.trap_count; i++) {
        const char *trap = b->config->automatic.traps[i];

        if (strncmp(trap, TRAPS_FILE, strlen(TRAPS_FILE)) == 0) {
            char *path = parse_relative(b->parse, trap + strlen(TRAPS_FILE));

            if (path != NULL)
                read_traps(b, sec, (unsigned)i, path);
            free(path);
        } else {
            char *copy = strdup(trap);

            if (copy != NULL)
                add_traps(b, sec, (unsigned)i, "here,", copy);
            free(copy);
        }
    }
}

void build_rules(struct build *b)
{
    unsigned count = cfg_size(b->parse->cfg, rule_section.name);

    build_traps(b);
    b->config->rules = calloc(count > 0 ? count : 1, sizeof *b->config->rules);
    for (unsigned i = 0; b->config->rules != NULL && i < count; i++) {
        cfg_t *sec = cfg_getnsec(b->parse->cfg, rule_section.name, i);
        struct rule *rule = &b->config->rules[i];

        if (build_rule(b, sec, rule) != 0)
            break;
        b->config->rule_count++;
        check_limits(b, sec, rule);
        check_lists(b, sec, rule);
        if (cfg_size(sec, "action") == 0 || rule->action_count > STEPS_MAX)
            option_error(b, sec, "action",
                         "action: expected 1 to %d of \"tempfail\" and \"block\"",
                         STEPS_MAX);
        if (cfg_size(sec, "for") == 0 || rule->for_count > STEPS_MAX)
            option_error(b, sec, "for", "for: expected 1 to %d time spans", STEPS_MAX);
        check_mode(b, sec, rule);
    }
    if (b->config->rule_count < count)
        report_error(b->report, (struct location){b->parse->path, 0}, "out of memory");
}

void rule_clear(struct rule *rule)
{
    for (size_t i = 0; i < rule_section.option_count; i++)
        value_free(&rule_section.options[i], rule);
    free(rule->name);
}
