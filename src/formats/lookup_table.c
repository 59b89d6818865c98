/* SPDX-License-Identifier: BSD-2-Clause */
#include "formats/lookup_table.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define NONE UINT32_MAX

/* A line, or one network of it. Its key is made so that what a line covers sorts behind
 * it, and begins with the same bits: names with their labels reversed, networks as they
 * are. Files have millions of these. */
struct node {
    char *name_key, *text; /* NULL of a network; text: of the entry */
    char *reason;
    unsigned long line;
    uint32_t order; /* as added */
    uint32_t above; /* the nearest that counts and covers it, by index; or NONE */
    uint32_t hole;  /* an exception below it, or NONE */
    uint32_t other; /* where it does not count: what decides in its place; or NONE */
    uint16_t bits;  /* of the key that count */
    uint8_t kind, action, scope;
    uint8_t network_key[17]; /* family, octets */
};

struct lookup_table {
    struct node *nodes;
    size_t count, size;
};

struct lookup_table *lookup_table_new(void)
{
    return calloc(1, sizeof(struct lookup_table));
}

static void empty(struct lookup_table *table)
{
    for (size_t i = 0; i < table->count; i++) {
        free(table->nodes[i].name_key);
        free(table->nodes[i].reason);
        free(table->nodes[i].text);
    }
    table->count = 0;
}

void lookup_table_free(struct lookup_table *table)
{
    if (table == NULL)
        return;
    empty(table);
    free(table->nodes);
    free(table);
}

static const void *key_of(const struct node *node)
{
    return node->text != NULL ? (const void *)node->name_key : node->network_key;
}

static struct network network_of_node(const struct node *node)
{
    struct network network = {.prefix = (uint8_t)(node->bits - 8)};

    network.base.family = node->network_key[0];
    memcpy(network.base.octets, node->network_key + 1, sizeof network.base.octets);
    return network;
}

/* "bad.example" is "dexample\1bad\1", anna@ of it has "\2anna\3" behind. */
static char *name_key(const struct entry *entry, uint16_t *bits)
{
    const char *text = entry->text, *at = strrchr(text, '@'), *start = text;
    char *key = malloc(strlen(text) + 5), *to = key;

    if (key == NULL)
        return NULL;
    *to++ = entry->kind == ENTRY_HOST ? 'h' : entry->kind == ENTRY_USER ? 'u' : 'd';
    if (entry->kind == ENTRY_HOST)
        start += strlen("host:");
    if (entry->kind == ENTRY_ADDRESS && at != NULL)
        start = at + 1;
    for (const char *end = start + strlen(start), *label; end > start;
         end = label > start ? label - 1 : start) {
        label = entry->kind == ENTRY_USER ? start : end;
        while (label > start && label[-1] != '.')
            label--;
        memcpy(to, label, (size_t)(end - label));
        to += end - label;
        *to++ = 1;
    }
    if (entry->kind == ENTRY_ADDRESS && at != NULL) {
        *to++ = 2;
        memcpy(to, text, (size_t)(at - text));
        to += at - text;
        *to++ = 3;
    }
    *bits = (uint16_t)((to - key) * 8); /* an entry has some 300 bytes at most */
    return key;
}

static struct node *new_node(struct lookup_table *table, const struct lookup_line *line)
{
    struct node *node;

    if (table->count == table->size) {
        size_t size = table->size > 0 ? table->size * 2 : 256;
        struct node *nodes =
            size < NONE ? reallocarray(table->nodes, size, sizeof *nodes) : NULL;

        if (nodes == NULL)
            return NULL;
        table->nodes = nodes;
        table->size = size;
    }
    node = &table->nodes[table->count];
    *node = (struct node){.line = line->line,
                          .order = (uint32_t)table->count,
                          .action = (uint8_t)line->action,
                          .scope = (uint8_t)line->scope};
    if (line->reason != NULL && (node->reason = strdup(line->reason)) == NULL)
        return NULL;
    table->count++; /* from here on it is freed with the table */
    return node;
}

static int add_network(struct lookup_table *table, const struct lookup_line *line,
                       const struct network *network)
{
    struct node *node = new_node(table, line);

    if (node == NULL)
        return -1;
    node->kind = ENTRY_NETWORK;
    node->bits = (uint16_t)(8u + network->prefix);
    node->network_key[0] = network->base.family;
    memcpy(node->network_key + 1, network->base.octets, sizeof network->base.octets);
    return 0;
}

int lookup_table_add(struct lookup_table *table, const struct lookup_line *line,
                     const struct entry *entry)
{
    struct network network;
    struct node *node;

    if (entry_network(entry, &network) == 0)
        return add_network(table, line, &network);
    node = new_node(table, line);
    if (node == NULL)
        return -1;
    node->kind = (uint8_t)entry->kind;
    node->text = strdup(entry->text);
    node->name_key = name_key(entry, &node->bits);
    return node->text != NULL && node->name_key != NULL ? 0 : -1;
}

