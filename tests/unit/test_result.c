/* SPDX-License-Identifier: BSD-2-Clause */
/* What answers mean: codes, weights, errors. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>

#include "dnsbl/result.h"

/* A list as a conf file would make it: up to four codes sections, and error codes. */
struct section {
    const char *codes, *label;
    int weight;
};

static struct list *make_list(const struct section *sections, int weight,
                              const char *const *error_codes)
{
    struct list *list = calloc(1, sizeof *list);

    list->weight = weight;
    list->codes = calloc(4, sizeof *list->codes);
    list->error_codes = calloc(4, sizeof *list->error_codes);
    for (; sections[list->code_count].codes != NULL; list->code_count++) {
        struct code_rule *rule = &list->codes[list->code_count];
        char error[256];

        assert_int_equal(codes_parse(sections[list->code_count].codes, &rule->codes,
                                     error, sizeof error),
                         0);
        rule->label = (char *)sections[list->code_count].label;
        rule->weight = sections[list->code_count].weight;
    }
    for (size_t i = 0; error_codes[i] != NULL; i++)
        assert_int_equal(
            network_parse(error_codes[i], &list->error_codes[list->error_code_count++]),
            0);
    return list;
}

static void free_list(struct list *list)
{
    for (size_t i = 0; i < list->code_count; i++)
        codes_free(&list->codes[i].codes);
    free(list->codes);
    free(list->error_codes);
    free(list);
}

static struct dns_answer *make_answer(const char *const *addresses)
{
    unsigned count = 0;
    struct dns_answer *answer;

    while (addresses[count] != NULL)
        count++;
    answer = dns_answer_new(DNS_FOUND, count, NULL);
    assert_non_null(answer);
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(inet_pton(AF_INET, addresses[i], &answer->addresses[i]), 1);
    return answer;
}

/* A list's sections and error codes, its answer, and what that is. */
/* clang-format off */
static const struct {
    const char *label;
    struct section sections[5];
    const char *errors[4], *answer[5];
    enum result_state state;
    int weight;
    const char *code, *code_label;
} answers[] = {
    {"no section: any code is a listing", {{0}}, {"127.255.255.0/24", "127.0.0.1"}, {"127.0.0.77"},
     RESULT_LISTED, 5, "127.0.0.77", ""},
    {"no section: 127.0.0.1 is not", {{0}}, {"127.255.255.0/24", "127.0.0.1"}, {"127.0.0.1"},
     RESULT_ERROR, 0, "127.0.0.1", ""},
    {"127.0.0.1 is not, even without error codes", {{0}}, {NULL}, {"127.0.0.1"},
     RESULT_ERROR, 0, "127.0.0.1", ""},
    {"127.0.0.1 is where a section names it", {{"127.0.0.1", "white", -3}}, {"127.0.0.1"},
     {"127.0.0.1"},
     RESULT_LISTED, -3, "127.0.0.1", "white"},
    {"127.255.255.x never, even if named", {{"127.*.*.254", "", 8}}, {NULL}, {"127.255.255.254"},
     RESULT_ERROR, 0, "127.255.255.254", ""},
    {"an error code beside a listing spoils it", {{0}}, {"127.255.255.0/24"},
     {"127.0.0.2", "127.255.255.255"},
     RESULT_ERROR, 0, "127.255.255.255", ""},
    {"an error code of one's own", {{0}}, {"127.0.0.255"}, {"127.0.0.255"},
     RESULT_ERROR, 0, "127.0.0.255", ""},
    {"outside 127/8", {{0}}, {NULL}, {"192.0.2.80"},
     RESULT_FOREIGN, 0, "192.0.2.80", ""},
    {"outside 127/8 beside a listing", {{0}}, {NULL}, {"127.0.0.2", "192.0.2.80"},
     RESULT_FOREIGN, 0, "192.0.2.80", ""},
    {"not named", {{"127.0.0.2", "", 8}}, {NULL}, {"127.0.0.3"},
     RESULT_NOT_LISTED, 0, NULL, ""},
    {"the largest counts", {{"127.0.0.2", "SBL", 4}, {"127.0.0.9", "DROP", 8}}, {NULL},
     {"127.0.0.2", "127.0.0.9"},
     RESULT_LISTED, 8, "127.0.0.9", "DROP"},
    {"the largest counts, whatever the order", {{"127.0.0.2", "SBL", 4}, {"127.0.0.9", "DROP", 8}},
     {NULL}, {"127.0.0.9", "127.0.0.2"},
     RESULT_LISTED, 8, "127.0.0.9", "DROP"},
    {"a range and a narrower section: the largest",
     {{"127.0.0.2-127.0.0.9", "all", 2}, {"127.0.0.4", "XBL", 6}}, {NULL}, {"127.0.0.4"},
     RESULT_LISTED, 6, "127.0.0.4", "XBL"},
    {"of allow codes the smallest", {{"127.0.*.1", "low", -1}, {"127.0.*.3", "high", -5}}, {NULL},
     {"127.0.5.1", "127.0.9.3"},
     RESULT_LISTED, -5, "127.0.9.3", "high"},
    {"a listing beside an allow code", {{"127.0.0.1", "white", -5}, {"127.0.0.2", "black", 3}},
     {NULL}, {"127.0.0.1", "127.0.0.2"},
     RESULT_LISTED, 3, "127.0.0.2", "black"},
    {"bits add up", {{"&8", "PH", 5}, {"&16", "MW", 5}, {"&64", "ABUSE", 4}}, {NULL},
     {"127.0.0.80"},
     RESULT_LISTED, 9, "127.0.0.80", "MW"},
    {"a bit that nobody named", {{"&8", "PH", 5}}, {NULL}, {"127.0.0.4"},
     RESULT_NOT_LISTED, 0, NULL, ""},
    {"a section that weighs nothing is a listing", {{"127.0.0.2", "info", 0}}, {NULL},
     {"127.0.0.2"},
     RESULT_LISTED, 0, "127.0.0.2", "info"},
};
/* clang-format on */

