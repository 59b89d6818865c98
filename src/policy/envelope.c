/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/envelope.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "dnsbl/query_name.h"

void envelope_connect(struct envelope *envelope, const struct ipaddr *client,
                      const char *name)
{
    memset(envelope, 0, sizeof *envelope);
    envelope->has_client = client != NULL;
    if (client != NULL) {
        envelope->client = *client;
        ipaddr_text(client, envelope->client_text);
    }
    if (name != NULL && domain_canonical(name, envelope->client_name) != 0)
        envelope->client_name[0] = '\0';
}

/* What is of one message. */
static void forget_message(struct envelope *envelope)
{
    envelope->has_sender = false;
    envelope->headers = NULL;
    envelope->sender_text[0] = envelope->login[0] = envelope->queue_id[0] = '\0';
    memset(&envelope->sender, 0, sizeof envelope->sender);
}

void envelope_helo(struct envelope *envelope, const char *helo)
{
    forget_message(envelope);
    text_sentence(envelope->helo_text, sizeof envelope->helo_text, "%s", helo);
    if (domain_canonical(helo, envelope->helo) != 0)
        envelope->helo[0] = '\0';
}

void envelope_address_text(const char *address, char out[static ENVELOPE_SIZE])
{
    size_t length;

    if (*address == '<')
        address++;
    length = strlen(address);
    if (length > 0 && address[length - 1] == '>')
        length--;
    if (length >= ENVELOPE_SIZE)
        length = ENVELOPE_SIZE - 1;
    memcpy(out, address, length);
    out[length] = '\0';
}

void envelope_mail(struct envelope *envelope, const char *sender, const char *login)
{
    forget_message(envelope);
    envelope_address_text(sender, envelope->sender_text);
    /* unreadable: nothing is looked up for it, but the message goes on */
    envelope->has_sender = mail_address_parse(sender, &envelope->sender) == 0;
    if (!text_copy(login != NULL ? login : "", envelope->login, sizeof envelope->login))
        text_copy("?", envelope->login,
                  sizeof envelope->login); /* logged in, whoever it is */
}

/* --- subjects --- */

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
        if (!envelope->has_client || ipaddr_is_local(&envelope->client) ||
            (envelope->client.family == 6 && !list->ipv6))
            return -1;
        return query_name_address(&envelope->client, list->zone, out);
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
