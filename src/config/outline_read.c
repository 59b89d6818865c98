#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/outline_scan.h"

#define EXPECTED_SIZE 512

/* The section that is being read: its rows, its path and how messages name it. */
struct scope {
    const struct section *section;
    const char *path;
    char shown[NAME_SIZE * 2];
    struct place place;
};

static void expected_in(const struct section *section, char out[static EXPECTED_SIZE])
{
    size_t used = 0;

    out[0] = '\0';
    for (size_t i = 0; i < section->option_count && used < EXPECTED_SIZE; i++)
        used += (size_t)snprintf(out + used, EXPECTED_SIZE - used, "%s%s",
                                 used > 0 ? ", " : "", section->options[i].name);
    for (size_t i = 0; section->sections != NULL && section->sections[i] != NULL &&
                       used < EXPECTED_SIZE;
         i++)
        used += (size_t)snprintf(out + used, EXPECTED_SIZE - used, "%s%s",
                                 used > 0 ? ", " : "", section->sections[i]->name);
    if (section->name == NULL && used < EXPECTED_SIZE)
        snprintf(out + used, EXPECTED_SIZE - used, ", include");
}

static void unknown_name(struct scan *s, const struct scope *scope,
                         const struct token *start, const char *name)
{
    char expected[EXPECTED_SIZE];

    expected_in(scope->section, expected);
    report_mistake(s->report, scan_place(s, start->line),
                   "unknown name \"%.60s\" in %s, expected one of: %s", name,
                   scope->shown, expected);
    scan_skip_statement(s);
    scan_blank(s, start);
}

/* "${NAME}" without such a variable, and without ":-text" for that case, is taken as
 * nothing by libconfuse, silently. */
static void check_environment(struct scan *s)
{
    const char *p = s->text + s->token.text_start, *end = s->text + s->token.text_end;

    if (s->text[s->token.start] == '\'')
        return;
    for (; p + 2 < end; p++) {
        const char *close;
        char name[NAME_SIZE];

        if (p[0] == '\\')
            p++; /* "\$" is a dollar sign */
        else if (p[0] == '$' && p[1] == '{') {
            close = memchr(p, '}', (size_t)(end - p));
            if (close == NULL || close - p - 2 >= NAME_SIZE)
                return;
            snprintf(name, sizeof name, "%.*s", (int)(close - p - 2), p + 2);
            if (strstr(name, ":-") == NULL && getenv(name) == NULL)
                report_warning(s->report, scan_place(s, s->token.line),
                               "${%s}: no such variable in the environment, taken as "
                               "nothing (\"\\$\" is a dollar sign)",
                               name);
            p = close;
        }
    }
}

/* Notes where a value stands, and moves on. */
static void take_value(struct scan *s, const char *path, unsigned *number)
{
    char text[16];

    check_environment(s);
    snprintf(text, sizeof text, "%u", (*number)++);
    outline_add(s->outline, outline_join(path, text), scan_place(s, s->token.line));
    scan_advance(s);
}

/* How many values an option has by default. */
static unsigned default_count(const struct option *option)
{
    unsigned count = option->value[0] != '\0' ? 1 : 0;

    for (const char *p = option->value; *p != '\0'; p++)
        if (*p == ',')
            count++;
    return count;
}

static bool has_value(struct scan *s, const char *path, unsigned number)
{
    struct place place;
    char text[16], *value;
    bool found;

    snprintf(text, sizeof text, "%u", number);
    value = outline_join(path, text);
    found = value != NULL && outline_find(s->outline, value, &place);
    free(value);
    return found;
}

/* The number of the first value that "+=" adds. */
static unsigned next_number(struct scan *s, const struct option *option, const char *path)
{
    unsigned number = has_value(s, path, 0) ? 0 : default_count(option);

    while (has_value(s, path, number))
        number++;
    return number;
}

/* "{ a, b }", the current token being the brace. A comma at the end is fine. */
static int read_values(struct scan *s, const char *path, unsigned number)
{
    scan_advance(s);
    while (s->token.kind == TOKEN_WORD) {
        take_value(s, path, &number);
        if (s->token.kind != TOKEN_COMMA)
            break;
        scan_advance(s);
    }
    if (s->token.kind != TOKEN_CLOSE)
        return -1;
    scan_advance(s);
    return 0;
}

/* "= value" behind an option's name. */
static void read_option(struct scan *s, const struct option *option, const char *path,
                        const struct token *start)
{
    bool list = kind_is_list(option->kind);
    unsigned number = 0;

    if (s->token.kind != TOKEN_EQUALS && !(list && s->token.kind == TOKEN_PLUS_EQUALS)) {
        scan_unexpected(s, start, list ? "\"=\" or \"+=\"" : "\"=\"");
        return;
    }
    if (s->token.kind == TOKEN_PLUS_EQUALS)
        number = next_number(s, option, path);
    scan_advance(s);
    if (s->token.kind == TOKEN_WORD)
        take_value(s, path, &number);
    else if (!list)
        scan_unexpected(s, start, "one value");
    else if (s->token.kind != TOKEN_OPEN)
        scan_unexpected(s, start, "values in braces, such as { \"a\", \"b\" }");
    else if (read_values(s, path, number) != 0)
        scan_unexpected_value(
            s, start, "values with commas between them, and \"}\" at the end", true);
}

