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
    TOKEN_CLIENT,  /* value: an address */
    TOKEN_NETWORK, /* an address of that /24, or /48 */
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

/* The token of a value, with its end; cmac: AES-CMAC (RFC 4493) with the file's key, of one
 * thread at a time. Returns false for a client or network that is no
 * address: nothing has come from there. */
#define TOKEN_SIZE 8
bool token_of(struct cmac_aes128_ctx *cmac, enum token token, const char *value,
              char out[static TOKEN_SIZE]);

/* Adds the tokens of all that a decision can be found by, with a space behind each. */
void tokens_add(struct cmac_aes128_ctx *cmac, const struct record *record,
                struct octets *tokens);

#endif
