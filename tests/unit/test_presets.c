/* SPDX-License-Identifier: BSD-2-Clause */
/* The presets in etc/lists.d: what each makes of the answers that its list is known to
 * give (docs/lists.md). */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <arpa/inet.h>

#include "dnsbl/result.h"

#define NONE  "none"
#define ERROR "error"

static const struct {
    const char *preset, *list; /* list NULL: of the preset's name */
    const char *answer;        /* one address, or several with spaces between */
    const char *label;         /* NONE, ERROR, or the label of what it is listed by */
    int weight;
} cases[] = {
    {"spamhaus-zen", NULL, "127.0.0.2", "SBL", 8},
    {"spamhaus-zen", NULL, "127.0.0.10", "PBL", 4},
    {"spamhaus-zen", NULL, "127.0.0.10 127.0.0.4", "XBL", 8},
    {"spamhaus-zen", NULL, "127.0.0.2 127.0.0.9", "SBL", 8},
    {"spamhaus-zen", NULL, "127.0.0.8", NONE, 0},
    {"spamhaus-zen", NULL, "127.255.255.254", ERROR, 0},
    {"spamhaus-zen-dqs", NULL, "127.255.255.250", ERROR, 0},
    {"spamhaus-authbl", NULL, "127.0.0.20", "AuthBL", 4},
    {"spamhaus-dbl", NULL, "127.0.1.2", "DBL spam", 8},
    {"spamhaus-dbl", NULL, "127.0.1.104", "DBL abused legit", 3},
    {"spamhaus-dbl", NULL, "127.0.1.103", "DBL abused redirector", 0},
    {"spamhaus-dbl", NULL, "127.0.1.255", ERROR, 0},
    {"spamhaus-dbl-dqs", NULL, "127.0.1.255", ERROR, 0},
    {"spamhaus-zrd", NULL, "127.0.2.2", "ZRD, first seen within 4 hours", 4},
    {"spamhaus-zrd", NULL, "127.0.2.24", "ZRD, first seen within 24 hours", 2},
    {"spamhaus-zrd", NULL, "127.0.2.255", ERROR, 0},
    {"abusix-combined", NULL, "127.0.0.2 127.0.0.11", "black, trap hit", 8},
    {"abusix-combined", NULL, "127.0.0.12", "no reverse name", 3},
    {"abusix-combined", NULL, "127.0.0.200", "black, manual", 8},
    {"abusix-dblack", NULL, "127.0.1.2", "newly observed", 3},
    {"abusix-nod", NULL, "127.0.0.2", "", 2},
    {"abusix-nod", NULL, "127.0.0.1", ERROR, 0},
    {"abusix-white", NULL, "127.0.2.3", "white", -2},
    {"spamcop", NULL, "127.0.0.2", "SpamCop", 4},
    {"barracuda", NULL, "127.0.0.2", "BRBL", 4},
    {"mailspike", NULL, "127.0.0.2", "Z, current wave", 4},
    {"mailspike", NULL, "127.0.0.10 127.0.0.2", "L5, worst", 5},
    {"mailspike", NULL, "127.0.0.15", NONE, 0},
    {"mailspike-allow", NULL, "127.0.0.20", "H5, excellent", -2},
    {"mailspike-allow", NULL, "127.0.0.18", "H2-H3, good", 0},
    {"psbl", NULL, "127.0.0.2", "PSBL", 2},
    {"gbudb-truncate", NULL, "127.0.0.2", "Truncate", 3},
    {"spameatingmonkey", NULL, "127.0.0.2", "SEM", 2},
    {"spameatingmonkey-backscatter", NULL, "127.0.0.2", "SEM backscatter", 2},
    {"spameatingmonkey-uri", NULL, "127.0.0.2", "SEM-URI", 3},
    {"s5h", NULL, "127.0.0.2", "", 2},
    {"blocklist-de", NULL, "127.0.0.13", "sasl", 2},
    {"blocklist-de", NULL, "127.0.0.15", "other service", 0},
    {"dronebl", NULL, "127.0.0.8", "open proxy", 2},
    {"dronebl", NULL, "127.0.0.255", "other", 0},
    {"spamrats", "spamrats-spam", "127.0.0.38", "Spam", 3},
    {"spamrats", "spamrats-dyna", "127.0.0.36", "Dyna", 2},
    {"spamrats", "spamrats-noptr", "127.0.0.37", "NoPtr", 1},
    {"spamrats", "spamrats-spam", "127.0.0.36", NONE, 0},
    {"nordspam", NULL, "127.0.0.2", "NordSpam", 2},
    {"virusfree", NULL, "127.0.0.2", "BIP botnet", 1},
    {"senderscore", NULL, "127.0.0.1", "bot", 1},
    {"senderscore", NULL, "127.0.0.5", "bot", 3},
    {"senderscore", NULL, "127.255.255.255", ERROR, 0},
    {"uceprotect-1", NULL, "127.0.0.2", "UCEPROTECT L1", 1},
    {"backscatterer", NULL, "127.0.0.2", "Backscatterer", 3},
    {"surbl", NULL, "127.0.0.64", "ABUSE", 4},
    {"surbl", NULL, "127.0.0.80", "MW, malware", 9},
    {"surbl", NULL, "127.0.0.4", "DM, disposable", 0},
    {"surbl", NULL, "127.0.0.1", ERROR, 0},
    {"uribl", NULL, "127.0.0.2", "black", 4},
    {"uribl", NULL, "127.0.0.14", "black", 4},
    {"uribl", NULL, "127.0.0.8", "red", 0},
    {"uribl", NULL, "127.0.0.1", ERROR, 0},
    {"msbl-ebl", NULL, "127.0.0.3", "EBL", 5},
    {"msbl-ebl", NULL, "127.0.1.2", "grey", 0},
    {"dnswl", NULL, "127.0.5.1", "DNSWL low", -1},
    {"dnswl", NULL, "127.0.20.3", "DNSWL high", -5},
    {"dnswl", NULL, "127.0.10.0", "DNSWL none", 0},
    {"dnswl", NULL, "127.0.10.3", ERROR, 0},
    {"dnswl", NULL, "127.0.0.255", ERROR, 0},
    {"dnswl", NULL, "127.0.0.1", ERROR, 0},
};
#define CASE_COUNT (sizeof cases / sizeof cases[0])

