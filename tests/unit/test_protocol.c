/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "control/control.h"
#include "control/control_parts.h"
#include "control/protocol.h"
#include "daemon/commands.h"

static void test_read(void **state)
{
    static const struct {
        const char *label, *line;
        bool good;
    } cases[] = {
        {"object", "{\"command\":\"status\"}", true},
        {"empty object", "{}", true},
        {"empty line", "", false},
        {"array", "[1]", false},
        {"number", "1", false},
        {"cut short", "{\"command\":", false},
        {"something behind", "{} {}", false},
        {"a key twice", "{\"a\":1,\"a\":2}", false},
        {"NUL in a text", "{\"a\":\"x\\u0000y\"}", false},
        {"no UTF-8", "{\"a\":\"\xff\"}", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char error[256] = "";
        json_t *message =
            protocol_read(cases[i].line, strlen(cases[i].line), error, sizeof error);

        if ((message != NULL) != cases[i].good || (message == NULL) != (error[0] != '\0'))
            fail_msg("%s: %s", cases[i].label, error);
        json_decref(message);
    }
}

static void test_read_deep(void **state)
{
    size_t depth = PROTOCOL_REQUEST_MAX - 1;
    char *line = malloc(depth);
    char error[256];

    (void)state;
    memset(line, '[', depth);
    assert_null(protocol_read(line, depth, error, sizeof error));
    free(line);
}

static void test_write(void **state)
{
    json_t *message = json_pack("{s:s}", "text", "two\nlines");
    size_t length = 0;
    char *line = protocol_write(message, &length);

    (void)state;
    assert_string_equal(line, "{\"text\":\"two\\nlines\"}\n");
    assert_int_equal(length, strlen(line));
    free(line);
    json_decref(message);
}

/* What cannot be built whole is not there at all, whatever comes after. */
static void test_build(void **state)
{
    json_t *array = json_array(), *object = json_object();

    (void)state;
    protocol_append(&array, json_string("a"));
    protocol_set(&object, "array", array);
    assert_int_equal(json_array_size(json_object_get(object, "array")), 1);
    protocol_set(&object, "text", json_string("\xff"));
    assert_null(object);
    protocol_set(&object, "text", json_string("a"));
    assert_null(object);
    array = json_array();
    protocol_append(&array, NULL);
    assert_null(array);
}

static void test_error_names(void **state)
{
    (void)state;
    for (int i = 0; i < PROTOCOL_ERROR_COUNT; i++) {
        enum protocol_error read;

        assert_int_equal(protocol_error_parse(protocol_error_name(i), &read), 0);
        assert_int_equal(read, i);
    }
}

/* An error text with half a character at its cut is still an answer. */
static void test_error_answer_cut(void **state)
{
    char text[3000] = "";
    json_t *answer;

    (void)state;
    for (size_t i = 0; i + 3 < sizeof text; i += 2)
        memcpy(text + i, "\xc3\xbc", 3);
    answer = protocol_error_answer(PROTOCOL_FAILED, "%s", text);
    assert_non_null(answer);
    assert_true(json_is_false(json_object_get(answer, "ok")));
    assert_true(json_string_length(json_object_get(answer, "text")) > 1000);
    json_decref(answer);
}

static void test_peer_right(void **state)
{
    static const struct {
        const char *label;
        uid_t uid;
        gid_t groups[3];
        enum right want;
    } cases[] = {
        {"root", 0, {0, 0, 0}, RIGHT_WRITE},
        {"the daemon's user", 100, {7, 8, 9}, RIGHT_WRITE},
        {"member by primary group", 1000, {200, 8, 9}, RIGHT_READ},
        {"member by another group", 1000, {7, 8, 200}, RIGHT_READ},
        {"stranger", 1000, {7, 8, 9}, RIGHT_NONE},
        {"stranger in root's group", 1000, {0, 8, 9}, RIGHT_NONE},
        {"uid like the group", 200, {7, 8, 9}, RIGHT_NONE},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (peer_right(cases[i].uid, cases[i].groups, 3, 100, 200) != cases[i].want)
            fail_msg("%s", cases[i].label);
}

/* What each right may use, written down once more by hand: a new command is to be
 * thought about here. */
static const struct {
    const char *command;
    enum right needed;
} commands[] = {
    {"add", RIGHT_WRITE},
    {"allow", RIGHT_WRITE},
    {"tempfail", RIGHT_WRITE},
    {"remove", RIGHT_WRITE},
    {"list", RIGHT_READ},
    {"show", RIGHT_READ},
    {"log", RIGHT_READ},
    {"import-begin", RIGHT_WRITE},
    {"import-rows", RIGHT_WRITE},
    {"import-commit", RIGHT_WRITE},
    {"check", RIGHT_READ},
    {"status", RIGHT_READ},
    {"stats", RIGHT_READ},
    {"reload", RIGHT_WRITE},
    {"flush-cache", RIGHT_WRITE},
    {"doctor", RIGHT_READ},
    {"dnsbl", RIGHT_READ},
    {"dnsbl-change", RIGHT_WRITE},
    {"dnsbl-try", RIGHT_WRITE},
    {"why", RIGHT_READ},
    {"false", RIGHT_WRITE},
    {"whatif", RIGHT_READ},
    {"whatif-rules", RIGHT_READ},
    {"rules", RIGHT_READ},
    {"rules-resume", RIGHT_WRITE},
    {"proposals", RIGHT_READ},
    {"proposals-decide", RIGHT_WRITE},
    {"usage", RIGHT_READ},
    {"usage-reset", RIGHT_WRITE},
    {"event", RIGHT_WRITE},
    {"watch", RIGHT_READ},
    {"farm", RIGHT_READ},
    {"farm-compare", RIGHT_WRITE},
    {"farm-forget", RIGHT_WRITE},
};

/* Whether a session of that right may use it. */
static bool may_use(const struct command_table *table, const char *command,
                    enum right right)
{
    struct control_session session = {.table = table, .peer.right = right};
    json_t *line = json_pack("{s:s}", "command", command), *request, *answer;
    char *text = json_dumps(line, 0);
    bool found = command_find(&session, text, strlen(text), &request, &answer) != NULL;

    if (answer != NULL)
        assert_string_equal(json_string_value(json_object_get(answer, "error")),
                            "denied");
    json_decref(request);
    json_decref(answer);
    json_decref(line);
    free(text);
    return found;
}

static void test_rights(void **state)
{
    struct command_table table = daemon_commands(NULL);

    (void)state;
    assert_int_equal(table.count, sizeof commands / sizeof commands[0]);
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        for (int right = RIGHT_NONE; right <= RIGHT_WRITE; right++)
            if (may_use(&table, commands[i].command, (enum right)right) !=
                (right >= (int)commands[i].needed))
                fail_msg("%s with right %d", commands[i].command, right);
}

static void test_request_members(void **state)
{
    json_t *request =
        json_pack("{s:s, s:i, s:i, s:b, s:[s,s], s:[s,i], s:[], s:I, s:I}", "text", "x",
                  "number", 5, "negative", -1, "flag", 1, "texts", "a", "b", "mixed", "a",
                  1, "none", "longest", PROTOCOL_SPAN_MAX_S, "longer", INT64_MAX);
    const json_t *texts;
    const char *text = NULL;
    int64_t number = 0;
    bool flag = false;
    json_t *answer = NULL;

    (void)state;
    assert_int_equal(request_text(request, "text", &text, &answer), 0);
    assert_string_equal(text, "x");
    assert_int_equal(request_optional_text(request, "nothing", &text, &answer), 0);
    assert_string_equal(text, "x");
    assert_int_equal(request_optional_number(request, "number", 5, &number, &answer), 0);
    assert_int_equal(number, 5);
    assert_int_equal(request_optional_span(request, "longest", &number, &answer), 0);
    assert_int_equal(number, PROTOCOL_SPAN_MAX_S);
    assert_int_equal(request_optional_flag(request, "flag", &flag, &answer), 0);
    assert_true(flag);
    assert_int_equal(request_texts(request, "texts", 2, &texts, &answer), 0);
    assert_int_equal(json_array_size(texts), 2);

#define REFUSED(call)                                                                    \
    do {                                                                                 \
        assert_int_equal(call, -1);                                                      \
        assert_non_null(answer);                                                         \
        json_decref(answer);                                                             \
    } while (0)
    REFUSED(request_text(request, "nothing", &text, &answer));
    REFUSED(request_text(request, "number", &text, &answer));
    REFUSED(request_optional_number(request, "negative", 9, &number, &answer));
    REFUSED(request_optional_number(request, "text", 9, &number, &answer));
    REFUSED(request_optional_number(request, "number", 4, &number, &answer));
    REFUSED(request_optional_flag(request, "number", &flag, &answer));
    REFUSED(request_texts(request, "texts", 1, &texts, &answer));
    REFUSED(request_texts(request, "mixed", 9, &texts, &answer));
    REFUSED(request_texts(request, "none", 9, &texts, &answer));
    REFUSED(request_texts(request, "text", 9, &texts, &answer));
    assert_int_equal(request_optional_span(request, "longer", &number, &answer), -1);
    assert_string_equal(json_string_value(json_object_get(answer, "text")),
                        "\"longer\": expected a whole number from 0 to 31622400000");
    json_decref(answer);
    json_decref(request);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_read_deep),
        cmocka_unit_test(test_write),
        cmocka_unit_test(test_build),
        cmocka_unit_test(test_error_names),
        cmocka_unit_test(test_error_answer_cut),
        cmocka_unit_test(test_peer_right),
        cmocka_unit_test(test_rights),
        cmocka_unit_test(test_request_members),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
