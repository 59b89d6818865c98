/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BASE_DOMAIN_H
#define BASE_DOMAIN_H

/* Domain and host names in one form: A-labels, lower case, no dot at the end; and the
 * addresses of people. Any thread. */

#include <stdbool.h>
#include <stddef.h>

/* The longest name in text form (RFC 1035: 255 octets on the wire) with its end. */
#define DOMAIN_SIZE 254
/* The longest local part (64, RFC 5321) in UTF-8 and with room for odd ones. */
#define LOCAL_PART_SIZE 257
#define ADDRESS_SIZE    (LOCAL_PART_SIZE + DOMAIN_SIZE)

/* Brings a name to the one form: "Bücher.Example." -> "xn--bcher-kva.example"
 * (idna.h: IDNA2008, and what registries sell beyond it). Labels are letters, digits, "-"
 * and "_", 1 to 63 long. Returns 0, or -1 when the text is no such name (out is then
 * empty): an empty label, a space, "@", a backslash, 8-bit text that is no valid UTF-8,
 * too long. */
int domain_canonical(const char *text, char out[static DOMAIN_SIZE]);

/* Whether a canonical name looks like an IPv4 address (its last label is a number), for
 * names that lists must not be queried for. */
bool domain_is_numeric(const char *domain);

/* The name above: "a.b.c" -> "b.c"; NULL above a name without a dot. Points into it. */
const char *domain_parent(const char *domain);

/* Whether domain is under, or is, parent. Both canonical. */
bool domain_is_below(const char *domain, const char *parent);

/* The sender or recipient as the MTA hands it over: "<Anna+x@Domain.XYZ>". */
struct mail_address {
    char local[LOCAL_PART_SIZE]; /* as it was, quotes removed; "" of the null sender, and
                                    where it is too long but the domain is known */
    char domain[DOMAIN_SIZE]; /* canonical; "" without a domain, for an address literal,
                                 or where the domain is no valid name */
    bool literal;             /* user@[192.0.2.1] */
};

/* Takes an address apart: with or without <>, quoted local parts ("a b"@c), a source
 * route (@a,@b:c@d) left out, SMTPUTF8. Returns 0 (the null sender "<>" too), or -1 if
 * it cannot be read: neither local part nor domain, or what may be only in quotes
 * before the "@" (spaces, comments), which MTAs read in their own ways; *out is then all
 * empty. */
int mail_address_parse(const char *text, struct mail_address *out);

/* Whether it is the null sender, <>. */
bool mail_address_is_null(const struct mail_address *a);

/* Whether its local part, in any case, is a role that mail systems have to have:
 * postmaster (RFC 5321, 4.5.1), abuse (RFC 2142), mailer-daemon (which sends bounces). */
bool mail_address_is_role(const struct mail_address *a);

/* The list of public suffixes (publicsuffix.org, as Debian keeps it). */
struct suffix_list;

/* Loads the newest list that the system has. Returns NULL if there is none. */
struct suffix_list *suffix_list_new(void);
void suffix_list_free(struct suffix_list *list); /* NULL is fine */

/* Whether a canonical name is on the list itself, as "org" and "co.uk" do. */
bool suffix_list_has(const struct suffix_list *list, const char *domain);

/* The registered domain of a canonical name: "a.b.example.co.uk" -> "example.co.uk".
 * Points into domain. NULL if the name is itself a public suffix. */
const char *suffix_list_registered(const struct suffix_list *list, const char *domain);

/* Senders that a mail system has rewritten for its own ends, and whose they are. Any
 * thread; no allocation. */

/* Takes the address out of what BATV (prvs=TAG=anna@, prvs=anna=TAG@, btv1==TAG==anna@)
 * or SRS (SRS0=HASH=TT=a.example=anna@, SRS1=…, Microsoft's x+SRS=…) made of it, however
 * many times. Returns false, with *out untouched, where the address is as it was. Anyone
 * can write such an address: what is inside must not be trusted more than the outside. */
bool rewritten_inside(const struct mail_address *address, struct mail_address *out);

/* Of a VERP sender, "bounces-list-anna=example.org", the local part without the
 * recipient: "bounces-list" for n = 0, "bounces" for 1, as a recipient may have a "-" as
 * well. Returns false where there is none, or no n-th. */
bool rewritten_without_recipient(const char *local, int n,
                                 char out[static LOCAL_PART_SIZE]);

#endif
