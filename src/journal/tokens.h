/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef JOURNAL_TOKENS_H
#define JOURNAL_TOKENS_H

/* How a decision is found without its texts being in an index: by tokens, a letter for the
 * kind and a client's address, or a few letters of a hash of the value; and what is kept in
 * place of local parts where they are not. All of it is of any thread. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "journal/record.h"

#define TOKEN_KEY_SIZE 16

/* What a decision can be found by. Whether an address is the sender's or a recipient's does
 * not matter: one look-up serves for all, and the record says which it was. */
enum token {
    TOKEN_CLIENT, /* value: an address, or a network of them */
    TOKEN_ADDRESS, /* of the sender or a recipient, or a login; canonical (token_address) */
    TOKEN_DOMAIN, /* of the sender or a recipient; canonical */
    TOKEN_QUEUE_ID,
    TOKEN_ENTRY /* the token of what it names, but for networks */
};

/* An address or login in the form in which it is found: lower case, the domain canonical.
 * domain (may be NULL) then points to the domain in out, or to "". */
#define TOKEN_ADDRESS_SIZE 768
void token_address(const char *text, char out[static TOKEN_ADDRESS_SIZE],
                   const char **domain);

/* The hash that stands for a value where local parts are not kept: "~" and 26 letters. */
#define TOKEN_HASH_SIZE 28

/* An address or login with a hash in place of its local part: "~…@domain.xyz", "~…"; and an
 * entry likewise, where it names one. A search finds both forms. */
#define TOKEN_MASKED_SIZE 300
void token_mask(const uint8_t key[static TOKEN_KEY_SIZE], const char *text,
                char out[static TOKEN_MASKED_SIZE]);
void token_mask_entry(const uint8_t key[static TOKEN_KEY_SIZE], const char *entry,
                      char out[static TOKEN_MASKED_SIZE]);
void token_hash(const uint8_t key[static TOKEN_KEY_SIZE], const char *value,
                char out[static TOKEN_HASH_SIZE]);

/* A token to be found: a letter for its kind, then a client's address as hexadecimal digits,
 * or a few letters of a hash of the value. */
#define TOKEN_SIZE 18
struct token_match {
    char text[TOKEN_SIZE];
    bool is_prefix; /* of a network: its addresses begin so */
};

/* The token of a value; seed is the file's own. A network may find a few addresses beside
 * it. Returns false for a client that is no address: nothing has come from there. */
bool token_of(uint64_t seed, enum token token, const char *value,
              struct token_match *out);

/* Adds the tokens of all that a decision can be found by, with a space before each. */
void tokens_add(uint64_t seed, const struct record *record, struct octets *tokens);

/* Whether the token is one of those that were added. */
bool tokens_have(const struct octets *tokens, const struct token_match *match);

#endif
