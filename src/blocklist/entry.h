/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BLOCKLIST_ENTRY_H
#define BLOCKLIST_ENTRY_H

/* ENTRY texts, as the postmaster writes them and as they are kept: one canonical text
 * for each, so that none can exist twice. Plain values; any thread. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/domain.h"
#include "base/ipaddr.h"

enum entry_kind {
    ENTRY_ADDRESS, /* anna.a@domain.xyz; the null sender: <> */
    ENTRY_DOMAIN,  /* domain.xyz and all below it */
    ENTRY_NETWORK, /* 192.0.2.1, 192.0.2.0/24, 2001:db8::/32 */
    ENTRY_HOST,    /* host:mail.domain.xyz (client name or HELO) and all below it */
    ENTRY_USER     /* user:anna, a login */
};
#define ENTRY_KIND_COUNT 5

#define ENTRY_TEXT_SIZE  (ADDRESS_SIZE + 8)
#define ENTRY_ERROR_SIZE 256

struct entry {
    enum entry_kind kind;
    char text[ENTRY_TEXT_SIZE]; /* canonical; equal texts are equal entries */
};

/* Reads one ENTRY and brings it to the one form: surrounding spaces and <>, upper case
 * (of local parts and logins too: no mail system in use distinguishes Anna@ and anna@), a
 * dot at the end, IDN (A-labels), SMTPUTF8 (NFC, lower case), IPv6 spelling, host bits.
 * "@domain.xyz" and ".domain.xyz" are the domain. What entry_parse wrote into text reads
 * back as the same. A range, a netmask, a pattern or the like is refused, never taken for
 * a name; so is a character that cannot be seen (utf8_is_hidden), but for the joiners
 * that are part of a domain's spelling. Returns 0, or -1 with a sentence in error that
 * says what was expected. */
int entry_parse(const char *text, struct entry *out, char error[static ENTRY_ERROR_SIZE]);

/* As entry_parse, for lookups and removing: takes characters that cannot be seen, too, as
 * a database may have them. */
int entry_parse_kept(const char *text, struct entry *out,
                     char error[static ENTRY_ERROR_SIZE]);

/* The canonical forms of single subjects, for lookups. They return 0, or -1 where there
 * is no such entry (too long, empty, control characters). */
int entry_of_address(const struct mail_address *address, struct entry *out);
int entry_of_network(const struct network *network, struct entry *out);
int entry_of_user(const char *login, struct entry *out);

/* "address", "domain", "network", "host", "user". The parser returns 0, or -1. */
const char *entry_kind_name(enum entry_kind kind);
int entry_kind_parse(const char *name, enum entry_kind *out);

/* A hash for the filter. The same for an entry however it was made. */
uint64_t entry_hash(const struct entry *entry);
uint64_t entry_hash_network(const struct network *network); /* as of its entry */

/* "allow", "tempfail" or "block": what is done by an entry that allows, defers or does
 * neither. */
const char *entry_action_name(bool allow, bool tempfail);

/* Reads the network of an entry of that kind. Returns 0, or -1 for other kinds. */
int entry_network(const struct entry *entry, struct network *out);

/* What an entry is held against, to refuse what would list half the world. Borrowed. */
struct entry_limits {
    const struct suffix_list *suffixes; /* NULL: only names without a dot are refused */
    const struct network *exempt;       /* one's own networks */
    size_t exempt_count;
    /* Whether mail from there is accepted day by day; a sentence in why then. NULL: nobody
     * knows. Not called for allow entries. */
    bool (*is_in_use)(void *context, const struct entry *entry,
                      char why[static ENTRY_ERROR_SIZE]);
    void *context;
};

/* The widest network that anyone holds, as a prefix: IPv4 /8 (a former class A), IPv6 /19
 * (the largest allocations of the registries). */
unsigned entry_widest(int family);

/* Whether the entry would hit far more than one sender: a public suffix, an IPv4 network
 * wider than /8 or IPv6 wider than /19, the null sender, a large provider's domain, one
 * that overlaps an exempt network; or whether a local part or login has a "*" or "?" in
 * it, which was most likely meant as a pattern; or whether mail from there is in use. Of
 * an allow entry provider, exempt network and use do not count. Returns true with the
 * reason, a sentence, in why. */
bool entry_too_wide(const struct entry *entry, bool allow,
                    const struct entry_limits *limits, char why[static ENTRY_ERROR_SIZE]);

#endif
