/* SPDX-License-Identifier: BSD-2-Clause */
/* The conf file: what it says is what is in force. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "config_helper.h"

static void test_defaults(void **state)
{
    struct config *c = load_good("");

    (void)state;
    assert_string_equal(c->user, "rblmilter");
    assert_string_equal(c->milter.socket, "inet:8895@127.0.0.1");
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
    assert_string_equal(reply_template_source(c->reply.blocklist),
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
    assert_int_equal(l->code_count, 0);
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
    assert_int_equal(c->lists[0].code_count, 2);
    assert_int_equal(c->lists[0].codes[0].weight, 3);
    assert_string_equal(c->lists[0].codes[0].label, "L");
    assert_int_equal(c->lists[0].codes[1].weight, -5);
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
        "resolver { servers = { \"127.0.0.1\", \"::1\", \"fe80::1%eth0\", "
        "\"[fe80::2%e]:54\" } timeout = \"1500ms\" }\n"
        "list \"a\" { zone = \"%{key}.b\" key-file = \"good.key\" error-codes = {}\n"
        " check = { \"helo\", \"client\" } organizational = true weight = -2\n"
        " reply = \"\\${HOME} 'x' \\\"%{what}\\\" 100%%\" codes \"127.0.*.[1;3]\" { } }\n"
        "list \"b\" { zone = \"b.b\" after = { \"a\" } mode = \"monitor\" }\n"
        "reply { helo = \"no, %{helo}\" }\n"
        "exempt { senders = { \"\\\"a b\\\"@c.d\", \"x\", \"@y.z\", \"\\\"a.org\\\"\" } "
        "networks = {} }\n");
    struct told told = {""};
    char *first, *second;

    (void)state;
    assert_string_equal(reply_template_source(c->lists[0].reply),
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

    /* a key that stands in the zone is as little shown */
    c = load("list \"a\" { zone = \"abcdefghijklmnopqrstuvwxyz.zen.dq.spamhaus.net\" }",
             &told);
    assert_non_null(c);
    assert_string_equal(c->lists[0].zone,
                        "abcdefghijklmnopqrstuvwxyz.zen.dq.spamhaus.net");
    assert_string_equal(c->lists[0].zone_shown, "***.zen.dq.spamhaus.net");
    print_to(c, &first);
    assert_null(strstr(first, "abcdef"));
    assert_null(strstr(told.text, "abcdef"));
    free(first);
    config_unref(c);

    c = load_good("list \"a\" { zone = \"%{key}.b\" key = \"s3cret\" }");
    print_to(c, &first);
    config_unref(c);
    assert_null(strstr(first, "3cret"));
    assert_non_null(strstr(first, "key = \"***\""));
    free(first);
}

/* What was printed is read from memory, and nothing outside of it. */
static void test_of_text(void **state)
{
    static const char *const refused[] = {
        "include(\"list.conf\")", "user = \"${HOME}\"", "user = ${HOME}",
        "user = \"\\\\${HOME}\"", "bogus = 1",
    };
    struct told told = {""};
    struct config *c =
        load_good("user = '${HOME}'\n"
                  "list \"a\" { zone = \"%{key}.a.example\" key = \"s3cret\" }\n"
                  "list \"b\" { zone = \"%{key}.b.example\""
                  " key-file = \"good.key\" weight = 4 }\n");
    char *first, *second;

    (void)state;
    print_to(c, &first);
    config_unref(c);
    unlink(path_of("good.key")); /* it is not read */
    c = config_of_text("then", first, config_tell, &told);
    assert_non_null(c);
    assert_string_equal(told.text, "");
    assert_string_equal(c->user, "${HOME}");
    assert_string_equal(c->lists[0].zone, "key.a.example");
    assert_string_equal(c->lists[1].zone, "key.b.example");
    assert_int_equal(c->lists[1].weight, 4);
    print_to(c, &second);
    assert_string_equal(first, second);
    config_unref(c);
    free(first);
    free(second);
    write_file("good.key", "# comes from the portal\n S3cret \n", 0640);
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        told.text[0] = '\0';
        if (config_of_text("then", refused[i], config_tell, &told) != NULL)
            fail_msg("accepted: %s", refused[i]);
        if (strncmp(told.text, "then", 4) != 0)
            fail_msg("%s: %s", refused[i], told.text);
    }
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

/* Kinds of broken files to include. */
static const char *const broken[] = {
    "bogus = 1\n",                /* unknown name */
    "log {\n level = \"info\"\n", /* a section without an end */
    "user = \"a\nlog { }\n",      /* a string without an end */
    "/* user = \"a\"\n",          /* a comment without an end */
    "user = \"\\999\"\n",         /* the lexer's own error, in a string */
    "resolver { servers = { \"::1\" \"::1\" } }\n",
    "list \"a\" { zone = \"a.b\" }\nlist \"a\" { zone = \"c.d\" }\n",
    "include(\"broken.conf\")\n", /* itself */
    "include(\"sub\")\ninclude(\"gone.conf\")\n",
    "user =",
};

/* However often a broken file is loaded, a good one loads then: nothing is left of it in
 * libconfuse's lexer, and the process lives on. */
static void test_good_after_broken(void **state)
{
    struct told told;
    struct config *c;

    (void)state;
    for (size_t i = 0; i < 500; i++) {
        const char *text = broken[i % (sizeof broken / sizeof broken[0])];

        write_file("broken.conf", text, 0644);
        if (load("user = 'x'\ninclude(\"broken.conf\")\n", &told) != NULL)
            fail_msg("accepted: %s", text);
        if (told.text[0] == '\0')
            fail_msg("refused without a word: %s", text);
        c = load_good("include(\"list.conf\") user = 'y'");
        assert_int_equal(c->list_count, 1);
        assert_string_equal(c->user, "y");
        config_unref(c);
    }
    unlink(path_of("broken.conf"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_list_defaults),
        cmocka_unit_test(test_test_points),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_rules_and_servers),
        cmocka_unit_test(test_include),
        cmocka_unit_test(test_print),
        cmocka_unit_test(test_of_text),
        cmocka_unit_test(test_refs),
        cmocka_unit_test(test_environment),
        cmocka_unit_test(test_good_after_broken),
    };

    return cmocka_run_group_tests(tests, set_up_folder, tear_down_folder);
}
