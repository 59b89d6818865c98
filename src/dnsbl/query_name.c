/* SPDX-License-Identifier: BSD-2-Clause */
#include "dnsbl/query_name.h"

#include <nettle/md5.h>
#include <nettle/sha1.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/domain.h"
#include "base/text.h"

#define DIGEST_MAX SHA256_DIGEST_SIZE

static const char hex_digits[] = "0123456789abcdef";

int query_name_join(const char *labels, const char *zone, char out[static DOMAIN_SIZE])
{
    size_t first = strlen(labels), second = strlen(zone);

    if (first + 1 + second >= DOMAIN_SIZE) {
        out[0] = '\0';
        return -1;
    }
    memcpy(out, labels, first);
    out[first] = '.';
    memcpy(out + first + 1, zone, second + 1);
    return 0;
}

static char *put_decimal(char *p, uint8_t octet)
{
    if (octet >= 100)
        *p++ = (char)('0' + octet / 100);
    if (octet >= 10)
        *p++ = (char)('0' + octet / 10 % 10);
    *p++ = (char)('0' + octet % 10);
    return p;
}

/* By hand: each list of each mail has such a name, and printf would take most of the time. */
int query_name_address(const struct ipaddr *ip, const char *zone,
                       char out[static DOMAIN_SIZE])
{
    char labels[64]; /* 32 nibbles and their dots, or four octets with theirs */
    char *p = labels;

    for (int i = 3; i >= 0 && ip->family == 4; i--) {
        p = put_decimal(p, ip->octets[i]);
        *p++ = '.';
    }
    for (int i = 15; i >= 0 && ip->family != 4; i--) {
        *p++ = hex_digits[ip->octets[i] & 15];
        *p++ = '.';
        *p++ = hex_digits[ip->octets[i] >> 4];
        *p++ = '.';
    }
    p[-1] = '\0';
    return query_name_join(labels, zone, out);
}

int query_name_domain(const char *domain, const char *zone, char out[static DOMAIN_SIZE])
{
    out[0] = '\0';
    if (strchr(domain, '.') == NULL || domain_is_numeric(domain))
        return -1;
    return query_name_join(domain, zone, out);
}

/* The form in which the operator hashes addresses. Returns false if it would not fit. */
static bool canonical_address(const struct mail_address *sender, char *out, size_t size)
{
    bool gmail = strcmp(sender->domain, "gmail.com") == 0 ||
                 strcmp(sender->domain, "googlemail.com") == 0;
    char local[LOCAL_PART_SIZE], address[ADDRESS_SIZE];
    size_t used = 0;

    for (const char *p = sender->local; *p != '\0' && *p != '+'; p++)
        if (*p != '.' || !gmail)
            local[used++] = *p;
    local[used] = '\0';
    int n = snprintf(address, sizeof address, "%s@%s", local,
                     gmail ? "gmail.com" : sender->domain);
    return used > 0 && n > 0 && (size_t)n < sizeof address &&
           text_lower(address, out, size);
}

/* Hashes text; returns the digest's length, 0 for HASH_NONE. */
static size_t digest_of(enum hash_kind hash, const char *text,
                        uint8_t out[static DIGEST_MAX])
{
    const uint8_t *bytes = (const uint8_t *)text;
    struct sha1_ctx sha1;
    struct sha256_ctx sha256;
    struct md5_ctx md5;

    switch (hash) {
    case HASH_NONE:
        return 0;
    case HASH_SHA1:
        sha1_init(&sha1);
        sha1_update(&sha1, strlen(text), bytes);
        sha1_digest(&sha1, SHA1_DIGEST_SIZE, out);
        return SHA1_DIGEST_SIZE;
    case HASH_SHA256:
        sha256_init(&sha256);
        sha256_update(&sha256, strlen(text), bytes);
        sha256_digest(&sha256, SHA256_DIGEST_SIZE, out);
        return SHA256_DIGEST_SIZE;
    case HASH_MD5:
        md5_init(&md5);
        md5_update(&md5, strlen(text), bytes);
        md5_digest(&md5, MD5_DIGEST_SIZE, out);
        return MD5_DIGEST_SIZE;
    }
    abort();
}

static void hexadecimal(const uint8_t *in, size_t length, char *out)
{
    for (size_t i = 0; i < length; i++) {
        *out++ = hex_digits[in[i] >> 4];
        *out++ = hex_digits[in[i] & 15];
    }
    *out = '\0';
}

int query_name_sender(const struct mail_address *sender, enum hash_kind hash,
                      const char *zone, char out[static DOMAIN_SIZE])
{
    char address[ADDRESS_SIZE], label[2 * DIGEST_MAX + 1];
    struct mail_address inside;
    uint8_t digest[DIGEST_MAX];
    size_t length;

    out[0] = '\0';
    if (rewritten_inside(sender, &inside))
        sender = &inside; /* the outside has a new tag each day: nobody lists it */
    if (sender->domain[0] == '\0' || !canonical_address(sender, address, sizeof address))
        return -1;
    length = digest_of(hash, address, digest);
    if (length == 0)
        return -1;
    /* A SHA-256 in hex is a character longer than a label may be (63): the lists that take
     * it (Spamhaus HBL) want base32. */
    if (hash == HASH_SHA256)
        text_base32(digest, length, (8 * length + 4) / 5, label);
    else
        hexadecimal(digest, length, label);
    return query_name_join(label, zone, out);
}
