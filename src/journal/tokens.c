/* SPDX-License-Identifier: BSD-2-Clause */
#include "journal/tokens.h"

#include <nettle/sha2.h>
#include <string.h>

#include "base/domain.h"
#include "base/text.h"

#define HASH_LETTERS  (TOKEN_HASH_SIZE - 2)
#define TOKEN_LETTERS 6 /* a hit is compared with the record, so that few will do */

void token_hash(const uint8_t key[static TOKEN_KEY_SIZE], const char *value,
                char out[static TOKEN_HASH_SIZE])
{
    uint8_t digest[SHA256_DIGEST_SIZE];
    struct sha256_ctx sha256;

    sha256_init(&sha256);
    sha256_update(&sha256, TOKEN_KEY_SIZE, key);
    sha256_update(&sha256, 1, (const uint8_t *)"~");
    sha256_update(&sha256, strlen(value), (const uint8_t *)value);
    sha256_digest(&sha256, sizeof digest, digest);
    out[0] = '~';
    text_base32(digest, sizeof digest, HASH_LETTERS, out + 1);
}

void token_address(const char *text, char out[static TOKEN_ADDRESS_SIZE],
                   const char **domain)
{
    struct mail_address address;
    size_t used;

    if (mail_address_parse(text, &address) != 0 || address.local[0] == '\0') {
        if (!text_lower(text, out, TOKEN_ADDRESS_SIZE))
            out[0] = '\0';
        if (domain != NULL)
            *domain = out + strlen(out);
        return;
    }
    (void)text_lower(address.local, out, TOKEN_ADDRESS_SIZE); /* it fits */
    used = strlen(out);
    if (address.domain[0] != '\0') {
        out[used] = '@';
        memcpy(out + used + 1, address.domain, strlen(address.domain) + 1);
    }
    if (domain != NULL)
        *domain = out + used + (address.domain[0] != '\0');
}

void token_mask(const uint8_t key[static TOKEN_KEY_SIZE], const char *text,
                char out[static TOKEN_MASKED_SIZE])
{
    char address[TOKEN_ADDRESS_SIZE], hashed[TOKEN_HASH_SIZE];
    const char *domain;

    out[0] = '\0';
    if (text[0] == '\0')
        return;
    token_address(text, address, &domain);
    token_hash(key, address, hashed);
    text_sentence(out, TOKEN_MASKED_SIZE, "%s%s%s", hashed, domain[0] != '\0' ? "@" : "",
                  domain);
}

void token_mask_entry(const uint8_t key[static TOKEN_KEY_SIZE], const char *entry,
                      char out[static TOKEN_MASKED_SIZE])
{
    bool is_login = strncmp(entry, "user:", 5) == 0;
    char masked[TOKEN_MASKED_SIZE];

    if (!is_login && strchr(entry, '@') == NULL) {
        text_sentence(out, TOKEN_MASKED_SIZE, "%s", entry);
        return;
    }
    token_mask(key, is_login ? entry + 5 : entry, masked);
    text_sentence(out, TOKEN_MASKED_SIZE, "%s%s", is_login ? "user:" : "", masked);
}

/* Returns the length. */
static size_t token_text(uint64_t seed, enum token token, const char *value,
                         char out[static TOKEN_SIZE])
{
    static const char letters[] = {
        [TOKEN_ADDRESS] = 'a',
        [TOKEN_DOMAIN] = 'd',
        [TOKEN_QUEUE_ID] = 'q',
        [TOKEN_ENTRY] = 'b',
    };
    uint64_t hash = octets_hash(value, strlen(value), seed);

    out[0] = letters[token];
    for (int i = 0; i < TOKEN_LETTERS; i++, hash >>= 5)
        out[1 + i] = "abcdefghijklmnopqrstuvwxyz234567"[hash & 31];
    out[1 + TOKEN_LETTERS] = '\0';
    return 1 + TOKEN_LETTERS;
}

/* The digits of an address that all of a network have; of IPv6 at most 64 bits, which are one
 * customer's. Returns the length. */
static size_t client_text(const struct ipaddr *address, unsigned bits,
                          char out[static TOKEN_SIZE])
{
    static const char hex[] = "0123456789abcdef";
    size_t used = 0;

    out[used++] = address->family == 4 ? 'c' : 'e';
    for (unsigned i = 0; i < bits / 4 && i < 16; i++)
        out[used++] = hex[address->octets[i / 2] >> (i % 2 == 0 ? 4 : 0) & 15];
    out[used] = '\0';
    return used;
}

/* What an entry is found by: the address, login or domain that it names; else itself. */
static enum token token_of_entry(const char **entry)
{
    struct network network;

    if (strncmp(*entry, "user:", 5) == 0) {
        *entry += 5;
        return TOKEN_ADDRESS;
    }
    if (strchr(*entry, '@') != NULL)
        return TOKEN_ADDRESS;
    return network_parse(*entry, &network) == 0 ? TOKEN_ENTRY : TOKEN_DOMAIN;
}

static void add_token(uint64_t seed, struct octets *tokens, enum token token,
                      const char *value)
{
    char text[1 + TOKEN_SIZE] = " ";

    if (value[0] != '\0')
        octets_add(tokens, text, 1 + token_text(seed, token, value, text + 1));
}

static void add_client(struct octets *tokens, const struct ipaddr *client)
{
    char text[1 + TOKEN_SIZE] = " ";

    octets_add(tokens, text, 1 + client_text(client, ipaddr_bits(client), text + 1));
}

/* An address's own token and its domain's. A hashed one has its token as it is. */
static void add_address(uint64_t seed, struct octets *tokens, const char *text)
{
    char address[TOKEN_ADDRESS_SIZE];
    const char *domain;

    if (text[0] == '\0')
        return;
    token_address(text, address, &domain);
    add_token(seed, tokens, TOKEN_ADDRESS, address);
    add_token(seed, tokens, TOKEN_DOMAIN, domain);
}

void tokens_add(uint64_t seed, const struct record *r, struct octets *tokens)
{
    const char *entry = r->entry;
    enum token by_entry = token_of_entry(&entry);

    if (r->has_client)
        add_client(tokens, &r->client);
    add_address(seed, tokens, r->sender);
    for (size_t i = 0; i < r->recipient_count; i++)
        add_address(seed, tokens, r->recipients[i].text);
    add_address(seed, tokens, r->login);
    add_token(seed, tokens, TOKEN_QUEUE_ID, r->queue_id);
    add_token(seed, tokens, by_entry, entry);
}

bool tokens_have(const struct octets *tokens, const struct token_match *match)
{
    char text[1 + TOKEN_SIZE];

    /* but for networks, those of one letter are of one length */
    text_sentence(text, sizeof text, " %s", match->text);
    return tokens->used > 0 &&
           memmem(tokens->bytes, tokens->used, text, strlen(text)) != NULL;
}

bool token_of(uint64_t seed, enum token token, const char *value, struct token_match *out)
{
    struct network network;

    out->is_prefix = false;
    if (token == TOKEN_ENTRY)
        token = token_of_entry(&value);
    if (token != TOKEN_CLIENT) {
        (void)token_text(seed, token, value, out->text);
        return true;
    }
    if (network_parse(value, &network) != 0)
        return false;
    (void)client_text(&network.base, network.prefix, out->text);
    out->is_prefix = network.prefix < ipaddr_bits(&network.base);
    return true;
}
