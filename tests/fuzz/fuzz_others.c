/* SPDX-License-Identifier: BSD-2-Clause */
/* What another host of a farm, or who writes to its database, says of a key's counts: what is
 * taken has numbers in their range, and bits where the count is a distinct one. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "rules/others_parts.h"
#include "rules/shard.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = strndup((const char *)data, size);
    struct heard *heard = text != NULL ? heard_read(text) : NULL;

    for (size_t i = 0; heard != NULL && i < heard->count; i++)
        if (heard->windows[i].count >= RULE_COUNT_COUNT ||
            heard->windows[i].span_s <= 0 || heard->windows[i].value < -1 ||
            heard->windows[i].value > UINT32_MAX ||
            (heard->windows[i].bits != NULL) !=
                count_is_distinct(heard->windows[i].count))
            abort();
    heard_free(heard);
    free(text);
    return 0;
}
