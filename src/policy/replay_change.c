/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/replay_change.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "policy/replay_parts.h"

#define ROOM (8u << 20)

/* The work under way. */
struct finder {
    struct replay_changes *changes;
    const struct config *then, *now;
    size_t room, each; /* octets left, and what a change takes at most */
    bool failed;
};

/* One more change; its undone is the new configuration, still to be changed back. NULL:
 * no memory, or no room. */
__attribute__((format(printf, 2, 3))) static struct replay_change *add(struct finder *f,
                                                                       const char *format,
                                                                       ...)
{
    struct replay_changes *changes = f->changes;
    struct replay_change *grown, *change;
    char text[REPLAY_CHANGE_SIZE];
    va_list args;

    if (f->room < f->each)
        return NULL;
    f->room -= f->each;
    grown = realloc(changes->items, (changes->count + 1) * sizeof *grown);
    if (grown == NULL) {
        f->failed = true;
        return NULL;
    }
    changes->items = grown;
    change = &grown[changes->count++];
    *change = (struct replay_change){0};
    memcpy(&change->undone, f->now, sizeof change->undone);
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    text_clean(text, change->text, sizeof change->text);
    return change;
}

/* --- thresholds and the like --- */

static void find_threshold(struct finder *f, const char *name, size_t offset)
{
    const int *then = (const int *)((const char *)f->then + offset);
    const int *now = (const int *)((const char *)f->now + offset);
    struct replay_change *change;

    if (*then == *now)
        return;
    change = add(f, "%s %d -> %d", name, *then, *now);
    if (change != NULL)
        memcpy((char *)&change->undone + offset, then, sizeof *then);
}

static void find_settings(struct finder *f)
{
    const struct config *then = f->then, *now = f->now;
    struct replay_change *change;

    find_threshold(f, "reject", offsetof(struct config, verdict.reject));
    find_threshold(f, "tempfail", offsetof(struct config, verdict.tempfail));
    find_threshold(f, "tag", offsetof(struct config, verdict.tag));
    if (then->milter.reject_at != now->milter.reject_at &&
        (change = add(f, "reject-at %s -> %s", stage_name(then->milter.reject_at),
                      stage_name(now->milter.reject_at))) != NULL)
        change->undone.milter.reject_at = then->milter.reject_at;
    if (then->exempt.authenticated != now->exempt.authenticated &&
        (change = add(f, "exempt authenticated %s",
                      then->exempt.authenticated ? "gone" : "new")) != NULL)
        change->undone.exempt.authenticated = then->exempt.authenticated;
    if ((then->blocklist.strip_tags != now->blocklist.strip_tags ||
         then->blocklist.strip_verp != now->blocklist.strip_verp) &&
        (change = add(f, "blocklist strip-tags, strip-verp")) != NULL)
        change->undone.blocklist = then->blocklist;
}

/* --- exempt networks and addresses --- */

/* items without the one at index (added), or with one more (gone). NULL: no memory. */
static void *other_items(const void *items, size_t count, size_t size, size_t index,
                         const void *more)
{
    char *out = calloc(count + 1, size);

    if (out == NULL)
        return NULL;
    if (more != NULL) {
        if (count > 0)
            memcpy(out, items, count * size);
        memcpy(out + count * size, more, size);
        return out;
    }
    memcpy(out, items, index * size);
    memcpy(out + index * size, (const char *)items + (index + 1) * size,
           (count - index - 1) * size);
    return out;
}

static bool has_network(const struct config *config, const struct network *network)
{
    for (size_t i = 0; i < config->exempt.network_count; i++) {
        const struct network *n = &config->exempt.networks[i];

        if (n->prefix == network->prefix && ipaddr_equal(&n->base, &network->base))
            return true;
    }
    return false;
}

/* index: of the new one in the new configuration; more: one that is gone. */
static void change_network(struct finder *f, const struct network *network, size_t index,
                           const struct network *more)
{
    const struct config *now = f->now;
    struct replay_change *change;
    char text[NETWORK_TEXT_SIZE];

    network_text(network, text);
    change = add(f, "exempt %s %s", text, more != NULL ? "gone" : "new");
    if (change == NULL)
        return;
    change->own = other_items(now->exempt.networks, now->exempt.network_count,
                              sizeof *network, index, more);
    f->failed |= change->own == NULL;
    change->undone.exempt.networks = change->own;
    change->undone.exempt.network_count += more != NULL ? 1 : (size_t)-1;
}

