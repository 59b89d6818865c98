/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/values.h"

#include <stdlib.h>
#include <string.h>

#include "base/reply_template.h"
#include "config/config.h"

static void free_addresses(struct exempt_address *addresses, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(addresses[i].local);
        free(addresses[i].domain);
    }
    free(addresses);
}

static bool kind_owns(enum kind kind)
{
    return kind == KIND_TEXT || kind == KIND_SECRET || kind == KIND_PATH ||
           kind == KIND_SOCKET || kind == KIND_TEMPLATE || kind == KIND_OWN_TEMPLATE ||
           kind > KIND_CHOICES;
}

void value_free(const struct option *o, void *base)
{
    void *pointer = NULL;

    if (kind_owns(o->kind))
        memcpy(&pointer, FIELD(void, o, base), sizeof pointer);
    switch (o->kind) {
    case KIND_NUMBER:
    case KIND_SPAN_MS:
    case KIND_SPAN_S:
    case KIND_BOOL:
    case KIND_CHOICE:
    case KIND_MODE:
    case KIND_CHOICES:
        return;
    case KIND_TEMPLATE:
    case KIND_OWN_TEMPLATE:
        reply_template_free(pointer);
        break;
    case KIND_ADDRESSES:
        free_addresses(pointer, *COUNT(o, base));
        *COUNT(o, base) = 0;
        break;
    case KIND_NETWORKS:
    case KIND_NAMES:
        free(pointer);
        *COUNT(o, base) = 0;
        break;
    case KIND_TEXT:
    case KIND_SECRET:
    case KIND_PATH:
    case KIND_SOCKET:
    case KIND_SERVERS:
        free(pointer);
        break;
    }
    memset(FIELD(void, o, base), 0, sizeof pointer);
}
