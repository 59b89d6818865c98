#ifndef CONFIG_OUTLINE_SCAN_H
#define CONFIG_OUTLINE_SCAN_H

/* For outline_read.c only: going over one conf file token by token, and getting over what
 * cannot be understood, which is told and then hidden from libconfuse. One thread. */

#include <stdbool.h>
#include <stddef.h>

#include "config/outline.h"
#include "config/tokens.h"

#define NAME_SIZE 128 /* of what a message shows of a name or a title */

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

void scan_advance(struct scan *s);

/* A line of the file. */
struct place scan_place(const struct scan *s, int line);

/* The word's text, without its quotes. The caller frees; NULL: out of memory, noted. */
char *scan_word(struct scan *s, const struct token *t);

/* Skips what stands in braces, the current token being the first. */
void scan_skip_braces(struct scan *s);

/* Skips a statement whose name is behind us, whatever it is: an assignment, a section, a
 * call. */
void scan_skip_statement(struct scan *s);

/* Hides a statement from its start to the current token. */
void scan_blank(struct scan *s, const struct token *start);

/* Tells that something else was expected here than the current token, gets over it, and
 * hides the statement from its start; in_list: over the brace of a list, too. */
void scan_unexpected(struct scan *s, const struct token *start, const char *expected);
void scan_unexpected_value(struct scan *s, const struct token *start,
                           const char *expected, bool in_list);

#endif
