/* The conf file: what it says is what is in force, and every mistake is told with file,
 * line and what was expected. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "config/config.h"

#define TOLD_SIZE 16384

static char folder[] = "/tmp/rblmilter-test-XXXXXX";

/* All lines that were told, with the folder's name left out. */
struct told {
    char text[TOLD_SIZE];
};

static void tell(void *context, const char *text)
{
    struct told *told = context;
    size_t used = strlen(told->text), length = strlen(folder);
    const char *at;

    while ((at = strstr(text, folder)) != NULL) {
        used += (size_t)snprintf(told->text + used, TOLD_SIZE - used, "%.*s",
                                 (int)(at - text), text);
        text = at + length + (at[length] == '/' ? 1 : 0);
    }
    snprintf(told->text + used, TOLD_SIZE - used, "%s\n", text);
}

static const char *path_of(const char *name)
{
    static char path[256];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void write_file(const char *name, const char *text, mode_t mode)
{
    FILE *f = fopen(path_of(name), "w");

    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(path_of(name), mode), 0);
}

static struct config *load(const char *text, struct told *told)
{
    told->text[0] = '\0';
    write_file("main.conf", text, 0644);
    return config_load(path_of("main.conf"), tell, told);
}

static struct config *load_good(const char *text)
{
    struct told told;
    struct config *config = load(text, &told);

    if (config == NULL)
        fail_msg("refused: %s\n%s", text, told.text);
    assert_string_equal(told.text, "");
    return config;
}

/* --- mistakes --- */