/* "("file")" behind "include"; libconfuse calls our function then. */
static void read_include(struct scan *s, const struct token *start)
{
    static const char expected[] = "include(\"FILE\")";

    if (s->token.kind != TOKEN_PAREN_OPEN) {
        scan_unexpected(s, start, expected);
        return;
    }
    scan_advance(s);
    if (s->token.kind != TOKEN_WORD) {
        scan_unexpected(s, start, expected);
        return;
    }
    scan_advance(s);
    if (s->token.kind != TOKEN_PAREN_CLOSE)
        scan_unexpected(s, start, expected);
    else
        scan_advance(s);
}

static void read_block(struct scan *s, const struct scope *scope, int depth);

/* What stands in a section's braces, the current token being the first. */
static void read_braces(struct scan *s, struct scope *scope, const char *title,
                        const struct token *start, int depth)
{
    struct place earlier;
    bool twice = title != NULL && outline_find(s->outline, scope->path, &earlier);

    if (title != NULL)
        snprintf(scope->shown, sizeof scope->shown, "%s \"%.60s\"", scope->section->name,
                 title);
    else
        snprintf(scope->shown, sizeof scope->shown, "section %s", scope->section->name);
    if (twice) {
        report_mistake(s->report, scope->place,
                       "%s stands in %s:%d already, expected another title", scope->shown,
                       earlier.file, earlier.line);
        scan_skip_braces(s);
        scan_blank(s, start);
        return;
    }
    outline_add(s->outline, strdup(scope->path), scope->place);
    scan_advance(s);
    read_block(s, scope, depth + 1);
}

static void read_section(struct scan *s, const struct section *section, const char *path,
                         const struct token *start, int depth)
{
    struct scope scope = {section, path, "", scan_place(s, start->line)};
    char *title = NULL, *titled = NULL;

    if (section->titled) {
        if (s->token.kind != TOKEN_WORD) {
            scan_unexpected(s, start, "a title in quotes");
            return;
        }
        title = scan_word(s, &s->token);
        titled = title != NULL ? outline_join(path, title) : NULL;
        if (titled == NULL) {
            outline_add(s->outline, NULL, (struct place){0});
            goto out;
        }
        scope.path = titled;
        scan_advance(s);
    }
    if (s->token.kind == TOKEN_OPEN)
        read_braces(s, &scope, title, start, depth);
    else
        scan_unexpected(s, start, "\"{\"");
out:
    free(titled);
    free(title);
}

/* A statement that begins with a word. */
static void read_statement(struct scan *s, const struct scope *scope, int depth)
{
    struct token start = s->token;
    char *name = scan_word(s, &start);
    char *path = name != NULL ? outline_join(scope->path, name) : NULL;
    const struct option *option;
    const struct section *section;

    scan_advance(s);
    if (path == NULL) {
        outline_add(s->outline, NULL, (struct place){0});
        goto out;
    }
    option = section_option(scope->section, name);
    s->secret = option != NULL && option->kind == KIND_SECRET;
    section = section_section(scope->section, name);
    if (option != NULL) {
        outline_add(s->outline, strdup(path), scan_place(s, start.line));
        read_option(s, option, path, &start);
    } else if (section != NULL) {
        read_section(s, section, path, &start, depth);
    } else if (scope->path == NULL && strcmp(name, "include") == 0) {
        read_include(s, &start);
    } else {
        unknown_name(s, scope, &start, name);
    }
out:
    free(path);
    free(name);
}

static void read_block(struct scan *s, const struct scope *scope, int depth)
{
    while (outline_is_whole(s->outline)) {
        struct token start = s->token;

        if (start.kind == TOKEN_WORD) {
            read_statement(s, scope, depth);
        } else if (start.kind == TOKEN_CLOSE && depth > 0) {
            scan_advance(s);
            return;
        } else if (start.kind == TOKEN_CLOSE) {
            report_mistake(s->report, scan_place(s, start.line),
                           "\"}\" without a section that it could end, expected a name");
            scan_advance(s);
            scan_blank(s, &start);
        } else if (start.kind == TOKEN_END) {
            if (depth > 0 && !s->open_ended)
                report_mistake(s->report, scan_place(s, start.line),
                               "the file ends inside of %s, which begins in line %d, "
                               "expected \"}\"",
                               scope->shown, scope->place.line);
            return;
        } else {
            scan_unexpected(s, &start, "a name");
        }
    }
}

int outline_read(struct outline *o, struct report *report, const char *file, char *text)
{
    struct scan s = {o, report, file, text, {text, 0, 1}, {0}, false, false};
    struct scope scope = {&file_section, NULL, "the file", {file, 0}};

    scan_advance(&s);
    read_block(&s, &scope, 0);
    return outline_is_whole(o) ? 0 : -1;
}
