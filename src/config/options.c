/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/options.h"

#include <limits.h>
#include <string.h>

#include "config/config.h"

#define DAY_S 86400

/* The names of the enums of config.h, in their order. */
static const char *const checks[] = {"client",   "client-name", "helo", "sender-domain",
                                     "sender",   "from-domain", "from", "reply-to-domain",
                                     "reply-to", NULL};
static const char *const stages[] = {"connect", "helo", "mail", "rcpt", "eom", NULL};
static const char *const on_errors[] = {"accept", "tempfail", NULL};
static const char *const modes[] = {"enforce", "monitor", "off", NULL};
static const char *const whens[] = {"any", "null-sender", NULL};
static const char *const on_limits[] = {"off", "cache-only", NULL};
static const char *const on_damages[] = {"stop", "restore", "empty", NULL};
static const char *const hashes[] = {"", "sha1", "sha256", "md5", NULL};
static const char *const rule_bys[] = {"login",   "sender",        "client",
                                       "network", "sender-domain", NULL};
static const char *const rule_modes[] = {"off", "propose", "enforce", NULL};
static const char *const rule_matches[] = {"any", "all", NULL};
static const char *const rule_lists[] = {"login", "sender", "client", NULL};
static const char *const rule_actions[] = {"tempfail", "block", NULL};
const char *const rule_count_names[] = {
    "messages",      "recipients", "outside",   "distinct", "unknown", "relaying",
    "traps",         "refused",    "networks",  "senders",  "bounces", "complaints",
    "auth-failures", "list-mail",  "strangers", NULL};
const int rule_spans_s[] = {300, 900, 3600, 3 * 3600, DAY_S, 7 * DAY_S};
const size_t rule_span_count = sizeof rule_spans_s / sizeof rule_spans_s[0];
static const char *const local_parts[] = {"all", "write", NULL};
static const char *const log_targets[] = {"auto", "journal", "syslog", "stderr", NULL};
static const char *const log_levels[] = {"error", "warning", "notice",
                                         "info",  "debug",   NULL};

const char *const reply_variable_names[REPLY_VARIABLE_COUNT + 1] = {
    [REPLY_CLASS] = "class",   [REPLY_WHAT] = "what",   [REPLY_LIST] = "list",
    [REPLY_REASON] = "reason", [REPLY_CODE] = "code",   [REPLY_LABEL] = "label",
    [REPLY_CLIENT] = "client", [REPLY_HELO] = "helo",   [REPLY_SENDER] = "sender",
    [REPLY_KEY] = "key",       [REPLY_SINCE] = "since", [REPLY_ID] = "id",
    [REPLY_URL] = "url",
};
/* the url cannot be made of itself */
static const char *const url_variable_names[REPLY_URL + 1] = {
    [REPLY_CLASS] = "class",   [REPLY_WHAT] = "what",   [REPLY_LIST] = "list",
    [REPLY_REASON] = "reason", [REPLY_CODE] = "code",   [REPLY_LABEL] = "label",
    [REPLY_CLIENT] = "client", [REPLY_HELO] = "helo",   [REPLY_SENDER] = "sender",
    [REPLY_KEY] = "key",       [REPLY_SINCE] = "since", [REPLY_ID] = "id",
};

/* clang-format off */
#define IN_CONFIG(field)  offsetof(struct config, field)
#define IN_LIST(field)    offsetof(struct list, field)
#define IN_CODES(field)   offsetof(struct code_rule, field)
#define IN_RULE(field)    offsetof(struct rule, field)
#define ROW(name, value, kind, field)              {name, value, kind, field, 0, 0, 0, NULL}
#define BOUND(name, value, kind, field, min, max)  {name, value, kind, field, 0, min, max, NULL}
#define CHOICE(name, value, kind, field, choices)  {name, value, kind, field, 0, 0, 0, choices}
#define COUNTED(name, value, kind, field, count)   {name, value, kind, field, count, 0, 0, NULL}
#define TEMPLATE(name, value, field, min, names)   {name, value, KIND_TEMPLATE, field, 0, min, 0, names}
#define REPLY(name, check)                         CHOICE(name, "", KIND_OWN_TEMPLATE, IN_CONFIG(reply.by_check[check]), reply_variable_names)
#define SECTION(name, titled, rows, sections)      {name, titled, rows, sizeof(rows) / sizeof(rows)[0], sections}

