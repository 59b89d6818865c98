/* SPDX-License-Identifier: BSD-2-Clause */
/* What a message looks up: is one of these subjects listed or allowed? */

#include <stdio.h>
#include <string.h>

#include "base/domain.h"
#include "base/sql.h"
#include "base/text.h"
#include "blocklist/schema.h"
#include "blocklist/store.h"

#define LOG_INTERVAL_MS 60000

static void lookup_failed(struct blocklist *blocklist, const char *why, bool damage)
{
    char error[BLOCKLIST_ERROR_SIZE];
    unsigned held_back;

    text_sentence(error, sizeof error, "the blocklist's database cannot be read: %s",
                  why);
    if (log_limit_pass(&blocklist->lookup_errors, LOG_INTERVAL_MS, &held_back)) {
        log_error("blocklist: %s held-back=%u", error, held_back);
        store_trouble(blocklist, error, damage);
    }
}

/* What another hand wrote is no listing, and no allow entry. */
static bool is_in_range(sqlite3_stmt *find)
{
    int64_t allow = sqlite3_column_int64(find, 0);
    int64_t tempfail = sqlite3_column_int64(find, 1);

    return (allow == 0 || allow == 1) && tempfail >= 0 && tempfail <= 1 - allow &&
           sqlite3_column_int64(find, 3) >= 0;
}

/* Reads the rows of one entry. */
static enum blocklist_verdict find(struct blocklist *blocklist, const struct entry *entry,
                                   struct blocklist_match *match)
{
    struct reader *reader = reader_take(blocklist);
    enum blocklist_verdict verdict = BLOCKLIST_NONE;
    char why[ENTRY_TEXT_SIZE + 40];
    int rc =
        sql_bind(reader->find, "ti", entry->text, (int64_t)blocklist_ended(blocklist));

    if (rc == SQLITE_OK)
        rc = sqlite3_step(reader->find);
    if (rc == SQLITE_ROW && !is_in_range(reader->find)) {
        text_sentence(why, sizeof why, "%s has a value out of range", entry->text);
        lookup_failed(blocklist, why, true);
    } else if (rc == SQLITE_ROW) {
        verdict = sqlite3_column_int(reader->find, 0) != 0   ? BLOCKLIST_ALLOW
                  : sqlite3_column_int(reader->find, 1) != 0 ? BLOCKLIST_TEMPFAIL
                                                             : BLOCKLIST_BLOCK;
        (void)snprintf(match->key, sizeof match->key, "%s", entry->text); /* same size */
        text_sentence(match->reason, sizeof match->reason, "%s",
                      sql_text(reader->find, 2)); /* cut where longer */
        match->since = (time_t)sqlite3_column_int64(reader->find, 3);
    } else if (rc != SQLITE_DONE) {
        lookup_failed(blocklist, sqlite3_errmsg(reader->db), sql_is_damage(rc));
    }
    sqlite3_reset(reader->find);
    reader_release(reader);
    return verdict;
}

static enum blocklist_verdict find_entry(struct blocklist *blocklist,
                                         const struct entry *entry,
                                         struct blocklist_match *match)
{
    if (!bloom_may_contain(&blocklist->bloom, entry_hash(entry)))
        return BLOCKLIST_NONE;
    return find(blocklist, entry, match);
}

/* A name and all above it; the nearest decides. For a claimed name (HELO) allow entries
 * do not count: anyone can write it. */
static enum blocklist_verdict find_name(struct blocklist *blocklist, enum entry_kind kind,
                                        const char *name, struct blocklist_match *match,
                                        bool claimed)
{
    enum blocklist_verdict verdict = BLOCKLIST_NONE;
    struct entry entry = {.kind = kind};
    size_t before = kind == ENTRY_HOST ? sizeof "host:" - 1 : 0;

    memcpy(entry.text, "host:", before);
    for (; name != NULL && *name != '\0' && verdict == BLOCKLIST_NONE;
         name = domain_parent(name)) {
        if (!text_copy(name, entry.text + before, sizeof entry.text - before))
            continue; /* longer than any entry */
        verdict = find_entry(blocklist, &entry, match);
        if (claimed && verdict == BLOCKLIST_ALLOW)
            verdict = BLOCKLIST_NONE;
    }
    return verdict;
}

static enum blocklist_verdict find_local(struct blocklist *blocklist,
                                         const struct mail_address *sender,
                                         struct blocklist_match *match)
{
    struct entry entry;

    return entry_of_address(sender, &entry) == 0 ? find_entry(blocklist, &entry, match)
                                                 : BLOCKLIST_NONE;
}

static enum blocklist_verdict find_address(struct blocklist *blocklist,
                                           const struct mail_address *sender,
                                           struct blocklist_match *match)
{
    enum blocklist_verdict verdict = find_local(blocklist, sender, match);
    unsigned strip = atomic_load(&blocklist->strip);
    struct mail_address stripped = *sender;
    char *plus = strchr(stripped.local, '+');