static const struct {
    const char *label, *text;
    const char *told[8]; /* each is part of what is told; none begins with "main" twice */
} mistakes[] = {
    {"unknown name", "\nnope = 5\n", {"main.conf:2: unknown name \"nope\""}},
    {"unknown section, and on",
     "nope { a = 1 b { c = { 1, 2 } } }\nmilter { socket-mode = \"9\" }",
     {"main.conf:1: unknown name \"nope\"",
      "main.conf:2: socket-mode = \"9\": expected"}},
    {"several in one run",
     "resolver {\n timeout = \"5 sec\"\n attempts = 11\n bogus = 1\n also = 2\n"
     " deadline = 1\n}\nhealth { interval = \"x\" }",
     {"main.conf:2: timeout = \"5 sec\": expected a time span such as 500ms",
      "main.conf:3: attempts = \"11\": expected a whole number from 1 to 10",
      "main.conf:4: unknown name \"bogus\" in section resolver",
      "main.conf:5: unknown name \"also\"", "main.conf:6: deadline = \"1\": expected",
      "main.conf:8: interval"}},
    {"octal", "resolver { attempts = 010 }", {"main.conf:1: attempts = \"010\""}},
    {"hexadecimal", "health { surge = 0x10 }", {"main.conf:1: surge"}},
    {"number with text", "verdict { reject = 5x }", {"main.conf:1: reject"}},
    {"threshold below zero", "verdict { tag = -1 }", {"main.conf:1: tag"}},
    {"overflow",
     "verdict { reject = 99999999999999999999 }",
     {"main.conf:1: reject = \"99999999999999999999\": expected a whole number"}},
    {"parts of seconds", "health { interval = \"1500ms\" }", {"main.conf:1: interval"}},
    {"bool", "blocklist { strip-tags = maybe }", {"expected true or false"}},
    {"choice",
     "log { level = \"loud\" }",
     {"expected one of \"error\", \"warning\", \"notice\", \"info\", \"debug\""}},
    {"mode", "milter { socket-mode = \"rw\" }", {"expected an octal mode"}},
    {"mode too long", "milter { socket-mode = \"1660\" }", {"expected an octal mode"}},
    {"path", "control { socket = \"x.sock\" }", {"expected a path that begins with /"}},
    {"socket, protocol", "milter { socket = \"tcp:1\" }", {"expected inet:PORT@ADDRESS"}},
    {"socket, port", "milter { socket = \"inet:0@127.0.0.1\" }", {"expected inet:PORT"}},
    {"socket, large port", "milter { socket = \"inet:65536\" }", {"expected inet:PORT"}},
    {"socket, family", "milter { socket = \"inet:1@::1\" }", {"expected inet:PORT"}},
    {"socket, path", "milter { socket = \"unix:x\" }", {"unix:/PATH"}},
    {"server name", "resolver { servers = \"ns.example\" }", {"expected an IP address"}},
    {"server port", "resolver { servers = \"127.0.0.1:x\" }", {"127.0.0.1:5300"}},
    {"the second value's line",
     "resolver {\n servers = {\n  \"127.0.0.1\",\n  \"x\"\n }\n}",
     {"main.conf:4: servers = \"x\""}},
    {"the line of what is added",
     "exempt {\n networks += {\n  \"x\" }\n networks += {\n  \"y\" }\n}",
     {"main.conf:3: networks = \"x\"", "main.conf:5: networks = \"y\""}},
    {"network",
     "exempt { networks = { \"10.0.0.0/33\" } }",
     {"networks = \"10.0.0.0/33\": expected an IP address or network"}},
    {"exempt address", "exempt { senders = { \"@\" } }", {"expected a local part"}},
    {"exempt, two @", "exempt { senders = { \"a@b@c.d\" } }", {"expected a local part"}},
    {"template",
     "reply { list = \"%{who}\" }",
     {"main.conf:1: list = \"%{who}\"", "unknown \"%{who}\", expected one of %{class}"}},
    {"template, single percent", "reply { url = \"100%\" }", {"a single \"%\""}},
    {"url of itself", "reply { url = \"%{url}\" }", {"unknown \"%{url}\""}},
    {"template, empty", "reply { blocklist = \"\" }", {"expected a text"}},
    {"template, 8 bit", "reply { list = \"\xc3\xbc\" }", {"expected plain ASCII"}},
    {"control character", "user = \"a\\nb\"", {"without control characters"}},
    {"no equals sign",
     "milter {\n socket \"unix:/x\"\n}\nlog { level = \"x\" }",
     {"main.conf:2: \"unix:/x\", expected \"=\"", "main.conf:4: level"}},
    {"a list for a value", "user = { \"a\" }", {"\"{\", expected one value"}},
    {"no commas",
     "resolver { servers = { \"127.0.0.1\" \"::1\" }\n attempts = 0 }",
     {"main.conf:1: \"::1\", expected values with commas", "main.conf:2: attempts"}},
    {"append to a value", "user += \"x\"", {"main.conf:1: \"+=\", expected \"=\""}},
    {"section without brace", "milter socket = \"x\"", {"expected \"{\""}},
    {"brace too many", "milter { }\n}\n", {"main.conf:2: \"}\" without a section"}},
    {"no last brace",
     "user = \"a\"\nresolver {\n attempts = 0\n",
     {"main.conf:4: the file ends inside of section resolver, which begins in line 2, "
      "expected \"}\"",
      "main.conf:3: attempts"}},
    {"no last brace of a list",
     "list \"a\" {\n zone = \"a.b\"\n codes \"127.0.0.2\" {\n }\n",
     {"main.conf:5: the file ends inside of list \"a\", which begins in line 1"}},
    {"string without end",
     "user = \"a\nlog { }\n",
     {"main.conf:1: a string or comment that begins here has no end, expected a "
      "closing"}},
    {"comment without end", "\n/* user = 1", {"main.conf:2: ", "expected */"}},
    {"bad escape", "user = \"\\999\"", {"main.conf:1: bad escape"}},
    {"bad escape behind what was left out",
     "nope {\n a = 1\n}\nuser = \"\\999\"",
     {"main.conf:4: bad escape"}},
    {"bad escape behind an include",
     "include(\"list.conf\")\nuser = \"\\999\"",
     {"main.conf:2: bad escape"}},
    {"span too long", "resolver { timeout = \"26s\" }", {"from 10ms to 25s"}},
    {"span too short", "resolver { timeout = \"9ms\" }", {"from 10ms to 25s"}},
    {"delete", "user = \"a\\x7f\"", {"without control characters"}},
    {"list without zone", "\nlist \"a\" { }", {"main.conf:2: list \"a\" has no zone"}},
    {"two of one name",
     "list \"a\" { zone = \"a.b\" }\nlist \"a\" { zone = \"c.d\" }\nnope = 1",
     {"main.conf:2: list \"a\" stands in main.conf:1 already", "main.conf:3: unknown"}},
    {"list without title", "list { zone = \"a.b\" }", {"expected a title in quotes"}},
    {"odd title", "list \"a b\" { zone = \"a.b\" }", {"expected a title of 1 to 64"}},
    {"empty title", "list \"\" { zone = \"a.b\" }", {"expected a title of 1 to 64"}},
    {"zone", "list \"a\" { zone = \"a b\" }", {"expected a domain name"}},
    {"zone is an address", "list \"a\" { zone = \"192.0.2.1\" }", {"a domain name"}},
    {"zone without key",
     "list \"a\" { zone = \"%{key}.b\" }",
     {"expected key or key-file"}},
    {"key without use",
     "list \"a\" { zone = \"a.b\" key = \"k\" }",
     {"expected %{key} in its zone"}},
    {"a bad key is not shown",
     "list \"a\" { zone = \"%{key}.b\" key = \"s3cret key\" }",
     {"zone = \"%{key}.b\": expected a domain name", "(with the key in it)"}},
    {"nor is one with a line end in it",
     "list \"a\" { zone = \"%{key}.b\" key = \"s3cret\\n\" }",
     {"main.conf:1: key: expected a text without control characters"}},
    {"nor one without an equals sign",
     "list \"a\" { zone = \"%{key}.b\" key \"s3cret\"\n bogus \"x\" }",
     {"main.conf:1: something else, expected \"=\"", "main.conf:2: unknown name"}},
    {"both keys",
     "list \"a\" { zone = \"%{key}.b\" key = \"k\" key-file = \"good.key\" }",
     {"both key and key-file"}},
    {"key file open to all",
     "list \"a\" {\n zone = \"%{key}.b\"\n key-file = \"open.key\" }",
     {"main.conf:3: key-file = \"open.key\" has mode 0644"}},
    {"key file empty",
     "list \"a\" { zone = \"%{key}.b\" key-file = \"empty.key\" }",
     {"key-file = \"empty.key\": expected one line with the key"}},
    {"key file of two lines",
     "list \"a\" { zone = \"%{key}.b\" key-file = \"two.key\" }",
     {"expected one line with the key, and no other"}},
    {"no key file",
     "list \"a\" { zone = \"%{key}.b\" key-file = \"gone.key\" }",
     {"key-file = \"gone.key\" cannot be read: No such file"}},
    {"key file is a folder",
     "list \"a\" { zone = \"%{key}.b\" key-file = \"sub\" }",
     {"is a directory"}},
    {"dead",
     "list \"a\" {\n zone = \"DNSBL.njabl.org\" }",
     {"main.conf:2: zone = \"DNSBL.njabl.org\": NJABL is dead"}},
    {"codes outside",
     "list \"a\" { zone = \"a.b\"\n codes \"10.0.0.1\" { } }",
     {"main.conf:2: codes \"10.0.0.1\": expected codes within 127.0.0.0/8"}},
    {"codes twice",
     "list \"a\" { zone = \"a.b\"\n codes \"&2\" { }\n codes \"&2\" { } }",
     {"main.conf:3: codes \"&2\" stands in main.conf:2 already"}},
    {"code's weight",
     "list \"a\" { zone = \"a.b\"\n codes \"127.0.0.2\" {\n weight = 101 } }",
     {"main.conf:3: weight = \"101\": expected a whole number from -100 to 100"}},
    {"error code of IPv6",
     "list \"a\" { zone = \"a.b\" error-codes = { \"::1\" } }",
     {"error-codes: expected IPv4"}},
    {"no check", "list \"a\" { zone = \"a.b\" check = {} }", {"expected at least one"}},
    {"unknown check",
     "list \"a\" { zone = \"a.b\" check = { \"client\", \"rcpt\" } }",
     {"check = \"rcpt\": expected one of \"client\""}},
    {"hash of a client",
     "list \"a\" { zone = \"a.b\" hash = \"sha1\" }",
     {"hash is of sender addresses"}},
    {"sender without hash",
     "list \"a\" { zone = \"a.b\" check = { \"sender\" } }",
     {"expected hash ="}},
    {"after an unknown one",
     "list \"a\" { zone = \"a.b\"\n after = { \"gone\" } }",
     {"main.conf:2: after = \"gone\": expected the title"}},
    {"after itself",
     "list \"a\" { zone = \"a.b\" after = { \"a\" } }",
     {"asked after itself"}},
    {"after in a circle",
     "list \"a\" { zone = \"a.b\" after = { \"b\" } }\n"
     "list \"b\" { zone = \"b.b\" after = { \"a\" } }",
     {"main.conf:1: list \"a\" is to be asked after itself",
      "main.conf:2: list \"b\" is to be asked after itself"}},
    {"test point",
     "list \"a\" { zone = \"a.b\" test-listed = \"a b\" }",
     {"test-listed = \"a b\": expected"}},
    {"include, unknown name",
     "include(\"bad.conf\")\nnope = 1",
     {"bad.conf:2: unknown name \"bogus\"", "bad.conf:3: level = \"x\"",
      "main.conf:2: unknown name \"nope\""}},
    {"include, no last brace",
     "include(\"open.conf\")\nuser = \"a\"",
     {"open.conf:2: the file ends inside of section log"}},
    {"include, gone",
     "\ninclude(\"gone.conf\")",
     {"main.conf:2: include(\"gone.conf\")"}},
    {"include, a folder",
     "\ninclude(\"sub\")",
     {"main.conf:2: include(\"sub\"): is a dir"}},
    {"include of itself", "include(\"main.conf\")", {"nested too deeply"}},
    {"include in a section", "log { include(\"x\") }", {"unknown name \"include\""}},
    {"include of nothing", "include()", {"expected include(\"FILE\")"}},
    {"list twice over files",
     "list \"inc\" { zone = \"a.b\" }\ninclude(\"list.conf\")",
     {"list.conf:1: list \"inc\" stands in main.conf:1 already"}},
};

