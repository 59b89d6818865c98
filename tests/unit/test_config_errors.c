/* SPDX-License-Identifier: BSD-2-Clause */
/* The conf file: every error is reported with file, line and what was expected. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "config_helper.h"

static const struct {
    const char *label, *text;
    const char *told[8]; /* each is part of what is reported */
} errors[] = {
    {"unknown name", "\nnope = 5\n", {"main.conf:2: unknown name \"nope\""}},
    {"unknown section",
     "milter { socket-mode = \"9\" }\nnope { a = 1 b { c = { 1, 2 } } }",
     {"main.conf:2: unknown name \"nope\"",
      "main.conf:1: socket-mode = \"9\": expected"}},
    {"several in one run",
     "resolver {\n timeout = \"5 sec\"\n attempts = 11\n deadline = 1\n}\n"
     "health { interval = \"x\" }\n"
     "list \"a\" {\n check = {\n \"x\",\n \"client\" }\n codes \"127.0.0.2\" {\n\n"
     " weight = x } weight = y }\nlist \"b\" {\n weight = z }",
     {"main.conf:2: timeout = \"5 sec\": expected a time span such as 500ms",
      "main.conf:3: attempts = \"11\": expected a whole number from 1 to 10",
      "main.conf:4: deadline = \"1\": expected", "main.conf:6: interval",
      "main.conf:9: check = \"x\"", "main.conf:13: weight = \"x\"",
      "main.conf:13: weight = \"y\"", "main.conf:15: weight = \"z\""}},
    {"and what stands before an error of syntax",
     "resolver {\n timeout = \"5 sec\"\n attempts = 11\n bogus = 1\n}",
     {"main.conf:2: timeout", "main.conf:3: attempts",
      "main.conf:4: unknown name \"bogus\" in section resolver, expected one of: "
      "servers, "
      "timeout"}},
    {"behind comments",
     "# a\n/* b\n */ // c\n\nresolver { # d\n servers = { # e\n \"::1\", // f\n"
     " \"x\" } /* g */ attempts = 0 }",
     {"main.conf:8: servers = \"x\"", "main.conf:8: attempts"}},
    {"no comment in a word", "milter { socket = tcp://x }", {"socket = \"tcp://x\""}},
    {"no comment in a string",
     "milter { socket = \"#\" socket-group = '/*' }\nlog { level = \"\\\"//\" }",
     {"main.conf:1: socket = \"#\"", "main.conf:2: level = "}},
    {"octal", "resolver { attempts = 010 }", {"main.conf:1: attempts = \"010\""}},
    {"hexadecimal", "health { surge = 0x10 }", {"main.conf:1: surge"}},
    {"number with text", "verdict { reject = 5x }", {"main.conf:1: reject"}},
    {"threshold below zero", "verdict { tag = -1 }", {"main.conf:1: tag"}},
    {"overflow",
     "verdict { reject = 99999999999999999999 }",
     {"main.conf:1: reject = \"99999999999999999999\": expected a whole number"}},
    {"parts of seconds", "health { interval = \"1500ms\" }", {"main.conf:1: interval"}},
    {"a hidden character",
     "exempt {\n senders = { \"an\xe2\x80\x8bna@a.example\" }\n"
     " recipients = { \"\xe2\x80\xaepost\", \"\xc2\x85x\" } }",
     {"main.conf:2: senders = \"an",
      "expected only what can be seen: there is the hidden character U+200B in it",
      "main.conf:3: recipients", "U+202E", "U+0085"}},
    {"a rule with an unknown count, and a span that is not counted",
     "rule \"r\" {\n over = { \"5 letters in 1h\",\n \"5 recipients in 2h\",\n"
     " \"0 recipients in 1h\",\n \"recipients\" } }",
     {"main.conf:2: over = \"5 letters in 1h\": expected NUMBER COUNT in SPAN",
      "main.conf:3: over = \"5 recipients in 2h\": expected NUMBER COUNT in SPAN",
      "main.conf:4: over", "main.conf:5: over"}},
    {"a rule that lists a domain",
     "rule \"r\" { over = { \"5 recipients in 1h\" }\n list = { \"sender-domain\" } }",
     {"main.conf:2: list = \"sender-domain\": expected one of"}},
    {"a rule that lists who only came along",
     "rule \"r\" { by = \"client\" over = { \"5 recipients in 1h\" }\n list = { "
     "\"login\" } }",
     {"main.conf:2: rule \"r\" counts by client: expected list = { \"client\" }"}},
    {"a rule of what fails honestly, without a share",
     "rule \"r\" {\n over = { \"5 unknown in 1h\" } }",
     {"main.conf:2: rule \"r\": unknown recipients"}},
    {"a rule of strangers by who has none",
     "rule \"r\" { by = \"client\"\n over = { \"5 strangers in 24h\" } }",
     {"main.conf:2: rule \"r\": strangers are counted by login or sender"}},
    {"a rule without a limit, twice, and with a name that is no source",
     "rule \"r\" { }\nrule \"R x\" { over = { \"5 recipients in 1h\" } }",
     {"main.conf:1: rule \"r\" has no limit",
      "main.conf:2: rule \"R x\": expected a title"}},
    {"two rules of one name",
     "rule \"r\" { over = { \"5 recipients in 1h\" } }\nrule \"r\" { }",
     {"main.conf:2: rule \"r\" exists already in main.conf:1"}},
    {"steps and shares of a rule",
     "rule \"r\" { over = { \"5 recipients in 1h\" }\n action = { \"kill\" }\n"
     " for = { \"5s\" }\n share = 101\n first-seen = \"1y\" }",
     {"main.conf:2: action = \"kill\"", "main.conf:3: for = \"5s\": expected \"forever\"",
      "main.conf:4: share = \"101\": expected per cent", "main.conf:5: first-seen"}},
    {"traps",
     "automatic { traps = { \"trap@x.example\",\n \"nobody\" } }",
     {"main.conf:2: traps: here, line 1: \"nobody\": expected an address or a domain"}},
    {"a file of traps that is not there",
     "automatic {\n traps = { \"file:/nonexistent/traps\" } }",
     {"main.conf:2: traps = \"file:/nonexistent/traps\""}},
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
    {"server, link-local without its interface",
     "resolver { servers = { \"fe80::1\", \"fe80::1%\", \"::1%eth0\", \"fe80::1%a/b\" } "
     "}",
     {"servers = \"fe80::1\": expected an IP address", "servers = \"fe80::1%\"",
      "servers = \"::1%eth0\"", "servers = \"fe80::1%a/b\""}},
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
    {"exempt, a domain without @",
     "exempt { recipients = { \"example.org\", \"a.example\", \"192.0.2.1\" } }",
     {"recipients = \"example.org\": expected an \"@\" before a domain, such as "
      "\"@example.org\"",
      "recipients = \"a.example\": expected an \"@\"",
      "recipients = \"192.0.2.1\": expected"}},
    {"exempt, patterns",
     "exempt { senders = { \"*@x.example\", \"@*.x.example\", \"a*@x.example\" } }",
     {"senders = \"*@x.example\": expected a domain without a pattern, such as "
      "\"@x.example\"",
      "senders = \"@*.x.example\": expected a domain without a pattern, such as "
      "\"@x.example\"",
      "senders = \"a*@x.example\": expected a local part"}},
    {"exempt, a range",
     "exempt { networks = { \"192.0.2.0-255\", \"192.0.2.0_24\", \"192.0.2\" } }",
     {"networks = \"192.0.2.0-255\": expected a network: 192.0.2.0/24",
      "networks = \"192.0.2.0_24\": expected a network: 192.0.2.0/24",
      "networks = \"192.0.2\": expected a network: 192.0.2.0/24"}},
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
     "log { level = \"x\" }\nmilter {\n socket \"unix:/x\"\n}",
     {"main.conf:3: missing equal sign after option 'socket', expected NAME = VALUE",
      "main.conf:1: level"}},
    {"a list for a value",
     "user = { \"a\" }",
     {"unexpected token '{', expected NAME = VALUE"}},
    {"no commas",
     "resolver { attempts = 0\n servers = { \"127.0.0.1\" \"::1\" } }",
     {"main.conf:2: unexpected token '::1', expected NAME = VALUE, NAME = { VALUE, VALUE "
      "}",
      "main.conf:1: attempts"}},
    {"append to a value",
     "user += \"x\"",
     {"main.conf:1: attempt to append to non-list option 'user', expected \"=\""}},
    {"section without brace", "milter socket = \"x\"", {"expected \"{\""}},
    {"empty name", "\n\"\" = 1", {"main.conf:2: cannot be parsed"}},
    {"brace too many", "milter { }\n}\n", {"main.conf:2: unexpected closing brace"}},
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
     {"main.conf:1: the text that begins in line 1 has no end, expected a closing "
      "quote"}},
    {"a quote that is missing, and quotes behind it",
     "log { level = info }\nmilter {\n socket = \"inet:8895\n socket-group = \"x\"\n}",
     {"main.conf:3: the text that begins in line 3 has no end, expected a closing "
      "quote"}},
    {"postscreen's zone",
     "list \"a\" { zone = \"zen.spamhaus.org=127.0.0.[2..11]*3\" }\n"
     "list \"b\" { zone = \"b.example*-2\" }\nlist \"c\" { zone = "
     "\"c.example=127.0.*.3\" }",
     {"main.conf:1: zone = \"zen.spamhaus.org=127.0.0.[2..11]*3\" is postscreen's form: "
      "expected zone = \"zen.spamhaus.org\", weight = 3, codes \"127.0.0.[2..11]\" { }",
      "main.conf:2: zone = \"b.example*-2\" is postscreen's form: expected zone = "
      "\"b.example\", weight = -2",
      "main.conf:3: zone = \"c.example=127.0.*.3\" is postscreen's form: expected zone = "
      "\"c.example\", codes \"127.0.*.3\" { }"}},
    {"no last brace of codes",
     "list \"a\" {\n zone = \"a.b\"\n codes \"127.0.0.2\" {\n weight = x\n",
     {"main.conf:5: the file ends inside of codes \"127.0.0.2\", which begins in line 3",
      "main.conf:4: weight"}},
    {"no value", "log { }\nuser =", {"main.conf:2: the file ends inside of a statement"}},
    {"no value in a list",
     "resolver { servers = { \"::1\",\n",
     {"main.conf:2: the file ends inside of a statement"}},
    {"no brace of a list",
     "resolver { servers = { \"::1\"",
     {"main.conf:1: the file ends inside of a statement"}},
    {"only a name", "user", {"main.conf:1: missing equal sign after option 'user'"}},
    {"no section", "list \"a\"", {"main.conf:1: missing opening brace"}},
    {"comment without end",
     "\n/* user = 1",
     {"main.conf:2: the comment that begins in line 2 has no end, expected */"}},
    {"string without end behind lines in another",
     "user = \"a\nb\" log {\n level = 'x",
     {"main.conf:1: the text that begins in line 1 has no end"}},
    {"bad escape", "user = \"\\999\"", {"main.conf:1: bad escape"}},
    {"bad escape behind a section",
     "log {\n level = info\n}\nuser = \"\\999\"",
     {"main.conf:4: bad escape"}},
    {"bad escape behind an include",
     "include(\"list.conf\")\nuser = \"\\999\"",
     {"main.conf:2: bad escape"}},
    {"span too long", "resolver { timeout = \"26s\" }", {"from 10ms to 25s"}},
    {"span too short", "resolver { timeout = \"9ms\" }", {"from 10ms to 25s"}},
    {"delete", "user = \"a\\x7f\"", {"without control characters"}},
    {"list without zone", "\nlist \"a\" { }", {"main.conf:2: list \"a\" has no zone"}},
    {"two of one name",
     "list \"a\" { zone = \"a.b\" }\nlist \"a\" { zone = \"c.d\" }",
     {"main.conf:2: list \"a\" exists already in main.conf:1, expected another title"}},
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
     {"main.conf:1: missing equal sign after option 'key'"}},
    {"nor one in braces",
     "list \"a\" { zone = \"%{key}.b\" key = { \"s3cret\" } }",
     {"main.conf:1: unexpected token '{'"}},
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
    {"codes outside, in several lines",
     "list \"a\" { zone = \"a.b\"\n codes \"10.0.0.1\" {\n weight = 1\n }\n"
     "\n codes \"10.0.0.2\" {\n } }",
     {"main.conf:2: codes \"10.0.0.1\"", "main.conf:6: codes \"10.0.0.2\""}},
    {"codes twice",
     "list \"a\" { zone = \"a.b\"\n codes \"&2\" { }\n codes \"&2\" { } }",
     {"main.conf:3: codes \"&2\" exists already in main.conf:2"}},
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
     {"hash is of addresses"}},
    {"sender without hash",
     "list \"a\" { zone = \"a.b\" check = { \"sender\" } }",
     {"expected hash ="}},
    {"after an unknown one",
     "list \"a\" { zone = \"a.b\"\n after = { \"gone\" } }",
     {"main.conf:2: after = \"gone\": expected the title"}},
    {"after itself",
     "list \"a\" { zone = \"a.b\" after = { \"a\" } }",
     {"is queried after itself"}},
    {"after in a circle",
     "list \"a\" { zone = \"a.b\" after = { \"b\" } }\n"
     "list \"b\" { zone = \"b.b\" after = { \"a\" } }",
     {"main.conf:1: list \"a\" is queried after itself",
      "main.conf:2: list \"b\" is queried after itself"}},
    {"test point",
     "list \"a\" { zone = \"a.b\" test-listed = \"a b\" }",
     {"test-listed = \"a b\": expected"}},
    {"include, unknown name",
     "log { level = \"y\" } include(\"bad.conf\")",
     {"bad.conf:4: unknown name \"bogus\"", "bad.conf:3: level = \"x\""}},
    {"include, wrong value, and on",
     "include(\"value.conf\")\nresolver { attempts = 0 } include(\"value2.conf\")\n"
     "health { surge = x }",
     {"value.conf:1: level = \"x\"", "main.conf:2: attempts", "value2.conf:2: reject",
      "main.conf:3: surge"}},
    {"include, string without end",
     "\ninclude(\"quote.conf\")",
     {"quote.conf:2: the text that begins in line 2 has no end"}},
    {"include, gone, and on",
     "include(\"gone.conf\")\nuser = \"a\\x7f\"\n",
     {"main.conf:1: include(\"gone.conf\"): cannot be read", "main.conf:2: user"}},
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
     {"list.conf:1: list \"inc\" exists already in main.conf:1"}},
};

