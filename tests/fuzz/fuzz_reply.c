/* SPDX-License-Identifier: BSD-2-Clause */
/* Packets from name servers (reply_parse): the first octet chooses the type, the rest is
 * the packet. Whatever it is, reading it twice says the same, and within bounds. */

#include <stdlib.h>
#include <string.h>

#include "dns/answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct reply *reply, enum dns_type type)
{
    bool found = reply->status == DNS_FOUND;

    if (reply->address_count > DNS_ADDRESSES_MAX || reply->ttl_s > INT32_MAX)
        abort();
    if ((reply->address_count > 0) != (found && type == DNS_A))
        abort();
    if (strnlen(reply->text, sizeof reply->text) > DNS_TEXT_MAX)
        abort();
    if (reply->text[0] != '\0' && !(found && type == DNS_TXT))
        abort();
    if (!found && reply->status != DNS_NONE && reply->ttl_s != 0)
        abort();
    if (reply->status == DNS_TIMEOUT || reply->status == DNS_NOT_ASKED)
        abort();
}

/* As the channel sees it before c-ares does: it is one thing at most. Copied, so that a
 * read past its end is seen. */
static void look_for_strays(const uint8_t *packet, size_t size)
{
    struct stray_counters counters = {0};
    struct stray_watch watch = {0};
    uint8_t *copy = malloc(size > 0 ? size : 1);
    unsigned count = 0;

    if (copy == NULL)
        return;
    memcpy(copy, packet, size);
    stray_sent(&watch, copy, size);
    stray_reading(&watch);
    stray_came(&watch, copy, size, &counters);
    stray_read(&watch, &counters);
    for (size_t i = 0; i < STRAY_COUNT; i++)
        count += (unsigned)atomic_load(&counters.by_kind[i]);
    if (count > 1 || atomic_load(&counters.by_kind[STRAY_WRONG_ID]) != 0)
        abort();
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reply once, again;

    if (size == 0)
        return 0;
    enum dns_type type = data[0] & 1 ? DNS_TXT : DNS_A;
    memset(&once, 0x55, sizeof once);
    memset(&again, 0xaa, sizeof again);
    reply_parse(data + 1, size - 1, type, "blo.t", &once);
    reply_parse(data + 1, size - 1, type, "blo.t", &again);
    check(&once, type);
    look_for_strays(data + 1, size - 1);
    if (once.status != again.status || once.ttl_s != again.ttl_s ||
        once.address_count != again.address_count || strcmp(once.text, again.text) != 0 ||
        memcmp(once.addresses, again.addresses,
               once.address_count * sizeof once.addresses[0]) != 0)
        abort();
    return 0;
}