static const struct option file_rows[] = {
    ROW("user", "rblmilter", KIND_TEXT, IN_CONFIG(user)),
};

static const struct option milter_rows[] = {
    ROW("socket", "inet:8895@127.0.0.1", KIND_SOCKET, IN_CONFIG(milter.socket)),
    ROW("socket-mode", "0660", KIND_MODE, IN_CONFIG(milter.socket_mode)),
    ROW("socket-group", "postfix", KIND_TEXT, IN_CONFIG(milter.socket_group)),
    CHOICE("reject-at", "rcpt", KIND_CHOICE, IN_CONFIG(milter.reject_at), stages),
    CHOICE("on-error", "accept", KIND_CHOICE, IN_CONFIG(milter.on_error), on_errors),
};

/* a deadline beyond 25 s would meet Postfix's own of 30 (milter_command_timeout) */
static const struct option resolver_rows[] = {
    ROW("servers", "", KIND_SERVERS, IN_CONFIG(resolver.servers)),
    BOUND("timeout", "2s", KIND_SPAN_MS, IN_CONFIG(resolver.timeout_ms), 10, 25000),
    BOUND("attempts", "2", KIND_NUMBER, IN_CONFIG(resolver.attempts), 1, 10),
    BOUND("deadline", "5s", KIND_SPAN_MS, IN_CONFIG(resolver.deadline_ms), 10, 25000),
    BOUND("cache-size", "200000", KIND_NUMBER, IN_CONFIG(resolver.cache_size), 0, 100000000),
    BOUND("min-ttl", "60s", KIND_SPAN_S, IN_CONFIG(resolver.min_ttl_s), 0, DAY_S),
    BOUND("max-ttl", "1h", KIND_SPAN_S, IN_CONFIG(resolver.max_ttl_s), 0, 7 * DAY_S),
    BOUND("negative-ttl", "1h", KIND_SPAN_S, IN_CONFIG(resolver.negative_ttl_s), 0, 7 * DAY_S),
    BOUND("max-queries", "20000", KIND_NUMBER, IN_CONFIG(resolver.max_queries), 1, 1000000),
    BOUND("stale-ttl", "1h", KIND_SPAN_S, IN_CONFIG(resolver.stale_ttl_s), 0, 7 * DAY_S),
};

static const struct option health_rows[] = {
    BOUND("interval", "10m", KIND_SPAN_S, IN_CONFIG(health.interval_s), 1, 7 * DAY_S),
    BOUND("surge", "10", KIND_NUMBER, IN_CONFIG(health.surge), 0, 1000000),
};

static const struct option codes_rows[] = {
    ROW("label", "", KIND_TEXT, IN_CODES(label)),
    BOUND("weight", NULL, KIND_NUMBER, IN_CODES(weight), -100, 100), /* the list's */
};