static void judges(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        struct list *list = make_list(answers[i].sections, 5, answers[i].errors);
        struct dns_answer *answer = make_answer(answers[i].answer);
        struct dnsbl_result got = result_judge(list, answer);
        struct in_addr code = {0};

        if (answers[i].code != NULL)
            inet_pton(AF_INET, answers[i].code, &code);
        if (got.state != answers[i].state || got.weight != answers[i].weight ||
            got.code.s_addr != code.s_addr ||
            strcmp(got.label, answers[i].code_label) != 0)
            fail_msg("%s: state %s weight %d code %s label \"%s\"", answers[i].label,
                     result_state_name(got.state), got.weight, inet_ntoa(got.code),
                     got.label);
        dns_answer_unref(answer);
        free_list(list);
    }
}

static void failures(void **state)
{
    static const struct {
        enum dns_status status;
        enum result_state want;
    } cases[] = {
        {DNS_NONE, RESULT_NOT_LISTED}, {DNS_TIMEOUT, RESULT_FAILED},
        {DNS_SERVFAIL, RESULT_FAILED}, {DNS_FORMERR, RESULT_FAILED},
        {DNS_NOTIMP, RESULT_FAILED},   {DNS_REFUSED, RESULT_ERROR},
        {DNS_INVALID, RESULT_FAILED},  {DNS_NOT_ASKED, RESULT_FAILED},
    };
    struct list list = {.weight = 8};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct dnsbl_result got =
            result_judge(&list, dns_answer_failure(cases[i].status));

        if (got.state != cases[i].want || got.weight != 0)
            fail_msg("%s: %s", dns_status_name(cases[i].status),
                     result_state_name(got.state));
    }
}

static void bounds(void **state)
{
    static const struct {
        const char *label;
        struct section sections[5];
        int least, most;
    } cases[] = {
        {"no section", {{0}}, 0, 5},
        {"sections: the extremes", {{"127.0.0.2", "", 8}, {"127.0.0.3", "", -2}}, -2, 8},
        {"bits: their sum", {{"&8", "", 5}, {"&16", "", 5}, {"127.0.0.2", "", 3}}, 0, 10},
        {"only negative", {{"127.0.*.3", "", -5}}, -5, 0},
    };
    static const char *const none[] = {NULL};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct list *list = make_list(cases[i].sections, 5, none);
        int least, most;

        result_bounds(list, &least, &most);
        if (least != cases[i].least || most != cases[i].most)
            fail_msg("%s: %d to %d", cases[i].label, least, most);
        free_list(list);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(judges),
        cmocka_unit_test(failures),
        cmocka_unit_test(bounds),
    };

    return cmocka_run_group_tests_name("listing", tests, NULL, NULL);
}