static void test_mistakes(void **state)
{
    struct told told;

    (void)state;
    for (size_t i = 0; i < sizeof mistakes / sizeof mistakes[0]; i++) {
        struct config *config = load(mistakes[i].text, &told);

        if (config != NULL)
            fail_msg("%s: accepted", mistakes[i].label);
        for (size_t k = 0; k < 8 && mistakes[i].told[k] != NULL; k++)
            if (strstr(told.text, mistakes[i].told[k]) == NULL)
                fail_msg("%s: not told: %s\nbut: %s", mistakes[i].label,
                         mistakes[i].told[k], told.text);
        if (strstr(told.text, "s3cret") != NULL)
            fail_msg("%s: the key is shown", mistakes[i].label);
    }
}

/* The same mistake is not told twice, and nothing is made up. */
static void test_one_line_each(void **state)
{
    struct told told;

    (void)state;
    assert_null(load("resolver { attempts = 0 }\nnope { a = { b } }\n", &told));
    assert_string_equal(
        strchr(told.text, '\n') + 1,
        "main.conf:1: attempts = \"0\": expected a whole number from 1 to 10\n");
}

static void test_no_file(void **state)
{
    struct told told = {""};

    (void)state;
    assert_null(config_load(path_of("none.conf"), tell, &told));
    assert_string_equal(told.text,
                        "none.conf: cannot be read: No such file or directory\n");
    told.text[0] = '\0';
    assert_null(config_load(path_of("sub"), tell, &told));
    assert_string_equal(told.text, "sub: is a directory, expected a file\n");
}