static void test_errors(void **state)
{
    struct told told;

    (void)state;
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        struct config *config = load(errors[i].text, &told);

        if (config != NULL)
            fail_msg("%s: accepted", errors[i].label);
        for (size_t k = 0; k < 8 && errors[i].told[k] != NULL; k++)
            if (strstr(told.text, errors[i].told[k]) == NULL)
                fail_msg("%s: not reported: %s\nbut: %s", errors[i].label,
                         errors[i].told[k], told.text);
        if (strstr(told.text, "s3cret") != NULL)
            fail_msg("%s: the key is shown", errors[i].label);
    }
}

/* The same error is not reported twice, and nothing is made up. */
static void test_one_line_each(void **state)
{
    struct told told;

    (void)state;
    assert_null(load("resolver { attempts = 0 }\nnope { a = { b } }\n", &told));
    assert_string_equal(
        strchr(told.text, '\n') + 1,
        "main.conf:1: attempts = \"0\": expected a whole number from 1 to 10\n");
    assert_null(load("list \"a\" {\n weight = 1\n bogus = 1\n zone = \"a.b\" }", &told));
    assert_ptr_equal(strchr(told.text, '\n'), strrchr(told.text, '\n'));
}

static void test_no_file(void **state)
{
    struct told told = {""};

    (void)state;
    assert_null(config_load(path_of("none.conf"), config_tell, &told));
    assert_string_equal(told.text,
                        "none.conf: cannot be read: No such file or directory\n");
    told.text[0] = '\0';
    assert_null(config_load(path_of("sub"), config_tell, &told));
    assert_string_equal(told.text, "sub: is a directory, expected a file\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_one_line_each),
        cmocka_unit_test(test_no_file),
    };

    return cmocka_run_group_tests(tests, set_up_folder, tear_down_folder);
}
