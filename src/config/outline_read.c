#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/outline.h"
#include "config/tokens.h"

#define NAME_SIZE     128 /* of what a message shows of a name or a title */
#define EXPECTED_SIZE 512

/* One file being read. */
struct scan {
    struct outline *outline;
    struct report *report;
    const char *file;
    char *text;
    struct lexer lexer;
    struct token token; /* the one to look at */
    bool secret;        /* the statement is a key's: what stands there is not shown */
    bool open_ended;    /* the file ends in a string: of course its braces are missing */
};

/* The section that is being read: its rows, its path and how messages name it. */
struct scope {
    const struct section *section;
    const char *path;
    char shown[NAME_SIZE * 2];
    struct place place;
};

static void advance(struct scan *s)
{
    s->token = lexer_next(&s->lexer);
}

static struct place place_of(const struct scan *s, int line)
{
    return (struct place){s->file, line};
}

/* The word's text, without its quotes. NULL: out of memory. */
static char *word_text(struct scan *s, const struct token *t)
{
    char *text = strndup(s->text + t->text_start, t->text_end - t->text_start);

    if (text == NULL)
        outline_add(s->outline, NULL, (struct place){0});
    return text;
}

/* How a message shows a token. */
static void token_shown(const struct scan *s, const struct token *t,
                        char out[static NAME_SIZE])
{
    int length = (int)(t->end - t->start);

    if (t->kind == TOKEN_END)
        snprintf(out, NAME_SIZE, "the end of the file");
    else if (s->secret)
        snprintf(out, NAME_SIZE, "something else");
    else if (s->text[t->start] == '"' || s->text[t->start] == '\'')
        snprintf(out, NAME_SIZE, "%.*s", length < 60 ? length : 60, s->text + t->start);
    else
        snprintf(out, NAME_SIZE, "\"%.*s\"", length < 60 ? length : 60,
                 s->text + t->start);
}

/* Hides from libconfuse what lies between; lines stay lines. */
static void blank(struct scan *s, size_t start, size_t end)
{
    for (size_t i = start; i < end; i++)
        if (s->text[i] != '\n')
            s->text[i] = ' ';
}

/* Skips what stands in braces, the current token being the first. */
static void skip_braces(struct scan *s)
{
    int depth = 0;

    do {
        if (s->token.kind == TOKEN_OPEN)
            depth++;
        if (s->token.kind == TOKEN_CLOSE)
            depth--;
        if (s->token.kind == TOKEN_END)
            return;
        advance(s);
    } while (depth > 0);
}

/* Skips a statement whose name is behind us, whatever it is: an assignment, a section, a
 * call. */
static void skip_statement(struct scan *s)
{
    if (s->token.kind == TOKEN_PAREN_OPEN) {
        while (s->token.kind != TOKEN_PAREN_CLOSE && s->token.kind != TOKEN_END)
            advance(s);
        advance(s);
        return;
    }
    if (s->token.kind == TOKEN_EQUALS || s->token.kind == TOKEN_PLUS_EQUALS)
        advance(s);
    if (s->token.kind == TOKEN_WORD) {
        advance(s);
        if (s->token.kind != TOKEN_OPEN)
            return;
    }
    if (s->token.kind == TOKEN_OPEN)
        skip_braces(s);
}

/* Skips the rest of the line of a statement that cannot be understood, but not a brace
 * that closes the section; of a list that cannot be understood, its brace too. */
static void skip_line(struct scan *s, bool in_list)
{
    int line = s->token.line;

    while (s->token.line == line && s->token.kind != TOKEN_END &&
           s->token.kind != TOKEN_CLOSE) {
        if (s->token.kind == TOKEN_OPEN)
            skip_braces(s);
        else
            advance(s);
    }
    if (in_list && s->token.line == line && s->token.kind == TOKEN_CLOSE)
        advance(s);
}

/* Hides a statement from its start to the current token. */
static void blank_statement(struct scan *s, const struct token *start)
{
    blank(s, start->start, s->token.kind == TOKEN_END ? strlen(s->text) : s->token.start);
}

/* Tells that something else was expected here, and gets over it. */
static void unexpected_value(struct scan *s, const struct token *start,
                             const char *expected, bool in_list)
{
    char found[NAME_SIZE];

    token_shown(s, &s->token, found);
    if (s->token.kind == TOKEN_OPEN_ENDED) {
        report_mistake(s->report, place_of(s, s->token.line),
                       "a string or comment that begins here has no end, expected %s",
                       s->text[s->token.start] == '/' ? "*/" : "a closing quote");
        advance(s);
        s->open_ended = true;
    } else {
        report_mistake(s->report, place_of(s, s->token.line), "%s, expected %s", found,
                       expected);
        skip_line(s, in_list);
    }
    blank_statement(s, start);
}

