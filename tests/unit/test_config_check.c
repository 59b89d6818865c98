/* SPDX-License-Identifier: BSD-2-Clause */
/* What a conf file may say, but surely does not mean: warned of, once each. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "config_helper.h"

static const struct {
    const char *label, *text, *told;
} warnings[] = {
    {"a rule that enforces, where rules may propose",
     "rule \"r\" { over = { \"5 recipients in 1h\" } mode = \"enforce\" }",
     "warning: rule \"r\": mode = \"enforce\" has no effect"},
    {"a rule that enforces is on trial first",
     "automatic { mode = \"enforce\" }\n"
     "rule \"r\" { over = { \"5 recipients in 1h\" } mode = \"enforce\" }",
     "main.conf:2: warning: rule \"r\": for 7 days after it was added"},
    {"a rule of traps without traps",
     "rule \"r\" { by = \"client\" over = { \"2 traps in 24h\" } }",
     "warning: rule \"r\" counts traps, but automatic traps names none"},
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
    {"a key in a zone",
     "list \"a\" { zone = \"abcdefghijklmnopqrstuvwxyz.zen.dq.spamhaus.net\" }",
     "warning: zone = \"***.zen.dq.spamhaus.net\" has its key in it, in a file that "
     "others "
     "may read: expected zone = \"%{key}.zen.dq.spamhaus.net\" and key-file"},
    {"recipients unknown", "milter { reject-at = \"mail\" }",
     "warning: reject-at = \"mail\": no recipient is known then"},
    {"timeout", "resolver { timeout = \"6s\" }", "warning: timeout is longer"},
    {"TTLs", "resolver { max-ttl = \"30s\" }",
     "warning: min-ttl is longer than max-ttl: max-ttl counts"},
    {"public resolver", "resolver { servers = { \"8.8.8.8\" } }",
     "warning: servers: DNS lists do not answer public resolvers"},
    {"dying", "list \"a\" { zone = \"x.sorbs.net\" }",
     "warning: zone = \"x.sorbs.net\": SO"},
    {"twice", "list \"a\" { zone = \"a.b\" }\nlist \"b\" { zone = \"A.b\" }",
     "main.conf:2: warning: zone = \"A.b\" counts twice: list \"a\""},
    {"reject above all",
     "list \"a\" { zone = \"a.b\" weight = 3 }\nverdict {\n reject = 9 }",
     "main.conf:3: warning: reject = 9 is above 3, the sum of all weights"},
    {"reject above all, monitored",
     "list \"a\" { zone = \"a.b\" weight = 7 }\n"
     "list \"b\" { zone = \"b.b\" mode = \"monitor\" }",
     "warning: reject = 8 is above 7"},
    {"reject above all, by codes",
     "list \"a\" { zone = \"a.b\" codes \"127.0.0.2\" { weight = 7 }\n"
     " codes \"127.0.0.3\" { weight = 6 } }",
     "warning: reject = 8 is above 7"},
    {"all are exempt", "exempt {\n networks = { \"0.0.0.0/0\" } }",
     "main.conf:2: warning: networks: 0.0.0.0/0 is much of the world"},
    {"half are exempt", "exempt { networks = { \"10.0.0.0/8\", \"2000::/3\" } }",
     "warning: networks: 2000::/3 is much"},
    {"equal test points",
     "list \"a\" { zone = \"a.b\" test-listed = \"127.0.0.2\"\n"
     " test-unlisted = \"127.0.0.2\" }",
     "main.conf:2: warning: list \"a\": test-listed and test-unlisted are both"},
    {"a code that is an error, too",
     "list \"a\" { zone = \"a.b\" codes \"127.0.0.2, 127.0.0.9-127.0.0.11\" { weight = 8 "
     "}\n"
     " error-codes = { \"127.255.255.0/24\", \"127.0.0.8/30\" } }",
     "main.conf:2: warning: list \"a\": codes \"127.0.0.2, 127.0.0.9-127.0.0.11\" names"},
    {"codes that are errors, too",
     "list \"a\" { zone = \"a.b\" codes \"127.0.*.3\" { weight = 8 }\n"
     " error-codes = { \"127.0.0.0/16\" } }",
     "main.conf:2: warning: list \"a\": codes \"127.0.*.3\" names"},
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
        "list \"a\" { zone = \"a.b\" codes \"127.0.*.1\" { weight = 5 }\n"
        " error-codes = { \"127.255.255.0/24\", \"127.0.0.1\", \"127.0.10.0/24\" } }\n"
        "list \"b\" { zone = \"b.b\" codes \"&2\" { weight = 2 } codes \"&4\" { weight = "
        "1 }\n"
        " test-listed = \"\" test-unlisted = \"\" }",
        "exempt { networks = { \"10.0.0.0/8\", \"fc00::/7\" } }",
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
            fail_msg("%s: reported: %s", warnings[i].label, told.text);
        if (strchr(told.text, '\n') != strrchr(told.text, '\n'))
            fail_msg("%s: reported more: %s", warnings[i].label, told.text);
        config_unref(config);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_warnings),
        cmocka_unit_test(test_no_warnings),
    };

    return cmocka_run_group_tests(tests, set_up_folder, tear_down_folder);
}
