#include "config/tokens.h"

#include <stdbool.h>
#include <string.h>

/* What ends a word without quotes. */
#define WORD_ENDS " \t\n\r#\"'={}()+,*"

static void skip_to(struct lexer *l, size_t at)
{
    for (; l->at < at; l->at++)
        if (l->text[l->at] == '\n')
            l->line++;
}

/* The length of "${NAME}" at p, which libconfuse takes from the environment; 0 if there
 * is none. Quotes and braces in it do not count. */
static size_t variable_length(const char *p)
{
    const char *end;

    if (p[0] != '$' || p[1] != '{')
        return 0;
    end = strchr(p, '}');
    return end != NULL ? (size_t)(end - p) + 1 : 0;
}

/* The length of a string in quotes, or 0 if the file ends in it. */
static size_t string_length(const char *start)
{
    const char *p = start + 1;

    while (*p != '\0' && *p != *start) {
        size_t variable = *start == '"' ? variable_length(p) : 0;

        if (variable > 0)
            p += variable;
        else
            p += p[0] == '\\' && p[1] != '\0' ? 2 : 1;
    }
    return *p != '\0' ? (size_t)(p - start) + 1 : 0;
}

/* A slash is part of a word unless it begins a comment. */
static bool is_comment(const char *p)
{
    return p[0] == '#' || (p[0] == '/' && (p[1] == '/' || p[1] == '*'));
}

static size_t word_length(const char *start)
{
    const char *p = start;
    size_t variable = variable_length(p);

    if (variable > 0)
        return variable;
    while (*p != '\0' && strchr(WORD_ENDS, *p) == NULL && !is_comment(p))
        p++;
    return (size_t)(p - start);
}

/* The length of a comment, or 0 if the file ends in it. */
static size_t comment_length(const char *start)
{
    const char *end;

    if (start[0] == '#' || start[1] == '/')
        return strcspn(start, "\n");
    end = strstr(start + 2, "*/");
    return end != NULL ? (size_t)(end - start) + 2 : 0;
}

static enum token_kind sign(const char *p, size_t *length)
{
    *length = p[0] == '+' && p[1] == '=' ? 2 : 1;
    switch (*p) {
    case '{':
        return TOKEN_OPEN;
    case '}':
        return TOKEN_CLOSE;
    case '(':
        return TOKEN_PAREN_OPEN;
    case ')':
        return TOKEN_PAREN_CLOSE;
    case '=':
        return TOKEN_EQUALS;
    case ',':
        return TOKEN_COMMA;
    case '+':
        return *length == 2 ? TOKEN_PLUS_EQUALS : TOKEN_END;
    }
    return TOKEN_END;
}

static struct token take(struct lexer *l, enum token_kind kind, size_t length,
                         size_t quotes)
{
    struct token t = {kind, l->at, l->at + length, 0, 0, l->line};

    t.text_start = t.start + quotes;
    t.text_end = t.end - quotes;
    skip_to(l, t.end);
    return t;
}

static struct token take_rest(struct lexer *l)
{
    return take(l, TOKEN_OPEN_ENDED, strlen(l->text + l->at), 0);
}

struct token lexer_next(struct lexer *l)
{
    while (l->text[l->at] != '\0') {
        const char *p = l->text + l->at;
        enum token_kind kind;
        size_t length;

        if (is_comment(p)) {
            length = comment_length(p);
            if (length == 0)
                return take_rest(l);
            skip_to(l, l->at + length);
            continue;
        }
        if (*p == '"' || *p == '\'') {
            length = string_length(p);
            return length > 0 ? take(l, TOKEN_WORD, length, 1) : take_rest(l);
        }
        length = word_length(p);
        if (length > 0)
            return take(l, TOKEN_WORD, length, 0);
        kind = sign(p, &length);
        if (kind != TOKEN_END)
            return take(l, kind, length, 0);
        skip_to(l, l->at + 1); /* blanks; and what libconfuse leaves out too */
    }
    return take(l, TOKEN_END, 0, 0);
}