static void find_networks(struct finder *f)
{
    const struct config *then = f->then, *now = f->now;

    for (size_t i = 0; i < then->exempt.network_count; i++)
        if (!has_network(now, &then->exempt.networks[i]))
            change_network(f, &then->exempt.networks[i], 0, &then->exempt.networks[i]);
    for (size_t i = 0; i < now->exempt.network_count; i++)
        if (!has_network(then, &now->exempt.networks[i]))
            change_network(f, &now->exempt.networks[i], i, NULL);
}

/* The exempt recipients or senders of a configuration. */
struct addresses {
    struct exempt_address *items;
    size_t count;
};

static struct addresses addresses_of(const struct config *config, bool senders)
{
    return senders
               ? (struct addresses){config->exempt.senders, config->exempt.sender_count}
               : (struct addresses){config->exempt.recipients,
                                    config->exempt.recipient_count};
}

static void change_address(struct finder *f, bool senders,
                           const struct exempt_address *address, size_t index,
                           const struct exempt_address *more)
{
    struct addresses now = addresses_of(f->now, senders);
    struct replay_change *change = add(
        f, "exempt %s %s%s%s %s", senders ? "sender" : "recipient",
        address->local != NULL ? address->local : "", address->domain != NULL ? "@" : "",
        address->domain != NULL ? address->domain : "", more != NULL ? "gone" : "new");

    if (change == NULL)
        return;
    change->own = other_items(now.items, now.count, sizeof *address, index, more);
    f->failed |= change->own == NULL;
    now.count += more != NULL ? 1 : (size_t)-1;
    if (senders) {
        change->undone.exempt.senders = change->own;
        change->undone.exempt.sender_count = now.count;
    } else {
        change->undone.exempt.recipients = change->own;
        change->undone.exempt.recipient_count = now.count;
    }
}

static void find_addresses(struct finder *f, bool senders)
{
    struct addresses then = addresses_of(f->then, senders);
    struct addresses now = addresses_of(f->now, senders);

    for (size_t i = 0; i < then.count; i++)
        if (!replay_has_address(now.items, now.count, &then.items[i]))
            change_address(f, senders, &then.items[i], 0, &then.items[i]);
    for (size_t i = 0; i < now.count; i++)
        if (!replay_has_address(then.items, then.count, &now.items[i]))
            change_address(f, senders, &now.items[i], i, NULL);
}

/* --- lists --- */

static const struct list *list_named(const struct config *config, const char *name)
{
    for (size_t i = 0; i < config->list_count; i++)
        if (strcmp(config->lists[i].name, name) == 0)
            return &config->lists[i];
    return NULL;
}

/* What weighs answers: says in text how it differs, "" where it does not. */
static void describe_codes(const struct list *a, const struct list *b, char *text,
                           size_t size)
{
    size_t different = 0, index = 0;

    text[0] = '\0';
    if (a->code_count != b->code_count) {
        snprintf(text, size, "codes");
        return;
    }
    for (size_t i = 0; i < a->code_count; i++) {
        if (strcmp(a->codes[i].text, b->codes[i].text) != 0) {
            snprintf(text, size, "codes");
            return;
        }
        if (a->codes[i].weight != b->codes[i].weight) {
            different++;
            index = i;
        }
    }
    if (different == 1)
        snprintf(text, size, "%s %d -> %d", a->codes[index].text, a->codes[index].weight,
                 b->codes[index].weight);
    else if (different > 1)
        snprintf(text, size, "codes");
    else if (a->code_count == 0 && a->weight != b->weight)
        snprintf(text, size, "%d -> %d", a->weight, b->weight);
}

static bool error_codes_equal(const struct list *a, const struct list *b)
{
    if (a->error_code_count != b->error_code_count)
        return false;
    for (size_t i = 0; i < a->error_code_count; i++)
        if (a->error_codes[i].prefix != b->error_codes[i].prefix ||
            !ipaddr_equal(&a->error_codes[i].base, &b->error_codes[i].base))
            return false;
    return true;
}