static bool is_too_wide(const struct network *network, const struct format_reader *reader)
{
    return !reader->options.wide && network->prefix < entry_widest(network->base.family);
}

int lookup_table_add_networks(struct lookup_table *table, struct format_reader *reader,
                              const struct lookup_line *line,
                              const struct network *networks, size_t count)
{
    struct lookup_line each = *line;
    bool too_wide = false;

    for (size_t i = 0; i < count && !too_wide; i++)
        too_wide = is_too_wide(&networks[i], reader);
    if (too_wide && count > 1 && line->action != LOOKUP_HOLE) {
        reader_bad_at(reader, line->line,
                      "the range is wider than any network that may be listed (--force "
                      "does it all the same)");
        each.action = LOOKUP_HOLE;
    }
    for (size_t i = 0; i < count; i++)
        if (add_network(table, &each, &networks[i]) != 0)
            return -1;
    return 0;
}

static bool covers(const struct node *above, const struct node *below)
{
    const uint8_t *a = key_of(above), *b = key_of(below);
    size_t whole = above->bits / 8, rest = above->bits % 8;

    return above->bits <= below->bits && memcmp(a, b, whole) == 0 &&
           (rest == 0 || (a[whole] ^ b[whole]) >> (8 - rest) == 0);
}

/* By key, and lines of the same key in the file's order, perhaps exceptions first. */
static int compare(const void *left, const void *right, void *context)
{
    const struct node *a = left, *b = right;
    const struct lookup_rules *rules = context;
    size_t bits = a->bits < b->bits ? a->bits : b->bits;
    int order = memcmp(key_of(a), key_of(b), (bits + 7) / 8);

    if (order == 0)
        order = (a->bits > b->bits) - (a->bits < b->bits);
    if (order == 0 && rules->holes_first)
        order = (b->action == LOOKUP_HOLE) - (a->action == LOOKUP_HOLE);
    return order != 0 ? order : a->order < b->order ? -1 : 1;
}

/* Finds what decides in a node's place, if anything does: the same key, or, where the
 * first match counts, one above it that comes earlier. */
static uint32_t find_other(struct node *nodes, uint32_t i,
                           const struct lookup_rules *rules)
{
    uint32_t above = nodes[i].above;

    if (above != NONE && nodes[above].bits == nodes[i].bits) { /* it covers the other */
        /* of several lines of one name, "x" and "*.x" together are all of it */
        if (nodes[above].action == nodes[i].action &&
            nodes[above].scope != nodes[i].scope)
            nodes[above].scope = LOOKUP_BOTH;
        return above;
    }
    for (; rules->first_match && above != NONE; above = nodes[above].above)
        if (nodes[above].order < nodes[i].order)
            return above;
    return NONE;
}

/* Sorted, a node's above is the one before it, or above that. */
static void resolve(struct lookup_table *table, const struct lookup_rules *rules)
{
    struct node *nodes = table->nodes;
    uint32_t last = NONE;

    for (uint32_t i = 0; i < table->count; i++) {
        while (last != NONE && !covers(&nodes[last], &nodes[i]))
            last = nodes[last].above;
        nodes[i].above = last;
        nodes[i].hole = NONE;
        nodes[i].other = find_other(nodes, i, rules);
        if (nodes[i].other != NONE)
            continue;
        if (nodes[i].action == LOOKUP_HOLE)
            for (uint32_t up = last; up != NONE && nodes[up].hole == NONE;
                 up = nodes[up].above)
                nodes[up].hole = i;
        last = i;
    }
}

static void node_text(const struct node *node, char out[static ENTRY_TEXT_SIZE])
{
    struct network network = network_of_node(node);

    if (node->text == NULL)
        network_text(&network, out);
    else
        (void)text_copy(node->text, out, ENTRY_TEXT_SIZE); /* it was an entry's */
}

static void give_entry(struct format_reader *reader, const struct node *node,
                       const struct entry *entry)
{
    struct format_row row = {.entry = *entry,
                             .allow = node->action == LOOKUP_ALLOW,
                             .tempfail = node->action == LOOKUP_TEMPFAIL,
                             .reason = node->reason};

    reader_row_at(reader, node->line, &row);
}

static void give_network(struct format_reader *reader, const struct node *node,
                         const struct network *network)
{
    struct entry entry;

    if (entry_of_network(network, &entry) == 0)
        give_entry(reader, node, &entry);
}

/* Gives what is left of a network without those below it: nodes from..to, sorted, of
 * which only those count that nothing decides in place of. */