/* --- warnings --- */

static const struct {
    const char *label, *text, *told;
} warnings[] = {
    {"tag above reject", "verdict {\n tag = 9 }",
     "main.conf:2: warning: tag = 9 is above"},
    {"tempfail above reject", "verdict { tempfail = 9 }",
     "warning: tempfail = 9 is above"},
    {"no threshold", "verdict { reject = 0 tag = 0 } list \"a\" { zone = \"a.b\" }",
     "warning: all thresholds are 0"},
    {"no weight", "list \"a\" { zone = \"a.b\" weight = 0 }",
     "warning: list \"a\" has no weight but 0"},
    {"no weight of any code", "list \"a\" { zone = \"a.b\" codes \"&2\" { weight = 0 } }",
     "warning: list \"a\" has no weight but 0"},
    {"recipients unknown", "milter { reject-at = \"mail\" }",
     "warning: reject-at = \"mail\": no recipient is known then"},
    {"sender unknown",
     "milter { reject-at = \"helo\" } exempt { recipients = {} }\n"
     "list \"a\" { zone = \"a.b\" check = { \"helo\", \"sender-domain\" } }",
     "main.conf:2: warning: check = \"sender-domain\" is never asked"},
    {"null sender unknown",
     "milter { reject-at = \"helo\" } exempt { recipients = {} }\n"
     "list \"a\" { zone = \"a.b\" when = \"null-sender\" }",
     "main.conf:2: warning: when = \"null-sender\" is never so"},
    {"timeout", "resolver { timeout = \"6s\" }", "warning: timeout is longer"},
    {"TTLs", "resolver { max-ttl = \"30s\" }",
     "warning: min-ttl is longer than max-ttl: max-ttl counts"},
    {"no such variable", "\nuser = \"a${RBLMILTER_TEST_NONE}b\"",
     "main.conf:2: warning: ${RBLMILTER_TEST_NONE}: no such variable"},
    {"public resolver", "resolver { servers = { \"8.8.8.8\" } }",
     "warning: servers: DNS lists do not answer public resolvers"},
    {"dying", "list \"a\" { zone = \"x.sorbs.net\" }",
     "warning: zone = \"x.sorbs.net\": SO"},
    {"twice", "list \"a\" { zone = \"a.b\" }\nlist \"b\" { zone = \"A.b\" }",
     "main.conf:2: warning: zone = \"A.b\" counts twice: list \"a\""},
    {"organizational", "list \"a\" { zone = \"a.b\" organizational = true }",
     "warning: organizational is of no use"},
};

