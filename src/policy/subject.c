/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/subject.h"

#include <stdlib.h>

#include "dnsbl/query_name.h"

int subject_stage(const struct list *list, enum check check)
{
    if (list->mode == LIST_OFF || (list->checks & 1u << check) == 0)
        return -1;
    if (check_stage(check) == STAGE_EOM)
        return STAGE_EOM;
    if (list->after_count > 0)
        return STAGE_RCPT;
    if (list->when == WHEN_NULL_SENDER)
        return STAGE_MAIL;
    return (int)check_stage(check);
}

static int address_name(const struct list *list, const struct envelope *envelope,
                        char out[static DOMAIN_SIZE])
{
    if (!envelope->has_client || ipaddr_is_local(&envelope->client))
        return -1;
    if (envelope->client.family == 6 && !list->ipv6)
        return -1;
    return query_name_address(&envelope->client, list->zone, out);
}

static int domain_name(const struct list *list, const char *domain,
                       const struct suffix_list *suffixes, char out[static DOMAIN_SIZE])
{
    if (domain[0] == '\0' || domain_is_numeric(domain))
        return -1;
    if (list->organizational && suffixes != NULL)
        domain = suffix_list_registered(suffixes, domain);
    if (domain == NULL) /* itself a public suffix */
        return -1;
    return query_name_domain(domain, list->zone, out);
}

/* The address of a header that the check is about. */
static const struct header_address *header_address(enum check check, unsigned index,
                                                   const struct envelope *envelope)
{
    bool is_from = check == CHECK_FROM || check == CHECK_FROM_DOMAIN;

    return is_from ? &envelope->headers->from[index]
                   : &envelope->headers->reply_to[index];
}

unsigned subject_count(enum check check, const struct envelope *envelope)
{
    if (check_stage(check) != STAGE_EOM)
        return 1;
    if (envelope->headers == NULL)
        return 0;
    return (unsigned)(check == CHECK_FROM || check == CHECK_FROM_DOMAIN
                          ? envelope->headers->from_count
                          : envelope->headers->reply_to_count);
}

int subject_query_name(const struct list *list, enum check check, unsigned index,
                       const struct envelope *envelope,
                       const struct suffix_list *suffixes, char out[static DOMAIN_SIZE])
{
    out[0] = '\0';
    if (list->when == WHEN_NULL_SENDER &&
        (!envelope->has_sender || !mail_address_is_null(&envelope->sender)))
        return -1;
    switch (check) {
    case CHECK_CLIENT:
        return address_name(list, envelope, out);
    case CHECK_CLIENT_NAME:
        return domain_name(list, envelope->client_name, suffixes, out);
    case CHECK_HELO:
        return domain_name(list, envelope->helo, suffixes, out);
    case CHECK_SENDER_DOMAIN:
        return domain_name(list, envelope->sender.domain, suffixes, out);
    case CHECK_SENDER:
        return query_name_sender(&envelope->sender, list->hash, list->zone, out);
    case CHECK_FROM_DOMAIN:
    case CHECK_REPLY_TO_DOMAIN:
        return domain_name(list, header_address(check, index, envelope)->address.domain,
                           suffixes, out);
    case CHECK_FROM:
    case CHECK_REPLY_TO:
        return query_name_sender(&header_address(check, index, envelope)->address,
                                 list->hash, list->zone, out);
    }
    abort();
}

const char *subject_text(enum check check, unsigned index,
                         const struct envelope *envelope)
{
    switch (check) {
    case CHECK_CLIENT:
        return envelope->client_text;
    case CHECK_CLIENT_NAME:
        return envelope->client_name;
    case CHECK_HELO:
        return envelope->helo;
    case CHECK_SENDER_DOMAIN:
        return envelope->sender.domain;
    case CHECK_SENDER:
        return envelope->sender_text;
    case CHECK_FROM_DOMAIN:
    case CHECK_REPLY_TO_DOMAIN:
        return header_address(check, index, envelope)->address.domain;
    case CHECK_FROM:
    case CHECK_REPLY_TO:
        return header_address(check, index, envelope)->text;
    }
    abort();
}

const char *subject_class(enum check check)
{
    switch (check) {
    case CHECK_CLIENT:
        return "Client host";
    case CHECK_CLIENT_NAME:
        return "Client name";
    case CHECK_HELO:
        return "Helo command";
    case CHECK_SENDER_DOMAIN:
        return "Sender domain";
    case CHECK_SENDER:
        return "Sender address";
    case CHECK_FROM_DOMAIN:
        return "From domain";
    case CHECK_FROM:
        return "From address";
    case CHECK_REPLY_TO_DOMAIN:
        return "Reply-To domain";
    case CHECK_REPLY_TO:
        return "Reply-To address";
    }
    abort();
}
