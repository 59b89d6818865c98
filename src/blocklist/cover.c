/* What an entry itself would meet, as the subject of a message: the network that an
 * address is in, the domain above a sender. */

#include <string.h>

#include "base/text.h"
#include "blocklist/admin.h"

enum blocklist_verdict blocklist_ask_entry(struct blocklist *blocklist,
                                           const struct entry *entry,
                                           struct blocklist_match *match)
{
    struct blocklist_subjects subjects = {0};
    struct mail_address sender = {0};
    struct network network;

    switch (entry->kind) {
    case ENTRY_ADDRESS:
        if (mail_address_parse(entry->text, &sender) != 0)
            return BLOCKLIST_NONE;
        subjects.sender = &sender;
        break;
    case ENTRY_DOMAIN:
        if (!text_copy(entry->text, sender.domain, sizeof sender.domain))
            return BLOCKLIST_NONE;
        subjects.sender = &sender;
        break;
    case ENTRY_NETWORK:
        if (entry_network(entry, &network) != 0 ||
            network.prefix != ipaddr_bits(&network.base))
            return BLOCKLIST_NONE;
        subjects.client = &network.base;
        break;
    case ENTRY_HOST:
        subjects.client_name = entry->text + strlen("host:");
        break;
    case ENTRY_USER:
        subjects.login = entry->text + strlen("user:");
        break;
    }
    return blocklist_ask(blocklist, &subjects, match);
}