/* The same zones, asked as they should be. */
static void test_no_warnings(void **state)
{
    static const char *const texts[] = {
        "list \"a\" { zone = \"list.dnswl.org\" weight = 0\n"
        " codes \"127.0.*.3\" { weight = -3 } }",
        "list \"a\" { zone = \"dnsbl-3.uceprotect.net\" mode = \"monitor\" }",
        "list \"a\" { zone = \"ips.backscatterer.org\" when = \"null-sender\" }",
        "list \"a\" { zone = \"a.b\" }\n"
        "list \"b\" { zone = \"a.b\" check = { \"helo\" } organizational = true }\n"
        "list \"c\" { zone = \"a.b\" mode = \"off\" weight = 0 }",
        "milter { reject-at = \"eom\" } verdict { tag = 8 tempfail = 8 }",
        "milter { reject-at = \"mail\" } exempt { recipients = {} }",
    };

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        config_unref(load_good(texts[i]));
}

static void test_warnings(void **state)
{
    struct told told;

    (void)state;
    for (size_t i = 0; i < sizeof warnings / sizeof warnings[0]; i++) {
        struct config *config = load(warnings[i].text, &told);

        if (config == NULL)
            fail_msg("%s: refused: %s", warnings[i].label, told.text);
        if (strstr(told.text, warnings[i].told) == NULL)
            fail_msg("%s: told: %s", warnings[i].label, told.text);
        if (strchr(told.text, '\n') != strrchr(told.text, '\n'))
            fail_msg("%s: told more: %s", warnings[i].label, told.text);
        config_unref(config);
    }
}

/* --- values --- */

static void test_defaults(void **state)
{
    struct config *c = load_good("");

    (void)state;
    assert_string_equal(c->user, "rblmilter");
    assert_string_equal(c->milter.socket, "inet:8891@127.0.0.1");
    assert_int_equal(c->milter.socket_mode, 0660);
    assert_string_equal(c->milter.socket_group, "postfix");
    assert_int_equal(c->milter.reject_at, STAGE_RCPT);
    assert_int_equal(c->milter.on_error, ON_ERROR_ACCEPT);
    assert_null(c->resolver.servers);
    assert_int_equal(c->resolver.timeout_ms, 2000);
    assert_int_equal(c->resolver.attempts, 2);
    assert_int_equal(c->resolver.deadline_ms, 5000);
    assert_int_equal(c->resolver.cache_size, 200000);
    assert_int_equal(c->resolver.min_ttl_s, 60);
    assert_int_equal(c->resolver.max_ttl_s, 3600);
    assert_int_equal(c->resolver.negative_ttl_s, 3600);
    assert_int_equal(c->resolver.stale_ttl_s, 3600);
    assert_int_equal(c->resolver.max_queries, 20000);
    assert_int_equal(c->health.interval_s, 600);
    assert_int_equal(c->health.surge, 10);
    assert_int_equal(c->list_count, 0);
    assert_int_equal(c->verdict.reject, 8);
    assert_int_equal(c->verdict.tempfail, 0);
    assert_int_equal(c->verdict.tag, 4);
    assert_string_equal(template_source(c->reply.blocklist),
                        "%{what} is rbl blacklisted - %{url}");
    assert_null(c->reply.by_check[CHECK_HELO]);
    assert_string_equal(c->blocklist.database, "/var/lib/rblmilter/blocklist.db");
    assert_int_equal(c->blocklist.on_damage, ON_DAMAGE_STOP);
    assert_int_equal(c->blocklist.backups, 7);
    assert_false(c->blocklist.strip_tags);
    assert_int_equal(c->log.target, LOG_TARGET_AUTO);
    assert_int_equal(c->log.level, LOG_LEVEL_INFO);
    assert_int_equal(c->exempt.network_count, 2);
    assert_true(c->exempt.authenticated);
    assert_int_equal(c->exempt.recipient_count, 2);
    assert_string_equal(c->exempt.recipients[0].local, "postmaster");
    assert_null(c->exempt.recipients[0].domain);
    assert_int_equal(c->exempt.sender_count, 0);
    assert_string_equal(c->control.socket, "/run/rblmilter/control.sock");
    assert_null(c->suffixes);
    config_unref(c);
}

