/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DNSBL_WITNESSES_H
#define DNSBL_WITNESSES_H

/* Who may bear witness that a list lists too much: clients and sender domains that have
 * been accepted on three or more of the last 30 days, and that the list did not have when
 * they last came. For an allow list: clients that a block list has named lately. Any
 * thread; a lock is held for a search of one set of 8, or all of them for a draw. */

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/domain.h"
#include "base/ipaddr.h"

#define WITNESS_SETS 250 /* of 8: 2,000 clients and as many domains */
#define WITNESS_WAYS 8
#define WITNESS_NAME 64 /* longer domains are no witnesses */

struct witnesses;

/* saved: what witnesses_save gave, perhaps damaged; borrowed, NULL: nothing. NULL: no
 * memory. */
struct witnesses *witnesses_new(const json_t *saved);
void witnesses_free(struct witnesses *witnesses); /* NULL is fine */

/* All that is to be kept over a restart: a new reference, or NULL. */
json_t *witnesses_save(struct witnesses *witnesses);

/* A message was judged today (days since 1970) of this client and this sender; either may
 * be NULL, and a client whose name is not confirmed is to be where it is accepted. lists:
 * the bits of the lists that had one of them (witnesses_list_bit). Of who is refused,
 * whoever was accepted yesterday or today stays a witness: the list may have begun to
 * lie. Later it is who sends spam by now. */
void witnesses_judged(struct witnesses *witnesses, bool accepted,
                      const struct ipaddr *client, const struct mail_address *sender,
                      uint64_t lists, int today);

/* A user who logged in has sent as that today. Such a domain is no witness: no list is
 * queried for it. */
void witnesses_own_sender(struct witnesses *witnesses, const struct mail_address *sender,
                          int today);

/* What was accepted lately, of a domain and all below it or of a network. */
struct accepted_lately {
    unsigned own;     /* domains that own users have sent as, in 30 days */
    unsigned senders; /* at least so many in two weeks, of domains that are regulars */
    unsigned clients; /* that are regulars */
    char example[ADDRESS_SIZE];
};
void witnesses_of_domain(struct witnesses *witnesses, const char *domain, int today,
                         struct accepted_lately *out);
void witnesses_of_network(struct witnesses *witnesses, const struct network *network,
                          int today, struct accepted_lately *out);

/* A block list, whose bit that is, has named this client just now; no allow list has it,
 * and all were heard. One a minute is kept, 64 at most: those from before an allow list
 * began to lie are the ones that convict it. */
void witnesses_named(struct witnesses *witnesses, const struct ipaddr *client,
                     uint64_t list_bit);

/* A list is lying: a client that it has listed is no witness. WITNESS_ALL_LISTS: nobody is,
 * as an allow list is new, which has not been queried for them. */
#define WITNESS_ALL_LISTS UINT64_MAX
void witnesses_disown(struct witnesses *witnesses, uint64_t list_bits);

/* A list's bit, by its name: two may share one, and then share their witnesses. */
uint64_t witnesses_list_bit(const char *list);

/* Draw up to most of them, another choice each time: clients of a family (4, 6), or
 * domains (0). Return their number. */
size_t witnesses_draw(struct witnesses *witnesses, int family, uint64_t list_bit,
                      int today, char (*out)[WITNESS_NAME], size_t most);
size_t witnesses_draw_named(struct witnesses *witnesses, int family,
                            char (*out)[WITNESS_NAME], size_t most);

#endif