static void fail_with(void *context, const char *text)
{
    (void)context;
    fail_msg("%s", text);
}

/* Includes the preset from the source tree, whose place make check says by $srcdir. */
static struct config *load(const char *preset)
{
    char path[] = "/tmp/rblmilter-preset-XXXXXX", cwd[4096];
    const char *srcdir = getenv("srcdir");
    int fd = mkstemp(path);
    struct config *config;
    FILE *file;

    assert_true(fd >= 0);
    file = fdopen(fd, "w");
    assert_non_null(file);
    assert_non_null(getcwd(cwd, sizeof cwd));
    if (srcdir == NULL)
        srcdir = ".";
    fprintf(file,
            "verdict { reject = 1 tag = 1 }\ninclude(\"%s/%s/etc/lists.d/%s.conf\")\n",
            srcdir[0] == '/' ? "" : cwd, srcdir, preset);
    assert_int_equal(fclose(file), 0);
    config = config_load(path, fail_with, NULL);
    assert_int_equal(unlink(path), 0);
    assert_non_null(config);
    return config;
}

static struct list *find_list(struct config *config, const char *name)
{
    for (size_t i = 0; i < config->list_count; i++)
        if (strcmp(config->lists[i].name, name) == 0)
            return &config->lists[i];
    fail_msg("no list \"%s\"", name);
    return NULL;
}

static struct dns_answer *make_answer(const char *text)
{
    struct dns_answer *answer = dns_answer_new(DNS_FOUND, 2, NULL);
    char *copy = strdup(text), *rest = copy, *word;

    assert_non_null(answer);
    assert_non_null(copy);
    answer->address_count = 0;
    while ((word = strsep(&rest, " ")) != NULL)
        assert_int_equal(
            inet_pton(AF_INET, word, &answer->addresses[answer->address_count++]), 1);
    free(copy);
    return answer;
}

static void knows_what_its_list_answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < CASE_COUNT; i++) {
        const char *name = cases[i].list != NULL ? cases[i].list : cases[i].preset;
        struct config *config = load(cases[i].preset);
        struct dns_answer *answer = make_answer(cases[i].answer);
        struct dnsbl_result got = result_judge(find_list(config, name), answer);

        print_message("%s %s\n", name, cases[i].answer);
        if (got.state == RESULT_LISTED) {
            assert_string_equal(got.label, cases[i].label);
            assert_int_equal(got.weight, cases[i].weight);
        } else {
            assert_string_equal(result_state_name(got.state), cases[i].label);
        }
        dns_answer_unref(answer);
        config_unref(config);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(knows_what_its_list_answers)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