/* "4 -> 8", "monitor -> enforce", "codes, check": how the list differs; "" not at all. */
static void describe(const struct list *a, const struct list *b, char *out, size_t size)
{
    const struct {
        const char *name;
        bool differs;
    } rows[] = {
        {"error-codes", !error_codes_equal(a, b)},
        {"zone", strcmp(a->zone_text, b->zone_text) != 0},
        {"check", a->checks != b->checks},
        {"ipv6", a->ipv6 != b->ipv6},
        {"when", a->when != b->when},
        {"after", (a->after_count > 0) != (b->after_count > 0)},
        {"organizational", a->organizational != b->organizational},
        {"hash", a->hash != b->hash},
    };
    size_t used;

    describe_codes(a, b, out, size);
    used = strlen(out);
    if (a->mode != b->mode && used < size)
        used +=
            (size_t)snprintf(out + used, size - used, "%s%s -> %s", used > 0 ? ", " : "",
                             list_mode_name(a->mode), list_mode_name(b->mode));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0] && used < size; i++)
        if (rows[i].differs)
            used += (size_t)snprintf(out + used, size - used, "%s%s",
                                     used > 0 ? ", " : "", rows[i].name);
}

/* Puts a list of then in the place of index (or behind all) of a copy of the lists; NULL:
 * there is none, and the one at index is off. */
static void undo_list(struct finder *f, struct replay_change *change, size_t index,
                      const struct list *then)
{
    size_t count = f->now->list_count;
    struct list *lists;

    if (change == NULL)
        return;
    lists = calloc(count + 1, sizeof *lists);
    if (lists == NULL) {
        f->failed = true;
        return;
    }
    if (count > 0)
        memcpy(lists, f->now->lists, count * sizeof *lists);
    if (then != NULL)
        lists[index] = *then;
    else
        lists[index].mode = LIST_OFF;
    change->own = lists;
    change->undone.lists = lists;
    change->undone.list_count = index == count ? count + 1 : count;
}

static void find_lists(struct finder *f)
{
    const struct config *then = f->then, *now = f->now;
    char text[REPLAY_CHANGE_SIZE];

    for (size_t i = 0; i < now->list_count; i++) {
        const struct list *list = &now->lists[i];
        const struct list *old = list_named(then, list->name);

        if (old == NULL) {
            undo_list(f, add(f, "%s new", list->name), i, NULL);
            continue;
        }
        describe(old, list, text, sizeof text);
        if (text[0] != '\0')
            undo_list(f, add(f, "%s %s", list->name, text), i, old);
    }
    for (size_t i = 0; i < then->list_count; i++)
        if (list_named(now, then->lists[i].name) == NULL)
            undo_list(f, add(f, "%s removed", then->lists[i].name), now->list_count,
                      &then->lists[i]);
}

int replay_changes_find(struct replay_changes *changes, const struct config *then,
                        const struct config *now)
{
    struct finder f = {.changes = changes, .then = then, .now = now, .room = ROOM};

    *changes = (struct replay_changes){0};
    /* itself, an array of its own, and its replay, which has less than a list for each */
    f.each = sizeof(struct replay_change) + 2 * now->list_count * sizeof(struct list) +
             now->exempt.network_count * sizeof(struct network) +
             (now->exempt.sender_count + now->exempt.recipient_count) *
                 sizeof(struct exempt_address);
    find_lists(&f);
    find_settings(&f);
    find_networks(&f);
    find_addresses(&f, true);
    find_addresses(&f, false);
    for (size_t i = 0; i < changes->count && !f.failed; i++) {
        struct replay_change *change = &changes->items[i];

        change->replay = replay_new(&change->undone, then);
        f.failed |= change->replay == NULL;
    }
    if (!f.failed)
        return 0;
    replay_changes_clear(changes);
    return -1;
}

void replay_changes_clear(struct replay_changes *changes)
{
    for (size_t i = 0; i < changes->count; i++) {
        replay_free(changes->items[i].replay);
        free(changes->items[i].own);
    }
    free(changes->items);
    *changes = (struct replay_changes){0};
}
