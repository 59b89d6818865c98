#include "policy/question.h"

#include <stdlib.h>

#include "dnsbl/query_name.h"

static enum stage natural_stage(enum check check)
{
    switch (check) {
    case CHECK_CLIENT:
    case CHECK_CLIENT_NAME:
        return STAGE_CONNECT;
    case CHECK_HELO:
        return STAGE_HELO;
    case CHECK_SENDER_DOMAIN:
    case CHECK_SENDER:
        return STAGE_MAIL;
    }
    abort();
}

int question_stage(const struct list *list, enum check check)
{
    if (list->mode == LIST_OFF || (list->checks & 1u << check) == 0)
        return -1;
    if (list->after_count > 0)
        return STAGE_RCPT;
    if (list->when == WHEN_NULL_SENDER)
        return STAGE_MAIL;
    return natural_stage(check);
}

static int address_name(const struct list *list, const struct facts *facts,
                        char out[static DOMAIN_SIZE])
{
    if (!facts->has_client || ipaddr_is_local(&facts->client))
        return -1;
    if (facts->client.family == 6 && !list->ipv6)
        return -1;
    return query_name_address(&facts->client, list->zone, out);
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

int question_name(const struct list *list, enum check check, const struct facts *facts,
                  const struct suffix_list *suffixes, char out[static DOMAIN_SIZE])
{
    out[0] = '\0';
    if (list->when == WHEN_NULL_SENDER &&
        (!facts->has_sender || !mail_address_is_null(&facts->sender)))
        return -1;
    switch (check) {
    case CHECK_CLIENT:
        return address_name(list, facts, out);
    case CHECK_CLIENT_NAME:
        return domain_name(list, facts->client_name, suffixes, out);
    case CHECK_HELO:
        return domain_name(list, facts->helo, suffixes, out);
    case CHECK_SENDER_DOMAIN:
        return domain_name(list, facts->sender.domain, suffixes, out);
    case CHECK_SENDER:
        return query_name_sender(&facts->sender, list->hash, list->zone, out);
    }
    abort();
}

const char *question_subject(enum check check, const struct facts *facts)
{
    switch (check) {
    case CHECK_CLIENT:
        return facts->client_text;
    case CHECK_CLIENT_NAME:
        return facts->client_name;
    case CHECK_HELO:
        return facts->helo;
    case CHECK_SENDER_DOMAIN:
        return facts->sender.domain;
    case CHECK_SENDER:
        return facts->sender_text;
    }
    abort();
}

const char *question_class(enum check check)
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
    }
    abort();
}