static const struct option list_rows[] = {
    ROW("zone", "", KIND_TEXT, IN_LIST(zone_text)),
    ROW("key", "", KIND_SECRET, IN_LIST(key)),
    ROW("key-file", "", KIND_TEXT, IN_LIST(key_file)),
    CHOICE("check", "client", KIND_CHOICES, IN_LIST(checks), checks),
    ROW("ipv6", "true", KIND_BOOL, IN_LIST(ipv6)),
    BOUND("weight", "8", KIND_NUMBER, IN_LIST(weight), -100, 100),
    COUNTED("error-codes", "127.255.255.0/24, 127.0.0.1", KIND_NETWORKS,
            IN_LIST(error_codes), IN_LIST(error_code_count)),
    CHOICE("when", "any", KIND_CHOICE, IN_LIST(when), whens),
    CHOICE("mode", "enforce", KIND_CHOICE, IN_LIST(mode), modes),
    ROW("servers", "", KIND_SERVERS, IN_LIST(servers)),
    COUNTED("after", "", KIND_NAMES, IN_LIST(after), IN_LIST(after_count)),
    BOUND("daily-limit", "0", KIND_NUMBER, IN_LIST(daily_limit), 0, 1000000000),
    CHOICE("on-limit", "off", KIND_CHOICE, IN_LIST(on_limit), on_limits),
    ROW("organizational", "false", KIND_BOOL, IN_LIST(organizational)),
    CHOICE("hash", "", KIND_CHOICE, IN_LIST(hash), hashes),
    ROW("test-listed", NULL, KIND_TEXT, IN_LIST(test_listed)), /* by the kind of check */
    ROW("test-unlisted", NULL, KIND_TEXT, IN_LIST(test_unlisted)),
    ROW("test-reserved", "true", KIND_BOOL, IN_LIST(test_reserved)),
    CHOICE("reply", "", KIND_OWN_TEMPLATE, IN_LIST(reply), reply_variable_names),
};

static const struct option verdict_rows[] = {
    BOUND("reject", "8", KIND_NUMBER, IN_CONFIG(verdict.reject), 0, 10000),
    BOUND("tempfail", "0", KIND_NUMBER, IN_CONFIG(verdict.tempfail), 0, 10000),
    BOUND("tag", "4", KIND_NUMBER, IN_CONFIG(verdict.tag), 0, 10000),
};

static const struct option reply_rows[] = {
    TEMPLATE("list", "Service unavailable; %{class} [%{what}] blocked using %{list}; %{reason}",
             IN_CONFIG(reply.list), 1, reply_variable_names),
    REPLY("client", CHECK_CLIENT),
    REPLY("client-name", CHECK_CLIENT_NAME),
    REPLY("helo", CHECK_HELO),
    REPLY("sender-domain", CHECK_SENDER_DOMAIN),
    REPLY("sender", CHECK_SENDER),
    REPLY("from-domain", CHECK_FROM_DOMAIN),
    REPLY("from", CHECK_FROM),
    REPLY("reply-to-domain", CHECK_REPLY_TO_DOMAIN),
    REPLY("reply-to", CHECK_REPLY_TO),
    TEMPLATE("blocklist", "%{what} is rbl blacklisted - %{url}", IN_CONFIG(reply.blocklist), 1,
             reply_variable_names),
    TEMPLATE("blocklist-client",
             "Service unavailable; Client host [%{what}] blocked using %{list}; %{url}",
             IN_CONFIG(reply.blocklist_client), 1, reply_variable_names),
    TEMPLATE("url", "https://postmaster.example.org/rbl", IN_CONFIG(reply.url), 0,
             url_variable_names),
    ROW("id", "true", KIND_BOOL, IN_CONFIG(reply.id)),
};

static const struct option blocklist_rows[] = {
    ROW("database", "/var/lib/rblmilter/blocklist.db", KIND_PATH, IN_CONFIG(blocklist.database)),
    CHOICE("on-damage", "stop", KIND_CHOICE, IN_CONFIG(blocklist.on_damage), on_damages),
    BOUND("backups", "7", KIND_NUMBER, IN_CONFIG(blocklist.backups), 0, 3650),
    ROW("strip-tags", "false", KIND_BOOL, IN_CONFIG(blocklist.strip_tags)),
    ROW("strip-verp", "false", KIND_BOOL, IN_CONFIG(blocklist.strip_verp)),
    ROW("header-from", "false", KIND_BOOL, IN_CONFIG(blocklist.header_from)),
};