static void unexpected(struct scan *s, const struct token *start, const char *expected)
{
    unexpected_value(s, start, expected, false);
}

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
    report_mistake(s->report, place_of(s, start->line),
                   "unknown name \"%.60s\" in %s, expected one of: %s", name,
                   scope->shown, expected);
    skip_statement(s);
    blank_statement(s, start);
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
                report_warning(s->report, place_of(s, s->token.line),
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
    outline_add(s->outline, outline_join(path, text), place_of(s, s->token.line));
    advance(s);
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
    advance(s);
    while (s->token.kind == TOKEN_WORD) {
        take_value(s, path, &number);
        if (s->token.kind != TOKEN_COMMA)
            break;
        advance(s);
    }
    if (s->token.kind != TOKEN_CLOSE)
        return -1;
    advance(s);
    return 0;
}

/* "= value" behind an option's name. */
static void read_option(struct scan *s, const struct option *option, const char *path,
                        const struct token *start)
{
    bool list = kind_is_list(option->kind);
    unsigned number = 0;

    if (s->token.kind != TOKEN_EQUALS && !(list && s->token.kind == TOKEN_PLUS_EQUALS)) {
        unexpected(s, start, list ? "\"=\" or \"+=\"" : "\"=\"");
        return;
    }
    if (s->token.kind == TOKEN_PLUS_EQUALS)
        number = next_number(s, option, path);
    advance(s);
    if (s->token.kind == TOKEN_WORD)
        take_value(s, path, &number);
    else if (!list)
        unexpected(s, start, "one value");
    else if (s->token.kind != TOKEN_OPEN)
        unexpected(s, start, "values in braces, such as { \"a\", \"b\" }");
    else if (read_values(s, path, number) != 0)
        unexpected_value(s, start,
                         "values with commas between them, and \"}\" at the end", true);
}

/* "("file")" behind "include"; libconfuse calls our function then. */
static void read_include(struct scan *s, const struct token *start)
{
    static const char expected[] = "include(\"FILE\")";

    if (s->token.kind != TOKEN_PAREN_OPEN) {
        unexpected(s, start, expected);
        return;
    }
    advance(s);
    if (s->token.kind != TOKEN_WORD) {
        unexpected(s, start, expected);
        return;
    }
    advance(s);
    if (s->token.kind != TOKEN_PAREN_CLOSE)
        unexpected(s, start, expected);
    else
        advance(s);
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
        skip_braces(s);
        blank_statement(s, start);
        return;
    }
    outline_add(s->outline, strdup(scope->path), scope->place);
    advance(s);
    read_block(s, scope, depth + 1);
}

static void read_section(struct scan *s, const struct section *section, const char *path,
                         const struct token *start, int depth)
{
    struct scope scope = {section, path, "", place_of(s, start->line)};
    char *title = NULL, *titled = NULL;

    if (section->titled) {
        if (s->token.kind != TOKEN_WORD) {
            unexpected(s, start, "a title in quotes");
            return;
        }
        title = word_text(s, &s->token);
        titled = title != NULL ? outline_join(path, title) : NULL;
        if (titled == NULL) {
            outline_add(s->outline, NULL, (struct place){0});
            goto out;
        }
        scope.path = titled;
        advance(s);
    }
    if (s->token.kind == TOKEN_OPEN)
        read_braces(s, &scope, title, start, depth);
    else
        unexpected(s, start, "\"{\"");
out:
    free(titled);
    free(title);
}

/* A statement that begins with a word. */
static void read_statement(struct scan *s, const struct scope *scope, int depth)
{
    struct token start = s->token;
    char *name = word_text(s, &start);
    char *path = name != NULL ? outline_join(scope->path, name) : NULL;
    const struct option *option;
    const struct section *section;

    advance(s);
    if (path == NULL) {
        outline_add(s->outline, NULL, (struct place){0});
        goto out;
    }
    option = section_option(scope->section, name);
    s->secret = option != NULL && option->kind == KIND_SECRET;
    section = section_section(scope->section, name);
    if (option != NULL) {
        outline_add(s->outline, strdup(path), place_of(s, start.line));
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
            advance(s);
            return;
        } else if (start.kind == TOKEN_CLOSE) {
            report_mistake(s->report, place_of(s, start.line),
                           "\"}\" without a section that it could end, expected a name");
            advance(s);
            blank(s, start.start, start.end);
        } else if (start.kind == TOKEN_END) {
            if (depth > 0 && !s->open_ended)
                report_mistake(s->report, place_of(s, start.line),
                               "the file ends inside of %s, which begins in line %d, "
                               "expected \"}\"",
                               scope->shown, scope->place.line);
            return;
        } else {
            unexpected(s, &start, "a name");
        }
    }
}

int outline_read(struct outline *o, struct report *report, const char *file, char *text)
{
    struct scan s = {o, report, file, text, {text, 0, 1}, {0}, false, false};
    struct scope scope = {&file_section, NULL, "the file", {file, 0}};

    advance(&s);
    read_block(&s, &scope, 0);
    return outline_is_whole(o) ? 0 : -1;
}