    for (int n = 0; verdict == BLOCKLIST_NONE && (strip & BLOCKLIST_STRIP_VERP) != 0 &&
                    rewritten_without_recipient(sender->local, n, stripped.local);
         n++)
        verdict = find_local(blocklist, &stripped, match);
    if (verdict != BLOCKLIST_NONE || (strip & BLOCKLIST_STRIP_TAGS) == 0)
        return verdict;
    stripped = *sender;
    if (plus == NULL || plus == stripped.local)
        return BLOCKLIST_NONE;
    *plus = '\0';
    return find_local(blocklist, &stripped, match);
}

/* An address, and the domain that it is in. */
static enum blocklist_verdict find_whole_address(struct blocklist *blocklist,
                                                 const struct mail_address *sender,
                                                 struct blocklist_match *match)
{
    enum blocklist_verdict verdict = find_address(blocklist, sender, match);

    return verdict != BLOCKLIST_NONE
               ? verdict
               : find_name(blocklist, ENTRY_DOMAIN, sender->domain, match, false);
}

/* As it is; and, where that is not listed, what BATV or SRS made it of. Anyone can write
 * such an address, and pass SPF with it: an allow entry of the address inside is none. */
static enum blocklist_verdict find_sender(struct blocklist *blocklist,
                                          const struct mail_address *sender,
                                          struct blocklist_match *match)
{
    enum blocklist_verdict verdict = find_whole_address(blocklist, sender, match);
    struct mail_address inside;

    if (verdict != BLOCKLIST_NONE || !rewritten_inside(sender, &inside))
        return verdict;
    verdict = find_whole_address(blocklist, &inside, match);
    return verdict == BLOCKLIST_ALLOW ? BLOCKLIST_NONE : verdict;
}

/* The networks that the client is in, of the lengths that occur; the longest decides. */
static enum blocklist_verdict find_client(struct blocklist *blocklist,
                                          const struct ipaddr *client,
                                          struct blocklist_match *match)
{
    struct bloom_prefixes prefixes = bloom_prefixes(&blocklist->bloom, client->family);
    enum blocklist_verdict verdict = BLOCKLIST_NONE;
    struct network network;
    struct entry entry;

    for (int bits = (int)ipaddr_bits(client); bits >= 0 && verdict == BLOCKLIST_NONE;
         bits--) {
        if ((prefixes.words[bits / 64] & 1ULL << bits % 64) == 0)
            continue;
        network_of(client, (unsigned)bits, &network);
        if (bloom_may_contain(&blocklist->bloom, entry_hash_network(&network)) &&
            entry_of_network(&network, &entry) == 0)
            verdict = find(blocklist, &entry, match);
    }
    return verdict;
}

static enum blocklist_verdict find_family(struct blocklist *blocklist,
                                          const struct blocklist_subjects *subjects,
                                          struct blocklist_match *match)
{
    struct entry entry;

    switch (match->subject) {
    case BLOCKLIST_BY_SENDER:
        return subjects->sender != NULL ? find_sender(blocklist, subjects->sender, match)
                                        : BLOCKLIST_NONE;
    case BLOCKLIST_BY_LOGIN:
        return subjects->login != NULL && entry_of_user(subjects->login, &entry) == 0
                   ? find_entry(blocklist, &entry, match)
                   : BLOCKLIST_NONE;
    case BLOCKLIST_BY_CLIENT:
        return subjects->client != NULL ? find_client(blocklist, subjects->client, match)
                                        : BLOCKLIST_NONE;
    case BLOCKLIST_BY_CLIENT_NAME:
        return find_name(blocklist, ENTRY_HOST, subjects->client_name, match, false);
    case BLOCKLIST_BY_HELO:
        return find_name(blocklist, ENTRY_HOST, subjects->helo, match, true);
    case BLOCKLIST_BY_FROM:
        break; /* the caller asks for it as a sender */
    }
    return BLOCKLIST_NONE;
}

/* The strongest verdict of the families of subjects counts, the first of equals. */
enum blocklist_verdict blocklist_lookup(struct blocklist *blocklist,
                                        const struct blocklist_subjects *subjects,
                                        struct blocklist_match *match)
{
    static const int strength[] = {[BLOCKLIST_NONE] = 0,
                                   [BLOCKLIST_TEMPFAIL] = 1,
                                   [BLOCKLIST_BLOCK] = 2,
                                   [BLOCKLIST_ALLOW] = 3};
    static const enum blocklist_subject families[] = {
        BLOCKLIST_BY_SENDER, BLOCKLIST_BY_LOGIN, BLOCKLIST_BY_CLIENT,
        BLOCKLIST_BY_CLIENT_NAME, BLOCKLIST_BY_HELO};
    enum blocklist_verdict verdict = BLOCKLIST_NONE, one;
    struct blocklist_match found;

    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
        found.subject = families[i];
        one = find_family(blocklist, subjects, &found);

        if (strength[one] > strength[verdict]) {
            verdict = one;
            *match = found;
        }
        if (one == BLOCKLIST_ALLOW)
            break;
    }
    return verdict;
}

void blocklist_hit(struct blocklist *blocklist, const struct blocklist_match *match)
{
    hits_add(&blocklist->hits, match->key, 1, blocklist_now(blocklist));
}

/* As the subject of a message: the network that an address is in, the domain above a
 * sender. */
enum blocklist_verdict blocklist_lookup_entry(struct blocklist *blocklist,
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
    return blocklist_lookup(blocklist, &subjects, match);
}