/* a node is a part of each id (journal/id.h) */
static const struct option journal_rows[] = {
    ROW("directory", "/var/lib/rblmilter/journal", KIND_PATH, IN_CONFIG(journal.directory)),
    BOUND("refused", "30d", KIND_SPAN_S, IN_CONFIG(journal.refused_s), 0, 3660 * DAY_S),
    BOUND("accepted", "7d", KIND_SPAN_S, IN_CONFIG(journal.accepted_s), 0, 3660 * DAY_S),
    ROW("max-size", "10G", KIND_SIZE, IN_CONFIG(journal.max_size)),
    ROW("min-free", "1G", KIND_SIZE, IN_CONFIG(journal.min_free)),
    ROW("local-parts", "true", KIND_BOOL, IN_CONFIG(journal.local_parts)),
    BOUND("node", "0", KIND_NUMBER, IN_CONFIG(journal.node), 0, 63),
};

static const struct option automatic_rows[] = {
    CHOICE("mode", "propose", KIND_CHOICE, IN_CONFIG(automatic.mode), rule_modes),
    COUNTED("own-domains", "", KIND_DOMAINS, IN_CONFIG(automatic.own_domains),
            IN_CONFIG(automatic.own_domain_count)),
    BOUND("max-per-hour", "20", KIND_NUMBER, IN_CONFIG(automatic.max_per_hour), 0, 1000000),
    BOUND("max-per-day", "100", KIND_NUMBER, IN_CONFIG(automatic.max_per_day), 0, 1000000),
    BOUND("max-keys", "100000", KIND_NUMBER, IN_CONFIG(automatic.max_keys), 100, 10000000),
    COUNTED("traps", "\"file:" DEFAULT_TRAPS "\"", KIND_TEXTS, IN_CONFIG(automatic.traps),
            IN_CONFIG(automatic.trap_count)),
};

static const struct option rule_rows[] = {
    CHOICE("by", "login", KIND_CHOICE, IN_RULE(by), rule_bys),
    COUNTED("over", "", KIND_LIMITS, IN_RULE(over), IN_RULE(over_count)),
    CHOICE("match", "any", KIND_CHOICE, IN_RULE(match), rule_matches),
    ROW("share", "0", KIND_SHARE, IN_RULE(share)),
    BOUND("first-seen", "0", KIND_SPAN_S, IN_RULE(first_seen_s), 0, 90 * DAY_S),
    BOUND("none-accepted", "0", KIND_SPAN_S, IN_RULE(none_accepted_s), 0, 7 * DAY_S),
    CHOICE("list", "", KIND_CHOICES, IN_RULE(lists), rule_lists),
    {"action", "tempfail, tempfail, block", KIND_STEPS, IN_RULE(actions), IN_RULE(action_count), 0, 0, rule_actions},
    COUNTED("for", "1h, 24h, forever", KIND_STEP_SPANS, IN_RULE(for_s), IN_RULE(for_count)),
    CHOICE("mode", "propose", KIND_CHOICE, IN_RULE(mode), rule_modes),
};

static const struct option log_rows[] = {
    CHOICE("target", "auto", KIND_CHOICE, IN_CONFIG(log.target), log_targets),
    CHOICE("level", "info", KIND_CHOICE, IN_CONFIG(log.level), log_levels),
};

static const struct option exempt_rows[] = {
    COUNTED("networks", "127.0.0.0/8, \"::1\"", KIND_NETWORKS, IN_CONFIG(exempt.networks),
            IN_CONFIG(exempt.network_count)),
    ROW("authenticated", "true", KIND_BOOL, IN_CONFIG(exempt.authenticated)),
    COUNTED("recipients", "postmaster, abuse", KIND_ADDRESSES, IN_CONFIG(exempt.recipients),
            IN_CONFIG(exempt.recipient_count)),
    COUNTED("senders", "", KIND_ADDRESSES, IN_CONFIG(exempt.senders),
            IN_CONFIG(exempt.sender_count)),
};

