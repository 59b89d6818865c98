/* SPDX-License-Identifier: BSD-2-Clause */
/* ENTRY texts. What is taken reads back as the same, whole and of the same kind, has the
 * same hash, and is found again by way of the subject it is about; what is refused says
 * why. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "blocklist/entry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void check_subject(const struct entry *entry)
{
    struct mail_address address;
    struct entry again = {.kind = entry->kind};
    struct network network;
    char domain[DOMAIN_SIZE];

    switch (entry->kind) {
    case ENTRY_ADDRESS:
        check(mail_address_parse(entry->text, &address) == 0);
        check(entry_of_address(&address, &again) == 0);
        break;
    case ENTRY_NETWORK:
        check(entry_network(entry, &network) == 0);
        check(entry_of_network(&network, &again) == 0);
        check(entry_hash_network(&network) == entry_hash(entry));
        break;
    case ENTRY_USER:
        check(entry_of_user(entry->text + strlen("user:"), &again) == 0);
        break;
    case ENTRY_DOMAIN:
    case ENTRY_HOST:
        check(domain_canonical(entry->text + (entry->kind == ENTRY_HOST ? 5 : 0),
                               domain) == 0);
        return;
    }
    check(strcmp(entry->text, again.text) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct entry_limits limits = {.suffixes = NULL};
    char *text = strndup((const char *)data, size);
    char error[ENTRY_ERROR_SIZE], why[ENTRY_ERROR_SIZE];
    struct entry entry, again;

    if (text == NULL)
        return 0;
    if (entry_parse(text, &entry, error) != 0) {
        check(error[0] != '\0' && entry.text[0] == '\0');
    } else {
        check(error[0] == '\0' && entry.text[0] != '\0');
        check(strpbrk(entry.text, "\n\r\t") == NULL && entry.text[0] != '!');
        check(entry_parse(entry.text, &again, error) == 0);
        check(strcmp(entry.text, again.text) == 0 && entry.kind == again.kind);
        check(entry_hash(&entry) == entry_hash(&again));
        check_subject(&entry);
        check(entry_too_wide(&entry, false, &limits, why) == (why[0] != '\0'));
    }
    free(text);
    return 0;
}