static void test_list_defaults(void **state)
{
    struct config *c = load_good("list \"a\" { zone = \"Bl.Example.\" }");
    const struct list *l = &c->lists[0];

    (void)state;
    assert_int_equal(c->list_count, 1);
    assert_string_equal(l->name, "a");
    assert_string_equal(l->zone, "bl.example");
    assert_null(l->key);
    assert_int_equal(l->checks, 1u << CHECK_CLIENT);
    assert_true(l->ipv6);
    assert_int_equal(l->weight, 8);
    assert_int_equal(l->rule_count, 0);
    assert_int_equal(l->error_code_count, 2);
    assert_int_equal(l->error_codes[0].prefix, 24);
    assert_int_equal(l->when, WHEN_ANY);
    assert_int_equal(l->mode, LIST_ENFORCE);
    assert_null(l->servers);
    assert_int_equal(l->after_count, 0);
    assert_int_equal(l->daily_limit, 0);
    assert_int_equal(l->on_limit, ON_LIMIT_OFF);
    assert_false(l->organizational);
    assert_int_equal(l->hash, HASH_NONE);
    assert_string_equal(l->test_listed, "127.0.0.2");
    assert_string_equal(l->test_unlisted, "127.0.0.1");
    assert_null(l->reply);
    config_unref(c);
}

