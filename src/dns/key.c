#include "dns/key.h"

#include <string.h>
#include <uthash.h>

/* A letter, digit, "-" or "_" in lower case; 0 for all else. */
static uint8_t label_octet(uint8_t c)
{
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_')
        return c;
    if (c >= 'A' && c <= 'Z')
        return (uint8_t)(c - 'A' + 'a');
    return 0;
}

/* Copies a name that may be asked. Returns its length, or 0. */
static size_t copy_name(const char *name, uint8_t out[static DNS_NAME_MAX + 1])
{
    size_t size = 0, label = 0;

    for (; name[size] != '\0'; size++) {
        uint8_t c = (uint8_t)name[size];

        if (size == DNS_NAME_MAX)
            return 0;
        if (c == '.') {
            if (label == 0)
                return 0;
            label = 0;
        } else {
            c = label_octet(c);
            if (c == 0 || ++label > DNS_LABEL_MAX)
                return 0;
        }
        out[size] = c;
    }
    if (label == 0)
        return 0;
    out[size] = '\0';
    return size;
}

bool dns_key_make(struct dns_key *key, uint64_t secret, uint32_t upstream,
                  enum dns_type type, const char *name)
{
    size_t size = copy_name(name, key->octets + DNS_KEY_PREFIX);

    if (size == 0)
        return false;
    memcpy(key->octets, &upstream, sizeof upstream);
    key->octets[sizeof upstream] = (uint8_t)type;
    key->size = (uint16_t)(DNS_KEY_PREFIX + size);
    key->secret = secret;
    _Static_assert(offsetof(struct dns_key, octets) ==
                       offsetof(struct dns_key, secret) + sizeof(uint64_t),
                   "the secret is hashed together with the octets behind it");
    const uint8_t *hashed = (const uint8_t *)key + offsetof(struct dns_key, secret);
    HASH_JEN(hashed, sizeof key->secret + key->size, key->hash);
    return true;
}

const char *dns_key_name(const struct dns_key *key)
{
    return (const char *)key->octets + DNS_KEY_PREFIX;
}

enum dns_type dns_key_type(const struct dns_key *key)
{
    return (enum dns_type)key->octets[DNS_KEY_PREFIX - 1];
}
