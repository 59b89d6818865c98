/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/header_address.h"

#include <stdbool.h>
#include <string.h>

#include "base/text.h"

#define COMMENT_DEPTH 32 /* deeper ones end where the field does */
#define WORDS         4  /* of a mailbox without <> that have an "@" */

/* Characters that are put together: a word, without the comments and spaces in it. */
struct word {
    char text[HEADER_TEXT_SIZE];
    size_t used;
    bool has_at; /* outside of quotes */
    bool too_long;
};

/* One mailbox, until its "," or ";". */
struct mailbox {
    struct word word;        /* that is being read */
    struct word kept[WORDS]; /* those before, where they may be addresses */
    size_t kept_count;
    bool has_angle;
};

struct reader {
    const char *at, *end;
    struct header_address *out;
    size_t count, max;
};

static void put(struct word *word, char c)
{
    if (word->used + 1 < sizeof word->text)
        word->text[word->used++] = c;
    else
        word->too_long = true;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Over a comment, with those in it. */
static void skip_comment(struct reader *r)
{
    int depth = 0;

    for (; r->at < r->end; r->at++) {
        if (*r->at == '\\' && r->at + 1 < r->end)
            r->at++;
        else if (*r->at == '(' && depth < COMMENT_DEPTH)
            depth++;
        else if (*r->at == ')' && --depth == 0) {
            r->at++;
            return;
        }
    }
}

/* Over spaces and comments. Returns whether there were any. */
static bool skip_space(struct reader *r)
{
    const char *begin = r->at;

    while (r->at < r->end && (is_space(*r->at) || *r->at == '(')) {
        if (*r->at == '(')
            skip_comment(r);
        else
            r->at++;
    }
    return r->at > begin;
}

/* A quoted string goes into the word as it is, with its quotes. */
static void take_quoted(struct reader *r, struct word *word)
{
    put(word, *r->at++);
    for (; r->at < r->end && *r->at != '"'; r->at++) {
        if (*r->at == '\r' || *r->at == '\n')
            continue; /* it was folded */
        put(word, *r->at);
        if (*r->at == '\\' && r->at + 1 < r->end)
            put(word, *++r->at);
    }
    put(word, '"');
    if (r->at < r->end)
        r->at++;
}

static void add_address(struct reader *r, struct word *word)
{
    struct header_address *out;

    word->text[word->used] = '\0';
    if (r->count >= r->max || word->too_long || !word->has_at)
        return;
    out = &r->out[r->count];
    if (mail_address_parse(word->text, &out->address) == 0 &&
        out->address.domain[0] != '\0' &&
        text_copy(word->text, out->text, sizeof out->text))
        r->count++;
}

/* What is in <>: an address, perhaps with a route before it (@a,@b:). */
static void take_angle(struct reader *r, struct mailbox *mailbox)
{
    struct word word = {.used = 0};

    mailbox->has_angle = true;
    r->at++;
    while (r->at < r->end && *r->at != '>') {
        if (skip_space(r))
            continue;
        if (*r->at == '"') {
            take_quoted(r, &word);
        } else if (*r->at == ':' || (*r->at == ',' && word.text[0] != '@')) {
            /* the route ends; or no ">" came, and another mailbox begins */
            if (*r->at == ',')
                break;
            word = (struct word){.used = 0};
            r->at++;
        } else {
            word.has_at |= *r->at == '@';
            put(&word, *r->at++);
        }
    }
    if (r->at < r->end && *r->at == '>')
        r->at++;
    add_address(r, &word);
}

/* Whether a space between two parts of a word is none: "anna @ x . example". */
static bool goes_on(const struct word *word, char next)
{
    char last = word->used > 0 ? word->text[word->used - 1] : '\0';

    return last == '@' || last == '.' || next == '@' || next == '.';
}

/* The word has ended: it is kept where it may be an address. */
static void end_word(struct mailbox *mailbox)
{
    if (mailbox->word.has_at && mailbox->kept_count < WORDS)
        mailbox->kept[mailbox->kept_count++] = mailbox->word;
    mailbox->word = (struct word){.used = 0};
}

/* Without <> its words are addresses, where they look like some. */
static void end_mailbox(struct reader *r, struct mailbox *mailbox)
{
    end_word(mailbox);
    for (size_t i = 0; i < mailbox->kept_count && !mailbox->has_angle; i++)
        add_address(r, &mailbox->kept[i]);
    mailbox->kept_count = 0;
    mailbox->has_angle = false;
}

size_t header_addresses_parse(const char *value, struct header_address *out, size_t max)
{
    struct reader r = {.at = value,
                       .end = value + strnlen(value, HEADER_VALUE_MAX),
                       .out = out,
                       .max = max};
    struct mailbox mailbox = {.kept_count = 0};

    while (r.at < r.end && r.count < max) {
        if (skip_space(&r)) {
            if (r.at < r.end && !goes_on(&mailbox.word, *r.at))
                end_word(&mailbox);
            continue;
        }
        switch (*r.at) {
        case '"':
            take_quoted(&r, &mailbox.word);
            break;
        case '<':
            end_word(&mailbox);
            take_angle(&r, &mailbox);
            break;
        case ':': /* what was before is the name of a group */
            mailbox = (struct mailbox){.kept_count = 0};
            r.at++;
            break;
        case ',':
        case ';':
            end_mailbox(&r, &mailbox);
            r.at++;
            break;
        case '>': /* of no "<": it belongs to nothing */
            end_word(&mailbox);
            r.at++;
            break;
        default:
            mailbox.word.has_at |= *r.at == '@';
            put(&mailbox.word, *r.at++);
        }
    }
    end_mailbox(&r, &mailbox);
    return r.count;
}
