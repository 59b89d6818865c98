/* SPDX-License-Identifier: BSD-2-Clause */
/* cidr: tables (cidr_table(5)): the first line that matches decides, "if" and "!" narrow
 * down what a line is about. Each line is turned into the networks that it is about. */

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "formats/postfix_table.h"

#define DEPTH_MAX 20
#define SET_MAX   4096 /* networks: 20 conditions with "!" have 128 each at most */

struct set {
    struct network networks[SET_MAX];
    size_t count;
};

/* The conditions that hold for a line: conditions[0] is everything. */
struct conditions {
    struct set sets[DEPTH_MAX + 1];
    bool broken[DEPTH_MAX + 1]; /* it could not be read, or is within such a one */
    unsigned depth, beyond;     /* beyond: those that are nested too deep */
};

static void add(struct set *set, const struct network *network)
{
    if (set->count < SET_MAX)
        set->networks[set->count++] = *network;
}

static void intersect(const struct set *a, const struct set *b, struct set *out)
{
    out->count = 0;
    for (size_t i = 0; i < a->count; i++) {
        for (size_t k = 0; k < b->count; k++) {
            const struct network *one = &a->networks[i], *two = &b->networks[k];

            if (one->base.family != two->base.family)
                continue;
            if (one->prefix <= two->prefix && network_contains(one, &two->base))
                add(out, two);
            else if (two->prefix < one->prefix && network_contains(two, &one->base))
                add(out, one);
        }
    }
}

/* Takes "[2001:db8::]/32", "[192.0.2.0/24]" and those without brackets, changing text.
 * Host bits must be 0. Returns what is wrong, or NULL. */
static const char *read_pattern(char *text, struct set *out)
{
    bool others = *text == '!';
    struct network network;
    struct ipaddr base;
    char *end;

    text = format_trim(text + others);
    if (*text == '[' && (end = strchr(text, ']')) != NULL) {
        memmove(end, end + 1, strlen(end + 1) + 1);
        text++;
    }
    if (network_parse(text, &network) != 0)
        return "expected a network such as 192.0.2.0/24 or 2001:db8::/32";
    text[strcspn(text, "/")] = '\0';
    if (ipaddr_parse(text, &base) == 0 && base.family == network.base.family &&
        !ipaddr_equal(&base, &network.base))
        return "Postfix passes over a network with host bits that are not 0";
    out->count = 0;
    if (!others)
        add(out, &network);
    /* all but the network, of its family */
    for (unsigned bit = 0; others && bit < network.prefix; bit++) {
        struct network other;

        base = network.base;
        base.octets[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
        network_of(&base, bit + 1, &other);
        add(out, &other);
    }
    return NULL;
}

static bool is_word(const char *text, const char *word)
{
    size_t length = strlen(word);

    return strncasecmp(text, word, length) == 0 && strchr(" \t![", text[length]) != NULL;
}

static void begin_condition(struct format_reader *reader, struct conditions *conditions,
                            const struct logical_line *line, struct set *pattern)
{
    const char *why;

    if (conditions->depth == DEPTH_MAX) {
        conditions->beyond++;
        reader_bad_at(reader, line->line, "if: more than %d within one another",
                      DEPTH_MAX);
        return;
    }
    why = read_pattern(format_trim(line->text + strlen("if")), pattern);
    conditions->depth++;
    conditions->broken[conditions->depth] =
        conditions->broken[conditions->depth - 1] || why != NULL;
    if (why != NULL) {
        reader_bad_at(reader, line->line, "if: %s", why);
        pattern->count = 0;
    }
    intersect(&conditions->sets[conditions->depth - 1], pattern,
              &conditions->sets[conditions->depth]);
}

static void take_line(struct format_reader *reader, struct conditions *conditions,
                      const struct logical_line *line, struct set sets[static 2])
{
    char *key = line->text, *rest = key + (*key == '!');
    struct postfix_rule rule;
    const char *why;

    rest += strspn(rest, " \t");
    rest += strcspn(rest, " \t");
    if (*rest != '\0')
        *rest++ = '\0';
    rest = format_trim(rest);
    why = read_pattern(key, &sets[0]);
    if (why != NULL) {
        reader_bad_at(reader, line->line, "%.100s: %s", key, why);
        return;
    }
    postfix_rule_read(reader, line, key, rest, &rule);
    if (rule.empty)
        return;
    if (conditions->broken[conditions->depth] || conditions->beyond > 0) {
        reader_bad_at(reader, line->line,
                      "%.100s: it is in a condition that was "
                      "not taken",
                      key);
        rule.line.action = LOOKUP_HOLE;
        sets[1] = sets[0];
    } else {
        intersect(&conditions->sets[conditions->depth], &sets[0], &sets[1]);
    }
    if (lookup_table_add_networks(reader->table, reader, &rule.line, sets[1].networks,
                                  sets[1].count) != 0)
        reader_no_memory(reader);
}

void postfix_cidr_read(struct format_reader *reader)
{
    static const struct network everything[] = {{.base.family = 4}, {.base.family = 6}};
    struct conditions *conditions = calloc(1, sizeof *conditions);
    struct set *sets = calloc(2, sizeof *sets);

    if (conditions == NULL || sets == NULL) {
        reader_no_memory(reader);
        goto out;
    }
    add(&conditions->sets[0], &everything[0]);
    add(&conditions->sets[0], &everything[1]);
    for (size_t i = 0; i < reader->line_count && !reader->stopped; i++) {
        const struct logical_line *line = &reader->lines[i];

        if (is_word(line->text, "if"))
            begin_condition(reader, conditions, line, &sets[0]);
        else if (!is_word(line->text, "endif"))
            take_line(reader, conditions, line, sets);
        else if (conditions->beyond > 0)
            conditions->beyond--;
        else if (conditions->depth > 0)
            conditions->depth--;
    }
out:
    free(sets);
    free(conditions);
}
