#ifndef CONFIG_TOKENS_H
#define CONFIG_TOKENS_H

/* The words and signs of a conf file, cut as libconfuse's lexer cuts them. libconfuse
 * does not say where things stand, stops at the first mistake and takes a file that ends
 * inside of a section; outline.h finds these by reading ahead of it. One thread. */

#include <stddef.h>

enum token_kind {
    TOKEN_END,
    TOKEN_WORD, /* with or without quotes */
    TOKEN_OPEN,
    TOKEN_CLOSE,
    TOKEN_PAREN_OPEN,
    TOKEN_PAREN_CLOSE,
    TOKEN_EQUALS,
    TOKEN_PLUS_EQUALS,
    TOKEN_COMMA,
    TOKEN_OPEN_ENDED /* a string or a comment that the file ends in */
};

struct token {
    enum token_kind kind;
    size_t start, end;           /* of all of it; a string with its quotes */
    size_t text_start, text_end; /* of a word, without the quotes */
    int line;                    /* where it starts */
};

struct lexer {
    const char *text; /* NUL-terminated, no other NUL in it */
    size_t at;
    int line;
};

/* The next token; at the end TOKEN_END again and again. */
struct token lexer_next(struct lexer *lexer);

#endif