/* The test points of RFC 5782 depend on what is asked; "" switches them off. */
static void test_test_points(void **state)
{
    static const struct {
        const char *label, *options, *listed, *unlisted;
    } rows[] = {
        {"client", "", "127.0.0.2", "127.0.0.1"},
        {"names", "check = { \"helo\", \"sender-domain\" }", "test", "invalid"},
        {"client and names", "check = { \"client\", \"helo\" }", "127.0.0.2",
         "127.0.0.1"},
        {"hash", "check = { \"sender\" } hash = \"sha1\"", "", ""},
        {"none", "test-listed = \"\" test-unlisted = \"\"", "", ""},
        {"own", "test-listed = \"127.0.0.9\"", "127.0.0.9", "127.0.0.1"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[256];
        struct config *c;

        snprintf(text, sizeof text, "list \"a\" { zone = \"a.b\" %s }", rows[i].options);
        c = load_good(text);
        if (strcmp(c->lists[0].test_listed, rows[i].listed) != 0 ||
            strcmp(c->lists[0].test_unlisted, rows[i].unlisted) != 0)
            fail_msg("%s: %s, %s", rows[i].label, c->lists[0].test_listed,
                     c->lists[0].test_unlisted);
        config_unref(c);
    }
}

static void test_keys(void **state)
{
    struct config *c =
        load_good("list \"a\" { zone = \"%{key}.zen.example\" key-file = \"good.key\" }\n"
                  "list \"b\" { zone = \"x.%{key}.example\" key = \"abc\" }\n"
                  "list \"c\" { zone = \"%{key}.off.example\" mode = \"off\" }\n"
                  "list \"d\" { zone = \"%{key}.off.example\" mode = \"off\" key-file = "
                  "\"no\" }\n");

    (void)state;
    assert_string_equal(c->lists[0].zone, "s3cret.zen.example");
    assert_string_equal(c->lists[0].zone_shown, "***.zen.example");
    assert_string_equal(c->lists[0].key, "S3cret");
    assert_string_equal(c->lists[1].zone, "x.abc.example");
    assert_non_null(c->lists[2].zone);
    assert_non_null(c->lists[3].zone);
    config_unref(c);
}

static void test_rules_and_servers(void **state)
{
    struct config *c =
        load_good("list \"a\" { zone = \"a.b\" weight = 3\n"
                  " servers = { \"127.0.0.1:5300\", \"::1\", \"[::1]:54\" }\n"
                  " codes \"127.0.0.2\" { label = \"L\" }\n"
                  " codes \"127.0.0.3\" { weight = -5 } }\n"
                  "list \"b\" { zone = \"b.b\" after = { \"a\" } }\n"
                  "exempt { networks += { \"10.1.2.3/8\" }\n"
                  " senders = { \"@B\xc3\xbc"
                  "cher.example\", \"Anna@X.y\" } }\n");

    (void)state;
    assert_string_equal(c->lists[0].servers, "127.0.0.1:5300,[::1]:53,[::1]:54");
    assert_int_equal(c->lists[0].rule_count, 2);
    assert_int_equal(c->lists[0].rules[0].weight, 3);
    assert_string_equal(c->lists[0].rules[0].label, "L");
    assert_int_equal(c->lists[0].rules[1].weight, -5);
    assert_int_equal(c->lists[1].after_count, 1);
    assert_int_equal(c->lists[1].after[0], 0);
    assert_int_equal(c->exempt.network_count, 3);
    assert_int_equal(c->exempt.networks[2].base.octets[1], 0);
    assert_null(c->exempt.senders[0].local);
    assert_string_equal(c->exempt.senders[0].domain, "xn--bcher-kva.example");
    assert_string_equal(c->exempt.senders[1].local, "anna");
    assert_string_equal(c->exempt.senders[1].domain, "x.y");
    config_unref(c);
}

/* What is in the environment, has a value for when it is not, or is no variable. */
static void test_environment(void **state)
{
    struct config *c = load_good("user = \"${RBLMILTER_TEST_NONE:-a}\\${b}\"");

    (void)state;
    assert_string_equal(c->user, "a${b}");
    config_unref(c);
    c = load_good("user = \"${RBLMILTER_TEST_NONE:-a\"b}\" log { }");
    assert_string_equal(c->user, "a\"b");
    config_unref(c);
    setenv("RBLMILTER_TEST_USER", "u", 1);
    c = load_good("user = ${RBLMILTER_TEST_USER} log { level = 'debug' }");
    assert_string_equal(c->user, "u");
    config_unref(c);
    c = load_good("user = '${RBLMILTER_TEST_NONE}'");
    assert_string_equal(c->user, "${RBLMILTER_TEST_NONE}");
    config_unref(c);
}

static void test_include(void **state)
{
    struct config *c = load_good("include(\"list.conf\")\nuser = ''\n"
                                 "verdict { reject = 5 } include('sub/more.conf')");

    (void)state;
    assert_string_equal(c->lists[0].name, "inc");
    assert_string_equal(c->user, "");
    assert_int_equal(c->verdict.reject, 6); /* the last one counts */
    config_unref(c);
}

static void print_to(const struct config *config, char **out)
{
    size_t size;
    FILE *f = open_memstream(out, &size);

    assert_non_null(f);
    assert_int_equal(config_print(config, f), 0);
    fclose(f);
}

/* What is printed reads back the same. */
static void test_print(void **state)
{
    struct config *c = load_good(
        "user = \"a\\\"b\\\\c\" milter { socket-mode = \"0600\" reject-at = \"eom\" }\n"
        "resolver { servers = { \"127.0.0.1\", \"::1\" } timeout = \"1500ms\" }\n"
        "list \"a\" { zone = \"%{key}.b\" key-file = \"good.key\" error-codes = {}\n"
        " check = { \"helo\", \"client\" } organizational = true weight = -2\n"
        " reply = \"\\${HOME} 'x' \\\"%{what}\\\" 100%%\" codes \"127.0.*.[1;3]\" { } }\n"
        "list \"b\" { zone = \"b.b\" after = { \"a\" } mode = \"monitor\" }\n"
        "reply { helo = \"no, %{helo}\" }\n"
        "exempt { senders = { \"\\\"a b\\\"@c.d\", \"x\", \"@y.z\" } networks = {} }\n");
    struct told told = {""};
    char *first, *second;

    (void)state;
    assert_string_equal(template_source(c->lists[0].reply),
                        "${HOME} 'x' \"%{what}\" 100%%");
    print_to(c, &first);
    config_unref(c);
    assert_null(strstr(first, "3cret"));
    c = load(first, &told);
    if (c == NULL)
        fail_msg("%s%s", told.text, first);
    print_to(c, &second);
    assert_string_equal(first, second);
    config_unref(c);
    free(first);
    free(second);

    c = load_good("list \"a\" { zone = \"%{key}.b\" key = \"s3cret\" }");
    print_to(c, &first);
    config_unref(c);
    assert_null(strstr(first, "3cret"));
    assert_non_null(strstr(first, "key = \"***\""));
    free(first);
}

static void test_refs(void **state)
{
    struct config *c = load_good("");

    (void)state;
    assert_ptr_equal(config_ref(c), c);
    config_unref(c);
    assert_string_equal(c->user, "rblmilter");
    config_unref(c);
    config_unref(NULL);
}

/* However often a bad file is loaded, with includes, a good one loads then. */
static void test_reload(void **state)
{
    struct told told;
    struct config *c;

    (void)state;
    for (int i = 0; i < 25; i++)
        assert_null(load("include(\"bad.conf\")", &told));
    write_file("main.conf", "include(\"bad.conf\")", 0644);
    told.text[0] = '\0';
    assert_null(config_reload(path_of("main.conf"), tell, &told));
    assert_non_null(strstr(told.text, "bad.conf:2: unknown name \"bogus\""));
    write_file("main.conf", "include(\"list.conf\")", 0644);
    told.text[0] = '\0';
    c = config_reload(path_of("main.conf"), tell, &told);
    assert_non_null(c);
    assert_string_equal(told.text, "");
    assert_int_equal(c->list_count, 1);
    config_unref(c);

    setenv("RBLMILTER_TEST_NO", "1", 1);
    assert_null(config_reload(path_of("main.conf"), tell, &told));
    assert_string_equal(told.text, "the child says no\n");
    unsetenv("RBLMILTER_TEST_NO");
}

static int set_up(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL || mkdir(path_of("sub"), 0755) != 0)
        return -1;
    write_file("good.key", "# comes from the portal\n S3cret \n", 0640);
    write_file("open.key", "s3cret\n", 0644);
    write_file("empty.key", "\n# nothing\n", 0600);
    write_file("two.key", "a\nb\n", 0600);
    write_file("bad.conf", "# x\nbogus = 1\nlog { level = \"x\" }\n", 0644);
    write_file("open.conf", "log {\n", 0644);
    write_file("list.conf", "list \"inc\" { zone = \"inc.example\" }\n", 0644);
    write_file("sub/more.conf", "verdict { reject = 6 }", 0644);
    return 0;
}

