/* SPDX-License-Identifier: BSD-2-Clause */
/* From: and Reply-To:. What is found has a domain, fits, and is found again when it stands
 * alone in <>; there are never more than there is room for. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "policy/header_address.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *value = strndup((const char *)data, size);
    struct header_address found[HEADER_ADDRESSES], again;
    size_t count;

    if (value == NULL)
        return 0;
    count = header_addresses_parse(value, found, HEADER_ADDRESSES);
    if (count > HEADER_ADDRESSES)
        abort();
    for (size_t i = 0; i < count; i++) {
        char alone[HEADER_TEXT_SIZE + 2] = "<";

        if (found[i].address.domain[0] == '\0')
            abort();
        strncat(alone, found[i].text, sizeof alone - 3);
        strncat(alone, ">", 2);
        if (strlen(found[i].text) + 2 < sizeof alone &&
            (header_addresses_parse(alone, &again, 1) != 1 ||
             strcmp(again.address.domain, found[i].address.domain) != 0))
            abort();
    }
    free(value);
    return 0;
}