static void give_rest(struct format_reader *reader, const struct node *node,
                      const struct network *rest, const struct node *from,
                      const struct node *to)
{
    unsigned bit = rest->prefix;

    while (from < to && from->other != NONE)
        from++;
    if (from == to) {
        give_network(reader, node, rest);
        return;
    }
    if (from->bits == 8u + rest->prefix)
        return;
    for (int upper = 0; upper < 2; upper++) {
        struct network half = *rest;
        const struct node *end = from;

        if (upper == 1)
            half.base.octets[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
        half.prefix++;
        while (end < to && (end->network_key[1 + bit / 8] >> (7 - bit % 8) & 1) == upper)
            end++;
        give_rest(reader, node, &half, from, end);
        from = end;
    }
}

/* A network with an exception in it. What entries say of its other parts they say
 * themselves, so all of them are left out. */
static void give_cut(struct lookup_table *table, struct format_reader *reader,
                     const struct node *node)
{
    const struct node *end = node + 1, *last = table->nodes + table->count;
    struct network network = network_of_node(node);
    char text[ENTRY_TEXT_SIZE];

    node_text(node, text);
    if (is_too_wide(&network, reader)) {
        reader_bad_at(reader, node->line,
                      "%s is wider than any network that may be listed, and line %lu "
                      "excepts a part of it (--force does it all the same)",
                      text, table->nodes[node->hole].line);
        return;
    }
    while (end < last && covers(node, end))
        end++;
    give_rest(reader, node, &network, node + 1, end);
}

/* Returns true after it was said why a node cannot be an entry. */
static bool refuse(struct lookup_table *table, struct format_reader *reader,
                   const struct node *node, const struct lookup_rules *rules)
{
    const struct node *above = node->above == NONE ? NULL : &table->nodes[node->above];
    unsigned long line = node->line;
    char text[ENTRY_TEXT_SIZE], hole[ENTRY_TEXT_SIZE];

    node_text(node, text);
    if (node->hole != NONE && node->text != NULL) {
        node_text(&table->nodes[node->hole], hole);
        reader_bad_at(
            reader, line,
            "%s is not taken: line %lu excepts %s from it, which entries cannot "
            "say; list the names below %s one by one, or %s %s as well",
            text, table->nodes[node->hole].line, hole, text,
            node->action == LOOKUP_ALLOW ? "list" : "allow", hole);
        return true;
    }
    if (rules->whole_octets && above != NULL && above->action == LOOKUP_HOLE &&
        node->text == NULL && node->network_key[0] == 4 &&
        (above->bits + 7) / 8 == (node->bits + 7) / 8) {
        reader_bad_at(reader, line, "%s is not taken: line %lu excludes it", text,
                      above->line);
        return true;
    }
    if (node->scope != LOOKUP_BOTH && !reader->options.wide &&
        (above == NULL || above->action != node->action)) {
        reader_bad_at(reader, line,
                      node->scope == LOOKUP_NAME
                          ? "%s is listed alone, an entry lists what is below it, too: "
                            "write .%s if that is meant (--force takes it so)"
                          : "only what is below %s is listed, an entry lists the name, "
                            "too: write .%s if that is meant (--force takes it so)",
                      text, text);
        return true;
    }
    return false;
}

static void give_node(struct lookup_table *table, struct format_reader *reader,
                      const struct node *node, const struct lookup_rules *rules)
{
    struct entry entry = {.kind = node->kind};
    struct network network = network_of_node(node);

    if (node->other != NONE) {
        const struct node *other = &table->nodes[node->other];

        if (node->action != LOOKUP_HOLE && node->action != other->action &&
            node->line != other->line)
            reader_bad_at(reader, node->line,
                          "it is never reached: line %lu decides before it", other->line);
        return;
    }
    if (node->action == LOOKUP_HOLE || refuse(table, reader, node, rules))
        return;
    if (node->hole != NONE)
        give_cut(table, reader, node);
    else if (node->text == NULL)
        give_network(reader, node, &network);
    else if (text_copy(node->text, entry.text, sizeof entry.text))
        give_entry(reader, node, &entry);
}

int lookup_table_give(struct lookup_table *table, struct format_reader *reader,
                      const struct lookup_rules *rules)
{
    size_t *at = calloc(table->count + 1, sizeof *at);

    if (at == NULL)
        return -1;
    if (table->count > 1)
        qsort_r(table->nodes, table->count, sizeof *table->nodes, compare,
                (void *)(uintptr_t)rules);
    resolve(table, rules);
    for (size_t i = 0; i < table->count; i++)
        at[table->nodes[i].order] = i;
    for (size_t i = 0; i < table->count && !reader->stopped; i++)
        give_node(table, reader, &table->nodes[at[i]], rules);
    free(at);
    empty(table);
    return 0;
}
