/* Packets from name servers (reply_parse): the first octet chooses the type, the rest is
 * the packet. Whatever it is, reading it twice says the same, and within bounds. */

#include <stdlib.h>
#include <string.h>

#include "dns/reply.h"

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
    if (once.status != again.status || once.ttl_s != again.ttl_s ||
        once.address_count != again.address_count || strcmp(once.text, again.text) != 0 ||
        memcmp(once.addresses, again.addresses,
               once.address_count * sizeof once.addresses[0]) != 0)
        abort();
    return 0;
}
