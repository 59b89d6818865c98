#include "policy/facts.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

void facts_connect(struct facts *facts, const struct ipaddr *client, const char *name)
{
    memset(facts, 0, sizeof *facts);
    facts->has_client = client != NULL;
    if (client != NULL) {
        facts->client = *client;
        ipaddr_text(client, facts->client_text);
    }
    if (name != NULL && domain_canonical(name, facts->client_name) != 0)
        facts->client_name[0] = '\0';
}

/* What is of one message. */
static void forget_message(struct facts *facts)
{
    facts->has_sender = false;
    facts->sender_text[0] = facts->login[0] = facts->queue_id[0] = '\0';
    memset(&facts->sender, 0, sizeof facts->sender);
}

void facts_helo(struct facts *facts, const char *helo)
{
    forget_message(facts);
    snprintf(facts->helo_text, sizeof facts->helo_text, "%s", helo);
    if (domain_canonical(helo, facts->helo) != 0)
        facts->helo[0] = '\0';
}

void facts_envelope_text(const char *address, char out[static ENVELOPE_SIZE])
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

void facts_mail(struct facts *facts, const char *sender, const char *login)
{
    forget_message(facts);
    facts_envelope_text(sender, facts->sender_text);
    /* unreadable: nothing is asked about it, but the message goes on */
    facts->has_sender = mail_address_parse(sender, &facts->sender) == 0;
    if (!text_copy(login != NULL ? login : "", facts->login, sizeof facts->login))
        text_copy("?", facts->login, sizeof facts->login); /* logged in, whoever it is */
}