/* the connection string may have a password in it */
static const struct option farm_rows[] = {
    ROW("database", "", KIND_SECRET, IN_CONFIG(farm.database)),
    ROW("node", "", KIND_TEXT, IN_CONFIG(farm.node)),
    COUNTED("keep-local", "", KIND_TEXTS, IN_CONFIG(farm.keep_local),
            IN_CONFIG(farm.keep_local_count)),
};

static const struct option control_rows[] = {
    ROW("socket", "/run/rblmilter/control.sock", KIND_PATH, IN_CONFIG(control.socket)),
    CHOICE("local-parts", "all", KIND_CHOICE, IN_CONFIG(control.local_parts), local_parts),
};

const struct section codes_section = SECTION("codes", true, codes_rows, NULL);
static const struct section *const list_sections[] = {&codes_section, NULL};
const struct section list_section = SECTION("list", true, list_rows, list_sections);

const struct section rule_section = SECTION("rule", true, rule_rows, NULL);

static const struct section milter_section = SECTION("milter", false, milter_rows, NULL);
static const struct section resolver_section = SECTION("resolver", false, resolver_rows, NULL);
static const struct section health_section = SECTION("health", false, health_rows, NULL);
static const struct section verdict_section = SECTION("verdict", false, verdict_rows, NULL);
static const struct section reply_section = SECTION("reply", false, reply_rows, NULL);
static const struct section blocklist_section = SECTION("blocklist", false, blocklist_rows, NULL);
static const struct section journal_section = SECTION("journal", false, journal_rows, NULL);
static const struct section automatic_section = SECTION("automatic", false, automatic_rows, NULL);
static const struct section log_section = SECTION("log", false, log_rows, NULL);
static const struct section exempt_section = SECTION("exempt", false, exempt_rows, NULL);
static const struct section farm_section = SECTION("farm", false, farm_rows, NULL);
static const struct section control_section = SECTION("control", false, control_rows, NULL);
static const struct section *const file_sections[] = {
    &milter_section, &resolver_section, &health_section, &list_section, &verdict_section,
    &reply_section, &blocklist_section, &journal_section, &automatic_section, &rule_section, &farm_section, &log_section, &exempt_section,
    &control_section, NULL};
const struct section file_section = SECTION(NULL, false, file_rows, file_sections);
/* clang-format on */

bool kind_is_list(enum kind kind)
{
    return kind >= KIND_CHOICES;
}

const struct section *section_section(const struct section *section, const char *name)
{
    for (size_t i = 0; section->sections != NULL && section->sections[i] != NULL; i++)
        if (strcmp(section->sections[i]->name, name) == 0)
            return section->sections[i];
    return NULL;
}

enum stage check_stage(enum check check)
{
    static const enum stage known_at[CHECK_COUNT] = {
        [CHECK_CLIENT] = STAGE_CONNECT, [CHECK_CLIENT_NAME] = STAGE_CONNECT,
        [CHECK_HELO] = STAGE_HELO,      [CHECK_SENDER_DOMAIN] = STAGE_MAIL,
        [CHECK_SENDER] = STAGE_MAIL,    [CHECK_FROM_DOMAIN] = STAGE_EOM,
        [CHECK_FROM] = STAGE_EOM,       [CHECK_REPLY_TO_DOMAIN] = STAGE_EOM,
        [CHECK_REPLY_TO] = STAGE_EOM,
    };

    return known_at[check];
}

const char *check_name(enum check check)
{
    return checks[check];
}

const char *stage_name(enum stage stage)
{
    return stages[stage];
}

const char *rule_by_name(enum rule_by by)
{
    return rule_bys[by];
}

const char *rule_count_name(enum rule_count count)
{
    if (count == COUNT_TRIED)
        return "tried";
    return count == COUNT_DOMAINS ? "domains" : rule_count_names[count];
}

const char *rule_mode_name(enum rule_mode mode)
{
    return rule_modes[mode];
}

const char *list_mode_name(enum list_mode mode)
{
    return modes[mode];
}
