#ifndef BLOCKLIST_BLOCKLIST_H
#define BLOCKLIST_BLOCKLIST_H

/* The sender blocklist: what the postmaster listed or allowed. This header is what a
 * message's way needs of it. */

#include <stdbool.h>
#include <time.h>

#include "base/domain.h"
#include "base/ipaddr.h"

struct blocklist;

#define BLOCKLIST_KEY_SIZE    (ADDRESS_SIZE + 8)
#define BLOCKLIST_REASON_SIZE 512

/* What is known of a session; NULL (or an empty text) what is not. All borrowed. */
struct blocklist_subjects {
    const struct ipaddr *client;
    const char *client_name; /* canonical, forward-confirmed */
    const char *helo;        /* canonical */
    const struct mail_address *sender;
    const char *login;
};

enum blocklist_verdict { BLOCKLIST_NONE, BLOCKLIST_ALLOW, BLOCKLIST_BLOCK };

/* What a subject matched. */
enum blocklist_subject {
    BLOCKLIST_BY_SENDER, /* an address or a domain */
    BLOCKLIST_BY_CLIENT, /* a network */
    BLOCKLIST_BY_CLIENT_NAME,
    BLOCKLIST_BY_HELO,
    BLOCKLIST_BY_LOGIN
};

struct blocklist_match {
    enum blocklist_subject subject;
    char key[BLOCKLIST_KEY_SIZE];       /* ENTRY as rblctl writes it */
    char reason[BLOCKLIST_REASON_SIZE]; /* cut where longer; not cleaned */
    time_t since;
};

/* Asks about all subjects at once. Within the sender, the client, each name and the login
 * the most specific entry decides (allow wins a tie); over them an allow wins. Returns
 * the verdict, with the deciding entry in *match unless NONE. An error of the database
 * is logged and counts as NONE. Any thread; waits for no writer. */
enum blocklist_verdict blocklist_ask(struct blocklist *blocklist,
                                     const struct blocklist_subjects *subjects,
                                     struct blocklist_match *match);

/* Notes that an entry decided a message: counted and written later, in batches. Any
 * thread; never blocks. */
void blocklist_hit(struct blocklist *blocklist, const struct blocklist_match *match);

#endif