static int tear_down(void **state)
{
    static const char *const names[] = {"good.key",  "open.key",  "empty.key",
                                        "two.key",   "bad.conf",  "open.conf",
                                        "list.conf", "main.conf", "sub/more.conf"};

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        unlink(path_of(names[i]));
    rmdir(path_of("sub"));
    return rmdir(folder);
}

static void tell_stderr(void *context, const char *text)
{
    (void)context;
    fprintf(stderr, "%s\n", text);
}

/* config_reload starts this program as it would the daemon: "-t -c FILE". */
static int check_only(const char *path)
{
    struct config *config = config_load(path, tell_stderr, NULL);

    if (getenv("RBLMILTER_TEST_NO") != NULL) {
        fprintf(stderr, "the child says no\n");
        _exit(1);
    }
    config_unref(config);
    return config != NULL ? 0 : 1;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_one_line_each),
        cmocka_unit_test(test_no_file),
        cmocka_unit_test(test_warnings),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_list_defaults),
        cmocka_unit_test(test_test_points),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_rules_and_servers),
        cmocka_unit_test(test_include),
        cmocka_unit_test(test_print),
        cmocka_unit_test(test_refs),
        cmocka_unit_test(test_no_warnings),
        cmocka_unit_test(test_environment),
        cmocka_unit_test(test_reload),
    };

    if (argc == 4 && strcmp(argv[1], "-t") == 0)
        return check_only(argv[3]);
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
