/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/envelope.h"

#include <string.h>

#include "base/text.h"

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
    /* unreadable: nothing is asked about it, but the message goes on */
    envelope->has_sender = mail_address_parse(sender, &envelope->sender) == 0;
    if (!text_copy(login != NULL ? login : "", envelope->login, sizeof envelope->login))
        text_copy("?", envelope->login,
                  sizeof envelope->login); /* logged in, whoever it is */
}
