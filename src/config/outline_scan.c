#include "config/outline_scan.h"

#include <stdio.h>
#include <string.h>

void scan_advance(struct scan *s)
{
    s->token = lexer_next(&s->lexer);
}

struct place scan_place(const struct scan *s, int line)
{
    return (struct place){s->file, line};
}

char *scan_word(struct scan *s, const struct token *t)
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

void scan_skip_braces(struct scan *s)
{
    int depth = 0;

    do {
        if (s->token.kind == TOKEN_OPEN)
            depth++;
        if (s->token.kind == TOKEN_CLOSE)
            depth--;
        if (s->token.kind == TOKEN_END)
            return;
        scan_advance(s);
    } while (depth > 0);
}

void scan_skip_statement(struct scan *s)
{
    if (s->token.kind == TOKEN_PAREN_OPEN) {
        while (s->token.kind != TOKEN_PAREN_CLOSE && s->token.kind != TOKEN_END)
            scan_advance(s);
        scan_advance(s);
        return;
    }
    if (s->token.kind == TOKEN_EQUALS || s->token.kind == TOKEN_PLUS_EQUALS)
        scan_advance(s);
    if (s->token.kind == TOKEN_WORD) {
        scan_advance(s);
        if (s->token.kind != TOKEN_OPEN)
            return;
    }
    if (s->token.kind == TOKEN_OPEN)
        scan_skip_braces(s);
}

/* Skips the rest of the line of a statement that cannot be understood, but not a brace
 * that closes the section; of a list that cannot be understood, its brace too. */
static void skip_line(struct scan *s, bool in_list)
{
    int line = s->token.line;

    while (s->token.line == line && s->token.kind != TOKEN_END &&
           s->token.kind != TOKEN_CLOSE) {
        if (s->token.kind == TOKEN_OPEN)
            scan_skip_braces(s);
        else
            scan_advance(s);
    }
    if (in_list && s->token.line == line && s->token.kind == TOKEN_CLOSE)
        scan_advance(s);
}

void scan_blank(struct scan *s, const struct token *start)
{
    blank(s, start->start, s->token.kind == TOKEN_END ? strlen(s->text) : s->token.start);
}

void scan_unexpected_value(struct scan *s, const struct token *start,
                           const char *expected, bool in_list)
{
    char found[NAME_SIZE];

    token_shown(s, &s->token, found);
    if (s->token.kind == TOKEN_OPEN_ENDED) {
        report_mistake(s->report, scan_place(s, s->token.line),
                       "a string or comment that begins here has no end, expected %s",
                       s->text[s->token.start] == '/' ? "*/" : "a closing quote");
        scan_advance(s);
        s->open_ended = true;
    } else {
        report_mistake(s->report, scan_place(s, s->token.line), "%s, expected %s", found,
                       expected);
        skip_line(s, in_list);
    }
    scan_blank(s, start);
}

void scan_unexpected(struct scan *s, const struct token *start, const char *expected)
{
    scan_unexpected_value(s, start, expected, false);
}
