/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef JOURNAL_TOKENS_H
#define JOURNAL_TOKENS_H

/* How a decision is found without its values being in an index: by tokens, a letter for the
 * kind and a few digits of a keyed hash of the value; and what stands for local parts where
 * they are not kept. All of it is of any thread. */

#include <nettle/cmac.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "journal/record.h"

#define TOKEN_KEY_SIZE AES128_KEY_SIZE

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
 * or a few letters of AES-CMAC (RFC 4493) of the value. */
#define TOKEN_SIZE 18
struct token_match {
    char text[TOKEN_SIZE];
    bool is_prefix; /* of a network: its addresses begin so */
};

/* The token of a value; cmac has the file's key, and is of one thread at a time. A network
 * may find a few addresses beside it. Returns false for a client that is no address:
 * nothing has come from there. */
bool token_of(struct cmac_aes128_ctx *cmac, enum token token, const char *value,
              struct token_match *out);

/* Adds the tokens of all that a decision can be found by, with a space before each. */
void tokens_add(struct cmac_aes128_ctx *cmac, const struct record *record,
                struct octets *tokens);

/* Whether the token is one of those that were added. */
bool tokens_have(const struct octets *tokens, const struct token_match *match);

#endif
